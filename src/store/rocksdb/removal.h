#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "domain/slot.h"
#include "store/rocksdb/committer.h"

namespace tracker::store::rocksdb {

/// Keys that are removed from the database, some in each change: hits wait as long as one is written.
class Removal {
 public:
  /// About how many bytes of keys a change has.
  static constexpr std::size_t change_bytes = std::size_t{16} << 10U;

  /// `slot`: as Committer::Change has it.
  explicit Removal(Committer& committer, std::optional<domain::Slot> slot = std::nullopt)
      : committer_(committer), slot_(slot) {}

  void add(std::string key) {
    bytes_ += sizeof(std::string) + key.size();
    keys_.push_back(std::move(key));
  }
  bool is_full() const noexcept { return bytes_ >= change_bytes; }

  /// Removes what was added since the last time, `tokens` tokens among it. Blocks. Throws as Committer::make().
  void flush(std::int64_t tokens) {
    const auto fill = [this](CommitWrite& write) {
      for (const auto& key : keys_) write.remove(key);
    };
    if (!keys_.empty()) committer_.make({.fill = fill, .tokens = -tokens, .slot = slot_});
    keys_.clear();
    bytes_ = 0;
  }

 private:
  Committer& committer_;
  const std::optional<domain::Slot> slot_;
  std::vector<std::string> keys_;
  std::size_t bytes_ = 0;
};

}  // namespace tracker::store::rocksdb
