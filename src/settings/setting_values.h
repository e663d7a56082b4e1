#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace tracker::settings {

/// Reads `250ms`, `2s`, `1.5s`, `5m`, `1h`, `1d`, or a bare number of seconds. Not negative, and at most a year. Pure,
/// like the other functions here.
std::optional<std::chrono::milliseconds> parse_duration(std::string_view text);

/// A part of a second counts as a whole one, so that a limit that is given is never none.
std::uint64_t whole_seconds(std::chrono::milliseconds time);

/// Reads `4096`, `8KiB`, `1MiB` or `2GiB`, in any case. K and KB also mean KiB (1024 bytes), and so on. Limits of
/// memory are usually given in these units, and a limit that was meant in thousands is kept within 1024-based units
/// too.
std::optional<std::size_t> parse_bytes(std::string_view text);

/// Reads a whole number in decimal digits.
std::optional<std::size_t> parse_count(std::string_view text);

/// Reads `yes`, `on`, `true`, `1`, `no`, `off`, `false` or `0`, in any case.
std::optional<bool> parse_switch(std::string_view text);

/// The text without white space around it.
std::string_view trimmed(std::string_view text);

/// As a person would write it: `2s`, `300ms`, `10m`.
std::string duration_text(std::chrono::milliseconds duration);

/// As a person would write it: `8KiB`, `1000`.
std::string bytes_text(std::size_t bytes);

/// `text, json or xml`.
std::string alternatives(const std::vector<std::string>& words);

}  // namespace tracker::settings
