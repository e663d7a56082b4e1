#include "rpc/public_service.h"

#include <memory>
#include <string>

#include <google/protobuf/empty.pb.h>
#include "domain/path.h"
#include "domain/token.h"
#include "domain/token_id.h"

namespace tracker::rpc {

namespace {

/// Answers false for bytes that are no such message, or text in it that is not UTF-8.
bool parse(const grpc::ByteBuffer& bytes, google::protobuf::MessageLite& message) {
  grpc::Slice slice;
  return bytes.TrySingleSlice(&slice).ok() || bytes.DumpToSingleSlice(&slice).ok()
             ? message.ParseFromArray(slice.begin(), static_cast<int>(slice.size()))
             : false;
}

grpc::ByteBuffer serialized(const google::protobuf::MessageLite& message) {
  const grpc::Slice slice(message.SerializeAsString());
  return {&slice, 1};
}

const grpc::Status malformed{
    grpc::StatusCode::INVALID_ARGUMENT,
    "the request is not the message that this method takes, or its text is not UTF-8"};

grpc::Status refusal(const Flight& flight) {
  return {grpc::StatusCode::UNAVAILABLE, flight.draining()
                                             ? "the service is shutting down; nothing was counted"
                                             : "too many requests are in flight; nothing was counted"};
}

/// A token under way to its caller. Deletes itself.
class NewTokenCall final : public counter::MintReply {
 public:
  NewTokenCall(grpc::ServerUnaryReactor& reactor, grpc::ByteBuffer& response, Flight::Caller& caller)
      : reactor_(reactor), response_(response), caller_(caller) {}

  void on_minted(boost::system::result<domain::Token, domain::Failure> minted) override {
    const std::unique_ptr<NewTokenCall> self(this);
    caller_.leave(1);
    if (minted) {
      manager_rpc::NewTokenResponse response;
      response.set_token(domain::to_string(*minted));
      response_ = serialized(response);
      reactor_.Finish(grpc::Status::OK);
    } else {
      reactor_.Finish(status_of(minted.error()));
    }
  }

 private:
  grpc::ServerUnaryReactor& reactor_;
  grpc::ByteBuffer& response_;
  Flight::Caller& caller_;
};

/// A hit under way. Deletes itself.
class UpdateCounterCall final : public counter::TrackReply {
 public:
  UpdateCounterCall(grpc::ServerUnaryReactor& reactor, grpc::ByteBuffer& response, Flight::Caller& caller)
      : reactor_(reactor), response_(response), caller_(caller) {}

  domain::HitBatch hits;

  void on_verdicts(std::span<const domain::HitVerdict> verdicts) override {
    const std::unique_ptr<UpdateCounterCall> self(this);
    caller_.leave(1);
    using Kind = domain::Verdict::Kind;
    const auto& verdict = verdicts.front().verdict;
    switch (verdict.kind) {
      case Kind::counted: {
        manager_rpc::UpdateCounterResponse response;
        response.set_success(true);
        response.set_counter(verdict.count);
        response_ = serialized(response);
        return reactor_.Finish(grpc::Status::OK);
      }
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
  grpc::ByteBuffer& response_;
  Flight::Caller& caller_;
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
                                                  const grpc::ByteBuffer* request,
                                                  grpc::ByteBuffer* response) {
  auto* reactor = context->DefaultReactor();
  *response = serialized(manager_rpc::NewTokenResponse());
  google::protobuf::Empty empty;
  if (!parse(*request, empty)) {
    reactor->Finish(malformed);
    return reactor;
  }
  if (caller_.enter(1) == 0) {
    reactor->Finish(refusal(*flight_));
    return reactor;
  }
  counter_.mint(deadline_of(*context, request_deadline_), *new NewTokenCall(*reactor, *response, caller_));
  return reactor;
}

grpc::ServerUnaryReactor* PublicService::UpdateCounter(grpc::CallbackServerContext* context,
                                                       const grpc::ByteBuffer* bytes,
                                                       grpc::ByteBuffer* response) {
  auto* reactor = context->DefaultReactor();
  *response = serialized(manager_rpc::UpdateCounterResponse());
  manager_rpc::UpdateCounterRequest request;
  if (!parse(*bytes, request)) {
    reactor->Finish(malformed);
    return reactor;
  }
  if (request.path().empty()) {
    reactor->Finish({grpc::StatusCode::INVALID_ARGUMENT, "path cannot be empty"});
    return reactor;
  }
  if (request.path().size() > domain::path_bytes_max) {
    reactor->Finish({grpc::StatusCode::INVALID_ARGUMENT, "path cannot be longer than 8192 bytes"});
    return reactor;
  }
  const auto token = domain::parse_token(request.token());
  if (!token) {
    reactor->Finish(grpc::Status::OK);
    return reactor;
  }
  if (caller_.enter(1) == 0) {
    reactor->Finish(refusal(*flight_));
    return reactor;
  }
  auto* call = new UpdateCounterCall(*reactor, *response, caller_);
  call->hits.set_deadline(deadline_of(*context, request_deadline_));
  call->hits.push(domain::token_id(*token), request.path());
  counter_.track(call->hits, *call);
  return reactor;
}

}  // namespace tracker::rpc
