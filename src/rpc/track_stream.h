#pragma once

#include <deque>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <vector>

#include "domain/hit_batch.h"
#include "domain/verdict.h"
#include "rpc/counting_service.h"

namespace tracker::rpc {

/// One envoy's stream. gRPC calls it from its own threads, the store from others. Invariants:
/// 1. One read and one write are under way at most.
/// 2. It finishes when nothing will be read any more, every batch has its verdicts and all of them are
///    written; it deletes itself when gRPC is done with it.
/// 3. The mutex is never held while the counter is called. It may be while gRPC is, which never calls back
///    from within; but not for Finish(), the last that is done with the stream: it may be gone when that
///    returns.
/// 4. It reads no further while too much waits to be written, or too many batches for their verdicts.
class TrackStream final : public grpc::ServerBidiReactor<v1::TrackRequest, v1::TrackResponse> {
 public:
  explicit TrackStream(CountingService& service);
  ~TrackStream() override;

  /// Begins to read; what is to be written waits until the client has opened.
  void start(const std::string& why_not_ready);

  void set_readiness(const std::string& why_not);

  /// Reads no more, and finishes once what was received is answered.
  void end();

  void OnReadDone(bool ok) override;
  void OnWriteDone(bool ok) override;
  void OnDone() override;

 private:
  class Batch;

  bool take_request();
  void answer(Batch& batch, std::span<const domain::HitVerdict> verdicts);

  // With the mutex held.
  void push(v1::TrackResponse response);
  void write_next();
  void read_next();
  bool is_done();  // and from then on nothing else happens: the caller finishes

  void finish();

  CountingService& service_;
  v1::TrackRequest request_;  // of the read that is under way

  std::mutex mutex_;                         // protects all that follows
  std::deque<v1::TrackResponse> unwritten_;  // while writing_, the first one is under way
  std::vector<std::unique_ptr<Batch>> free_batches_;
  std::size_t batches_in_flight_ = 0;
  bool opened_ = false;
  bool reading_ = false;
  bool reading_ended_ = false;
  bool writing_ = false;
  bool broken_ = false;     // nothing can be written any more
  bool misspoken_ = false;  // the client speaks another language
  bool finished_ = false;
};

}  // namespace tracker::rpc
