#include "rpc/counter_server.h"

#include <grpcpp/ext/proto_server_reflection_plugin.h>
#include <grpcpp/health_check_service_interface.h>
#include <grpcpp/server.h>
#include <grpcpp/server_builder.h>
#include <grpcpp/server_posix.h>

#include <boost/asio/dispatch.hpp>
#include <boost/asio/use_future.hpp>
#include <thread>
#include <utility>

#include "rpc/counter_listener.h"
#include "rpc/counting_service.h"
#include "rpc/public_service.h"
#include "runtime/listener.h"

namespace tracker::rpc {

namespace {
constexpr auto drain_poll = std::chrono::milliseconds(2);
constexpr auto time_to_hear = std::chrono::milliseconds(200);
constexpr auto time_to_turn_away = std::chrono::milliseconds(1'000);
constexpr auto quiet = std::chrono::milliseconds(50);  // in which nobody was refused
constexpr auto last_answers = std::chrono::milliseconds(100);

}  // namespace

struct CounterServer::Parts {
  Parts(boost::asio::io_context& its_loop, const runtime::Address& address, counter::Counter& counter,
        const CounterServerSettings& settings)
      : loop(its_loop),
        flight{settings.hits_max},
        public_service(counter, flight, settings.request_deadline),
        counting(loop, counter, flight, settings.version, settings.request_deadline),
        listener(
            loop, address, [this](runtime::Socket socket) { counting.take(std::move(socket)); },
            [this](runtime::Socket socket) {
              grpc::AddInsecureChannelFromFd(server.get(), socket.release());
            }) {}

  boost::asio::io_context& loop;
  Flight flight;
  PublicService public_service;
  CountingService counting;
  std::unique_ptr<grpc::Server> server;
  CounterListener listener;
};

CounterServer::CounterServer(boost::asio::io_context& loop, const runtime::Address& address,
                             counter::Counter& counter, const CounterServerSettings& settings)
    : parts_(std::make_unique<Parts>(loop, address, counter, settings)) {
  static const bool plugins = [] {
    grpc::EnableDefaultHealthCheckService(true);
    grpc::reflection::InitProtoReflectionServerBuilderPlugin();
    return true;
  }();
  static_cast<void>(plugins);

  grpc::ServerBuilder builder;
  // Deployed clients may ping to keep their connections alive; that is no reason to hang up.
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_PERMIT_WITHOUT_CALLS, 1);
  builder.AddChannelArgument(GRPC_ARG_HTTP2_MIN_RECV_PING_INTERVAL_WITHOUT_DATA_MS, 1'000);
  builder.RegisterService(&parts_->public_service);
  parts_->server = builder.BuildAndStart();
  auto& health = *parts_->server->GetHealthCheckService();
  health.SetServingStatus(manager_rpc::CounterService::service_full_name(), false);
  health.SetServingStatus(false);
  endpoints_ = parts_->listener.endpoints();
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
  wait_while([&] { return parts_->counting.has_connections() && std::chrono::steady_clock::now() < told; });
  wait_while([&] { return parts_->flight.hits > 0; });
  parts_->counting.end_connections();
  wait_while([&] { return parts_->counting.has_connections(); });
  boost::asio::dispatch(parts_->loop, boost::asio::use_future([this] { parts_->listener.close(); })).wait();
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
