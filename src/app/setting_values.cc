#include "app/setting_values.h"

#include <array>
#include <charconv>
#include <cmath>
#include <limits>

namespace tracker::app {

namespace {

/// Splits `1.5s` into its number and its unit.
template <typename Number>
std::optional<std::pair<Number, std::string_view>> number_and_unit(std::string_view text) {
  if (text.empty() || text.front() < '0' || text.front() > '9') return std::nullopt;
  Number number{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc()) return std::nullopt;
  return std::pair(number, text.substr(static_cast<std::size_t>(end - text.data())));
}

}  // namespace

std::optional<std::chrono::milliseconds> parse_duration(std::string_view text) {
  constexpr double year_ms = 365.0 * 24 * 3600 * 1000;
  const auto parts = number_and_unit<double>(text);
  if (!parts) return std::nullopt;
  const auto& [number, unit] = *parts;
  const double unit_ms = unit == "ms"                  ? 1
                         : unit.empty() || unit == "s" ? 1e3
                         : unit == "m"                 ? 60e3
                         : unit == "h"                 ? 3600e3
                                                       : 0;
  const double duration_ms = number * unit_ms;
  if (unit_ms == 0 || !(duration_ms <= year_ms)) return std::nullopt;
  return std::chrono::milliseconds(std::llround(duration_ms));
}

std::optional<std::size_t> parse_bytes(std::string_view text) {
  const auto parts = number_and_unit<std::size_t>(text);
  if (!parts) return std::nullopt;
  const auto& [number, unit] = *parts;
  const int shift = unit.empty()                   ? 0
                    : unit == "KiB" || unit == "K" ? 10
                    : unit == "MiB" || unit == "M" ? 20
                    : unit == "GiB" || unit == "G" ? 30
                                                   : -1;
  if (shift < 0 || number > std::numeric_limits<std::size_t>::max() >> shift) return std::nullopt;
  return number << shift;
}

std::optional<std::size_t> parse_count(std::string_view text) {
  const auto parts = number_and_unit<std::size_t>(text);
  if (!parts || !parts->second.empty()) return std::nullopt;
  return parts->first;
}

std::string duration_text(std::chrono::milliseconds duration) {
  const auto ms = duration.count();
  return ms % 1000 == 0 ? std::to_string(ms / 1000) + "s" : std::to_string(ms) + "ms";
}

std::string bytes_text(std::size_t bytes) {
  if (bytes != 0 && bytes % (1U << 20U) == 0) return std::to_string(bytes >> 20U) + "MiB";
  if (bytes != 0 && bytes % (1U << 10U) == 0) return std::to_string(bytes >> 10U) + "KiB";
  return std::to_string(bytes);
}

}  // namespace tracker::app
