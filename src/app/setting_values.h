#pragma once

#include <chrono>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace tracker::app {

/// `250ms`, `2s`, `1.5s`, `5m`, `1h`, or a bare number of seconds; not negative, at most a year. Pure, as are
/// the others here.
std::optional<std::chrono::milliseconds> parse_duration(std::string_view text);

/// `4096`, `8KiB`, `1MiB`, `2GiB`; K, M and G alone mean the same.
std::optional<std::size_t> parse_bytes(std::string_view text);

/// A whole number in decimal digits.
std::optional<std::size_t> parse_count(std::string_view text);

/// As a person would write it: `2s`, `300ms`.
std::string duration_text(std::chrono::milliseconds duration);

/// As a person would write it: `8KiB`, `1000`.
std::string bytes_text(std::size_t bytes);

}  // namespace tracker::app
