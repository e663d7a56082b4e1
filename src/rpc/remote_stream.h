#pragma once

#include <grpcpp/channel.h>
#include <grpcpp/client_context.h>

#include <atomic>
#include <functional>
#include <memory>
#include <string>

#include <tracker/v1/counting.grpc.pb.h>
#include "rpc/remote_link.h"

namespace tracker::rpc {

/// One attempt at a stream, on a connection of its own. gRPC's threads bring its events to the worker's; what
/// is not a callback is called there. A hold keeps gRPC from ending the stream while the worker may still
/// read or write: the worker lets it go when there is nothing more to read, or when it does not want to hear
/// any more.
class RemoteStream final : public grpc::ClientBidiReactor<v1::TrackRequest, v1::TrackResponse>,
                           public std::enable_shared_from_this<RemoteStream> {
 public:
  RemoteStream(RemoteLink& link, const std::string& address) : RemoteStream(link, address, link.worker()) {}

  /// Keeps itself alive until gRPC is done with it.
  void start(const std::string& version);

  /// Its link hears nothing of it any more.
  void abandon();

  /// What was read; on_read() of the link was called for it, and read_on() reads the next.
  const v1::TrackResponse& response() const noexcept { return response_; }
  void read_on();

  /// The message to fill for write(); only if it answers true. If not, on_writable() of the link is called
  /// when it does.
  bool writable() noexcept;
  v1::TrackRequest& request() noexcept { return request_; }
  void write();

  v1::Counting::Stub& stub() noexcept { return *stub_; }

  void OnReadDone(bool ok) override;
  void OnWriteDone(bool ok) override;
  void OnDone(const grpc::Status& status) override;

 private:
  void let_go();
  RemoteStream(RemoteLink& link, const std::string& address, boost::asio::io_context& worker);

  RemoteLink* link_;  // the worker's; null once abandoned
  boost::asio::io_context& worker_;
  Outstanding& outstanding_;
  std::shared_ptr<RemoteStream> self_;
  std::unique_ptr<v1::Counting::Stub> stub_;
  grpc::ClientContext context_;
  v1::TrackRequest request_;
  v1::TrackResponse response_;
  bool held_ = false;  // the worker's
  std::atomic<bool> writing_ = false;
  std::atomic<bool> write_wanted_ = false;
};

}  // namespace tracker::rpc
