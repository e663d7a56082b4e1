#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace tracker::domain {

/// A hash for tables whose keys strangers choose, such as paths. Its seed is a secret of this process, so nobody can
/// choose keys that collide. Any thread.
class SeededHash {
 public:
  using is_avalanching = void;

  /// The seed is drawn once in a process. Throws std::runtime_error if the system gives no random numbers.
  SeededHash();

  /// `more` is the part of the key that is a number, if it has one.
  std::size_t operator()(std::string_view bytes, std::uint64_t more = 0) const noexcept;

 private:
  std::uint64_t seed_;
};

}  // namespace tracker::domain
