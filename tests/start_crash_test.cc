// `tracker serve` killed at every step of its start that it takes on disk, one after the other, with and without
// the power going then: the next start makes or opens the store as if nothing had been.

#include <gtest/gtest.h>
#include <signal.h>

#include <cstdint>
#include <stdexcept>
#include <string>
#include <vector>

#include "crashing/victim.h"
#include "support/caller.h"
#include "support/temporary_directory.h"

namespace tracker::tests {
namespace {

// Far more than a start takes; it only bounds the test.
constexpr unsigned steps_max = 500;

class StartCrashTest : public testing::TestWithParam<bool> {
 protected:
  StartCrashTest() { serve_.watch(data_); }

  Variant little_memory() const { return {{"--cache-bytes", "1MiB"}, {}}; }

  // Starts it and lets it die at that step. False: it has no such step, and runs.
  bool start_and_die(unsigned step) {
    Variant variant = little_memory();
    variant.environment["SYNC_RECORD_MAX"] = std::to_string(step);
    serve_.set_variants({variant});
    serve_.launch();
    try {
      serve_.wait_until_up();
      return false;
    } catch (const std::runtime_error&) {
      if (serve_.program().wait_exit() != -SIGKILL) throw;
    }
    if (GetParam()) serve_.cut_power();
    return true;
  }

  void start() {
    serve_.set_variants({little_memory()});
    serve_.launch();
    serve_.wait_until_up();
  }

  void kill() {
    serve_.program().send_signal(SIGKILL);
    ASSERT_TRUE(serve_.program().wait_exit());
    if (GetParam()) serve_.cut_power();
  }

  Endpoint door() { return serve_.program().wait_listening().at("envoy"); }

  const TemporaryDirectory directory_;
  const std::filesystem::path data_ = directory_.path() / "data";
  ServiceVictim serve_{"serve", "envoy",
                       Arguments{"serve", "--envoy-addr", "127.0.0.1:0", "--health-addr", "127.0.0.1:0",
                                 "--store", "rocksdb:" + data_.string()}};
};

TEST_P(StartCrashTest, WhileTheStoreIsMade) {
  unsigned step = 1;
  for (; step < steps_max && start_and_die(step); ++step) {
    ASSERT_NO_THROW(start()) << "after it died at step " << step;
    Caller caller(door());
    EXPECT_EQ(caller.count("/", caller.mint()), 1);
    kill();
    std::filesystem::remove_all(data_);
  }
  EXPECT_GT(step, 10u) << "its steps are not seen";
  RecordProperty("steps", static_cast<int>(step));
}

TEST_P(StartCrashTest, WhileTheStoreIsOpened) {
  start();
  const std::string token = Caller(door()).mint();
  unsigned step = 1;
  std::int64_t count = 0;
  for (;; ++step) {
    // So much that it flushes, now and then.
    Caller caller(door());
    for (int path = 0; path < 100; ++path) {
      const std::string target = "/" + std::to_string(path) + std::string(100, 'x');
      ASSERT_EQ(caller.count(target, token), count + 1) << "after it died at step " << step - 1;
    }
    ++count;
    kill();
    if (step == steps_max || !start_and_die(step)) break;
    ASSERT_NO_THROW(start()) << "after it died at step " << step;
  }
  EXPECT_GT(step, 3u) << "its steps are not seen";
  RecordProperty("steps", static_cast<int>(step));
}

INSTANTIATE_TEST_SUITE_P(, StartCrashTest, testing::Bool(), [](const auto& its) {
  return its.param ? "AndThePowerGoes" : "AndTheKernelKeepsAll";
});

}  // namespace
}  // namespace tracker::tests
