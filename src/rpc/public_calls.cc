#include "rpc/public_calls.h"

#include <google/protobuf/empty.pb.h>
#include <manager_rpc.pb.h>
#include <utility>

#include "domain/path.h"
#include "domain/token.h"
#include "domain/token_id.h"
#include "rpc/mint_call.h"
#include "rpc/server_loop.h"

namespace tracker::rpc {

namespace {

const Status malformed{StatusCode::invalid_argument,
                       "the request is not the message that this method takes, or its text is not UTF-8"};

/// A method of one request got none, or several (gRPC's statuscodes.md: request cardinality violation).
const Status not_one_request{StatusCode::unimplemented, "the method takes exactly one request"};

Status refusal(const Flight& flight) {
  return {StatusCode::unavailable, flight.draining()
                                       ? "the service is shutting down; nothing was counted"
                                       : "too many requests are in flight; nothing was counted"};
}

bool parse(std::string_view bytes, google::protobuf::MessageLite& message) {
  return message.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()));
}

void respond(ServerConnection& connection, GrpcConnection::CallId call,
             const google::protobuf::MessageLite& response) {
  response.AppendToString(&connection.new_message());
  connection.send_message(call);
  connection.finish(call, {});
}

/// Like status_of(), for a token that was not made.
Status status_of_mint(domain::Failure failure) {
  if (failure == domain::Failure::not_done) {
    return {
        StatusCode::unavailable,
        "the store cannot be reached or has as many tokens as it may, or the call came too late; no token "
        "was made, and nothing was counted"};
  }
  return {StatusCode::unknown, "the answer did not come; no token was handed out"};
}

}  // namespace

Status status_of(domain::Failure failure) {
  if (failure == domain::Failure::not_done) {
    return {StatusCode::unavailable,
            "the counts cannot be reached, or the call came too late; nothing was counted"};
  }
  return {StatusCode::unknown, "the answer did not come; it was counted once or not at all"};
}

void UnaryCall::on_message(std::string_view message) {
  connection_.take_more(id_);
  if (request_) return finish(not_one_request);
  request_ = message;
}

void UnaryCall::on_half_close() {
  if (!request_) return finish(not_one_request);
  on_request(*request_);
}

void UpdateCounterCall::on_request(std::string_view bytes) {
  static thread_local manager_rpc::UpdateCounterRequest request;
  if (!parse(bytes, request)) return finish(malformed);
  if (request.path().empty()) return finish({StatusCode::invalid_argument, "path cannot be empty"});
  if (request.path().size() > domain::path_bytes_max)
    return finish({StatusCode::invalid_argument, "path cannot be longer than 8192 bytes"});
  const auto token = domain::parse_token(request.token());
  if (!token) return answer_update(connection_, id_, domain::Verdict::unknown_token());
  auto& loop = connection_.loop();
  if (!loop.turn().push(connection_, id_, time_, domain::token_id(*token), request.path()))
    finish(refusal(*loop.flight()));
}

void answer_update(ServerConnection& connection, GrpcConnection::CallId call, const domain::Verdict& verdict,
                   const std::optional<std::string>& owner) {
  using Kind = domain::Verdict::Kind;
  connection.loop().metrics().public_hits[static_cast<std::size_t>(verdict.kind)].add();
  manager_rpc::UpdateCounterResponse response;
  switch (verdict.kind) {
    case Kind::counted:
      response.set_success(true);
      response.set_counter(verdict.count);
      return respond(connection, call, response);
    case Kind::unknown_token:
      return respond(connection, call, response);
    case Kind::not_counted:
      if (owner) {
        return connection.finish(call, {StatusCode::unavailable,
                                        "the token is counted by " + *owner + "; nothing was counted here"});
      }
      return connection.finish(call, status_of(domain::Failure::not_done));
    case Kind::perhaps_counted:
      return connection.finish(call, status_of(domain::Failure::perhaps_done));
    case Kind::too_many_paths:
      return connection.finish(call, {StatusCode::resource_exhausted,
                                      "the token has as many paths as it may; this one was not counted"});
  }
}

void NewTokenCall::on_request(std::string_view bytes) {
  google::protobuf::Empty empty;
  if (!parse(bytes, empty)) return finish(malformed);
  auto& loop = connection_.loop();
  const auto& caller = loop.turn().caller();
  if (caller->enter(1) == 0) return finish(refusal(*loop.flight()));
  mint(connection_, id_, time_, caller,
       [](ServerConnection& connection, GrpcConnection::CallId call, const Minted& minted) {
         if (!minted) return connection.finish(call, status_of_mint(minted.error()));
         manager_rpc::NewTokenResponse response;
         response.set_token(domain::to_string(*minted));
         connection.loop().metrics().tokens.add();
         respond(connection, call, response);
       });
}

}  // namespace tracker::rpc
