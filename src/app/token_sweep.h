#pragma once

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>

#include "app/store_kinds.h"
#include "app/token_settings.h"
#include "counter/partition_member.h"
#include "domain/slot.h"
#include "metrics/page.h"
#include "runtime/log.h"
#include "runtime/repeating.h"
#include "store/token_keeper.h"

namespace tracker::app {

/// Removes tokens that ended long ago, on a thread that lets counting go first. It goes through the tokens in small steps with
/// pauses. It begins once the time is sure, and again a minute after it has seen all of them.
class TokenSweep {
 public:
  struct Parts {
    /// Called on the thread. Throws store::StoreError.
    std::function<std::unique_ptr<store::TokenKeeper>()> make_keeper;
    /// The slots whose tokens it may remove. Any thread.
    std::function<domain::SlotSet()> slots;
    /// store::TokenRules::is_time_sure.
    std::function<bool()> is_time_sure;
    domain::Seconds retain_s;
    /// Before it begins, and before it begins anew or tries again.
    runtime::Repeating::Duration round_pause = std::chrono::minutes(1);
  };
  explicit TokenSweep(Parts parts);

  /// Any thread.
  void report(metrics::Page& page) const;

 private:
  // On the thread, for everything below.
  runtime::Repeating::Duration step();
  runtime::Repeating::Duration sweep();

  const Parts parts_;
  std::unique_ptr<store::TokenKeeper> keeper_;
  std::size_t removed_ = 0;  // in this round
  std::atomic<std::uint64_t> removed_in_all_ = 0;
  runtime::ChangeLog log_;
  runtime::Repeating sweeping_;
};

/// Sweeps the store as the settings say. `member` is the counter, if it is one of several. They outlive it. Null: nothing can be
/// removed from such a store.
std::unique_ptr<TokenSweep> start_sweep(const OpenStore& open_store, const TokenSettings& settings,
                                        const store::TokenRules& rules, counter::PartitionMember* member);

}  // namespace tracker::app
