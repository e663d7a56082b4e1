#pragma once

#include <string>
#include <string_view>

namespace tracker::settings {

/// `value` in quotes, for an error. Errors must repeat given values only through this function: what may be a password,
/// because the value looks like a Redis URL, is replaced by `***`. Pure.
std::string shown(std::string_view value);

}  // namespace tracker::settings
