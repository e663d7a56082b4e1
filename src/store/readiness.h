#pragma once

#include <vector>

#include "domain/readiness.h"
#include "runtime/observable.h"

namespace tracker::store {

/// Whether somebody can count hits. Tells all subscribers.
using ReadinessSource = runtime::Observable<domain::Readiness>;

/// The readiness of several parts as one. It is ready, with the remarks of all parts (each once), if all parts are. Otherwise it is
/// the readiness of the first part that is not ready.
class JointReadiness {
 public:
  /// The parts must outlive it.
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
