#pragma once

#include <string>
#include <string_view>

namespace tracker::settings {

/// `value` in quotes, for an error: the one way to repeat what somebody gave us. What may be a password,
/// because the value looks like a Redis URL, right or wrong, is replaced by `***`. Pure.
std::string shown(std::string_view value);

}  // namespace tracker::settings
