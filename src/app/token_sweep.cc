#include "app/token_sweep.h"

#include <chrono>
#include <string>
#include <utility>

#include "app/admin.h"
#include "runtime/log.h"
#include "runtime/priority.h"
#include "settings/setting_values.h"
#include "store/store_error.h"

namespace tracker::app {

namespace {

using Clock = std::chrono::steady_clock;

}  // namespace

TokenSweep::TokenSweep(Parts parts)
    : parts_(std::move(parts)), sweeping_("sweep", parts_.round_pause, [this] { return step(); }) {}

void TokenSweep::report(metrics::Page& page) const {
  page.counter("tracker_tokens_removed_total", "Tokens that had ended and were removed.", {},
               static_cast<double>(removed_in_all_));
}

/// Returns how long to rest after it.
runtime::Repeating::Duration TokenSweep::step() try {
  const auto rest = sweep();
  log_.good("tokens that have ended are removed again");
  return rest;
} catch (const store::StoreError& error) {
  log_.bad(std::string("tokens that have ended are not removed for now: ") + error.what());
  return parts_.round_pause;
}

runtime::Repeating::Duration TokenSweep::sweep() {
  if (!parts_.is_time_sure()) return parts_.round_pause;
  if (!keeper_) {
    runtime::give_way();
    keeper_ = parts_.make_keeper();
  }
  const auto begin = Clock::now();
  const auto swept = keeper_->sweep(parts_.slots(), parts_.retain_s);
  removed_ += swept.removed;
  removed_in_all_ += swept.removed;
  if (!swept.is_end) return runtime::pause_after(Clock::now() - begin);
  if (removed_ > 0)
    runtime::log_info("removed " + std::to_string(std::exchange(removed_, 0)) + " tokens that have ended");
  return parts_.round_pause;
}

std::unique_ptr<TokenSweep> start_sweep(const OpenStore& open_store, const TokenSettings& settings,
                                        const store::TokenRules& rules, counter::PartitionMember* member) {
  if (!open_store.keeper) return nullptr;
  if (!open_store.can_sweep) {
    runtime::log_info(
        "tokens that have ended are not removed, since nobody can look for them through a Redis proxy; "
        "a counter that reaches each Redis without --redis-proxy removes them");
    return nullptr;
  }
  return std::make_unique<TokenSweep>(
      TokenSweep::Parts{.make_keeper = open_store.keeper,
                        .slots = own_slots(open_store, member),
                        .is_time_sure = rules.is_time_sure,
                        .retain_s = settings::whole_seconds(settings.retain)});
}

}  // namespace tracker::app
