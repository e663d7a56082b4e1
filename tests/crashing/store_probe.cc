// Works in a RocksDB store, which it makes if there is none, and ends without closing it, as a killed program does. It
// starts much faster than tracker, so that a test can kill it at every step.
//
//   store_probe DIR          counts one hit at each of a hundred paths, and prints the lowest and the highest count
//                            that was answered
//   store_probe DIR record   prints the number of the record that it finds, writes the next one, and prints its number
//                            when that was answered. Counts have durability `none`.

#include <unistd.h>

#include <algorithm>
#include <condition_variable>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <iostream>
#include <mutex>
#include <stdexcept>
#include <string>
#include <string_view>

#include "store/rocksdb/rocksdb_store.h"
#include "store/token_rules.h"

namespace {

using namespace tracker;

constexpr int paths = 100;

class Replies final : public store::TrackReply, public store::AddReply, public store::WriteReply {
 public:
  void on_written(domain::Result<void> written) override {
    if (!written) std::abort();
    const std::lock_guard lock(mutex_);
    written_ = true;
    changed_.notify_one();
  }
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
  void wait_written() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return written_; });
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
  bool written_ = false;
  int counted_ = 0;
  std::int64_t lowest_ = INT64_MAX;
  std::int64_t highest_ = 0;
};

void print(long long number) {
  std::printf("%lld\n", number);
  std::fflush(stdout);
}

/// Larger than a block of a log, and mostly zeros.
std::string record_of(long long number) {
  auto record = std::to_string(number) + " ";
  record.resize(std::size_t{64} << 10U);
  return record;
}

void count(store::rocksdb::RocksDbStore& store) {
  const domain::TokenId id{{1, 2, 3}};
  Replies replies;
  store.add_token(id, {.minted_s = store::system_seconds()}, domain::Deadline::max(), replies);
  replies.wait_added();
  domain::HitBatch hits;
  for (int path = 0; path < paths; ++path) {
    hits.push(id, "/" + std::to_string(path) + std::string(400, 'x'));
  }
  store.track(hits, replies);
  replies.wait_counted();
}

void write_next_record(store::rocksdb::RocksDbStore& store) {
  const auto found = store.facts().value().value().record;
  const auto number = std::strtoll(found.c_str(), nullptr, 10);
  if (!found.empty() && found != record_of(number)) throw std::runtime_error("half of a record");
  print(number);
  Replies replies;
  store.write_record(record_of(number + 1), domain::Deadline::max(), replies);
  replies.wait_written();
  print(number + 1);
}

}  // namespace

int main(int argc, char** argv) {
  const bool of_record = argc == 3 && argv[2] == std::string_view("record");
  if (argc != 2 && !of_record) return 2;
  store::rocksdb::RocksDbSettings settings;
  settings.directory = argv[1];
  settings.cache_bytes = std::size_t{1} << 20U;
  if (of_record) settings.durability.kind = store::rocksdb::Durability::Kind::none;
  settings.on_fatal = [](const std::string& reason) {
    std::cerr << reason << '\n';
    std::_Exit(1);
  };
  try {
    store::rocksdb::RocksDbStore store(settings);
    of_record ? write_next_record(store) : count(store);
    std::_Exit(0);
  } catch (const std::exception& error) {
    std::cerr << error.what() << '\n';
    return 1;
  }
}
