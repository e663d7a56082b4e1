// Fuzzes the code between a client's bytes and the count: request head, route, normal form; and what proxies say of it. llhttp must accept
// everything that this code accepts, and must read it in the same way. What llhttp accepts beyond that does not matter.
#include <llhttp.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "domain/ascii.h"
#include "domain/path.h"
#include "envoy/forwarded.h"
#include "envoy/request_head.h"
#include "envoy/route.h"
#include "require.h"

namespace {

using tracker::domain::equal_in_any_case;
using tracker::envoy::HeadLimits;
using tracker::envoy::RequestHead;
using tracker::envoy::Route;

/// A request as llhttp reads it.
struct Reading {
  std::string target;
  std::string name;
  std::string value;
  std::string authorization;
  int authorization_fields = 0;
  bool keep_alive = false;
  bool complete = false;

  void end_field() {
    value.resize(value.find_last_not_of(" \t") + 1);  // llhttp keeps the white space at the end of a value
    if (equal_in_any_case(name, "authorization") && authorization_fields++ == 0) authorization = value;
    name.clear();
    value.clear();
  }
};

Reading& reading_of(llhttp_t* parser) {
  return *static_cast<Reading*>(parser->data);
}

llhttp_settings_t llhttp_callbacks() {
  llhttp_settings_t callbacks;
  llhttp_settings_init(&callbacks);
  callbacks.on_url = [](llhttp_t* parser, const char* at, std::size_t length) {
    reading_of(parser).target.append(at, length);
    return 0;
  };
  callbacks.on_header_field = [](llhttp_t* parser, const char* at, std::size_t length) {
    reading_of(parser).name.append(at, length);
    return 0;
  };
  callbacks.on_header_value = [](llhttp_t* parser, const char* at, std::size_t length) {
    reading_of(parser).value.append(at, length);
    return 0;
  };
  callbacks.on_header_value_complete = [](llhttp_t* parser) {
    reading_of(parser).end_field();
    return 0;
  };
  callbacks.on_message_complete = [](llhttp_t* parser) -> int {
    reading_of(parser).complete = true;
    reading_of(parser).keep_alive = llhttp_should_keep_alive(parser) != 0;
    return HPE_PAUSED;
  };
  return callbacks;
}

void compare_with_llhttp(std::string_view input, const RequestHead& head) {
  std::string bytes(input.substr(0, head.size));
  // llhttp does not know HTTP/1.2 to 1.9. tracker reads them as 1.1 (RFC 9110, section 2.5).
  const auto minor = bytes.find("\r\n") - 1;
  if (bytes[minor] > '1') bytes[minor] = '1';

  static const llhttp_settings_t callbacks = llhttp_callbacks();
  llhttp_t parser;
  llhttp_init(&parser, HTTP_REQUEST, &callbacks);
  Reading reading;
  parser.data = &reading;
  const auto result = llhttp_execute(&parser, bytes.data(), bytes.size());
  if (result != HPE_PAUSED && result != HPE_PAUSED_UPGRADE) {
    std::fprintf(stderr, "llhttp: %s\n", llhttp_get_error_reason(&parser));
  }
  require(result == HPE_PAUSED || result == HPE_PAUSED_UPGRADE, "llhttp accepts it");
  require(reading.complete, "llhttp sees a whole request");
  require(llhttp_get_error_pos(&parser) == bytes.data() + bytes.size(), "llhttp sees the same end");
  require(parser.method == HTTP_GET, "llhttp sees a GET");
  require(reading.target == head.target, "llhttp sees the same target");
  require((parser.http_minor == 0) == head.http_1_0, "llhttp sees the same version");
  require(parser.content_length == 0, "llhttp sees no body");
  require(reading.authorization_fields == head.authorization_fields,
          "llhttp sees as many Authorization fields");
  require(reading.authorization == head.authorization, "llhttp sees the same Authorization");
  // `close` wins (RFC 9112, section 9.3). In llhttp, keep-alive wins in HTTP/1.0.
  require(reading.keep_alive == head.keep_alive || (head.http_1_0 && reading.keep_alive),
          "llhttp agrees on keep-alive");
}

void check_path(const std::string& path) {
  require(path.starts_with('/'), "a normal path starts with a slash");
  require(path.find_first_of("\"<>\\^`{|}?# ") == std::string::npos,
          "a normal path holds no byte that it may not");
  require(path.find("//") == std::string::npos, "a normal path has no empty segment");
  require((path + "/").find("/./") == std::string::npos && (path + "/").find("/../") == std::string::npos,
          "a normal path has no dot segment");
  std::string again;
  tracker::domain::append_normal_path(path, again);
  require(again == path, "the normal form of a normal path is itself");
}

/// Whatever proxies say, the client is one of those who were named, or the peer; and nobody is believed who is not trusted.
void check_forwarded(std::string_view head) {
  using tracker::domain::IpAddress;
  const std::vector trusted{*tracker::domain::parse_ip_network("10.0.0.0/8")};
  const auto proxy = *tracker::domain::parse_ip_address("10.0.0.1");
  const auto client = tracker::envoy::forwarded_client(proxy, head, trusted);
  std::string lower;
  for (const char c : head) lower += static_cast<char>(c >= 'A' && c <= 'Z' ? c | 0x20 : c);
  const bool says_something =
      lower.find("\nforwarded:") != lower.npos || lower.find("\nx-forwarded-for:") != lower.npos;
  require(client.has_value() == says_something, "a client is told where there is a field, and only there");
  require(!tracker::envoy::forwarded_client(IpAddress{}, head, trusted), "a stranger is not believed");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  const HeadLimits limits{.line_bytes_max = 256, .head_bytes_max = 1024, .fields_max = 10};
  const auto head = tracker::envoy::parse_request_head(input, limits);
  if (!head) {
    require(size < limits.head_bytes_max, "an incomplete head is within the limit");
    return 0;
  }
  if (head->refusal) return 0;

  require(head->size <= size && head->size <= limits.head_bytes_max,
          "a head ends within the input and the limit");
  require(input.substr(0, head->size).ends_with("\r\n\r\n"), "a head ends with an empty line");
  for (std::size_t prefix = 0; prefix < head->size; ++prefix) {
    require(!tracker::envoy::parse_request_head(input.substr(0, prefix), limits),
            "no part of a good head is refused or taken for the whole");
  }
  check_forwarded(input.substr(0, head->size));
  std::string path;
  const Route what = tracker::envoy::route(*head, path);
  if (what.kind != Route::Kind::refuse) {
    check_path(path);
    compare_with_llhttp(input, *head);
  }
  return 0;
}
