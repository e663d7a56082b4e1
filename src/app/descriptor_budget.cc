#include "app/descriptor_budget.h"

#include <algorithm>

#include "rpc/counter_server.h"

namespace tracker::app {

namespace {

/// Each listener has these, however low the limit is. Then anything may fail.
constexpr std::size_t least_connections = 16;

std::size_t descriptors_of(const ConnectionBudget& budget) {
  const rpc::CounterServerSettings counter{.version = {}, .connections_max = budget.counter};
  return budget.http + budget.http_refused + budget.counter + budget.counter_envoys +
         (budget.counter > 0 ? counter.unknown_connections_max() : 0);
}

}  // namespace

std::size_t reserved_descriptors(std::size_t threads, std::size_t store_files) {
  return 256 + 8 * threads + store_files;
}

std::optional<std::string> fit_connections(ConnectionBudget& budget, std::size_t limit,
                                           std::size_t reserved) {
  const std::size_t wanted = descriptors_of(budget);
  if (reserved + wanted <= limit) return std::nullopt;
  const std::size_t left = limit - std::min(limit, reserved);
  const ConnectionBudget asked = budget;
  const auto part_of = [&](std::size_t connections) {
    const auto part =
        static_cast<double>(left) * static_cast<double>(connections) / static_cast<double>(wanted);
    return connections == 0 ? 0 : std::max(static_cast<std::size_t>(part), least_connections);
  };
  const std::size_t http = part_of(budget.http + budget.http_refused);
  budget.http_refused = std::min(budget.http_refused, http / 4);
  budget.http = std::min(budget.http, http - budget.http_refused);
  budget.counter = std::min(budget.counter, part_of(budget.counter));
  budget.counter_envoys = std::min(budget.counter_envoys, part_of(budget.counter_envoys));
  if (budget.http == asked.http && budget.counter == asked.counter &&
      budget.counter_envoys == asked.counter_envoys) {
    return std::nullopt;  // only http_refused, which nobody has set, became smaller
  }

  std::string settings;
  std::string taken;
  const auto tell = [&](const char* flag, std::size_t asked_for, std::size_t connections) {
    if (asked_for == 0) return;
    settings += (settings.empty() ? "" : " and ") + std::string(flag) + " " + std::to_string(asked_for);
    taken += (taken.empty() ? "" : " and ") + std::to_string(connections);
  };
  tell("--connections-max", asked.http, budget.http);
  tell("--counter-connections-max", asked.counter, budget.counter);
  const bool both = asked.http > 0 && asked.counter > 0;
  return settings + (both ? " need " : " needs ") + std::to_string(reserved + wanted) +
         " open files, but this process may have " + std::to_string(limit) + ": it takes " + taken +
         " connections" +
         (asked.counter > 0 ? ", and " + std::to_string(budget.counter_envoys) + " of envoys" : "") +
         "; raise the limit (ulimit -n), or lower the setting" + (both ? "s" : "");
}

}  // namespace tracker::app
