#include "http_good_requests.h"

#include "support/request.h"

namespace tracker::tests {
namespace {

const std::string host = "Host: tracker\r\n";
const std::string token = "Authorization: $TOKEN\r\n";

GoodRequest authorised(std::string name, const std::string& line) {
  return {std::move(name), "GET /p HTTP/1.1\r\n" + host + line + "\r\n\r\n", "/p"};
}

GoodRequest with_host(std::string name, const std::string& value) {
  return {std::move(name), "GET /p HTTP/1.1\r\nHost: " + value + "\r\n" + token + "\r\n", "/p"};
}

GoodRequest with_fields(std::string name, const std::string& lines, After after = After::stays) {
  return {std::move(name), get("/p", "$TOKEN", lines), "/p", after};
}

GoodRequest with_target(const std::string& target, std::string path) {
  return {"target " + target, get(target, "$TOKEN"), std::move(path)};
}

std::vector<GoodRequest> all_good_requests() {
  return {
      authorised("bare token", "Authorization: $TOKEN"),
      authorised("bare token, upper-case hex", "Authorization: $UPPER_TOKEN"),
      authorised("Bearer", "Authorization: Bearer $TOKEN"),
      authorised("bearer", "Authorization: bearer $TOKEN"),
      authorised("BEARER", "Authorization: BEARER $TOKEN"),
      authorised("bEaReR, upper-case hex", "Authorization: bEaReR $UPPER_TOKEN"),
      authorised("field name in lower case", "authorization: $TOKEN"),
      authorised("field name in upper case", "AUTHORIZATION: $TOKEN"),
      authorised("no space before the value", "Authorization:$TOKEN"),
      authorised("spaces around the value", "Authorization:   $TOKEN  "),
      with_host("Host with a port", "tracker.example:6380"),
      with_host("Host is an IPv4 address", "127.0.0.1:6380"),
      with_host("Host is an IPv6 address", "[::1]:6380"),
      with_host("Host is an IPv6 address without a port", "[::1]"),
      with_target("/a/b?x=1", "/a/b"),
      with_target("/%61//x/../b/./c", "/a/b/c"),
      with_target("http://tracker/p", "/p"),
      with_target("https://tracker/p", "/p"),
      with_target("http://tracker:6380/p?x", "/p"),
      with_target("http://tracker", "/"),
      with_target("/auth/", "/auth/"),
      {"HTTP/1.0", "GET /p HTTP/1.0\r\n" + token + "\r\n", "/p", After::closes},
      {"HTTP/1.0 with Host", "GET /p HTTP/1.0\r\n" + host + token + "\r\n", "/p", After::closes},
      {"HTTP/1.0 with keep-alive", "GET /p HTTP/1.0\r\n" + token + "Connection: keep-alive\r\n\r\n", "/p"},
      {"HTTP/1.0 with Keep-Alive", "GET /p HTTP/1.0\r\n" + token + "Connection: Keep-Alive\r\n\r\n", "/p"},
      {"CRLF before the request line", "\r\n" + get("/p", "$TOKEN"), "/p"},
      with_fields("Connection: close", "Connection: close\r\n", After::closes),
      with_fields("Connection: Close", "Connection: Close\r\n", After::closes),
      with_fields("close in a list", "Connection: x, close\r\n", After::closes),
      with_fields("close in a second field", "Connection: x\r\nConnection: close\r\n", After::closes),
      with_fields("Connection: keep-alive", "Connection: keep-alive\r\n"),
      with_fields("Upgrade to a WebSocket", "Connection: Upgrade\r\nUpgrade: websocket\r\n"),
      with_fields(
          "Upgrade to h2c",
          "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n"),
      with_fields("Expect: 100-continue", "Expect: 100-continue\r\n"),
      with_fields("Content-Length of 0", "Content-Length: 0\r\n"),
      with_fields("fields of an ordinary client",
                  "User-Agent: curl/7.88.1\r\nAccept: */*\r\nX-Empty:\r\nCookie: a=\"b\"; c=d\r\n"),
  };
}

}  // namespace

const std::vector<GoodRequest>& good_requests() {
  static const std::vector<GoodRequest> requests = all_good_requests();
  return requests;
}

}  // namespace tracker::tests
