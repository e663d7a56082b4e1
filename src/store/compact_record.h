#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>

#include "domain/token_record.h"

namespace tracker::store {

/// A token's record in memory, small where there is little to it. Not synchronised.
class CompactRecord {
 public:
  CompactRecord() = default;
  explicit CompactRecord(const domain::TokenRecord& record)
      : minted_s_(static_cast<std::uint32_t>(record.minted_s)),
        used_s_(static_cast<std::uint32_t>(record.used_s)) {
    if (record.paths) {
      paths_ = record.paths->number;
      path_bytes_ = record.paths->bytes;
    }
    if (this->record() != record) whole_ = std::make_unique<domain::TokenRecord>(record);
  }

  domain::TokenRecord record() const {
    domain::TokenRecord record;
    if (whole_) {
      record = *whole_;
    } else {
      record.minted_s = minted_s_;
      record.used_s = used_s_;
      if (knows_paths()) record.paths.emplace(domain::TokenRecord::Paths{paths_, path_bytes_});
    }
    return record;
  }

  bool is_active(domain::Seconds now_s) const noexcept {
    return !whole_ || state_of(*whole_, now_s) == domain::TokenState::active;
  }

  /// Notes a use. Returns whether that has changed the record.
  bool use(domain::Seconds now_s) noexcept {
    if (now_s < used_s_ + (whole_ ? used_step(*whole_) : domain::used_step({}))) return false;
    used_s_ = static_cast<std::uint32_t>(now_s);
    if (whole_) whole_->used_s = now_s;
    return true;
  }

  /// What it takes beside itself.
  std::size_t more_bytes() const noexcept {
    return whole_ ? sizeof *whole_ + whole_->label.capacity() + whole_->others.capacity() : 0;
  }

  bool knows_paths() const noexcept { return path_bytes_ != unknown; }
  std::uint64_t paths() const noexcept { return paths_; }
  std::uint64_t path_bytes() const noexcept { return path_bytes_; }
  void set_paths(const domain::TokenRecord::Paths& paths) noexcept {
    paths_ = paths.number;
    path_bytes_ = paths.bytes;
    if (whole_) whole_->paths = paths;
  }
  /// Only if it knows the paths.
  void add_path(std::uint64_t bytes) noexcept { set_paths({paths_ + 1, path_bytes_ + bytes}); }

 private:
  static constexpr auto unknown = std::numeric_limits<std::uint64_t>::max();

  std::uint32_t minted_s_ = 0;
  std::uint32_t used_s_ = 0;
  std::uint64_t paths_ = 0;
  std::uint64_t path_bytes_ = unknown;
  std::unique_ptr<domain::TokenRecord> whole_;  // null: there is no more to it
};

}  // namespace tracker::store
