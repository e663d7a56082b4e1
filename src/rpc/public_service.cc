#include "rpc/public_service.h"

#include <memory>

#include "domain/token.h"
#include "domain/token_id.h"

namespace tracker::rpc {

namespace {

constexpr std::size_t path_bytes_max = 8 * 1024;

grpc::Status refusal(const Flight& flight) {
  return {grpc::StatusCode::UNAVAILABLE, flight.draining
                                             ? "the service is shutting down; nothing was counted"
                                             : "too many requests are in flight; nothing was counted"};
}

/// A token under way to its caller. Deletes itself.
class NewTokenCall final : public counter::MintReply {
 public:
  NewTokenCall(grpc::ServerUnaryReactor& reactor, manager_rpc::NewTokenResponse& response, Flight& flight)
      : reactor_(reactor), response_(response), flight_(flight) {}

  void on_minted(boost::system::result<domain::Token, domain::Failure> minted) override {
    const std::unique_ptr<NewTokenCall> self(this);
    flight_.leave(1);
    if (minted) {
      response_.set_token(domain::to_string(*minted));
      reactor_.Finish(grpc::Status::OK);
    } else {
      reactor_.Finish(status_of(minted.error()));
    }
  }

 private:
  grpc::ServerUnaryReactor& reactor_;
  manager_rpc::NewTokenResponse& response_;
  Flight& flight_;
};

/// A hit under way. Deletes itself.
class UpdateCounterCall final : public counter::TrackReply {
 public:
  UpdateCounterCall(grpc::ServerUnaryReactor& reactor, manager_rpc::UpdateCounterResponse& response,
                    Flight& flight)
      : reactor_(reactor), response_(response), flight_(flight) {}

  domain::HitBatch hits;

  void on_verdicts(std::span<const domain::HitVerdict> verdicts) override {
    const std::unique_ptr<UpdateCounterCall> self(this);
    flight_.leave(1);
    using Kind = domain::Verdict::Kind;
    const auto& verdict = verdicts.front().verdict;
    switch (verdict.kind) {
      case Kind::counted:
        response_.set_success(true);
        response_.set_counter(verdict.count);
        return reactor_.Finish(grpc::Status::OK);
      case Kind::unknown_token:
        return reactor_.Finish(grpc::Status::OK);
      case Kind::not_counted:
        return reactor_.Finish(status_of(domain::Failure::not_done));
      case Kind::perhaps_counted:
        return reactor_.Finish(status_of(domain::Failure::perhaps_done));
    }
  }

 private:
  grpc::ServerUnaryReactor& reactor_;
  manager_rpc::UpdateCounterResponse& response_;
  Flight& flight_;
};

}  // namespace

domain::Deadline deadline_of(const grpc::CallbackServerContext& context, std::chrono::milliseconds longest) {
  const auto left = context.deadline() - std::chrono::system_clock::now();
  const auto now = std::chrono::steady_clock::now();
  return left < longest ? now + std::chrono::duration_cast<std::chrono::milliseconds>(left) : now + longest;
}

grpc::Status status_of(domain::Failure failure) {
  if (failure == domain::Failure::not_done) {
    return {grpc::StatusCode::UNAVAILABLE,
            "the counts cannot be reached, or the call came too late; nothing was counted"};
  }
  return {grpc::StatusCode::UNKNOWN, "the answer did not come; it was counted once or not at all"};
}

grpc::ServerUnaryReactor* PublicService::NewToken(grpc::CallbackServerContext* context,
                                                  const google::protobuf::Empty* /*request*/,
                                                  manager_rpc::NewTokenResponse* response) {
  auto* reactor = context->DefaultReactor();
  if (!flight_.enter(1)) {
    reactor->Finish(refusal(flight_));
    return reactor;
  }
  counter_.mint(deadline_of(*context, request_deadline_), *new NewTokenCall(*reactor, *response, flight_));
  return reactor;
}

grpc::ServerUnaryReactor* PublicService::UpdateCounter(grpc::CallbackServerContext* context,
                                                       const manager_rpc::UpdateCounterRequest* request,
                                                       manager_rpc::UpdateCounterResponse* response) {
  auto* reactor = context->DefaultReactor();
  if (request->path().empty()) {
    reactor->Finish({grpc::StatusCode::INVALID_ARGUMENT, "path cannot be empty"});
    return reactor;
  }
  if (request->path().size() > path_bytes_max) {
    reactor->Finish({grpc::StatusCode::INVALID_ARGUMENT, "path cannot be longer than 8192 bytes"});
    return reactor;
  }
  const auto token = domain::parse_token(request->token());
  if (!token) {
    reactor->Finish(grpc::Status::OK);
    return reactor;
  }
  if (!flight_.enter(1)) {
    reactor->Finish(refusal(flight_));
    return reactor;
  }
  auto* call = new UpdateCounterCall(*reactor, *response, flight_);
  call->hits.set_deadline(deadline_of(*context, request_deadline_));
  call->hits.push(domain::token_id(*token), request->path());
  counter_.track(call->hits, *call);
  return reactor;
}

}  // namespace tracker::rpc
