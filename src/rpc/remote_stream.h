#pragma once

#include <string>
#include <unordered_map>

#include <tracker/v1/counting.pb.h>
#include "counter/counter.h"
#include "rpc/batch_message.h"
#include "rpc/http2_connection.h"

namespace tracker::rpc {

class RemoteLink;

/// One attempt at a stream to the counter, on a connection of its own, and the mints beside it. Belongs to its
/// link's worker.
class RemoteStream final : public Http2Connection {
 public:
  RemoteStream(RemoteLink& link, boost::asio::io_context& worker, std::uint32_t calls_max);

  /// Connects and opens; the link's on_read() or on_lost() tells.
  void start(const runtime::Address& address, const std::string& version);

  /// Its link hears nothing of it any more; mints under way are answered: perhaps done.
  void abandon();

  /// After on_read() was called for the first time.
  void write(const v1::TrackRequest& request);
  void write_batch(const BatchHead& head, std::span<const domain::HitBatch* const> batches);
  void mint(std::chrono::milliseconds deadline, counter::MintReply& reply);

 private:
  void on_connected() override;
  void on_message(CallId call, std::string_view message) override;
  void on_call_end(CallId call, const CallStatus& status) override;
  void on_lost(const std::string& reason) override;

  struct Mint {
    counter::MintReply* reply;
    v1::MintResponse response;
  };

  RemoteLink* link_;  // null once abandoned
  std::string authority_;
  std::string version_;
  CallId track_ = 0;
  v1::TrackResponse response_;
  std::unordered_map<CallId, Mint> mints_;
};

}  // namespace tracker::rpc
