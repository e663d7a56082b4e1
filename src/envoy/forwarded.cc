#include "envoy/forwarded.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "domain/ascii.h"

namespace tracker::envoy {

namespace {

using domain::without_blanks;

/// Whom each proxy was asked by, as it is written: the farthest from here first. Empty: that is not known.
using Nodes = std::vector<std::string_view>;

/// Calls `visit` with the name and value of each field of a head without mistakes.
template <typename Visit>
void for_each_field(std::string_view head, Visit visit) {
  while (true) {
    head.remove_prefix(head.find('\n') + 1);
    const auto line = head.substr(0, head.find('\r'));
    const auto colon = line.find(':');
    if (colon == line.npos) return;  // the empty line at the end
    visit(line.substr(0, colon), without_blanks(line.substr(colon + 1)));
  }
}

void append_x_forwarded_for(std::string_view list, Nodes& nodes) {
  while (true) {
    const auto comma = list.find(',');
    nodes.push_back(without_blanks(list.substr(0, comma)));
    if (comma == list.npos) return;
    list.remove_prefix(comma + 1);
  }
}

/// Takes a value from the front of `rest`. Returns nothing if it is malformed.
std::optional<std::string_view> take_value(std::string_view& rest) {
  if (!rest.starts_with('"')) {
    const auto value = rest.substr(0, rest.find_first_of(";, \t\""));
    rest.remove_prefix(value.size());
    return value.empty() ? std::nullopt : std::optional(value);
  }
  rest.remove_prefix(1);
  std::size_t end = rest.find_first_of("\"\\");
  while (end < rest.size() && rest[end] == '\\')
    end = rest.find_first_of("\"\\", end + 2);  // RFC 9110, section 5.6.4
  if (end >= rest.size()) return std::nullopt;
  const auto value = rest.substr(0, end);
  rest.remove_prefix(end + 1);
  return value;
}

/// Returns false if the list breaks the grammar of RFC 7239, section 4. Blanks around `;` and values that should be quoted
/// are let pass, since proxies write them.
bool append_forwarded(std::string_view rest, Nodes& nodes) {
  std::string_view node;  // of this element
  bool has_node = false;
  while (true) {
    const auto equals = rest.find('=');
    if (equals == rest.npos) return false;
    const auto name = without_blanks(rest.substr(0, equals));
    rest.remove_prefix(equals + 1);
    const auto value = take_value(rest);
    if (!value || name.empty() || name.find_first_of("\"\\;, \t") != name.npos) return false;
    if (domain::equal_in_any_case(name, "for")) {
      if (std::exchange(has_node, true)) return false;
      node = *value;
    }
    rest = without_blanks(rest);
    const bool element_ends = rest.empty() || rest.front() == ',';
    if (!element_ends && rest.front() != ';') return false;
    if (element_ends) {
      nodes.push_back(std::exchange(node, {}));
      has_node = false;
    }
    if (rest.empty()) return true;
    rest.remove_prefix(1);
  }
}

/// RFC 7239, section 6: a port of digits, or a hidden one.
bool is_port(std::string_view text) {
  return text.starts_with('_') || (domain::all_digits(text) && text.size() <= 5);
}

/// Reads `192.0.2.1` or `[2001:db8::1]`, with or without a port, or `2001:db8::1`.
std::optional<domain::IpAddress> address_of(std::string_view node) {
  const bool in_brackets = node.starts_with('[');
  const auto colon = node.find(':', in_brackets ? std::min(node.find(']'), node.size()) : 0);
  const bool has_port = colon != node.npos && (in_brackets || node.find(':', colon + 1) == node.npos);
  if (has_port) {
    if (!is_port(node.substr(colon + 1))) return std::nullopt;
    node = node.substr(0, colon);
  }
  if (in_brackets) {
    if (!node.ends_with(']') || node.find(':') == node.npos) return std::nullopt;
    node = node.substr(1, node.size() - 2);
  }
  return domain::parse_ip_address(node);
}

}  // namespace

bool is_in(std::span<const domain::IpNetwork> networks, const domain::IpAddress& address) noexcept {
  return std::ranges::any_of(networks, [&](const auto& network) { return network.holds(address); });
}

std::optional<domain::IpAddress> forwarded_client(const domain::IpAddress& peer, std::string_view head,
                                                  std::span<const domain::IpNetwork> trusted) {
  if (!is_in(trusted, peer)) return std::nullopt;
  Nodes forwarded;
  Nodes x_forwarded_for;
  for_each_field(head, [&](std::string_view name, std::string_view value) {
    if (domain::equal_in_any_case(name, "x-forwarded-for")) append_x_forwarded_for(value, x_forwarded_for);
    if (!domain::equal_in_any_case(name, "forwarded")) return;
    const auto before = forwarded.size();
    if (append_forwarded(value, forwarded)) return;
    forwarded.resize(before);
    forwarded.emplace_back();
  });
  const auto client_by = [&](const Nodes& nodes) {
    auto client = peer;
    for (auto node = nodes.rbegin(); node != nodes.rend() && is_in(trusted, client); ++node) {
      const auto address = address_of(*node);
      if (!address) break;
      client = *address;
    }
    return client;
  };
  if (forwarded.empty() && x_forwarded_for.empty()) return std::nullopt;
  if (forwarded.empty()) return client_by(x_forwarded_for);
  if (x_forwarded_for.empty()) return client_by(forwarded);
  const auto one = client_by(forwarded);
  const auto other = client_by(x_forwarded_for);
  if (one == other) return one;
  return client_part(one) == client_part(other) ? client_part(one) : peer;
}

}  // namespace tracker::envoy
