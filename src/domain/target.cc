#include "domain/target.h"

#include <arpa/inet.h>

#include <algorithm>
#include <array>

#include "domain/ascii.h"
#include "domain/hex.h"
#include "domain/path.h"

namespace tracker::domain {

namespace {

/// Whether two hex digits follow the percent sign at `percent`.
bool is_encoded_byte(std::string_view text, std::size_t percent) {
  return percent + 2 < text.size() &&
         ((hex_value(text[percent + 1]) | hex_value(text[percent + 2])) & not_hex) == 0;
}

/// Whatever the form of a target, some bytes may stand nowhere in it. Answers Target::path if there are none of them.
Target check_bytes(std::string_view target) {
  auto found = Target::path;
  for (std::size_t i = 0; i < target.size(); ++i) {
    const auto c = static_cast<unsigned char>(target[i]);
    if (c > 0x7E) {
      found = std::min(found, Target::bad_byte);
    } else if (c == '#') {
      found = std::min(found, Target::fragment);
    } else if (c == '%' && !is_encoded_byte(target, i)) {
      found = std::min(found, Target::bad_percent_encoding);
    }
  }
  return found;
}

/// The path and query of a target; empty if it has none of the two forms.
std::string_view path_and_query_of(std::string_view target) {
  if (target.front() == '/') return target;
  for (std::string_view scheme : {"http://", "https://"}) {
    if (!equal_in_any_case(target.substr(0, scheme.size()), scheme)) continue;
    target.remove_prefix(scheme.size());
    const auto authority = target.substr(0, target.find_first_of("/?"));
    if (!is_authority(authority)) return {};
    target.remove_prefix(authority.size());
    return target.starts_with('/') ? target : "/";
  }
  return {};
}

bool is_port(std::string_view text) {
  if (text.empty()) return true;  // RFC 3986, section 3.2.3: the port may be empty
  if (!all_digits(text) || text.size() > 5) return false;
  unsigned port = 0;
  for (char c : text) port = port * 10 + static_cast<unsigned>(c - '0');
  return port <= 65535;
}

bool is_ipv6(std::string_view text) {
  in6_addr address{};
  return inet_pton(AF_INET6, std::string(text).c_str(), &address) == 1;
}

/// RFC 3986, section 3.2.2: unreserved and sub-delims.
consteval std::array<bool, 256> make_reg_name_characters() {
  std::array<bool, 256> characters{};
  for (const unsigned char c :
       std::string_view("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
                        "-._~!$&'()*+,;=")) {
    characters[c] = true;
  }
  return characters;
}

bool is_reg_name(std::string_view text) {
  static constexpr auto reg_name_characters = make_reg_name_characters();
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '%' && is_encoded_byte(text, i)) {
      i += 2;
    } else if (!reg_name_characters[static_cast<unsigned char>(text[i])]) {
      return false;
    }
  }
  return !text.empty();
}

}  // namespace

Target read_target(std::string_view target, std::string& path) {
  path.clear();
  if (const auto found = check_bytes(target); found != Target::path) return found;
  const auto path_and_query = path_and_query_of(target);
  if (path_and_query.empty()) return Target::bad_form;
  append_normal_path(path_and_query, path);
  return path.size() > path_bytes_max ? Target::path_too_long : Target::path;
}

bool is_authority(std::string_view text) {
  if (text.starts_with('[')) {
    const auto end = text.find(']');
    if (end == text.npos || !is_ipv6(text.substr(1, end - 1))) return false;
    const auto rest = text.substr(end + 1);
    return rest.empty() || (rest.front() == ':' && is_port(rest.substr(1)));
  }
  const auto colon = text.find(':');
  return is_reg_name(text.substr(0, colon)) && (colon == text.npos || is_port(text.substr(colon + 1)));
}

}  // namespace tracker::domain
