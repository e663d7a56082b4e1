#include "rpc/route_lookup_call.h"

#include <grpc/lookup/v1/rls.pb.h>

#include <optional>
#include <string>

#include "counter/counter_list.h"
#include "domain/slot.h"
#include "domain/token.h"
#include "domain/token_id.h"
#include "rpc/server_loop.h"

namespace tracker::rpc {

namespace {

const Status no_key{
    StatusCode::invalid_argument,
    "the key map must hold either a token, as GET /auth gives it, or a slot, from 0 to 16383"};

std::optional<domain::Slot> slot_of(const grpc::lookup::v1::RouteLookupRequest& request) {
  const auto& keys = request.key_map();
  if (keys.size() != 1) return std::nullopt;
  const auto& [name, value] = *keys.begin();
  if (name == "slot") return domain::parse_slot(value);
  if (name != "token") return std::nullopt;
  const auto token = domain::parse_token(value);
  if (!token) return std::nullopt;
  return domain::slot_of(domain::token_id(*token));
}

}  // namespace

void RouteLookupCall::on_request(std::string_view bytes) {
  grpc::lookup::v1::RouteLookupRequest request;
  if (!request.ParseFromArray(bytes.data(), static_cast<int>(bytes.size())))
    return finish({StatusCode::invalid_argument, "the request is not a RouteLookupRequest"});
  const auto slot = slot_of(request);
  if (!slot) return finish(no_key);
  const auto& list = connection_.loop().facts().adopted;
  if (!list) return finish({StatusCode::unavailable, "there is no table yet"});
  const auto* owner = list->find(list->table().owner_name(*slot));
  grpc::lookup::v1::RouteLookupResponse response;
  response.add_targets(runtime::to_string(owner->address));
  response.AppendToString(&connection_.new_message());
  connection_.send_message(id_);
  finish({});
}

}  // namespace tracker::rpc
