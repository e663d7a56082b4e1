#include "store/rocksdb/loader.h"

#include <gtest/gtest.h>

#include <chrono>
#include <string>
#include <vector>

#include "support/store_on_disk.h"
#include "support/temporary_directory.h"

namespace tracker::store::rocksdb {

using tests::small_settings;
using namespace std::chrono_literals;

class LoaderTest : public testing::Test {
 protected:
  static Database made(const std::string& directory) {
    Database::create(directory, small_settings(directory));
    return {directory, small_settings(directory)};
  }

  /// Gives all of them to one loader at once, and waits until they are loaded.
  void load_all(std::vector<Load>& loads) {
    std::vector<Load*> pointers;
    for (auto& load : loads) pointers.push_back(&load);
    std::mutex mutex;
    std::condition_variable changed;
    std::size_t loaded = 0;
    Loader loader(database_, [&](std::span<Load* const> some) {
      const std::lock_guard lock(mutex);
      EXPECT_LE(some.size(), Loader::loads_at_once);
      for (auto* load : some) EXPECT_EQ(load, pointers[loaded++]);
      changed.notify_one();
    });
    loader.load(pointers);
    std::unique_lock lock(mutex);
    ASSERT_TRUE(changed.wait_for(lock, 60s, [&] { return loaded == loads.size(); }));
  }

  const tests::TemporaryDirectory temporary_;
  Database database_ = made((temporary_.path() / "db").string());
};

TEST_F(LoaderTest, ManyAreReadInPartsInTheirOrder) {
  CommitWrite write(StoreSecret{});
  write.begin({1, 1});
  std::vector<Load> loads(1000);
  for (std::size_t i = 0; i < loads.size(); ++i) {
    loads[i].key = std::string(16, 'i') + "/" + std::to_string(i);
    if (i % 3 == 0) write.put(loads[i].key, static_cast<std::int64_t>(i));
  }
  ASSERT_TRUE(database_.write(write));
  load_all(loads);
  for (std::size_t i = 0; i < loads.size(); ++i) {
    EXPECT_EQ(loads[i].counter.kind, i % 3 == 0 ? Reading::Kind::found : Reading::Kind::absent) << i;
    EXPECT_EQ(loads[i].counter.value, i % 3 == 0 ? i : 0) << i;
    EXPECT_EQ(loads[i].token.kind, Reading::Kind::absent) << i;
  }
}

// Of a backlog on a slow disk; whoever waited for them has been told so.
TEST_F(LoaderTest, WhatIsTooLateIsNotRead) {
  std::vector<Load> loads(1000);
  for (std::size_t i = 0; i < loads.size(); ++i) {
    loads[i].key = std::string(16, 'i') + "/" + std::to_string(i);
    if (i % 2 == 0) loads[i].deadline = std::chrono::steady_clock::now() - 1ms;
  }
  load_all(loads);
  for (std::size_t i = 0; i < loads.size(); ++i) {
    EXPECT_EQ(loads[i].counter.kind, i % 2 == 0 ? Reading::Kind::failed : Reading::Kind::absent) << i;
  }
}

}  // namespace tracker::store::rocksdb
