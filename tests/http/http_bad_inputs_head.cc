// The rows about the head itself: version, request line, control bytes, sizes, Host, fields.

#include "http_bad_inputs.h"
#include "support/request.h"

namespace tracker::tests {
namespace {

using namespace std::string_literals;

const std::string line = "GET /p HTTP/1.1\r\n";
const std::string host = "Host: tracker\r\n";
const std::string token = "Authorization: $TOKEN\r\n";
const std::string rest = host + token + "\r\n";

BadInput refused(std::string name, std::string bytes, int status) {
  return {std::move(name), std::move(bytes), {status}};
}

// An answer to HEAD has no body, even if its fields announce one.
BadInput refused_head(std::string name, std::string bytes, int status) {
  return {std::move(name), std::move(bytes), {status}, After::closes, AnswerTo::head};
}

BadInput malformed(std::string name, std::string bytes) {
  return refused(std::move(name), std::move(bytes), 400);
}

// A good head with these field lines in it.
BadInput malformed_field(std::string name, const std::string& lines) {
  return malformed(std::move(name), get("/p", "$TOKEN", lines));
}

std::string fields(int count) {
  std::string lines;
  for (int i = 0; i < count; ++i) lines += "X-" + std::to_string(i) + ": v\r\n";
  return lines;
}

}  // namespace

std::vector<BadInput> protocol_inputs() {
  const std::string preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0\0"s;
  const std::string tls_hello =
      "\x16\x03\x01\x00\xc8\x01\x00\x00\xc4\x03\x03"s + std::string(180, '\x5a') + "\x00\x00\x05h2"s;
  return {
      refused("HTTP/2 preface", preface, 505),
      refused("HTTP/2.0", "GET /p HTTP/2.0\r\n" + rest, 505),
      refused("HTTP/2.1", "GET /p HTTP/2.1\r\n" + rest, 505),
      refused("HTTP/3.0", "GET /p HTTP/3.0\r\n" + rest, 505),
      refused("HTTP/2.0 before a malformed head",
              "GET /p HTTP/2.0\r\nHost: a b\r\nX : y\r\n" + token + "\r\n", 505),
      refused("HTTP/2.0 before no Host", "GET /p HTTP/2.0\r\n" + token + "\r\n", 505),
      refused("HTTP/2.0 before an unregistered method", "FOO /p HTTP/2.0\r\n" + rest, 505),
      refused("HTTP/2.0 before another method", "POST /p HTTP/2.0\r\n" + rest, 505),
      refused("HTTP/2.0 before a bad target", "GET /%zz HTTP/2.0\r\n" + rest, 505),
      refused("HTTP/2.0 before Transfer-Encoding",
              "GET /p HTTP/2.0\r\nTransfer-Encoding: chunked\r\n" + rest + "0\r\n\r\n", 505),
      {"HTTP/0.9 with its number", "GET /p HTTP/0.9\r\n" + rest, {400, 505}},
      {"a version of two digits", "GET /p HTTP/1.10\r\n" + rest, {400, 505}},
      {"a version without minor", "GET /p HTTP/2\r\n" + rest, {400, 505}},
      malformed("TLS hello", tls_hello),
  };
}

std::vector<BadInput> request_line_inputs() {
  return {
      malformed("HTTP/0.9", "GET /p\r\n\r\n"),
      malformed("HTTP/0.9 with fields behind", "GET /p\r\n" + rest),
      malformed("method alone", "GET\r\n" + rest),
      malformed("no target", "GET HTTP/1.1\r\n" + rest),
      malformed("empty target", "GET  HTTP/1.1\r\n" + rest),
      malformed("no method", " /p HTTP/1.1\r\n" + rest),
      malformed("space before the method", " GET /p HTTP/1.1\r\n" + rest),
      malformed("two spaces after the method", "GET  /p HTTP/1.1\r\n" + rest),
      malformed("two spaces before the version", "GET /p  HTTP/1.1\r\n" + rest),
      malformed("space after the version", "GET /p HTTP/1.1 \r\n" + rest),
      malformed("space in the target", "GET /p q HTTP/1.1\r\n" + rest),
      malformed("tabs for spaces", "GET\t/p\tHTTP/1.1\r\n" + rest),
      malformed("version in lower case", "GET /p http/1.1\r\n" + rest),
      malformed("another protocol", "GET /p XTTP/1.1\r\n" + rest),
      malformed("version without a number", "GET /p HTTP/\r\n" + rest),
      malformed("version is no number", "GET /p HTTP/1.x\r\n" + rest),
      malformed("version with a comma", "GET /p HTTP/1,1\r\n" + rest),
      malformed("a method that is no token", "G@T /p HTTP/1.1\r\n" + rest),
      malformed("quoted method", "\"GET\" /p HTTP/1.1\r\n" + rest),
      malformed("two CRLFs before the request line", "\r\n\r\n" + line + rest),
      malformed("no request line", ": \r\n" + rest),
      malformed("malformed before an unregistered method", "FOO  /p HTTP/1.1\r\n" + rest),
      malformed("malformed before another method", "POST /p\r\n" + rest),
      malformed("malformed before too many fields", "GET /p\r\n" + fields(120) + rest),
  };
}

std::vector<BadInput> control_byte_inputs() {
  return {
      malformed("bare LF after the request line", "GET /p HTTP/1.1\n" + rest),
      malformed("bare LFs only", "GET /p HTTP/1.1\nHost: tracker\nAuthorization: $TOKEN\n\n"),
      malformed("bare LF after a field", line + "Host: tracker\n" + token + "\r\n"),
      malformed("bare LF at the end", line + host + token + "\n"),
      malformed("bare LF before the request line", "\n" + line + rest),
      malformed("bare CR before the request line", "\r" + line + rest),
      malformed("bare CR in the target", "GET /p\r/q HTTP/1.1\r\n" + rest),
      malformed("bare CR after the request line", "GET /p HTTP/1.1\r" + rest),
      malformed("two CRs before an LF", "GET /p HTTP/1.1\r\r\n" + rest),
      malformed_field("bare CR in a value", "X: a\rb\r\n"),
      malformed_field("bare CR and a field in a value", "X: a\rY: b\r\n"),
      malformed_field("bare CR at a value's end", "X: a\r\r\n"),
      malformed_field("bare LF in a value", "X: a\nb\r\n"),
      malformed("NUL in the method", "G\0T /p HTTP/1.1\r\n"s + rest),
      malformed("NUL in the target", "GET /p\0q HTTP/1.1\r\n"s + rest),
      malformed_field("NUL in a name", "X\0Y: a\r\n"s),
      malformed_field("NUL in a value", "X: a\0b\r\n"s),
      malformed("NUL behind the token", line + host + "Authorization: $TOKEN\0\r\n\r\n"s),
      malformed("0x01 in the target", "GET /p\x01 HTTP/1.1\r\n" + rest),
      malformed("DEL in the target", "GET /p\x7f HTTP/1.1\r\n" + rest),
      malformed("tab in the target", "GET /p\tq HTTP/1.1\r\n" + rest),
      malformed_field("0x01 in a value", "X: a\x01\r\n"),
      malformed_field("0x1F in a value", "X: a\x1f\r\n"),
      malformed_field("escape in a value", "X: \x1b[0m\r\n"),
      malformed_field("DEL in a value", "X: a\x7f\r\n"),
      malformed_field("DEL in a name", "X\x7f: a\r\n"),
      malformed("control byte before too many fields", line + "X: a\x01\r\n" + fields(120) + rest),
      malformed("control byte before a method", "POST /p HTTP/1.1\r\nX: a\x01\r\n" + rest),
      malformed("control byte before an unregistered method", "FOO /p HTTP/1.1\r\nX: a\x01\r\n" + rest),
      malformed_field("control byte before an expectation", "Expect: a\x01\r\n"),
      malformed("NUL at the start of a line that is too long",
                "GET /p\0"s + std::string(9000, 'x') + " HTTP/1.1\r\n" + rest),
  };
}

std::vector<BadInput> size_inputs() {
  const std::string long_line = "/p?" + std::string(8300, 'x') + " HTTP/1.1\r\n";
  const std::string long_fields =
      "X-1: " + std::string(9000, 'x') + "\r\nX-2: " + std::string(9000, 'x') + "\r\n";
  return {
      refused("long request line", "GET " + long_line + rest, 414),
      refused("long method", std::string(9000, 'G') + " /p HTTP/1.1\r\n" + rest, 414),
      refused("long line before too many fields", "GET " + long_line + fields(120) + rest, 414),
      refused("long line before a long head", "GET " + long_line + long_fields + rest, 414),
      refused("long line before no Host", "GET " + long_line + token + "\r\n", 414),
      refused("long line before an unregistered method", "FOO " + long_line + rest, 414),
      refused("long line before another method", "POST " + long_line + rest, 414),
      refused("long line before a bad target", "GET /%zz" + long_line + rest, 414),
      refused("long head", get("/p", "$TOKEN", long_fields), 431),
      refused("one long field", get("/p", "$TOKEN", "X: " + std::string(17000, 'x') + "\r\n"), 431),
      refused("too many fields", get("/p", "$TOKEN", fields(99)), 431),
      refused("too many fields before no Host", line + fields(120) + token + "\r\n", 431),
      refused("too many fields before two Hosts", line + fields(120) + host + rest, 431),
      refused("too many fields before framing", get("/p", "$TOKEN", fields(120) + "Transfer-Encoding: x\r\n"),
              431),
      refused("long head before another method", "POST /p HTTP/1.1\r\n" + long_fields + rest, 431),
      refused_head("HEAD with too many fields", "HEAD /p HTTP/1.1\r\n" + fields(120) + rest, 431),
      refused("too many fields before an unregistered method", "FOO /p HTTP/1.1\r\n" + fields(120) + rest,
              431),
      refused("too many fields before a bad target", "GET /%zz HTTP/1.1\r\n" + fields(120) + rest, 431),
      refused("too many fields before an expectation", get("/p", "$TOKEN", "Expect: x\r\n" + fields(120)),
              431),
  };
}

std::vector<BadInput> unended_inputs() {
  const std::string long_value(17000, 'x');
  return {
      refused("request line without an end", "GET /p?" + std::string(9000, 'x'), 414),
      refused("field without an end", line + host + token + "X: " + long_value, 431),
      refused("head without an end", line + host + token + "X: " + long_value + "\r\n", 431),
      refused("too many fields without an end", line + host + token + fields(120), 431),
  };
}

std::vector<BadInput> host_inputs() {
  std::vector<BadInput> inputs{
      malformed("no Host", line + token + "\r\n"),
      malformed("no Host for an absolute target", "GET http://tracker/p HTTP/1.1\r\n" + token + "\r\n"),
      malformed("two Hosts", line + host + rest),
      malformed("two different Hosts", line + "Host: other\r\n" + rest),
      malformed("no Host before another method", "POST /p HTTP/1.1\r\n" + token + "\r\n"),
      refused_head("HEAD without a Host", "HEAD /p HTTP/1.1\r\n" + token + "\r\n", 400),
      malformed("no Host before an unregistered method", "FOO /p HTTP/1.1\r\n" + token + "\r\n"),
      malformed("two Hosts before an expectation", line + host + "Expect: x\r\n" + rest),
  };
  for (const char* value : {"a b", "a/b", "http://a", "user@a", "a:x", "a:80x", "a:80:80", "[::1", "::1",
                            "[::1]x", "[::1]:x", "a?b", "a#b", "a\\b", "<a>", "a:-1", "[g::1]"}) {
    inputs.push_back(malformed("Host: "s + value, line + "Host: " + value + "\r\n" + token + "\r\n"));
  }
  return inputs;
}

std::vector<BadInput> field_inputs() {
  return {
      malformed_field("space before a colon", "X : v\r\n"),
      malformed("space before the Host's colon", line + "Host : tracker\r\n" + token + "\r\n"),
      malformed("space before the token's colon", line + host + "Authorization : $TOKEN\r\n\r\n"),
      malformed_field("tab before a colon", "X\t: v\r\n"),
      malformed_field("folded by a space", "X: a\r\n b\r\n"),
      malformed_field("folded by a tab", "X: a\r\n\tb\r\n"),
      malformed_field("fold of nothing", "X: a\r\n \r\n"),
      malformed("folded token", line + host + "Authorization: Bearer\r\n $TOKEN\r\n\r\n"),
      malformed("space before the first field", line + " " + rest),
      malformed_field("empty name", ": v\r\n"),
      malformed_field("colon alone", ":\r\n"),
      malformed_field("no colon", "X-Field\r\n"),
      malformed_field("space in a name", "X Y: v\r\n"),
      malformed_field("@ in a name", "X@Y: v\r\n"),
      malformed_field("parenthesis in a name", "X(: v\r\n"),
      malformed_field("quoted name", "\"X\": v\r\n"),
      malformed_field("slash in a name", "X/Y: v\r\n"),
      malformed_field("byte above 0x7F in a name", "X\xc3\xa9: v\r\n"),
      malformed("folded before another method", "POST /p HTTP/1.1\r\nX: a\r\n b\r\n" + rest),
      malformed("empty name before an unregistered method", "FOO /p HTTP/1.1\r\n: v\r\n" + rest),
      malformed_field("space before a colon, before an expectation", "Expect : x\r\nExpect: x\r\n"),
      malformed("folded in HTTP/1.0", "GET /p HTTP/1.0\r\nX: a\r\n b\r\n" + rest),
  };
}

}  // namespace tracker::tests
