#include "store/readiness.h"

#include <algorithm>
#include <chrono>
#include <string>
#include <utility>

namespace tracker::store {

JointReadiness::JointReadiness(std::vector<const ReadinessSource*> parts)
    : parts_(std::move(parts)), whole_(joint()) {
  for (const auto* part : parts_) {
    subscriptions_.push_back(part->subscribe(
        [this](const domain::Readiness& /*changed*/) { whole_.update([this] { return joint(); }); }));
  }
}

domain::Readiness JointReadiness::joint() const {
  std::vector<std::string> remarks;
  for (const auto* part : parts_) {
    auto readiness = part->value();
    if (!readiness.is_ready()) return readiness;
    for (const auto& remark : readiness.remarks()) {
      if (std::ranges::find(remarks, remark) == remarks.end()) remarks.push_back(remark);
    }
  }
  return domain::Readiness::ready(std::chrono::system_clock::now(), std::move(remarks));
}

}  // namespace tracker::store
