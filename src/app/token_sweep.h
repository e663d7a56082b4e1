#pragma once

#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>

#include "app/store_kinds.h"
#include "app/token_settings.h"
#include "counter/partition_member.h"
#include "domain/slot.h"
#include "store/token_keeper.h"

namespace tracker::app {

/// Removes tokens that ended long ago, on a thread that lets counting go first. It goes through the tokens in small steps with
/// pauses. It begins a minute after the start, and again a minute after it has seen all of them.
class TokenSweep {
 public:
  struct Parts {
    /// Called on the thread. Throws store::StoreError.
    std::function<std::unique_ptr<store::TokenKeeper>()> make_keeper;
    /// The slots whose tokens it may remove. Any thread.
    std::function<domain::SlotSet()> slots;
    domain::Seconds retain_s;
  };
  explicit TokenSweep(Parts parts);
  /// Waits for the step that is running.
  ~TokenSweep();
  TokenSweep(const TokenSweep&) = delete;
  TokenSweep& operator=(const TokenSweep&) = delete;

 private:
  void run();
  std::chrono::steady_clock::duration step();
  bool pause(std::chrono::steady_clock::duration time);

  const Parts parts_;
  std::unique_ptr<store::TokenKeeper> keeper_;  // the thread's
  std::size_t removed_ = 0;                     // the thread's; in this round

  std::mutex mutex_;
  std::condition_variable changed_;
  bool ends_ = false;  // mutex_
  std::thread thread_;
};

/// Sweeps the store as the settings say. `member` is the counter, if it is one of several. They outlive it. Null: nothing can be
/// removed from such a store.
std::unique_ptr<TokenSweep> start_sweep(const OpenStore& open_store, const TokenSettings& settings,
                                        counter::PartitionMember* member);

}  // namespace tracker::app
