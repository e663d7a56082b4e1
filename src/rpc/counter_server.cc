#include "rpc/counter_server.h"

#include <grpcpp/ext/proto_server_reflection_plugin.h>
#include <grpcpp/health_check_service_interface.h>
#include <grpcpp/server.h>
#include <grpcpp/server_builder.h>
#include <grpcpp/server_posix.h>

#include <algorithm>
#include <boost/asio/dispatch.hpp>
#include <boost/asio/use_future.hpp>
#include <limits>
#include <thread>
#include <utility>

#include "rpc/counter_listener.h"
#include "rpc/counting_service.h"
#include "rpc/handed_over.h"
#include "rpc/public_service.h"
#include "runtime/bound_log.h"
#include "runtime/listener.h"
#include "runtime/workers.h"

namespace tracker::rpc {

namespace {
constexpr std::size_t threads_of_grpc = 12;  // 10 were seen
constexpr auto drain_poll = std::chrono::milliseconds(2);
constexpr auto time_to_hear = std::chrono::milliseconds(200);
constexpr auto time_to_turn_away = std::chrono::milliseconds(1'000);
constexpr auto quiet = std::chrono::milliseconds(50);  // in which nobody was refused
constexpr auto last_answers = std::chrono::milliseconds(100);

/// A request is a token and a path of 8 KiB, in UTF-8.
constexpr int request_bytes_max = 64 * 1024;
constexpr int metadata_bytes_max = 8 * 1024;
constexpr int streams_max = 128;  // of a connection
constexpr int window_bytes = 64 * 1024;
constexpr std::size_t memory_bytes_max = 256 * 1024 * 1024;

/// What gRPC's library holds for strangers.
void bound(grpc::ServerBuilder& builder, const CounterServerSettings& settings) {
  builder.SetMaxReceiveMessageSize(request_bytes_max);
  builder.AddChannelArgument(GRPC_ARG_MAX_METADATA_SIZE, metadata_bytes_max);
  builder.AddChannelArgument(GRPC_ARG_MAX_CONCURRENT_STREAMS, streams_max);
  // The windows stay as they are, instead of growing with what comes.
  builder.AddChannelArgument(GRPC_ARG_HTTP2_STREAM_LOOKAHEAD_BYTES, window_bytes);
  builder.AddChannelArgument(GRPC_ARG_HTTP2_BDP_PROBE, 0);
  const auto idle_ms = std::min<std::chrono::milliseconds::rep>(settings.idle_deadline.count(),
                                                                std::numeric_limits<int>::max() - 1);
  builder.AddChannelArgument(GRPC_ARG_MAX_CONNECTION_IDLE_MS, static_cast<int>(idle_ms));
  builder.SetResourceQuota(grpc::ResourceQuota("calls").Resize(memory_bytes_max));
}

/// Of the services that there are, and no others: told about all, gRPC's health service would also make one SERVING
/// that somebody only watches, and that does not exist.
void tell_health(grpc::Server& server, bool serving) {
  auto& health = *server.GetHealthCheckService();
  health.SetServingStatus(manager_rpc::CounterService::service_full_name(), serving);
  health.SetServingStatus("", serving);
}

}  // namespace

struct CounterServer::Parts {
  Parts(boost::asio::io_context& its_loop, const runtime::Address& address, counter::Counter& counter,
        const CounterServerSettings& settings)
      : loop(its_loop),
        flight(std::make_shared<Flight>(settings.hits_max)),
        public_service(counter, flight, settings.request_deadline),
        counting(loop, counter, flight, settings.version, settings.request_deadline,
                 settings.envoy_connections_max),
        others(settings.connections_max),
        others_max(settings.connections_max),
        listener(
            loop, address, settings.unsorted_connections_max(),
            [this](runtime::Socket socket) { counting.take(std::move(socket)); },
            [this](runtime::Socket socket) { take_other(std::move(socket)); }) {}

  void take_other(runtime::Socket socket) {
    const auto now = runtime::Clock::now();
    if (others.full(now)) {
      return others_log.met(now, "--counter-connections-max " + std::to_string(others_max) +
                                     " is reached: other connections than envoys' are closed at once");
    }
    others.add(socket.native_handle());
    grpc::AddInsecureChannelFromFd(server.get(), socket.release());
  }

  boost::asio::io_context& loop;
  std::shared_ptr<Flight> flight;
  PublicService public_service;
  CountingService counting;
  std::unique_ptr<grpc::Server> server;
  HandedOver others;
  const std::size_t others_max;
  runtime::BoundLog others_log;
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

  runtime::require_threads(threads_of_grpc);  // it waits for ever for the first that it does not get
  grpc::ServerBuilder builder;
  bound(builder, settings);
  // Deployed clients may ping to keep their connections alive; that is no reason to hang up.
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_PERMIT_WITHOUT_CALLS, 1);
  builder.AddChannelArgument(GRPC_ARG_HTTP2_MIN_RECV_PING_INTERVAL_WITHOUT_DATA_MS, 1'000);
  builder.RegisterService(&parts_->public_service);
  parts_->server = builder.BuildAndStart();
  tell_health(*parts_->server, false);
  endpoints_ = parts_->listener.endpoints();
}

CounterServer::~CounterServer() {
  parts_->server->Shutdown(std::chrono::system_clock::now());
}

void CounterServer::set_readiness(const std::string& why_not) {
  if (const bool serving = why_not.empty() && !ending_; serving != serving_) {
    serving_ = serving;
    tell_health(*parts_->server, serving);
  }
  parts_->counting.set_readiness(why_not);
}

void CounterServer::announce_end() {
  ending_ = true;
  serving_ = false;
  tell_health(*parts_->server, false);
}

void CounterServer::drain(std::chrono::milliseconds limit) {
  const auto deadline = std::chrono::steady_clock::now() + limit;
  const auto wait_while = [deadline](const auto& condition) {
    while (condition() && std::chrono::steady_clock::now() < deadline)
      std::this_thread::sleep_for(drain_poll);
  };
  // The envoys have a moment to go elsewhere, in which nobody is refused.
  parts_->counting.announce_end("it is shutting down");
  const auto announced = std::chrono::steady_clock::now() + time_to_hear;
  wait_while(
      [&] { return parts_->counting.has_connections() && std::chrono::steady_clock::now() < announced; });
  // What comes now is refused. Envoys that are still here are told, and have a moment to hear it before their
  // streams end.
  parts_->flight->drain();
  parts_->counting.set_readiness("it is shutting down");
  const auto told = std::chrono::steady_clock::now() + time_to_hear;
  wait_while([&] { return parts_->counting.has_connections() && std::chrono::steady_clock::now() < told; });
  wait_while([&] { return parts_->flight->hits() > 0; });
  parts_->counting.end_connections();
  wait_while([&] { return parts_->counting.has_connections(); });
  boost::asio::dispatch(parts_->loop, boost::asio::use_future([this] { parts_->listener.close(); })).wait();
  // gRPC cancels calls that cross the end of their connection, so clients get a moment to turn away by
  // themselves.
  const auto patience_ends = std::chrono::steady_clock::now() + time_to_turn_away;
  for (auto refused = parts_->flight->refused(); std::chrono::steady_clock::now() < patience_ends;) {
    std::this_thread::sleep_for(quiet);
    if (refused == std::exchange(refused, parts_->flight->refused())) break;
  }
  // Health's watchers would stay as long as they are let.
  parts_->server->Shutdown(std::chrono::system_clock::now() + last_answers);
}

}  // namespace tracker::rpc
