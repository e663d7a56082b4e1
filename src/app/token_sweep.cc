#include "app/token_sweep.h"

#include <chrono>
#include <string>
#include <utility>

#include "app/admin.h"
#include "runtime/log.h"
#include "runtime/workers.h"
#include "store/count_reader.h"

namespace tracker::app {

namespace {

using Clock = std::chrono::steady_clock;
constexpr auto round_pause = std::chrono::minutes(1);
constexpr int pauses_per_step = 7;

}  // namespace

TokenSweep::TokenSweep(Parts parts)
    : parts_(std::move(parts)), thread_(runtime::start_thread("sweep", [this] { run(); })) {}

TokenSweep::~TokenSweep() {
  {
    const std::lock_guard lock(mutex_);
    ends_ = true;
  }
  changed_.notify_all();
  thread_.join();
}

void TokenSweep::run() {
  runtime::give_way();
  runtime::ChangeLog log;
  for (Clock::duration rest = round_pause; pause(rest);) {
    try {
      rest = step();
      log.good("tokens that have ended are removed again");
    } catch (const store::UnsupportedError& error) {
      runtime::log_warning(std::string("tokens that have ended are not removed: ") + error.what());
      return;
    } catch (const store::StoreError& error) {
      log.bad(std::string("tokens that have ended are not removed for now: ") + error.what());
      rest = round_pause;
    }
  }
}

/// Returns how long to rest after it.
Clock::duration TokenSweep::step() {
  if (!keeper_) keeper_ = parts_.make_keeper();
  const auto begin = Clock::now();
  const auto swept = keeper_->sweep(parts_.slots(), parts_.retain_s);
  removed_ += swept.removed;
  if (!swept.is_end) return pauses_per_step * (Clock::now() - begin);
  if (removed_ > 0)
    runtime::log_info("removed " + std::to_string(std::exchange(removed_, 0)) + " tokens that have ended");
  return round_pause;
}

std::unique_ptr<TokenSweep> start_sweep(const OpenStore& open_store, const TokenSettings& settings,
                                        counter::PartitionMember* member) {
  if (!open_store.keeper || !open_store.can_sweep) return nullptr;
  const auto retain_s = std::chrono::ceil<std::chrono::seconds>(settings.retain).count();
  return std::make_unique<TokenSweep>(TokenSweep::Parts{.make_keeper = open_store.keeper,
                                                        .slots = own_slots(open_store, member),
                                                        .retain_s = static_cast<domain::Seconds>(retain_s)});
}

/// Returns false at the end.
bool TokenSweep::pause(Clock::duration time) {
  std::unique_lock lock(mutex_);
  return !changed_.wait_for(lock, time, [this] { return ends_; });
}

}  // namespace tracker::app
