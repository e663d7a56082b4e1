#ifndef TRACKER_TESTS_SUPPORT_REQUEST_H_
#define TRACKER_TESTS_SUPPORT_REQUEST_H_

#include <string>
#include <string_view>

namespace tracker::tests {

// `GET target HTTP/1.1` with a Host, this token, and `more` field lines, each of which ends in CRLF.
std::string get(std::string_view target, std::string_view token, std::string_view more = "");
// The same without Authorization.
std::string get_without_token(std::string_view target, std::string_view more = "");

// A header of the PROXY protocol, version 2, for a client with these four bytes of an IPv4 address.
std::string proxy_header(std::string_view client);

// Returns `bytes` with each `$TOKEN` replaced, and each `$UPPER_TOKEN` by its upper-case form.
std::string with_token(std::string_view bytes, std::string_view token);

std::string repeated(std::string_view text, std::size_t times);

}  // namespace tracker::tests

#endif  // TRACKER_TESTS_SUPPORT_REQUEST_H_
