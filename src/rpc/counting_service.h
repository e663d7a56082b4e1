#pragma once

#include <memory>
#include <mutex>
#include <string>
#include <unordered_set>

#include <tracker/v1/counting.grpc.pb.h>
#include "rpc/public_service.h"

namespace tracker::rpc {

class TrackStream;

/// tracker.v1.Counting: batches of hits from tracker's own envoys.
class CountingService final : public v1::Counting::CallbackService {
 public:
  CountingService(counter::Counter& counter, Flight& flight, std::string version,
                  std::chrono::milliseconds request_deadline);

  grpc::ServerBidiReactor<v1::TrackRequest, v1::TrackResponse>* Track(
      grpc::CallbackServerContext* context) override;
  grpc::ServerUnaryReactor* Mint(grpc::CallbackServerContext* context, const v1::MintRequest* request,
                                 v1::MintResponse* response) override;

  /// Tells every stream, when it changes.
  void set_readiness(const std::string& why_not);

  /// Ends every stream once what it has received is answered, also those that come later.
  void end_streams();
  bool has_streams();

 private:
  friend class TrackStream;
  void leave(TrackStream& stream);

  counter::Counter& counter_;
  Flight& flight_;
  const std::string version_;
  const std::chrono::milliseconds request_deadline_;

  std::mutex mutex_;
  std::unordered_set<TrackStream*> streams_;  // mutex_
  std::string why_not_ready_;                 // mutex_
  bool ending_ = false;                       // mutex_
};

}  // namespace tracker::rpc
