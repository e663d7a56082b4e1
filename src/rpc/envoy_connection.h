#pragma once

#include <map>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include <tracker/v1/counting.pb.h>
#include "domain/hit_batch.h"
#include "domain/verdict.h"
#include "rpc/counting_service.h"
#include "rpc/http2_connection.h"

namespace tracker::rpc {

/// One envoy's connection: its streams of batches, and its mints (tracker.v1.Counting). Belongs to the
/// service's loop; the counter answers on any thread. Invariants:
/// 1. A batch under way keeps the connection, and is answered into nothing if its stream is over.
/// 2. A stream finishes when nothing will be taken from it any more and every batch has its verdicts.
/// 3. A stream is read no further while too much waits to be sent on it, or too many batches for verdicts. The service
///    drops a connection that keeps too much all the same.
class EnvoyConnection final : public Http2Connection {
 public:
  EnvoyConnection(CountingService& service, runtime::Socket socket);
  ~EnvoyConnection() override;

  void set_readiness(const std::string& why_not);

  /// Takes no more hits, and ends once what it has taken is answered.
  void end();

  // What its service looks at.
  using Http2Connection::heard_at;
  using Http2Connection::held_bytes;
  using Http2Connection::lose;
  using Http2Connection::stalled_since;
  using Http2Connection::unsent_bytes;

 private:
  class Batch;
  class Mint;
  struct Stream {
    std::vector<std::unique_ptr<Batch>> free_batches;
    std::size_t in_flight = 0;
    bool opened = false;
    bool ended = false;      // no batch is taken any more
    bool misspoken = false;  // the client speaks another language
  };

  void on_message(CallId call, std::string_view message) override;
  void on_lost(const std::string& reason) override;
  void on_call(CallId call, std::string_view method, std::string_view timeout) override;
  void on_half_close(CallId call) override;
  void on_written() override;
  void on_cancel(CallId call) override;
  void on_held() override;

  void mint(CallId call, std::string_view timeout);
  bool take_request(CallId call, Stream& stream);
  bool take_batch(CallId call, Stream& stream, std::string_view message);
  void track(Batch& batch);
  void answer(Batch& batch, std::span<const domain::HitVerdict> verdicts);
  void take_no_more(CallId call);
  void finish_if_done(CallId call);
  void read_on(CallId call, const Stream& stream);

  CountingService& service_;
  Flight::Caller caller_;
  std::size_t held_bytes_ = 0;  // as the service knows it
  std::map<CallId, Stream> streams_;
  bool held_back_ = false;      // some stream, since too much waits to be sent on it
  v1::TrackRequest request_;    // used again
  v1::TrackResponse response_;  // used again
};

}  // namespace tracker::rpc
