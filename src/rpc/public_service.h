#pragma once

#include <chrono>
#include <memory>
#include <utility>

#include <manager_rpc.grpc.pb.h>
#include "counter/counter.h"
#include "rpc/flight.h"

namespace tracker::rpc {

/// manager_rpc.CounterService: one call, one hit. Its requests are parsed here: gRPC's library calls a method that is sent
/// what it cannot parse unimplemented.
class PublicService final : public manager_rpc::CounterService::WithRawCallbackMethod_NewToken<
                                manager_rpc::CounterService::WithRawCallbackMethod_UpdateCounter<
                                    manager_rpc::CounterService::Service>> {
 public:
  PublicService(counter::Counter& counter, std::shared_ptr<Flight> flight,
                std::chrono::milliseconds request_deadline)
      : counter_(counter),
        flight_(std::move(flight)),
        caller_(flight_),
        request_deadline_(request_deadline) {}

  grpc::ServerUnaryReactor* NewToken(grpc::CallbackServerContext* context, const grpc::ByteBuffer* request,
                                     grpc::ByteBuffer* response) override;
  grpc::ServerUnaryReactor* UpdateCounter(grpc::CallbackServerContext* context,
                                          const grpc::ByteBuffer* request,
                                          grpc::ByteBuffer* response) override;

 private:
  counter::Counter& counter_;
  const std::shared_ptr<Flight> flight_;
  Flight::Caller caller_;  // all calls together
  const std::chrono::milliseconds request_deadline_;
};

/// The deadline of a call: its own, or `longest` from now if that is earlier.
domain::Deadline deadline_of(const grpc::CallbackServerContext& context, std::chrono::milliseconds longest);

/// What a failure looks like to a caller.
grpc::Status status_of(domain::Failure failure);

}  // namespace tracker::rpc
