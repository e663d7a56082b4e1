#pragma once

#include <cstddef>
#include <optional>
#include <string>

namespace tracker::app {

/// How many connections each listener of a process may have. Each is bounded, so that none takes the descriptors that
/// another listener, the store or the health door needs.
struct ConnectionBudget {
  std::size_t http = 0;            // --connections-max; 0: there is no such listener
  std::size_t http_refused = 0;    // beyond those, while their clients read the refusal
  std::size_t counter = 0;         // --counter-connections-max; 0: there is no such listener
  std::size_t counter_envoys = 0;  // of tracker's own envoys, at the same port
};

/// Descriptors that are reserved for everything else: event loops, the log, libraries, the health and admin doors with
/// their connections, and a store's files.
std::size_t reserved_descriptors(std::size_t threads, std::size_t store_files);

/// Makes the listeners' connections fit into `limit` descriptors, of which `reserved` are not theirs: where they do
/// not, each has as much less as the others. Answers a warning, which names the settings, if one of them cannot be
/// kept. Pure.
std::optional<std::string> fit_connections(ConnectionBudget& budget, std::size_t limit, std::size_t reserved);

}  // namespace tracker::app
