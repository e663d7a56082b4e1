#include "store/readiness.h"

#include <chrono>
#include <utility>

namespace tracker::store {

JointReadiness::JointReadiness(std::vector<const ReadinessSource*> parts)
    : parts_(std::move(parts)), whole_(first_unready()) {
  for (const auto* part : parts_) {
    subscriptions_.push_back(part->subscribe(
        [this](const domain::Readiness& /*changed*/) { whole_.update([this] { return first_unready(); }); }));
  }
}

domain::Readiness JointReadiness::first_unready() const {
  for (const auto* part : parts_) {
    if (auto readiness = part->value(); !readiness.is_ready()) return readiness;
  }
  return domain::Readiness::ready(std::chrono::system_clock::now());
}

}  // namespace tracker::store
