#include "settings/setting_values.h"

#include <cctype>
#include <charconv>
#include <cmath>
#include <limits>

namespace tracker::settings {

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

std::string lower_case(std::string_view text) {
  std::string lower(text);
  for (char& c : lower) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return lower;
}

std::optional<unsigned> power_of_1024(const std::string& unit) {
  if (unit.empty() || unit == "b") return 0;
  constexpr std::string_view prefixes = "kmgt";
  const auto power = prefixes.find(unit.front());
  const auto rest = std::string_view(unit).substr(1);
  if (power == prefixes.npos || !(rest.empty() || rest == "b" || rest == "ib")) return std::nullopt;
  return static_cast<unsigned>(power) + 1;
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
                         : unit == "d"                 ? 24 * 3600e3
                                                       : 0;
  const double duration_ms = number * unit_ms;
  if (unit_ms == 0 || !(duration_ms <= year_ms)) return std::nullopt;
  return std::chrono::milliseconds(std::llround(duration_ms));
}

std::uint64_t whole_seconds(std::chrono::milliseconds time) {
  return static_cast<std::uint64_t>(std::chrono::ceil<std::chrono::seconds>(time).count());
}

std::optional<std::size_t> parse_bytes(std::string_view text) {
  const auto parts = number_and_unit<std::size_t>(text);
  if (!parts) return std::nullopt;
  const auto& [number, unit] = *parts;
  const auto power = power_of_1024(lower_case(unit));
  if (!power) return std::nullopt;
  const unsigned shift = 10 * *power;
  if (number > std::numeric_limits<std::size_t>::max() >> shift) return std::nullopt;
  return number << shift;
}

std::optional<std::size_t> parse_count(std::string_view text) {
  const auto parts = number_and_unit<std::size_t>(text);
  if (!parts || !parts->second.empty()) return std::nullopt;
  return parts->first;
}

std::optional<bool> parse_switch(std::string_view text) {
  const auto word = lower_case(text);
  for (const auto* on : {"yes", "on", "true", "1"}) {
    if (word == on) return true;
  }
  for (const auto* off : {"no", "off", "false", "0"}) {
    if (word == off) return false;
  }
  return std::nullopt;
}

std::string_view trimmed(std::string_view text) {
  constexpr std::string_view white_space = " \t\r\n\f\v";
  const auto begin = text.find_first_not_of(white_space);
  if (begin == text.npos) return {};
  return text.substr(begin, text.find_last_not_of(white_space) + 1 - begin);
}

std::string duration_text(std::chrono::milliseconds duration) {
  const auto ms = duration.count();
  if (ms != 0 && ms % 3'600'000 == 0) return std::to_string(ms / 3'600'000) + "h";
  if (ms != 0 && ms % 60'000 == 0) return std::to_string(ms / 60'000) + "m";
  return ms % 1000 == 0 ? std::to_string(ms / 1000) + "s" : std::to_string(ms) + "ms";
}

std::string bytes_text(std::size_t bytes) {
  if (bytes != 0 && bytes % (1U << 30U) == 0) return std::to_string(bytes >> 30U) + "GiB";
  if (bytes != 0 && bytes % (1U << 20U) == 0) return std::to_string(bytes >> 20U) + "MiB";
  if (bytes != 0 && bytes % (1U << 10U) == 0) return std::to_string(bytes >> 10U) + "KiB";
  return std::to_string(bytes);
}

std::string alternatives(const std::vector<std::string>& words) {
  std::string text;
  for (std::size_t word = 0; word < words.size(); ++word) {
    if (word > 0) text += word + 1 < words.size() ? ", " : " or ";
    text += words[word];
  }
  return text;
}

}  // namespace tracker::settings
