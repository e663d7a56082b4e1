#pragma once

#include <chrono>
#include <string>

namespace tracker::runtime {

/// The time as logs write it: `2026-01-02T03:04:05.678Z` (RFC 3339). Any thread.
std::string utc_time(std::chrono::system_clock::time_point time);

}  // namespace tracker::runtime
