#include "envoy/envoy.h"

#include <atomic>
#include <boost/asio/post.hpp>

#include "envoy/envoy_worker.h"

namespace tracker::envoy {

Envoy::Envoy(runtime::Workers& workers, const runtime::Address& address, const EnvoySettings& settings,
             const std::function<counter::Counter&(std::size_t worker)>& counter_of)
    : settings_(settings), totals_(std::make_unique<EnvoyTotals>()), workers_(workers) {
  std::vector<boost::asio::io_context*> contexts;
  for (std::size_t i = 0; i < workers.count(); ++i) contexts.push_back(&workers.context(i));
  auto acceptors = runtime::listen_shared(contexts, address);
  endpoints_ = runtime::endpoints_of(acceptors.front());
  for (std::size_t i = 0; i < workers.count(); ++i) {
    envoy_workers_.push_back(std::make_unique<EnvoyWorker>(*contexts[i], std::move(acceptors[i]),
                                                           counter_of(i), settings_, *totals_));
  }
}

Envoy::~Envoy() = default;

void Envoy::start() {
  for (std::size_t i = 0; i < envoy_workers_.size(); ++i) {
    boost::asio::post(workers_.context(i), [worker = envoy_workers_[i].get()] { worker->start(); });
  }
}

void Envoy::drain(std::function<void()> on_drained) {
  auto left = std::make_shared<std::atomic<std::size_t>>(envoy_workers_.size());
  const auto one_drained = [left, on_drained = std::move(on_drained)] {
    if (--*left == 0) on_drained();
  };
  for (std::size_t i = 0; i < envoy_workers_.size(); ++i) {
    boost::asio::post(workers_.context(i),
                      [worker = envoy_workers_[i].get(), one_drained] { worker->drain(one_drained); });
  }
}

}  // namespace tracker::envoy
