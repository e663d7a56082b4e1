#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace tracker::domain {

/// The greatest length of a path in normal form. Every interface refuses a longer path and does not count that hit. A
/// store may hold longer paths, from before this limit; they stay readable.
inline constexpr std::size_t path_bytes_max = 8 * 1024;

/// Appends the normal form of a request's path to `out`, so that all spellings of one path have one count. In this
/// order:
///
/// 1. Drops the query.
/// 2. Percent-encodes the bytes `"<>\^{|}` and the backtick, which clients send although a path may not hold them bare
///    (RFC 3986, section 3.3).
/// 3. Decodes the percent-encodings of unreserved characters, and makes the hex digits of the others upper case (RFC
///    3986, section 6.2.2).
/// 4. Replaces repeated slashes by one.
/// 5. Resolves `.` and `..` segments (RFC 3986, section 5.2.4).
///
/// `raw` begins with '/', holds only bytes from 0x21 to 0x7E and no '#', and has two hex digits after each '%'. The
/// caller has checked that. Appends at most three times the length of `raw`. Pure; any thread.
void append_normal_path(std::string_view raw, std::string& out);

}  // namespace tracker::domain
