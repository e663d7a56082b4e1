#include "rpc/health_calls.h"

#include <cstdint>
#include <optional>

#include "rpc/server_loop.h"
#include "rpc/wire_format.h"

namespace tracker::rpc {

namespace {

// grpc/health/v1/health.proto: HealthCheckRequest has `string service = 1`, HealthCheckResponse has
// `ServingStatus status = 1`.
enum ServingStatus : int { serving = 1, not_serving = 2, service_unknown = 3 };
constexpr std::uint32_t service_field = 1;
constexpr std::uint32_t status_field = 1;

const Status malformed{StatusCode::invalid_argument, "the request is not a HealthCheckRequest"};

/// Returns nothing if the request is malformed.
std::optional<std::string> service_in(std::string_view request) {
  std::string service;
  wire::Fields fields(request);
  while (fields.next()) {
    if (fields.number() == service_field && fields.type() == wire::Type::bytes) service = fields.bytes();
  }
  if (fields.broken()) return std::nullopt;
  return service;
}

ServingStatus status_of_service(ServerConnection& connection, std::string_view service) {
  if (!service.empty() && service != service_name(connection.loop().interface())) return service_unknown;
  return connection.loop().is_serving() ? serving : not_serving;
}

void send_status(ServerConnection& connection, GrpcConnection::CallId call, ServingStatus status) {
  connection.new_message() +=
      {static_cast<char>(wire::tag(status_field, wire::Type::varint)), static_cast<char>(status)};
  connection.send_message(call);
}

}  // namespace

void HealthCheckCall::on_request(std::string_view request) {
  const auto service = service_in(request);
  if (!service) return finish(malformed);
  const auto status = status_of_service(connection_, *service);
  if (status == service_unknown) return finish({StatusCode::not_found, "unknown service"});
  send_status(connection_, id_, status);
  finish({});
}

void HealthWatchCall::on_message(std::string_view message) {
  connection_.take_more(id_);
  const auto service = service_in(message);
  if (!service || asked_) return connection_.finish(id_, malformed);
  asked_ = true;
  service_ = *service;
  tell();
}

void HealthWatchCall::on_half_close() {
  if (!asked_) connection_.finish(id_, {StatusCode::unimplemented, "the method takes exactly one request"});
}

void HealthWatchCall::on_readiness() {
  if (asked_) tell();
}

void HealthWatchCall::on_end() {
  connection_.finish(id_, {StatusCode::unavailable, "the service is shutting down"});
}

void HealthWatchCall::tell() {
  const auto status = status_of_service(connection_, service_);
  if (status == told_) return;
  told_ = status;
  send_status(connection_, id_, status);
}

}  // namespace tracker::rpc
