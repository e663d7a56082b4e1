#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace tracker::settings {

/// Which of `known` somebody meant who wrote `wrong`: the one that is one or two slips of the keyboard away
/// (a character too many, too few, another one, or two in the wrong order). Capitals, `-` and `_` do not
/// matter. Nothing: none of them is that near. Pure, as is the other.
std::optional<std::string> nearest(std::string_view wrong, const std::vector<std::string>& known);

/// The first of `known` that `wrong` is the beginning of.
std::optional<std::string> completed(std::string_view wrong, const std::vector<std::string>& known);

}  // namespace tracker::settings
