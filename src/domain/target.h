#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace tracker::domain {

/// What is wrong with a request's target, or what it is. If several apply, the first in this list wins.
enum class Target : std::uint8_t {
  bad_percent_encoding,  // a percent sign without two hex digits after it
  bad_byte,              // a byte above 0x7E
  fragment,              // a number sign
  bad_form,              // neither a path that begins with a slash nor an http or https URI
  path_too_long,         // in normal form, longer than path_bytes_max
  path,
};

/// Reads a target in origin-form or the form of an http(s) URI (RFC 9112, section 3.2). `target` is not empty and
/// holds no space or control character. Overwrites `path`; for Target::path it is the path to count, in normal form.
/// Pure; any thread.
Target read_target(std::string_view target, std::string& path);

/// Returns true for `host` or `host:port` (RFC 3986, section 3.2, without user information) with a host that is not
/// empty. Pure; any thread.
bool is_authority(std::string_view text);

}  // namespace tracker::domain
