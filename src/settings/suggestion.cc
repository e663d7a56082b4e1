#include "settings/suggestion.h"

#include <algorithm>
#include <cctype>
#include <utility>

namespace tracker::settings {

namespace {

constexpr std::size_t slips_max = 2;
constexpr std::size_t characters_per_slip = 4;
constexpr std::size_t completed_size_min = 5;  // of which two are hyphens

std::string plain(std::string_view text) {
  std::string result;
  for (const unsigned char c : text) result += c == '_' ? '-' : static_cast<char>(std::tolower(c));
  return result;
}

/// Optimal string alignment: how many slips of the keyboard make `from` of `to`.
std::size_t slips(const std::string& from, const std::string& to) {
  std::vector<std::size_t> before_last;
  std::vector<std::size_t> last;
  std::vector<std::size_t> row(to.size() + 1);
  for (std::size_t j = 0; j <= to.size(); ++j) row[j] = j;
  for (std::size_t i = 1; i <= from.size(); ++i) {
    before_last = std::exchange(last, row);
    row[0] = i;
    for (std::size_t j = 1; j <= to.size(); ++j) {
      const std::size_t differs = from[i - 1] == to[j - 1] ? 0 : 1;
      row[j] = std::min({last[j] + 1, row[j - 1] + 1, last[j - 1] + differs});
      if (i > 1 && j > 1 && from[i - 1] == to[j - 2] && from[i - 2] == to[j - 1])
        row[j] = std::min(row[j], before_last[j - 2] + 1);
    }
  }
  return row.back();
}

}  // namespace

std::optional<std::string> nearest(std::string_view wrong, const std::vector<std::string>& known) {
  if (wrong.size() > 100) return std::nullopt;  // longer than any name
  const auto wanted = plain(wrong);
  std::size_t least = std::clamp<std::size_t>(wanted.size() / characters_per_slip, 1, slips_max) + 1;
  std::optional<std::string> found;
  for (const auto& name : known) {
    if (const auto count = slips(wanted, plain(name)); count < least) {
      least = count;
      found = name;
    }
  }
  return found;
}

std::optional<std::string> completed(std::string_view wrong, const std::vector<std::string>& known) {
  const auto wanted = plain(wrong);
  if (wanted.size() < completed_size_min) return std::nullopt;
  for (const auto& name : known) {
    if (plain(name).starts_with(wanted)) return name;
  }
  return std::nullopt;
}

}  // namespace tracker::settings
