#include "rpc/counter_server.h"

#include <grpcpp/ext/proto_server_reflection_plugin.h>
#include <grpcpp/health_check_service_interface.h>
#include <grpcpp/server.h>
#include <grpcpp/server_builder.h>

#include <boost/asio/io_context.hpp>

#include "rpc/counting_service.h"
#include "rpc/public_service.h"
#include "runtime/listener.h"

namespace tracker::rpc {

namespace {
constexpr int message_bytes_max = 8 * 1024 * 1024;  // a batch is 1 MiB and a few columns

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
  builder.SetMaxReceiveMessageSize(message_bytes_max);
  builder.RegisterService(&parts_->public_service);
  builder.RegisterService(&parts_->counting);
  int port = 0;
  builder.AddListeningPort(runtime::to_string(endpoint), grpc::InsecureServerCredentials(), &port);
  parts_->server = builder.BuildAndStart();
  if (!parts_->server || port == 0) throw boost::system::system_error(boost::asio::error::address_in_use);
  endpoint.port(static_cast<std::uint16_t>(port));
  endpoint_ = runtime::to_string(endpoint);
}

CounterServer::~CounterServer() {
  parts_->server->Shutdown(std::chrono::system_clock::now());
}

void CounterServer::set_readiness(const std::string& why_not) {
  parts_->server->GetHealthCheckService()->SetServingStatus(why_not.empty());
  parts_->counting.set_readiness(why_not);
}

bool CounterServer::drain(std::chrono::milliseconds limit) {
  parts_->server->GetHealthCheckService()->Shutdown();
  parts_->counting.drain();
  const auto deadline = std::chrono::system_clock::now() + limit;
  parts_->server->Shutdown(deadline);
  return std::chrono::system_clock::now() < deadline;
}

}  // namespace tracker::rpc
