#pragma once

#include <chrono>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace tracker::settings {

/// `250ms`, `2s`, `1.5s`, `5m`, `1h`, `1d`, or a bare number of seconds; not negative, at most a year. Pure,
/// as are the others here.
std::optional<std::chrono::milliseconds> parse_duration(std::string_view text);

/// `4096`, `8KiB`, `1MiB`, `2GiB`, in capitals or not. K and KB mean KiB, 1024 bytes, and so on: a limit of
/// memory is counted in these, and one that was meant in thousands is met all the same.
std::optional<std::size_t> parse_bytes(std::string_view text);

/// A whole number in decimal digits.
std::optional<std::size_t> parse_count(std::string_view text);

/// `yes`, `on`, `true`, `1`; `no`, `off`, `false`, `0`; in capitals or not.
std::optional<bool> parse_switch(std::string_view text);

/// Without the white space around it.
std::string_view trimmed(std::string_view text);

/// As a person would write it: `2s`, `300ms`, `10m`.
std::string duration_text(std::chrono::milliseconds duration);

/// As a person would write it: `8KiB`, `1000`.
std::string bytes_text(std::size_t bytes);

}  // namespace tracker::settings
