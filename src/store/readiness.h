#pragma once

#include <vector>

#include "domain/readiness.h"
#include "runtime/observable.h"

namespace tracker::store {

/// Whether somebody can count hits, told to whoever subscribes.
using ReadinessSource = runtime::Observable<domain::Readiness>;

/// The readiness of several parts as one: ready if all of them are, with all their remarks; otherwise as the first that
/// is not.
class JointReadiness {
 public:
  /// The parts outlive it.
  explicit JointReadiness(std::vector<const ReadinessSource*> parts);

  /// Any thread.
  const ReadinessSource& readiness() const noexcept { return whole_; }

 private:
  domain::Readiness joint() const;

  const std::vector<const ReadinessSource*> parts_;
  ReadinessSource whole_;
  std::vector<runtime::Subscription> subscriptions_;
};

}  // namespace tracker::store
