#include "runtime/utc_time.h"

#include <cstdio>
#include <ctime>

namespace tracker::runtime {

std::string utc_time(std::chrono::system_clock::time_point time) {
  const auto since_1970 = time.time_since_epoch();
  const std::time_t seconds = std::chrono::duration_cast<std::chrono::seconds>(since_1970).count();
  const auto ms = std::chrono::duration_cast<std::chrono::milliseconds>(since_1970).count() % 1000;
  std::tm utc{};
  gmtime_r(&seconds, &utc);
  char text[32];
  const auto length = std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S", &utc);
  std::snprintf(text + length, sizeof text - length, ".%03dZ", static_cast<int>(ms));
  return text;
}

}  // namespace tracker::runtime
