#pragma once

#include <functional>
#include <memory>
#include <vector>

#include "counter/counter.h"
#include "envoy/envoy_settings.h"
#include "runtime/address.h"
#include "runtime/listener.h"
#include "runtime/workers.h"

namespace tracker::envoy {

class EnvoyWorker;
struct EnvoyTotals;

/// The HTTP envoy service: one listener and one set of connections per worker. Made, drained and destroyed by
/// the thread that runs the program.
class Envoy {
 public:
  /// Listens, but does not accept yet. `counter_of(worker)` answers the counter that a worker asks. Throws
  /// boost::system::system_error if it cannot listen. The workers and counters outlive the envoy.
  Envoy(runtime::Workers& workers, const runtime::Address& address, const EnvoySettings& settings,
        const std::function<counter::Counter&(std::size_t worker)>& counter_of);

  /// The workers have been stopped, or never ran.
  ~Envoy();

  /// On all the addresses of a name.
  const std::vector<runtime::Endpoint>& endpoints() const { return endpoints_; }

  /// Accepts from now on, as soon as the workers run.
  void start();

  /// Stops accepting, answers what was received, and then calls `on_drained`, on a worker's thread.
  void drain(std::function<void()> on_drained);

 private:
  const EnvoySettings settings_;
  std::unique_ptr<EnvoyTotals> totals_;
  runtime::Workers& workers_;
  std::vector<std::unique_ptr<EnvoyWorker>> envoy_workers_;
  std::vector<runtime::Endpoint> endpoints_;
};

}  // namespace tracker::envoy
