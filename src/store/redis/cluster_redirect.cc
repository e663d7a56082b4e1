#include "store/redis/cluster_redirect.h"

#include <algorithm>

namespace tracker::store::redis {

Elsewhere elsewhere_by(std::string_view error) {
  const auto code = error.substr(0, error.find(' '));
  if (code == "MOVED") return Elsewhere::moved;
  if (code == "ASK") return Elsewhere::asked;
  for (const std::string_view again : {"TRYAGAIN", "CLUSTERDOWN", "LOADING", "READONLY", "MASTERDOWN"}) {
    if (code == again) return Elsewhere::again;
  }
  return Elsewhere::no;
}

std::optional<std::pair<domain::Slot, runtime::Address>> target_of(std::string_view error,
                                                                   const std::string& own_host) {
  error.remove_prefix(std::min(error.find(' ') + 1, error.size()));
  const auto slot = domain::parse_slot(error.substr(0, error.find(' ')));
  error.remove_prefix(std::min(error.find(' ') + 1, error.size()));
  const auto colon = error.rfind(':');
  if (!slot || colon == error.npos) return std::nullopt;
  const auto port = runtime::parse_address(":" + std::string(error.substr(colon + 1)));
  if (!port || port->port == 0) return std::nullopt;
  const auto host = error.substr(0, colon);
  return std::pair(*slot, runtime::Address{host.empty() ? own_host : std::string(host), port->port});
}

}  // namespace tracker::store::redis
