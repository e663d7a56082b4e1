#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace tracker::settings {

/// `text` in lines of at most 80 columns, indented by `indent` spaces. Each line of `text` is a paragraph and is broken
/// between words. A line that begins with a space stays as it is. Pure.
std::string wrapped(std::string_view text, std::size_t indent = 0);

}  // namespace tracker::settings
