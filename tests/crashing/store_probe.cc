// Counts one hit at each of a hundred paths in a RocksDB store: store_probe DIR. It makes the store if there is none,
// prints the lowest and the highest count that was answered, and ends without closing the store, as a killed program
// does. It starts much faster than tracker, so that a test can kill it at every step.

#include <unistd.h>

#include <algorithm>
#include <condition_variable>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <iostream>
#include <mutex>
#include <string>

#include "store/rocksdb/rocksdb_store.h"

namespace {

using namespace tracker;

constexpr int paths = 100;

class Replies final : public store::TrackReply, public store::AddReply {
 public:
  void on_added(domain::Result<void> added) override {
    if (!added) std::abort();
    const std::lock_guard lock(mutex_);
    added_ = true;
    changed_.notify_one();
  }
  void on_verdicts(std::span<const domain::HitVerdict> verdicts) override {
    const std::lock_guard lock(mutex_);
    for (const auto& [hit, verdict] : verdicts) {
      if (verdict.kind != domain::Verdict::Kind::counted) std::abort();
      lowest_ = std::min(lowest_, verdict.count);
      highest_ = std::max(highest_, verdict.count);
      ++counted_;
    }
    changed_.notify_one();
  }

  void wait_added() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return added_; });
  }
  void wait_counted() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return counted_ == paths; });
    std::printf("%lld %lld\n", static_cast<long long>(lowest_), static_cast<long long>(highest_));
    std::fflush(stdout);
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  bool added_ = false;
  int counted_ = 0;
  std::int64_t lowest_ = INT64_MAX;
  std::int64_t highest_ = 0;
};

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) return 2;
  store::rocksdb::RocksDbSettings settings;
  settings.directory = argv[1];
  settings.cache_bytes = std::size_t{1} << 20U;
  settings.on_fatal = [](const std::string& reason) {
    std::cerr << reason << '\n';
    std::_Exit(1);
  };
  try {
    store::rocksdb::RocksDbStore store(settings);
    const domain::TokenId id{{1, 2, 3}};
    Replies replies;
    store.add_token(id, domain::Deadline::max(), replies);
    replies.wait_added();
    domain::HitBatch hits;
    for (int path = 0; path < paths; ++path) {
      hits.push(id, "/" + std::to_string(path) + std::string(400, 'x'));
    }
    store.track(hits, replies);
    replies.wait_counted();
    std::_Exit(0);
  } catch (const std::exception& error) {
    std::cerr << error.what() << '\n';
    return 1;
  }
}
