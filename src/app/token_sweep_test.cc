#include "app/token_sweep.h"

#include <gtest/gtest.h>

#include <atomic>
#include <memory>
#include <optional>
#include <thread>

#include "store/store_error.h"
#include "support/deadline.h"

namespace tracker::app {
namespace {

using std::chrono_literals::operator""ms;

/// Counts the steps of a sweep. The first one fails.
class CountingKeeper final : public store::TokenKeeper {
 public:
  explicit CountingKeeper(std::atomic<int>& steps) : steps_(steps) {}
  std::optional<domain::TokenRecord> change(const domain::TokenId& /*id*/,
                                            const store::TokenChange& /*change*/) override {
    return std::nullopt;
  }
  bool purge(const domain::TokenId& /*id*/, domain::Seconds /*retain_s*/) override { return false; }
  Swept sweep(const domain::SlotSet& /*slots*/, domain::Seconds retain_s) override {
    EXPECT_EQ(retain_s, 7U);
    if (++steps_ == 1) throw store::StoreError("it is away");
    return {.removed = 2, .is_end = true};
  }

 private:
  std::atomic<int>& steps_;
};

bool comes_to(const std::atomic<int>& number, int wanted) {
  for (const tests::Deadline deadline; number < wanted; std::this_thread::sleep_for(1ms)) {
    if (deadline.passed()) return false;
  }
  return true;
}

TEST(TokenSweep, NothingIsRemovedWhileTheTimeIsNotSure) {
  std::atomic<int> asked = 0;
  std::atomic<int> keepers = 0;
  std::atomic<int> steps = 0;
  std::atomic<bool> is_sure = false;
  const TokenSweep sweep({.make_keeper =
                              [&] {
                                ++keepers;
                                return std::make_unique<CountingKeeper>(steps);
                              },
                          .slots = [] { return domain::SlotSet{}.set(); },
                          .is_time_sure =
                              [&] {
                                ++asked;
                                return is_sure.load();
                              },
                          .retain_s = 7,
                          .round_pause = 1ms});
  EXPECT_TRUE(comes_to(asked, 10));
  EXPECT_EQ(keepers, 0);
  is_sure = true;
  EXPECT_TRUE(comes_to(steps, 3)) << "also after a step that failed";
  EXPECT_EQ(keepers, 1);
}

}  // namespace
}  // namespace tracker::app
