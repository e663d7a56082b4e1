#include "settings/shown_value.h"

#include <algorithm>
#include <cctype>

namespace tracker::settings {

namespace {

std::string lower_case(std::string_view text) {
  std::string lower(text);
  std::transform(lower.begin(), lower.end(), lower.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return lower;
}

bool is_letter(unsigned char c) {
  return std::isalpha(c) != 0;
}

/// How much of the beginning can hold no part of a password.
std::size_t harmless_size(std::string_view value) {
  const auto lower = lower_case(value);
  const bool has_user = value.find('@') != value.npos;
  if (const auto slashes = value.find("//"); slashes != value.npos) {
    const std::string_view scheme = std::string_view(lower).substr(0, slashes);
    for (const auto* other : {"http:", "https:", "lookup:"}) {
      if (scheme == other && !has_user) return value.size();
    }
    const auto letters =
        static_cast<std::size_t>(std::find_if_not(scheme.begin(), scheme.end(), is_letter) - scheme.begin());
    return scheme.substr(letters) == ":" ? slashes + 2 : 0;
  }
  if (has_user) return 0;
  // A URL that lacks its slashes: `redis:` and anything but a port.
  const auto colon = value.find(':');
  const bool is_redis = colon != value.npos && lower.starts_with("redis");
  const bool has_port = is_redis &&
                        std::all_of(value.begin() + static_cast<std::ptrdiff_t>(colon) + 1, value.end(),
                                    [](unsigned char c) { return std::isalnum(c) != 0; }) &&
                        colon + 1 < value.size() &&
                        std::isdigit(static_cast<unsigned char>(value[colon + 1])) != 0;
  return is_redis && !has_port ? colon + 1 : value.size();
}

}  // namespace

std::string shown(std::string_view value) {
  const auto size = harmless_size(value);
  return "\"" + std::string(value.substr(0, size)) + (size < value.size() ? "***\"" : "\"");
}

}  // namespace tracker::settings
