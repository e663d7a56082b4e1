#include "envoy/request_head.h"

#include <gtest/gtest.h>

#include <string>

namespace tracker::envoy {

constexpr HeadLimits limits;

std::string request(std::string_view line, std::string_view fields = "Host: x\r\n") {
  return std::string(line) + "\r\n" + std::string(fields) + "\r\n";
}

/// The refusal of a whole head; nothing if it is accepted.
std::optional<Refusal> refusal_of(std::string_view input) {
  const auto head = parse_request_head(input, limits);
  EXPECT_TRUE(head.has_value()) << "not complete: " << input;
  return head ? head->refusal : std::nullopt;
}

TEST(RequestHead, TellsWhatMatters) {
  const auto input = request("GET /a?b HTTP/1.1",
                             "host: example.org:80\r\nAUTHORIZATION: \t Bearer x \r\nX-Other: \xC3\xA9\r\n") +
                     "GET /next";
  const auto head = parse_request_head(input, limits);
  ASSERT_TRUE(head && !head->refusal);
  EXPECT_EQ(head->method, "GET");
  EXPECT_EQ(head->target, "/a?b");
  EXPECT_EQ(head->authorization, "Bearer x");
  EXPECT_EQ(head->authorization_fields, 1);
  EXPECT_EQ(head->size, input.size() - std::string_view("GET /next").size());
  EXPECT_TRUE(head->keep_alive);
  EXPECT_FALSE(head->http_1_0);
  EXPECT_FALSE(head->has_body);
  EXPECT_FALSE(head->expects_the_unknown);
}

TEST(RequestHead, IsIncompleteUpToItsLastByte) {
  const auto input = request("GET / HTTP/1.1", "Host: x\r\nA: b\r\n");
  for (std::size_t size = 0; size < input.size(); ++size) {
    EXPECT_FALSE(parse_request_head(std::string_view(input).substr(0, size), limits)) << size;
  }
  EXPECT_FALSE(refusal_of(input));
}

TEST(RequestHead, Persistence) {
  const struct {
    const char* line;
    const char* fields;
    bool keep_alive;
  } cases[] = {
      {"GET / HTTP/1.1", "Host: x\r\n", true},
      {"GET / HTTP/1.9", "Host: x\r\n", true},
      {"GET / HTTP/1.1", "Host: x\r\nConnection: close\r\n", false},
      {"GET / HTTP/1.1", "Host: x\r\nConnection: Foo,\t CLOSE ,bar\r\n", false},
      {"GET / HTTP/1.1", "Host: x\r\nConnection: keep-alive\r\nConnection: close\r\n", false},
      {"GET / HTTP/1.1", "Host: x\r\nConnection: closed, not-close\r\n", true},
      {"GET / HTTP/1.0", "", false},
      {"GET / HTTP/1.0", "Connection: Keep-Alive\r\n", true},
      {"GET / HTTP/1.0", "Connection: keep-alive, close\r\n", false},
  };
  for (const auto& c : cases) {
    const auto input = request(c.line, c.fields);
    const auto head = parse_request_head(input, limits);
    ASSERT_TRUE(head && !head->refusal) << input;
    EXPECT_EQ(head->keep_alive, c.keep_alive) << input;
  }
}

TEST(RequestHead, RefusesBadLines) {
  EXPECT_EQ(refusal_of("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), Refusal::http_version);
  for (const auto* version : {"HTTP/2.0", "HTTP/2", "HTTP/0.9", "HTTP/3.0", "HTTP/11.0"}) {
    EXPECT_EQ(refusal_of(request(std::string("GET / ") + version)), Refusal::http_version) << version;
  }
  EXPECT_EQ(refusal_of("\x16\x03\x01\x02"), Refusal::tls);
  EXPECT_EQ(refusal_of("\x16\x03\x01\n\x02"), Refusal::tls);
  for (const auto* line :
       {"GET /", "GET", "", "GET  / HTTP/1.1", "GET /  HTTP/1.1", " GET / HTTP/1.1", "GET / HTTP/1.1 ",
        "GET / http/1.1", "GET / HTTP/1.10", "GET / HTTP/1.", "GET / HTTP/1", "GET / HTTP/x.y",
        "G(T / HTTP/1.1", "GET /a b HTTP/1.1", "\x80 / HTTP/1.1", "HTTP/1.1 200 OK"}) {
    EXPECT_EQ(refusal_of(request(line)), Refusal::malformed) << line;
  }
}

TEST(RequestHead, RefusesControlCharactersAnywhereAndAsSoonAsTheyAreSeen) {
  for (char c : {'\0', '\x01', '\x1F', '\x7F', '\r', '\n'}) {
    const std::string bad(1, c);
    for (const auto& input :
         {request("GET /" + bad + "a HTTP/1.1"), request("GET / HTTP/1.1", "Host: x\r\nA: b" + bad + "c\r\n"),
          request("GET / HTTP/1.1", "Host: x\r\nA" + bad + "a: c\r\n"), "GET /" + bad + "a",
          "GET / HTTP/1.1\r\nHost" + bad + "x"}) {
      const auto refusal = refusal_of(input);
      EXPECT_TRUE(refusal == Refusal::control_character || refusal == Refusal::malformed) << int{c} << input;
    }
  }
  EXPECT_EQ(refusal_of("GET / HTTP/1.1\nHost: x\n\n"), Refusal::control_character);
  EXPECT_FALSE(refusal_of(request("GET / HTTP/1.1", "Host: x\r\nA: b\tc\r\n")));
}

TEST(RequestHead, RefusesAControlCharacterBetweenAnyOthers) {
  for (const char other : {' ', 'a', '\t', '\x80', '\xFF'}) {
    for (std::size_t at = 0; at < 20; ++at) {
      for (int c = 0; c < 256; ++c) {
        if (c == '\n') continue;
        std::string value(20, other);
        value[at] = static_cast<char>(c);
        const bool refused = (c < 0x20 && c != '\t') || c == 0x7F;
        EXPECT_EQ(refusal_of(request("GET / HTTP/1.1", "Host: x\r\nA:" + value + "b\r\n")),
                  refused ? std::optional(Refusal::control_character) : std::nullopt)
            << c << " at " << at;
      }
    }
  }
}

TEST(RequestHead, RefusesWhatIsTooLarge) {
  const auto line = [](std::size_t size) { return "GET /" + std::string(size - 14, 'a') + " HTTP/1.1"; };
  EXPECT_FALSE(refusal_of(request(line(8192))));
  EXPECT_EQ(refusal_of(request(line(8193))), Refusal::line_too_long);
  EXPECT_EQ(refusal_of(line(8193)), Refusal::line_too_long);
  EXPECT_FALSE(parse_request_head(line(8192) + "\r", limits));

  const auto head = [](std::size_t size) {
    return request("GET / HTTP/1.1", "Host: x\r\nA: " + std::string(size - 32, 'a') + "\r\n");
  };
  ASSERT_EQ(head(16384).size(), 16384U);
  EXPECT_FALSE(refusal_of(head(16384)));
  EXPECT_EQ(refusal_of(head(16385)), Refusal::head_too_large);
  EXPECT_EQ(refusal_of(head(16385).substr(0, 16384)), Refusal::head_too_large);
  EXPECT_FALSE(parse_request_head(head(16384).substr(0, 16383), limits));

  std::string fields = "Host: x\r\n";
  for (int i = 1; i < 100; ++i) fields += "A: b\r\n";
  EXPECT_FALSE(refusal_of(request("GET / HTTP/1.1", fields)));
  EXPECT_EQ(refusal_of(request("GET / HTTP/1.1", fields + "A: b\r\n")), Refusal::too_many_fields);
}

TEST(RequestHead, RefusesBadHosts) {
  for (const auto* host :
       {"x", "x:80", "x:", "127.0.0.1:6380", "[::1]", "[::1]:80", "a_b.c-d~", "%41", "x:0", "x:65535"}) {
    EXPECT_FALSE(refusal_of(request("GET / HTTP/1.1", std::string("Host: ") + host + "\r\n"))) << host;
  }
  for (const auto* host :
       {"", ":80", "a b", "a/b", "user@x", "x:y", "x:80:80", "::1", "[::1", "[x]", "[::1]x", "[::1]:x", "%4",
        "%zz", "x:65536", "x:-1", "a\"b", "http://x", "\xC3\xA9"}) {
    EXPECT_EQ(refusal_of(request("GET / HTTP/1.1", std::string("Host: ") + host + "\r\n")), Refusal::host)
        << host;
  }
  EXPECT_EQ(refusal_of(request("GET / HTTP/1.1", "")), Refusal::host);
  EXPECT_EQ(refusal_of(request("GET / HTTP/1.1", "Host: x\r\nHost: x\r\n")), Refusal::host);
  EXPECT_FALSE(refusal_of(request("GET / HTTP/1.0", "")));
}

TEST(RequestHead, RefusesBadFields) {
  for (const auto* field :
       {"A : b", ": b", "A", "A\tb: c", "A(: b", "\xC3: b", " A: b", "\tA: b", " folded"}) {
    EXPECT_EQ(refusal_of(request("GET / HTTP/1.1", std::string("Host: x\r\n") + field + "\r\n")),
              Refusal::field)
        << field;
  }
  for (const auto* field : {"A:", "A:b", "A: ", "!#$%&'*+-.^_`|~: b", "A: b: c"}) {
    EXPECT_FALSE(refusal_of(request("GET / HTTP/1.1", std::string("Host: x\r\n") + field + "\r\n"))) << field;
  }
}

TEST(RequestHead, RefusesBodies) {
  const auto refusal_with = [](std::string_view method, std::string_view fields) {
    return refusal_of(request(std::string(method) + " / HTTP/1.1", "Host: x\r\n" + std::string(fields)));
  };
  EXPECT_EQ(refusal_with("GET", "Transfer-Encoding: chunked\r\n"), Refusal::transfer_encoding);
  EXPECT_EQ(refusal_with("POST", "transfer-encoding:\r\n"), Refusal::transfer_encoding);
  EXPECT_FALSE(refusal_with("GET", "Content-Length: 0\r\n"));
  for (const auto* value : {"00", "1", "+0", "0, 0", "", "0x0", "-1", "5 5"}) {
    EXPECT_EQ(refusal_with("GET", std::string("Content-Length: ") + value + "\r\n"), Refusal::content_length)
        << value;
  }
  EXPECT_EQ(refusal_with("GET", "Content-Length: 0\r\nContent-Length: 0\r\n"), Refusal::content_length);
  EXPECT_EQ(refusal_with("POST", "Content-Length: 5\r\nContent-Length: 5\r\n"), Refusal::content_length);
  EXPECT_EQ(refusal_with("POST", "Content-Length: 5x\r\n"), Refusal::content_length);
  EXPECT_FALSE(refusal_with("POST", "Content-Length: 99999999999999999999999\r\n"));

  const auto body = request("POST / HTTP/1.1", "Host: x\r\nContent-Length: 10\r\n");
  EXPECT_TRUE(parse_request_head(body, limits)->has_body);
  const auto no_body = request("POST / HTTP/1.1", "Host: x\r\nContent-Length: 00\r\n");
  EXPECT_FALSE(parse_request_head(no_body, limits)->has_body);
}

TEST(RequestHead, TheFirstRefusalOfTheTableWins) {
  const std::string long_line = "GET /" + std::string(9000, 'a');
  EXPECT_EQ(refusal_of(request("GET  /\x01 HTTP/2.0")), Refusal::http_version);
  EXPECT_EQ(refusal_of(request(long_line + " HTTP/2.0")), Refusal::http_version);
  EXPECT_EQ(refusal_of(request(long_line + " HTTP/1.1", "A\x01: b\r\n")), Refusal::control_character);
  EXPECT_EQ(refusal_of(request(long_line + " HTTP/1.1", "A : b\r\n")), Refusal::line_too_long);
  EXPECT_EQ(refusal_of(request("GET / HTTP/1.1", "Transfer-Encoding: chunked\r\nA : b\r\n")), Refusal::host);
  EXPECT_EQ(refusal_of(request("FOO /%zz HTTP/1.1", "Host: x\r\nContent-Length: x\r\n")),
            Refusal::content_length);
}

TEST(RequestHead, OfAnIncompleteHeadThatIsAllThereIsTheRefusalIsKnown) {
  const auto late = [](std::string_view input) {
    return parse_request_head(input, limits, HeadInput::all_there_is);
  };
  EXPECT_FALSE(late("GET / HT"));
  EXPECT_FALSE(late("GET / HTTP/1.1\r\nHo")->refusal);
  EXPECT_EQ(late("GET / HTTP/1.1\r\nHost: x\r\nHost: x\r\n")->refusal, Refusal::host);
  EXPECT_EQ(late("FOO / HTTP/1.1\r\n")->method, "FOO");
}

TEST(RequestHead, KeepsTheMethodOfARefusedHead) {
  const auto input = request("HEAD / HTTP/1.1", "");
  EXPECT_EQ(parse_request_head(input, limits)->method, "HEAD");
}

TEST(RequestHead, Expectations) {
  const auto expects = [](std::string_view fields) {
    const auto input = request("GET / HTTP/1.1", "Host: x\r\n" + std::string(fields));
    return parse_request_head(input, limits)->expects_the_unknown;
  };
  EXPECT_FALSE(expects("Expect: 100-Continue\r\n"));
  EXPECT_TRUE(expects("Expect: 100-continue, x\r\n"));
  EXPECT_TRUE(expects("Expect: 100-continue\r\nExpect: x\r\n"));
  EXPECT_TRUE(expects("Expect:\r\n"));
}

}  // namespace tracker::envoy
