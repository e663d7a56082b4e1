#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace tracker::settings {

/// `text` in lines of 80 columns at most, all behind `indent` spaces. Each line of `text` is a paragraph, and
/// broken between words; one that begins with a space stays as it is. Pure.
std::string wrapped(std::string_view text, std::size_t indent = 0);

}  // namespace tracker::settings
