#include "runtime/utc_time.h"

#include <array>
#include <cstdio>
#include <string_view>

namespace tracker::runtime {

namespace {

std::tm utc_of(std::time_t time) {
  std::tm utc{};
  ::gmtime_r(&time, &utc);
  return utc;
}

std::string to_seconds(std::chrono::system_clock::time_point time) {
  const auto utc = utc_of(std::chrono::system_clock::to_time_t(time));
  std::array<char, 32> text{};
  return {text.data(), std::strftime(text.data(), text.size(), "%Y-%m-%dT%H:%M:%S", &utc)};
}

}  // namespace

std::string utc_time(std::chrono::system_clock::time_point time) {
  const auto ms =
      std::chrono::duration_cast<std::chrono::milliseconds>(time.time_since_epoch()).count() % 1000;
  std::array<char, 8> text{};
  std::snprintf(text.data(), text.size(), ".%03dZ", static_cast<int>(ms));
  return to_seconds(time) + text.data();
}

std::string utc_seconds(std::chrono::system_clock::time_point time) {
  return to_seconds(time) + 'Z';
}

std::string http_date(std::time_t time) {
  constexpr std::array<std::string_view, 7> days = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
  constexpr std::array<std::string_view, 12> months = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                                       "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
  const auto utc = utc_of(time);
  std::array<char, 32> rest{};
  std::string text(days[static_cast<std::size_t>(utc.tm_wday)]);
  std::strftime(rest.data(), rest.size(), ", %d ", &utc);
  text += rest.data();
  text += months[static_cast<std::size_t>(utc.tm_mon)];
  std::strftime(rest.data(), rest.size(), " %Y %H:%M:%S GMT", &utc);
  text += rest.data();
  return text;
}

}  // namespace tracker::runtime
