#include "rpc/counter_server.h"

#include <grpcpp/ext/proto_server_reflection_plugin.h>
#include <grpcpp/health_check_service_interface.h>
#include <grpcpp/server.h>
#include <grpcpp/server_builder.h>

#include <boost/asio/io_context.hpp>
#include <thread>
#include <utility>

#include "rpc/counting_service.h"
#include "rpc/public_service.h"
#include "runtime/listener.h"

namespace tracker::rpc {

namespace {
constexpr int message_bytes_max = 8 * 1024 * 1024;  // a batch is 1 MiB and a few columns

constexpr auto drain_poll = std::chrono::milliseconds(2);
constexpr auto time_to_hear = std::chrono::milliseconds(200);
constexpr auto time_to_turn_away = std::chrono::milliseconds(1'000);
constexpr auto quiet = std::chrono::milliseconds(50);  // in which nobody was refused
constexpr auto last_answers = std::chrono::milliseconds(100);

/// Has the machine say, in its own words, what is against the address: gRPC only says that something is.
boost::asio::ip::tcp::endpoint probe(const runtime::Address& address) {
  boost::asio::io_context context;
  return runtime::listen(context, address).local_endpoint();
}
}  // namespace

struct CounterServer::Parts {
  Parts(counter::Counter& counter, const CounterServerSettings& settings)
      : flight{settings.hits_max},
        public_service(counter, flight, settings.request_deadline),
        counting(counter, flight, settings.version, settings.request_deadline) {}

  Flight flight;
  PublicService public_service;
  CountingService counting;
  std::unique_ptr<grpc::Server> server;
};

CounterServer::CounterServer(const runtime::Address& address, counter::Counter& counter,
                             const CounterServerSettings& settings)
    : parts_(std::make_unique<Parts>(counter, settings)) {
  static const bool plugins = [] {
    grpc::EnableDefaultHealthCheckService(true);
    grpc::reflection::InitProtoReflectionServerBuilderPlugin();
    return true;
  }();
  static_cast<void>(plugins);

  auto endpoint = probe(address);
  if (address.port == 0) endpoint.port(0);
  grpc::ServerBuilder builder;
  builder.AddChannelArgument(GRPC_ARG_ALLOW_REUSEPORT, 0);
  // Deployed clients may ping to keep their connections alive; that is no reason to hang up.
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_PERMIT_WITHOUT_CALLS, 1);
  builder.AddChannelArgument(GRPC_ARG_HTTP2_MIN_RECV_PING_INTERVAL_WITHOUT_DATA_MS, 1'000);
  builder.SetMaxReceiveMessageSize(message_bytes_max);
  builder.RegisterService(&parts_->public_service);
  builder.RegisterService(&parts_->counting);
  int port = 0;
  builder.AddListeningPort(runtime::to_string(endpoint), grpc::InsecureServerCredentials(), &port);
  parts_->server = builder.BuildAndStart();
  if (!parts_->server || port == 0) throw boost::system::system_error(boost::asio::error::address_in_use);
  auto& health = *parts_->server->GetHealthCheckService();
  health.SetServingStatus(manager_rpc::CounterService::service_full_name(), false);
  health.SetServingStatus(v1::Counting::service_full_name(), false);
  health.SetServingStatus(false);
  endpoint.port(static_cast<std::uint16_t>(port));
  endpoint_ = runtime::to_string(endpoint);
}

CounterServer::~CounterServer() {
  parts_->server->Shutdown(std::chrono::system_clock::now());
}

void CounterServer::set_readiness(const std::string& why_not) {
  if (serving_ != why_not.empty()) {
    serving_ = why_not.empty();
    parts_->server->GetHealthCheckService()->SetServingStatus(serving_);
  }
  parts_->counting.set_readiness(why_not);
}

void CounterServer::announce_end() {
  parts_->server->GetHealthCheckService()->Shutdown();
}

void CounterServer::drain(std::chrono::milliseconds limit) {
  const auto deadline = std::chrono::steady_clock::now() + limit;
  const auto wait_while = [deadline](const auto& condition) {
    while (condition() && std::chrono::steady_clock::now() < deadline)
      std::this_thread::sleep_for(drain_poll);
  };
  // What comes now is refused. The envoys are told, and have a moment to hear it before their streams end.
  parts_->flight.draining = true;
  parts_->counting.set_readiness("it is shutting down");
  const auto told = std::chrono::steady_clock::now() + time_to_hear;
  wait_while([&] { return parts_->counting.has_streams() && std::chrono::steady_clock::now() < told; });
  wait_while([&] { return parts_->flight.hits > 0; });
  parts_->counting.end_streams();
  wait_while([&] { return parts_->counting.has_streams(); });
  // gRPC cancels calls that cross the end of their connection, so clients get a moment to turn away by
  // themselves.
  const auto patience_ends = std::chrono::steady_clock::now() + time_to_turn_away;
  for (auto refused = parts_->flight.refused.load(); std::chrono::steady_clock::now() < patience_ends;) {
    std::this_thread::sleep_for(quiet);
    if (refused == std::exchange(refused, parts_->flight.refused.load())) break;
  }
  // Health's watchers would stay as long as they are let.
  parts_->server->Shutdown(std::chrono::system_clock::now() + last_answers);
}

}  // namespace tracker::rpc
