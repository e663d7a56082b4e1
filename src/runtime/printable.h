#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace tracker::runtime {

/// `text` as one line that a terminal and a log can show. For text that others wrote: a peer's error, a key, a file
/// name. Control characters, line separators, characters that change the direction of writing, and bytes that are not
/// UTF-8 become `\xNN`, byte by byte. After about `bytes_max` bytes the text is cut, and says how many bytes are
/// missing. Other text stays as it is. Pure.
std::string printable(std::string_view text, std::size_t bytes_max = 2'000);

/// printable(text) as a string of JSON, with its quotes. Pure.
std::string json_string(std::string_view text);

/// `text` with U+FFFD in place of each byte that is not UTF-8. Pure.
std::string as_utf8(std::string_view text);

}  // namespace tracker::runtime
