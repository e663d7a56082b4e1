// The rows about what a well-formed head means: framing, method, target, expectation, authorisation.

#include "http_bad_inputs.h"
#include "support/request.h"

namespace tracker::tests {
namespace {

using namespace std::string_literals;

const std::string line = "GET /p HTTP/1.1\r\n";
const std::string host = "Host: tracker\r\n";
const std::string token = "Authorization: $TOKEN\r\n";

std::string request(const std::string& method, const std::string& more = "",
                    const std::string& target = "/p") {
  return method + " " + target + " HTTP/1.1\r\n" + host + token + more + "\r\n";
}

BadInput malformed(std::string name, std::string bytes) {
  return {std::move(name), std::move(bytes), {400}};
}

BadInput malformed_field(std::string name, const std::string& lines) {
  return malformed(std::move(name), get("/p", "$TOKEN", lines));
}

BadInput unregistered(std::string name, std::string bytes) {
  return {std::move(name), std::move(bytes), {501}};
}

BadInput other_method(std::string name, std::string bytes, After after = After::stays) {
  return {std::move(name), std::move(bytes), {405}, after};
}

BadInput other_head(std::string name, std::string bytes, After after = After::stays) {
  return {std::move(name), std::move(bytes), {405}, after, AnswerTo::head};
}

BadInput bad_target(const std::string& target, std::vector<std::string> meant = {"/p", "/"}) {
  return {"target " + target, get(target, "$TOKEN"), {400}, After::closes, AnswerTo::get, std::move(meant)};
}

BadInput not_expected(std::string name, const std::string& lines) {
  return {std::move(name), get("/p", "$TOKEN", lines), {417}, After::stays};
}

BadInput unauthorised(const std::string& lines) {
  return {lines.substr(0, lines.find('\r')), line + host + lines + "\r\n", {401}, After::stays};
}

}  // namespace

std::vector<BadInput> framing_inputs() {
  std::vector<BadInput> inputs{
      malformed_field("Transfer-Encoding: chunked", "Transfer-Encoding: chunked\r\n"),
      malformed("a chunked body",
                get("/p", "$TOKEN", "Transfer-Encoding: chunked\r\n") + "3\r\nabc\r\n0\r\n\r\n"),
      malformed_field("Transfer-Encoding: gzip", "Transfer-Encoding: gzip\r\n"),
      malformed_field("Transfer-Encoding: identity", "Transfer-Encoding: identity\r\n"),
      malformed_field("empty Transfer-Encoding", "Transfer-Encoding:\r\n"),
      malformed_field("Transfer-Encoding in lower case", "transfer-encoding: chunked\r\n"),
      malformed_field("Transfer-Encoding and Content-Length",
                      "Transfer-Encoding: chunked\r\nContent-Length: 0\r\n"),
      malformed("Transfer-Encoding in HTTP/1.0",
                "GET /p HTTP/1.0\r\nTransfer-Encoding: chunked\r\n" + token + "\r\n"),
      malformed("Transfer-Encoding before another method",
                request("POST", "Transfer-Encoding: chunked\r\n") + "0\r\n\r\n"),
      {"HEAD with Transfer-Encoding",
       request("HEAD", "Transfer-Encoding: x\r\n"),
       {400},
       After::closes,
       AnswerTo::head},
      malformed("Transfer-Encoding before an unregistered method",
                request("FOO", "Transfer-Encoding: chunked\r\n")),
      malformed_field("Transfer-Encoding before an expectation", "Transfer-Encoding: x\r\nExpect: x\r\n"),
      malformed("a GET with a body", get("/p", "$TOKEN", "Content-Length: 5\r\n") + "hello"),
      malformed("a GET whose body is a request",
                get("/p", "$TOKEN", "Content-Length: 87\r\n") + get("/p", "$TOKEN")),
      malformed_field("two Content-Lengths of 0", "Content-Length: 0\r\nContent-Length: 0\r\n"),
      malformed("another method with two Content-Lengths",
                request("POST", "Content-Length: 5\r\nContent-Length: 5\r\n") + "hello"),
      malformed("an unregistered method with two Content-Lengths",
                request("FOO", "Content-Length: 0\r\nContent-Length: 0\r\n")),
  };
  for (const char* value : {"00", "0, 0", "0,0", "+0", "-0", "-1", "0x0", "0 0", "abc", "", "1", "0.0", "0;",
                            "18446744073709551616", "\"0\""}) {
    inputs.push_back(
        malformed_field("GET with Content-Length "s + value, "Content-Length: "s + value + "\r\n"));
  }
  for (const char* value : {"5, 5", "+5", "-5", "0x5", "5x", "", "5 5", "abc"}) {
    inputs.push_back(malformed("POST with Content-Length "s + value,
                               request("POST", "Content-Length: "s + value + "\r\n") + "hello"));
  }
  return inputs;
}

std::vector<BadInput> unregistered_method_inputs() {
  std::vector<BadInput> inputs{
      unregistered("FOO with a body", request("FOO", "Content-Length: 5\r\n") + "hello"),
      unregistered("FOO before a bad target", request("FOO", "", "/%zz")),
      unregistered("FOO before an expectation", request("FOO", "Expect: x\r\n")),
      unregistered("FOO before two Authorizations", request("FOO", token)),
      unregistered("FOO without a token", "FOO /p HTTP/1.1\r\n" + host + "\r\n"),
      unregistered("FOO /auth", request("FOO", "", "/auth")),
  };
  for (const char* method : {"FOO", "get", "Get", "GETT", "GE", "post", "X", "M-SEARCH", "PURGE", "G.E!T"}) {
    inputs.push_back(unregistered(method, request(method)));
  }
  return inputs;
}

std::vector<BadInput> other_method_inputs() {
  std::vector<BadInput> inputs{
      other_method("POST with a body", request("POST", "Content-Length: 5\r\n") + "hello", After::closes),
      other_method("PUT with a body", request("PUT", "Content-Length: 5\r\n") + "hello", After::closes),
      other_method("POST whose body is a request",
                   request("POST", "Content-Length: 87\r\n") + get("/p", "$TOKEN"), After::closes),
      other_method("POST with an empty body", request("POST", "Content-Length: 0\r\n")),
      other_method("POST that waits for 100-continue",
                   request("POST", "Content-Length: 5\r\nExpect: 100-continue\r\n"), After::closes),
      other_method("POST and close", request("POST", "Connection: close\r\n"), After::closes),
      other_method("POST in HTTP/1.0", "POST /p HTTP/1.0\r\n" + token + "\r\n", After::closes),
      other_method("POST /auth", request("POST", "", "/auth")),
      other_method("POST before a bad target", request("POST", "", "/%zz")),
      other_method("POST before an expectation", request("POST", "Expect: x\r\n")),
      other_method("POST before two Authorizations", request("POST", token)),
      other_method("POST without a token", "POST /p HTTP/1.1\r\n" + host + "\r\n"),
      other_method("OPTIONS *", request("OPTIONS", "", "*")),
      other_method("CONNECT host:port", request("CONNECT", "", "tracker:443")),
      other_head("HEAD", request("HEAD")),
      other_head("HEAD /auth", request("HEAD", "", "/auth")),
      other_head("HEAD without a token", "HEAD /p HTTP/1.1\r\n" + host + "\r\n"),
      other_head("HEAD with a body", request("HEAD", "Content-Length: 5\r\n") + "hello", After::closes),
      other_head("HEAD and close", request("HEAD", "Connection: close\r\n"), After::closes),
      other_head("HEAD before a bad target", request("HEAD", "", "/%zz")),
  };
  // IANA's registry of methods. Its entry `*` is reserved and is no method.
  for (const char* method : {"ACL",
                             "BASELINE-CONTROL",
                             "BIND",
                             "CHECKIN",
                             "CHECKOUT",
                             "CONNECT",
                             "COPY",
                             "DELETE",
                             "LABEL",
                             "LINK",
                             "LOCK",
                             "MERGE",
                             "MKACTIVITY",
                             "MKCALENDAR",
                             "MKCOL",
                             "MKREDIRECTREF",
                             "MKWORKSPACE",
                             "MOVE",
                             "OPTIONS",
                             "ORDERPATCH",
                             "PATCH",
                             "POST",
                             "PRI",
                             "PROPFIND",
                             "PROPPATCH",
                             "PUT",
                             "REBIND",
                             "REPORT",
                             "SEARCH",
                             "TRACE",
                             "UNBIND",
                             "UNCHECKOUT",
                             "UNLINK",
                             "UNLOCK",
                             "UPDATE",
                             "UPDATEREDIRECTREF",
                             "VERSION-CONTROL"}) {
    inputs.push_back(other_method(method, request(method)));
  }
  return inputs;
}

std::vector<BadInput> target_inputs() {
  std::vector<BadInput> inputs{
      bad_target("/%zz", {"/%25zz"}),
      bad_target("/p%", {"/p", "/p%25"}),
      bad_target("/p%4", {"/p", "/p%254"}),
      bad_target("/p%g0"),
      bad_target("/p%0g"),
      bad_target("/%%41", {"/%25A", "/A"}),
      bad_target("/p%u0041", {"/pA"}),
      bad_target("/auth%"),
      bad_target("/p\x80", {"/p%80"}),
      bad_target("/p\xff", {"/p%FF"}),
      bad_target("/caf\xc3\xa9", {"/caf%C3%A9"}),
      bad_target("/p?\xc3\xa9"),
      bad_target("/p#f"),
      bad_target("/p?x#f"),
      bad_target("/p#"),
      bad_target("/auth#f"),
      bad_target("http://tracker/p#f"),
      bad_target("*", {"/*", "/"}),
      bad_target("p"),
      bad_target("?x"),
      bad_target("./p"),
      bad_target("tracker:80"),
      bad_target("ftp://tracker/p"),
      bad_target("ws://tracker/p"),
      bad_target("httpx://tracker/p"),
      bad_target("http:/p"),
      bad_target("http:p"),
      bad_target("http:"),
      bad_target("http://"),
      bad_target("http:///p"),
      bad_target("http://tracker:x/p"),
      bad_target("http://tracker/%zz"),
      bad_target("mailto:p"),
  };
  inputs.push_back(malformed("bad target before an expectation", get("/%zz", "$TOKEN", "Expect: x\r\n")));
  inputs.push_back(malformed("bad target before no token", get_without_token("/%zz")));
  return inputs;
}

std::vector<BadInput> long_path_inputs() {
  const std::string quotes(2731, '"');  // each is three bytes in normal form: 8193 with the slash in front
  const std::string long_path = "/" + quotes;
  const auto refused = [](std::string name, std::string bytes) {
    return BadInput{std::move(name), std::move(bytes), {414}};
  };
  return {
      refused("a path that normal form makes too long", get(long_path, "$TOKEN")),
      refused("a long path and a query", get(long_path + "?x=1", "$TOKEN")),
      refused("a long path in a URI", get("http://tracker" + long_path, "$TOKEN")),
      refused("a long path before an expectation", get(long_path, "$TOKEN", "Expect: x\r\n")),
      refused("a long path before two Authorizations", get(long_path, "$TOKEN", token)),
      refused("a long path in HTTP/1.0", "GET " + long_path + " HTTP/1.0\r\n" + token + "\r\n"),
      refused("a long path without a token", "GET " + long_path + " HTTP/1.1\r\n" + host + "\r\n"),
  };
}

std::vector<BadInput> expectation_inputs() {
  return {
      not_expected("Expect: x", "Expect: x\r\n"),
      not_expected("Expect: 200-ok", "Expect: 200-ok\r\n"),
      not_expected("100-continue and more", "Expect: 100-continue, x\r\n"),
      not_expected("100-continue with a value", "Expect: 100-continue=1\r\n"),
      not_expected("expectation before two Authorizations", "Expect: x\r\n" + token),
      {"expectation before no token", get_without_token("/p", "Expect: x\r\n"), {417}, After::stays},
      {"expectation of /auth", get("/auth", "$TOKEN", "Expect: x\r\n"), {417}, After::stays},
      {"expectation and close",
       get("/p", "$TOKEN", "Expect: x\r\nConnection: close\r\n"),
       {417},
       After::closes},
  };
}

std::vector<BadInput> two_authorization_inputs() {
  return {
      malformed_field("the same twice", token),
      malformed_field("in two forms", "Authorization: Bearer $TOKEN\r\n"),
      malformed_field("a good and a bad one", "Authorization: x\r\n"),
      malformed_field("a good and an empty one", "Authorization:\r\n"),
      malformed_field("the other in lower case", "authorization: $TOKEN\r\n"),
      malformed("two bad ones", get("/p", "x", "Authorization: y\r\n")),
      malformed("two for /auth", get("/auth", "$TOKEN", token)),
  };
}

std::vector<BadInput> unauthorised_inputs() {
  std::vector<BadInput> inputs{
      unauthorised("X-No-Token: $TOKEN\r\n"),
      unauthorised("Authorization:\r\n"),
      unauthorised("Proxy-Authorization: Bearer $TOKEN\r\n"),
      {"no token and close", get_without_token("/p", "Connection: close\r\n"), {401}, After::closes},
      {"no token in HTTP/1.0", "GET /p HTTP/1.0\r\n\r\n", {401}, After::closes},
      {"no token at a query of /auth's neighbour", get_without_token("/auth/?x"), {401}, After::stays},
  };
  for (const char* value :
       {"Bearer", "Bearer$TOKEN", "Bearer:$TOKEN", "Basic $TOKEN", "Token $TOKEN", "Bearer $TOKEN x",
        "$TOKEN x", "$TOKEN, $TOKEN", "$TOKEN0", "0$TOKEN", "Bearer Bearer $TOKEN", "{$TOKEN}", "<$TOKEN>",
        "\"$TOKEN\"", "urn:uuid:$TOKEN", "token=$TOKEN", "x", "c6f6fd4bb3474aa1b22dc2a786eb82fd",
        "c6f6fd4b-b347-4aa1-b22d-c2a786eb82f", "c6f6fd4b-b347-4aa1-b22d-c2a786eb82fdd",
        "c6f6fd4b-b347-4aa1-b22d-c2a786eb82fg", "c6f6fd4b_b347_4aa1_b22d_c2a786eb82fd",
        "c6f6fd4bb-347-4aa1-b22d-c2a786eb82fd",
        // Well-formed, but never minted.
        "c6f6fd4b-b347-4aa1-b22d-c2a786eb82fd", "Bearer c6f6fd4b-b347-4aa1-b22d-c2a786eb82fd",
        "00000000-0000-0000-0000-000000000000", "ffffffff-ffff-ffff-ffff-ffffffffffff"}) {
    inputs.push_back(unauthorised("Authorization: "s + value + "\r\n"));
  }
  return inputs;
}

}  // namespace tracker::tests
