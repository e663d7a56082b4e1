#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace tracker::domain {

/// Whether hits can be counted, and if not, why not. A value.
class Readiness {
 public:
  using Time = std::chrono::system_clock::time_point;

  // `since` is Time{} where nobody knows.

  /// `remarks`: what is refused although most hits are counted, one sentence each, with the remedy.
  static Readiness ready(Time since = {}, std::vector<std::string> remarks = {}) {
    return {std::nullopt, std::move(remarks), since};
  }

  /// `why_not` is a sentence for an operator. It names the remedy where there is one.
  static Readiness not_ready(std::string why_not, Time since = {}) { return {std::move(why_not), {}, since}; }

  bool is_ready() const noexcept { return !why_not_; }

  /// The reason. Only if it is not ready.
  const std::string& why_not() const { return why_not_.value(); }

  const std::vector<std::string>& remarks() const noexcept { return remarks_; }

  /// When it became ready with these remarks, or unready for this reason.
  Time since() const noexcept { return since_; }

  /// Compares all but the times: two that differ only in them say the same.
  bool operator==(const Readiness& other) const noexcept {
    return why_not_ == other.why_not_ && remarks_ == other.remarks_;
  }

 private:
  Readiness(std::optional<std::string> why_not, std::vector<std::string> remarks, Time since)
      : why_not_(std::move(why_not)), remarks_(std::move(remarks)), since_(since) {}

  std::optional<std::string> why_not_;
  std::vector<std::string> remarks_;
  Time since_;
};

}  // namespace tracker::domain
