#pragma once

#include <functional>
#include <memory>
#include <vector>

#include "counter/counter.h"
#include "envoy/envoy_settings.h"
#include "metrics/batches.h"
#include "metrics/page.h"
#include "runtime/address.h"
#include "runtime/listener.h"
#include "runtime/workers.h"

namespace tracker::envoy {

class EnvoyWorker;
struct EnvoyTotals;

/// The HTTP envoy service: a listener and a set of connections for each worker. Made, drained and destroyed by the main
/// thread.
class Envoy {
 public:
  /// Listens, but does not accept yet. `counter_of(worker)` returns the counter that a worker asks. The workers and the
  /// counters must outlive the envoy. Throws boost::system::system_error if it cannot listen.
  Envoy(runtime::Workers& workers, const runtime::Address& address, const EnvoySettings& settings,
        const std::function<counter::Counter&(std::size_t worker)>& counter_of);

  /// The workers must have been stopped, or have never run.
  ~Envoy();

  /// Where it listens: all addresses of a name.
  const std::vector<runtime::Endpoint>& endpoints() const { return endpoints_; }

  /// Accepts connections from now on, when the workers run.
  void start();

  /// Stops accepting, answers what was received, and then calls `on_drained` on a worker's thread.
  void drain(std::function<void()> on_drained);

  /// Adds what the workers have counted since the start. Any thread.
  void report(metrics::Page& page, metrics::Batches::Behind behind) const;

 private:
  const EnvoySettings settings_;
  std::unique_ptr<EnvoyTotals> totals_;
  runtime::Workers& workers_;
  std::vector<std::unique_ptr<EnvoyWorker>> envoy_workers_;
  std::vector<runtime::Endpoint> endpoints_;
};

}  // namespace tracker::envoy
