#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <utility>

namespace tracker::domain {

/// Whether hits can be counted, and if not, why not. A value.
class Readiness {
 public:
  using Time = std::chrono::system_clock::time_point;

  static Readiness ready(Time since) { return {std::nullopt, since}; }

  /// `why_not` is a sentence for an operator. It names the remedy where there is one.
  static Readiness not_ready(std::string why_not, Time since) { return {std::move(why_not), since}; }

  bool is_ready() const noexcept { return !why_not_; }

  /// The reason. Only if it is not ready.
  const std::string& why_not() const { return why_not_.value(); }

  /// When it became ready, or unready for this reason.
  Time since() const noexcept { return since_; }

  /// Compares the state and the reason. Two that differ only in their times are equal: nothing has changed.
  bool operator==(const Readiness& other) const noexcept { return why_not_ == other.why_not_; }

 private:
  Readiness(std::optional<std::string> why_not, Time since) : why_not_(std::move(why_not)), since_(since) {}

  std::optional<std::string> why_not_;
  Time since_;
};

}  // namespace tracker::domain
