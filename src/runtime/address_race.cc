#include "runtime/address_race.h"

#include <algorithm>
#include <cassert>

namespace tracker::runtime {

using boost::asio::ip::address;

std::vector<address> in_order_of_trial(const std::vector<address>& found) {
  std::vector<address> first_family;
  std::vector<address> other_family;
  for (const auto& one : found) {
    auto& family = one.is_v6() == found.front().is_v6() ? first_family : other_family;
    if (std::find(family.begin(), family.end(), one) == family.end()) family.push_back(one);
  }
  std::vector<address> order;
  for (std::size_t i = 0; i < std::max(first_family.size(), other_family.size()); ++i) {
    if (i < first_family.size()) order.push_back(first_family[i]);
    if (i < other_family.size()) order.push_back(other_family[i]);
  }
  return order;
}

std::optional<std::size_t> AddressRace::begin_next(TimePoint now) {
  if (begun_ == addresses_ || now < next_turn_) return std::nullopt;
  next_turn_ = now + stagger;
  under_way_.push_back({begun_, now + time_for_each_});
  return begun_++;
}

std::optional<std::size_t> AddressRace::take_late(TimePoint now) {
  if (under_way_.empty() || now < under_way_.front().deadline) return std::nullopt;
  const auto late = under_way_.front().address;
  failed(late);
  return late;
}

bool AddressRace::failed(std::size_t address) {
  if (std::erase_if(under_way_, [=](const Attempt& attempt) { return attempt.address == address; }) == 0)
    return false;
  next_turn_ = TimePoint::min();
  return true;
}

AddressRace::TimePoint AddressRace::next_event() const {
  assert(!lost());
  if (under_way_.empty()) return next_turn_;
  return begun_ == addresses_ ? under_way_.front().deadline
                              : std::min(next_turn_, under_way_.front().deadline);
}

}  // namespace tracker::runtime
