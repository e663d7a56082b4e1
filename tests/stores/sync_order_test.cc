// Tests when the RocksDB store answers, by what a power cut would take at the moment of each answer.

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <thread>

#include "crashing/victim.h"
#include "support/caller.h"
#include "support/deadline.h"
#include "support/temporary_directory.h"

namespace tracker::tests {
namespace {

class SyncOrderTest : public testing::Test {
 protected:
  void start(const std::string& durability) {
    serve_ = std::make_unique<ServiceVictim>(
        "serve", "envoy",
        Arguments{"serve", "--envoy-addr", "127.0.0.1:0", "--health-addr", "127.0.0.1:0", "--store",
                  "rocksdb:" + (directory_.path() / "data").string(), "--durability", durability});
    serve_->watch(directory_.path() / "data");
    serve_->launch();
    serve_->wait_until_up();
    caller_ = std::make_unique<Caller>(serve_->program().wait_listening().at("envoy"));
  }

  std::uintmax_t unsynced_bytes() { return serve_->unsynced().value().bytes; }

  const TemporaryDirectory directory_;
  std::unique_ptr<ServiceVictim> serve_;
  std::unique_ptr<Caller> caller_;
};

TEST_F(SyncOrderTest, NoAnswerLeavesBeforeTheSyncThatCoversIt) {
  start("commit");
  for (int i = 1; i <= 20; ++i) {
    const std::string token = caller_->mint();
    ASSERT_EQ(unsynced_bytes(), 0u) << "a token was handed out";
    ASSERT_EQ(caller_->count("/", token), 1);
    ASSERT_EQ(unsynced_bytes(), 0u) << "a new counter was answered";
    ASSERT_EQ(caller_->count("/", token), 2);
    ASSERT_EQ(unsynced_bytes(), 0u) << "a known counter was answered";
  }
}

TEST_F(SyncOrderTest, WithoutDurabilityNobodySyncs) {
  start("none");
  const std::string token = caller_->mint();
  for (int i = 1; i <= 20; ++i) {
    const auto before = unsynced_bytes();
    ASSERT_EQ(caller_->count("/", token), i);
    ASSERT_GT(unsynced_bytes(), before);
  }
}

TEST_F(SyncOrderTest, AnIntervalIsSyncedWhenItIsOver) {
  start("interval:100");
  const std::string token = caller_->mint();
  for (int i = 1; i <= 3; ++i) {
    ASSERT_EQ(caller_->count("/", token), i);
    for (const Deadline deadline; unsynced_bytes() > 0;) {
      ASSERT_FALSE(deadline.passed()) << "it is never synced";
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
  }
}

}  // namespace
}  // namespace tracker::tests
