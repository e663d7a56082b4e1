#pragma once

#include <chrono>

#include <manager_rpc.grpc.pb.h>
#include "counter/counter.h"
#include "rpc/flight.h"

namespace tracker::rpc {

/// manager_rpc.CounterService: one call, one hit.
class PublicService final : public manager_rpc::CounterService::CallbackService {
 public:
  PublicService(counter::Counter& counter, Flight& flight, std::chrono::milliseconds request_deadline)
      : counter_(counter), flight_(flight), request_deadline_(request_deadline) {}

  grpc::ServerUnaryReactor* NewToken(grpc::CallbackServerContext* context,
                                     const google::protobuf::Empty* request,
                                     manager_rpc::NewTokenResponse* response) override;
  grpc::ServerUnaryReactor* UpdateCounter(grpc::CallbackServerContext* context,
                                          const manager_rpc::UpdateCounterRequest* request,
                                          manager_rpc::UpdateCounterResponse* response) override;

 private:
  counter::Counter& counter_;
  Flight& flight_;
  const std::chrono::milliseconds request_deadline_;
};

/// The deadline of a call: its own, or `longest` from now if that is earlier.
domain::Deadline deadline_of(const grpc::CallbackServerContext& context, std::chrono::milliseconds longest);

/// What a failure looks like to a caller.
grpc::Status status_of(domain::Failure failure);

}  // namespace tracker::rpc
