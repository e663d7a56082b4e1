#pragma once

#include <cstdint>

namespace tracker::domain {

/// What became of one hit.
struct Verdict {
  enum class Kind : std::uint8_t {
    counted,          // `count` is the running count of the token at the path, this hit included
    unknown_token,    // no such token was minted, or it has ended; not counted
    not_counted,      // certainly not counted: refused before anything could count it
    perhaps_counted,  // counted once or not at all: the answer was lost or came too late
    too_many_paths,   // the path is new to the token, which has as many as it may; not counted
  };

  // No default values: an array of verdicts is filled and need not be cleared first.
  Kind kind;
  std::int64_t count;

  static Verdict counted(std::int64_t count) noexcept { return {Kind::counted, count}; }
  static Verdict unknown_token() noexcept { return {Kind::unknown_token, 0}; }
  static Verdict not_counted() noexcept { return {Kind::not_counted, 0}; }
  static Verdict perhaps_counted() noexcept { return {Kind::perhaps_counted, 0}; }
  static Verdict too_many_paths() noexcept { return {Kind::too_many_paths, 0}; }

  bool operator==(const Verdict&) const = default;
};

/// The verdict on the hit with this index in its batch.
struct HitVerdict {
  std::uint32_t hit;
  Verdict verdict;
};

}  // namespace tracker::domain
