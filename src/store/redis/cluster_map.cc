#include "store/redis/cluster_map.h"

#include <algorithm>
#include <charconv>

namespace tracker::store::redis {

namespace {

/// Takes the text before the next separator off `text`.
std::string_view take_until(std::string_view& text, char separator) {
  const auto end = std::min(text.find(separator), text.size());
  const auto taken = text.substr(0, end);
  text.remove_prefix(std::min(end + 1, text.size()));
  return taken;
}

template <typename Number>
std::optional<Number> parse_number(std::string_view text) {
  Number number{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return number;
}

/// `ip:port@cport[,hostname[,auxiliary]]`. An IPv6 number has no brackets. Nothing if the address is not known.
std::optional<runtime::Address> parse_node_address(std::string_view text, const std::string& own_host) {
  text = take_until(text, ',');
  text = take_until(text, '@');
  const auto colon = text.rfind(':');
  if (colon == text.npos) return std::nullopt;
  const auto port = parse_number<std::uint16_t>(text.substr(colon + 1));
  if (!port || *port == 0) return std::nullopt;
  const auto host = text.substr(0, colon);
  return runtime::Address{.host = host.empty() ? own_host : std::string(host), .port = *port};
}

/// `93` or `0-5460`. Nothing for `[93->-ID]` and `[93-<-ID]`, which name a slot that is migrating: its owner is still the
/// same.
std::optional<std::pair<domain::Slot, domain::Slot>> parse_range(std::string_view text) {
  const auto first = domain::parse_slot(take_until(text, '-'));
  const auto last = text.empty() ? first : domain::parse_slot(text);
  if (!first || !last || *last < *first) return std::nullopt;
  return std::pair(*first, *last);
}

bool has_flag(std::string_view flags, std::string_view flag) {
  while (!flags.empty()) {
    if (take_until(flags, ',') == flag) return true;
  }
  return false;
}

}  // namespace

std::optional<ClusterView> ClusterView::parse(std::string_view text, const runtime::Address& asked) {
  ClusterView view{.asked = asked};
  while (!text.empty()) {
    auto line = take_until(text, '\n');
    if (line.ends_with('\r')) line.remove_suffix(1);
    if (line.empty()) continue;
    const auto id = take_until(line, ' ');
    const auto address_text = take_until(line, ' ');
    const auto flags = take_until(line, ' ');
    for (int field = 0; field < 3; ++field) take_until(line, ' ');  // its master, ping sent, pong received
    const auto epoch = parse_number<std::uint64_t>(take_until(line, ' '));
    const auto link_state = take_until(line, ' ');
    if (!epoch || link_state.empty()) return std::nullopt;
    const bool is_myself = has_flag(flags, "myself");
    if (is_myself) view.myself = id;
    const auto address = parse_node_address(address_text, is_myself ? asked.host : "");
    if (!address || address->host.empty() || has_flag(flags, "noaddr") || has_flag(flags, "handshake"))
      continue;
    Master master{
        .id = std::string(id), .address = *address, .epoch = *epoch, .is_failed = has_flag(flags, "fail")};
    while (!line.empty()) {
      if (const auto range = parse_range(take_until(line, ' '))) master.slots.push_back(*range);
    }
    if (has_flag(flags, "master") && !master.slots.empty()) {
      view.masters.push_back(std::move(master));
    } else if (!master.is_failed) {
      view.others.push_back(*address);
    }
  }
  if (view.myself.empty()) return std::nullopt;
  return view;
}

std::uint16_t ClusterMap::index_of(const ClusterView::Master& master) {
  const auto [place, is_new] = by_id_.try_emplace(master.id, static_cast<std::uint16_t>(nodes_.size()));
  if (is_new) nodes_.push_back({.id = master.id, .address = master.address});
  return place->second;
}

bool ClusterMap::take(const ClusterView& view, TimePoint asked) {
  const auto is_known = [this](const auto& master) { return by_id_.contains(master.id); };
  if (!is_empty() && std::ranges::none_of(view.masters, is_known)) return false;
  const bool is_of_master =
      std::ranges::find(view.masters, view.myself, &ClusterView::Master::id) != view.masters.end();
  for (const auto& master : view.masters) {
    const auto index = index_of(master);
    auto& node = nodes_[index];
    node.address = master.address;
    const bool is_witness = (is_of_master && master.id != view.myself) || view.masters.size() == 1;
    if (is_witness && !master.is_failed) node.confirmed = std::max(node.confirmed, asked);
    for (const auto& [first, last] : master.slots) {
      for (std::size_t slot = first; slot <= last; ++slot) {
        auto& its = slots_[slot];
        if (its.owner != nobody && master.epoch < its.epoch) continue;
        if (its.owner != index) {
          ++node.slots;
          if (its.owner != nobody) --nodes_[its.owner].slots;
        }
        its = {.epoch = master.epoch, .owner = index};
      }
    }
  }
  return true;
}

std::optional<std::uint16_t> ClusterMap::find(const runtime::Address& address) const {
  const auto found = std::ranges::find(nodes_, address, &Node::address);
  if (found == nodes_.end()) return std::nullopt;
  return static_cast<std::uint16_t>(found - nodes_.begin());
}

}  // namespace tracker::store::redis
