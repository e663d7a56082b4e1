#pragma once

#include <span>
#include <vector>

#include "counter/counter.h"
#include "domain/hit_batch.h"
#include "envoy/exchange.h"
#include "runtime/deadlines.h"

namespace tracker::envoy {

class Turn;

/// The hits of one turn, with their exchanges. It is used again after its last verdict.
class TurnBatch final : public counter::TrackReply, public runtime::Expiring {
 public:
  explicit TurnBatch(Turn& turn) : turn_(turn) {}

  void clear() {
    hits_.clear();
    exchanges_.clear();
    unsettled_ = 0;
  }

  void push(const domain::TokenId& id, std::string_view path, Exchange& exchange) {
    hits_.push(id, path);
    exchanges_.push_back(&exchange);
    ++unsettled_;
  }

  /// It is handed on now.
  void begin(runtime::Clock::time_point now) noexcept { begun_ = now; }
  runtime::Clock::time_point begun() const noexcept { return begun_; }

  domain::HitBatch& hits() noexcept { return hits_; }
  bool settled() const noexcept { return unsettled_ == 0; }

  /// Any thread. Verdicts from another thread are posted to the turn's thread.
  void on_verdicts(std::span<const domain::HitVerdict> verdicts) override;

  /// Nobody waits any longer. Hits without a verdict were perhaps counted.
  void on_deadline(runtime::Clock::time_point now) override;

 private:
  void settle(std::span<const domain::HitVerdict> verdicts);

  Turn& turn_;
  domain::HitBatch hits_;
  std::vector<Exchange*> exchanges_;  // of each hit; null once it is answered
  std::size_t unsettled_ = 0;         // hits without a verdict
  runtime::Clock::time_point begun_;
};

/// A token on its way to a client. Deletes itself when it has been answered.
class PendingMint final : public counter::MintReply, public runtime::Expiring {
 public:
  PendingMint(Turn& turn, Exchange& exchange) : turn_(turn), exchange_(&exchange) {}

  /// Any thread.
  void on_minted(domain::Result<domain::Token> minted) override;
  void on_deadline(runtime::Clock::time_point now) override;

 private:
  void settle(domain::Result<domain::Token> minted);

  Turn& turn_;
  Exchange* exchange_;  // null once it is answered
};

}  // namespace tracker::envoy
