#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace tracker::settings {

/// The entry of `known` that `wrong` probably means: one that is at most two typing errors away (a character too many,
/// one missing, a wrong one, or two in the wrong order). Case, `-` and `_` do not matter. Returns nothing if none is
/// that near. Pure, like the other function.
std::optional<std::string> nearest(std::string_view wrong, const std::vector<std::string>& known);

/// The first entry of `known` that begins with `wrong`.
std::optional<std::string> completed(std::string_view wrong, const std::vector<std::string>& known);

}  // namespace tracker::settings
