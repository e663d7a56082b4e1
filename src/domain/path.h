#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace tracker::domain {

/// The longest path that is counted, in normal form. Every way in refuses a longer one, and that hit is not
/// counted. A longer one that a store holds already, from before there was this limit, stays readable.
inline constexpr std::size_t path_bytes_max = 8 * 1024;

/// Appends the normal form of a request's path to `out`, so that every spelling of one path is counted as
/// one. In this order: the query is dropped; bytes that a path may not hold bare (RFC 3986, section 3.3) but
/// that clients send, `"<>\^{|}` and the backtick, are percent-encoded; percent-encodings of unreserved
/// characters are decoded and the hex digits of the others upper-cased (RFC 3986, section 6.2.2); repeated
/// slashes become one; `.` and `..` segments are resolved (RFC 3986, section 5.2.4).
///
/// `raw` starts with '/', holds only 0x21 to 0x7E, no '#', and two hex digits after each '%': the request's
/// head was checked for that. Pure; any thread. What is appended is at most three times as long as `raw`.
void append_normal_path(std::string_view raw, std::string& out);

}  // namespace tracker::domain
