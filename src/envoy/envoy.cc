#include "envoy/envoy.h"

#include <atomic>
#include <boost/asio/post.hpp>
#include <utility>

#include "envoy/envoy_worker.h"

namespace tracker::envoy {

Envoy::Envoy(runtime::Workers& workers, const runtime::Address& address, const EnvoySettings& settings,
             const std::function<counter::Counter&(std::size_t worker)>& counter_of)
    : settings_(settings), totals_(std::make_unique<EnvoyTotals>()), workers_(workers) {
  if (settings_.mint.open && settings_.mint.rate > 0)
    totals_->mint_bound.emplace(settings_.mint.rate, settings_.mint.burst);
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

void Envoy::report(metrics::Page& page, metrics::Batches::Behind behind) const {
  for (const auto& worker : envoy_workers_) std::as_const(*worker).metrics().report(page, behind);
  const auto gauge = [&page](const char* name, const char* help, std::size_t value) {
    page.gauge(name, help, {}, static_cast<double>(value));
  };
  gauge("tracker_http_connections", "Open HTTP connections that are served.", totals_->connections);
  gauge("tracker_http_connections_limit", "The most that are served at once.", settings_.connections_max);
  gauge("tracker_http_connections_beyond_limit",
        "Open HTTP connections that wait for a place, or are refused one.", totals_->beyond_limit);
  gauge("tracker_http_hits_in_flight", "Hits and mints of HTTP requests that wait for their verdicts.",
        totals_->hits_in_flight);
  gauge("tracker_http_hits_in_flight_limit", "The most that may wait at once.", settings_.hits_max);
}

}  // namespace tracker::envoy
