#pragma once

#include <cstddef>
#include <span>

#include "domain/verdict.h"

namespace tracker::domain {

/// Receives the verdicts on a batch of hits. Implemented by whoever hands batches on.
class TrackReply {
 public:
  /// Verdicts on some hits of the batch; over all calls, every hit gets exactly one. Called on any thread,
  /// also before track() has returned, but never twice at the same time for one batch. With the call that
  /// brings the last verdict the batch and this object are their owner's again.
  virtual void on_verdicts(std::span<const HitVerdict> verdicts) = 0;

  /// Gives the hits from 0 up to `hits` the same verdict, by calls of on_verdicts().
  void on_one_verdict_for_all(std::size_t hits, const Verdict& verdict);

 protected:
  ~TrackReply() = default;
};

}  // namespace tracker::domain
