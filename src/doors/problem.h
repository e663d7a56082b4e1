#pragma once

#include <string>
#include <string_view>

namespace tracker::doors {

inline constexpr const char* problem_type = "application/problem+json";

/// Why a request is not answered, as JSON (RFC 9457). Pure.
std::string problem_json(unsigned status, std::string_view detail);

}  // namespace tracker::doors
