#pragma once

#include <chrono>
#include <ctime>
#include <string>

namespace tracker::runtime {

// Times as text, in UTC. Any thread.

/// The time as logs write it: `2026-01-02T03:04:05.678Z` (RFC 3339).
std::string utc_time(std::chrono::system_clock::time_point time);

/// The time without its milliseconds: `2026-01-02T03:04:05Z` (RFC 3339).
std::string utc_seconds(std::chrono::system_clock::time_point time);

/// The time as HTTP writes it: `Fri, 02 Jan 2026 03:04:05 GMT` (IMF-fixdate, RFC 9110, section 5.6.7), whatever the locale.
std::string http_date(std::time_t time);

}  // namespace tracker::runtime
