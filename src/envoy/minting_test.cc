// Who gets a token from an envoy, and how often. What other clients than loopback's see is in tests/http.
#include <gtest/gtest.h>
#include <malloc.h>
#include <sys/socket.h>

#include <array>
#include <functional>
#include <string>
#include <vector>

#include "envoy/envoy_worker.h"
#include "envoy/mint_bound.h"
#include "runtime/descriptor.h"

namespace tracker::envoy {
namespace {

using std::chrono_literals::operator""h;
using std::chrono_literals::operator""ms;
using std::chrono_literals::operator""s;

class MintingCounter final : public counter::Counter {
 public:
  void track(const domain::HitBatch& hits, counter::TrackReply& reply) override {
    reply.on_one_verdict_for_all(hits.size(), domain::Verdict::unknown_token());
  }
  void mint(domain::Deadline /*deadline*/, counter::MintReply& reply) override {
    ++mints;
    reply.on_minted(domain::random_token());
  }
  const counter::ReadinessSource& readiness() const override { return ready_; }

  std::size_t mints = 0;

 private:
  const counter::ReadinessSource ready_{domain::Readiness::ready({})};
};

class MintingTest : public testing::Test {
 protected:
  MintingTest() {
    settings_.head.head_bytes_max = 256;
    settings_.mint.rate = 1;
    settings_.mint.burst = 2;
  }

  void trust(const char* network) { settings_.trusted_proxies = {*domain::parse_ip_network(network)}; }

  /// From the first connection on, for which all settings are there.
  void start() {
    if (!workers_.empty()) return;
    if (settings_.mint.rate > 0) totals_.mint_bound.emplace(settings_.mint.rate, settings_.mint.burst);
    for (int i = 0; i < 2; ++i) {
      auto acceptors = runtime::listen(context_, {"127.0.0.1", 0});
      endpoints_.push_back(acceptors.front().local_endpoint());
      workers_.push_back(
          std::make_unique<EnvoyWorker>(context_, std::move(acceptors), counter_, settings_, totals_));
      workers_.back()->start();
    }
  }

  struct Answers {
    std::string bytes;
    bool closed = false;

    std::size_t number_with(const std::string& text) const {
      std::size_t number = 0;
      for (auto at = bytes.find(text); at != bytes.npos; at = bytes.find(text, at + 1)) ++number;
      return number;
    }
  };

  /// Sends these parts one by one, each when the one before has been read. Returns what comes back: so many answers, or
  /// what there is when the connection ends.
  Answers ask(const std::vector<std::string>& parts, std::size_t answers_max, std::size_t worker = 0) {
    start();
    const runtime::Descriptor client(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    EXPECT_EQ(::connect(client.number(), endpoints_[worker].data(),
                        static_cast<socklen_t>(endpoints_[worker].size())),
              0);
    for (const auto& part : parts) {
      ::send(client.number(), part.data(), part.size(), MSG_NOSIGNAL);
      context_.run_for(1ms);
    }
    Answers answers;
    runs_until([&] {
      std::array<char, 4096> buffer{};
      const auto got = ::recv(client.number(), buffer.data(), buffer.size(), MSG_DONTWAIT);
      if (got > 0) answers.bytes.append(buffer.data(), static_cast<std::size_t>(got));
      answers.closed = got == 0 || (got < 0 && errno != EAGAIN);
      return answers.closed || answers.number_with("HTTP/1.1 ") >= answers_max;
    });
    return answers;
  }

  void runs_until(const std::function<bool()>& condition) {
    const auto deadline = runtime::Clock::now() + 10s;
    while (!condition()) {
      ASSERT_LT(runtime::Clock::now(), deadline);
      context_.run_for(1ms);
    }
  }

  /// So many requests for tokens, which are read at one time.
  static std::string requests(int number, const std::string& fields = "") {
    std::string all;
    for (int i = 0; i < number; ++i) all += "GET /auth HTTP/1.1\r\nHost: a\r\n" + fields + "\r\n";
    return all;
  }

  /// A header of the PROXY protocol, version 2, for a client of IPv4.
  static std::string proxy_header(const std::string& client) {
    return std::string("\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0C", 16) + client +
           std::string("\x0A\0\0\x01\x12\x34\0\x50", 8);
  }

  boost::asio::io_context context_{1};
  MintingCounter counter_;
  EnvoySettings settings_;
  EnvoyTotals totals_;
  std::vector<boost::asio::ip::tcp::endpoint> endpoints_;
  std::vector<std::unique_ptr<EnvoyWorker>> workers_;
};

TEST_F(MintingTest, WhereAuthIsClosedNobodyGetsATokenAndNoCounterIsAsked) {
  settings_.mint.open = false;
  const auto answers = ask({requests(3)}, 3);
  EXPECT_EQ(answers.number_with("HTTP/1.1 403 Forbidden\r\n"), 3U) << answers.bytes;
  EXPECT_EQ(answers.number_with("operator"), 3U);
  EXPECT_EQ(answers.number_with("Connection: close"), 0U);
  EXPECT_EQ(counter_.mints, 0U);
}

TEST_F(MintingTest, AClientBehindATrustedProxyIsBounded) {
  trust("127.0.0.1");
  const std::string one = "X-Forwarded-For: 192.0.2.1\r\n";
  const auto answers = ask({requests(5, one)}, 5);
  EXPECT_EQ(answers.number_with("HTTP/1.1 200 OK\r\n"), 2U) << answers.bytes;
  EXPECT_EQ(answers.number_with("HTTP/1.1 429 Too Many Requests\r\n"), 3U);
  EXPECT_EQ(answers.number_with("\r\nRetry-After: 1\r\n"), 3U);
  EXPECT_EQ(counter_.mints, 2U) << "no counter was asked for more";
  EXPECT_EQ(ask({requests(3, "Forwarded: for=\"[2001:db8::1]\"\r\n")}, 3).number_with(" 200 "), 2U);
  EXPECT_EQ(ask({requests(1, "Forwarded: for=\"[2001:db8::2]\"\r\n")}, 1).number_with(" 429 "), 1U)
      << "it has the same first 64 bits";
}

TEST_F(MintingTest, AllWorkersShareTheBound) {
  trust("127.0.0.1");
  const std::string one = "X-Forwarded-For: 192.0.2.1\r\n";
  settings_.mint.burst = 1000;
  EXPECT_EQ(ask({requests(50, one)}, 50, 0).number_with(" 200 "), 50U);
  EXPECT_EQ(ask({requests(50, one)}, 50, 1).number_with(" 200 "), 50U);
  const auto now = runtime::Clock::now();
  std::size_t left = 0;
  while (totals_.mint_bound->ask(*domain::parse_ip_address("192.0.2.1"), now) == 0s) ++left;
  EXPECT_GE(left, 900U);
  EXPECT_LE(left, 910U) << "100 were taken, of which seconds gave back few";
}

TEST_F(MintingTest, LoopbackIsFreeAndWhatItSaysOfOthersChangesNothing) {
  EXPECT_EQ(ask({requests(50)}, 50).number_with(" 200 "), 50U);
  EXPECT_EQ(ask({requests(50, "X-Forwarded-For: 192.0.2.1\r\n")}, 50).number_with(" 200 "), 50U);
  trust("192.0.2.7");
  EXPECT_EQ(ask({requests(50, "Forwarded: for=192.0.2.1\r\n")}, 50).number_with(" 200 "), 50U);
}

TEST_F(MintingTest, LoopbackIsFreeBesideATrustedProxyThere) {
  trust("127.0.0.0/8");
  EXPECT_EQ(ask({requests(50)}, 50).number_with(" 200 "), 50U);
}

// Otherwise whoever asks through a proxy on this machine is free if it makes the proxy say something that is not known.
TEST_F(MintingTest, WhatCameThroughAProxyOnLoopbackIsNotFree) {
  trust("127.0.0.0/8");
  for (const char* fields :
       {"X-Forwarded-For: unknown\r\n", "X-Forwarded-For: 127.0.0.1\r\n", "Forwarded: for=127.0.0.1\r\n",
        "X-Forwarded-For: 192.0.2.1\r\nForwarded: for=127.0.0.1\r\n"}) {
    ask({requests(3, fields)}, 3);
    EXPECT_EQ(ask({requests(3, fields)}, 3).number_with(" 429 "), 3U) << fields;
  }
  EXPECT_EQ(counter_.mints, 2U) << "they are all one client: the proxy";
}

TEST_F(MintingTest, ARateOf0IsNoBound) {
  trust("127.0.0.1");
  settings_.mint.rate = 0;
  EXPECT_EQ(ask({requests(50, "X-Forwarded-For: 192.0.2.1\r\n")}, 50).number_with(" 200 "), 50U);
}

TEST_F(MintingTest, AProxyHeaderSaysWhoseConnectionItIs) {
  trust("127.0.0.1");
  settings_.proxy_protocol = true;
  const std::string one = proxy_header("\xC0\x01\x02\x03");
  EXPECT_EQ(ask({one + requests(3)}, 3).number_with(" 200 "), 2U)
      << "requests in the same segment are read, too";
  const auto answers = ask({one + requests(1, "X-Forwarded-For: 192.0.2.9\r\n")}, 1);
  EXPECT_EQ(answers.number_with(" 429 "), 1U) << "the client is not trusted, whatever it says";
  std::vector<std::string> bytes;
  for (const char c : one + requests(1)) bytes.emplace_back(1, c);
  EXPECT_EQ(ask(bytes, 1).number_with(" 429 "), 1U) << "it may come byte by byte";
  EXPECT_EQ(ask({proxy_header("\xC0\x01\x02\x04") + requests(3)}, 3).number_with(" 200 "), 2U);
  EXPECT_EQ(counter_.mints, 4U);
}

TEST_F(MintingTest, AProxyInFrontOfAProxyIsAskedForItsClient) {
  trust("127.0.0.1");
  settings_.proxy_protocol = true;
  const auto inner = proxy_header(std::string("\x7F\0\0\x01", 4));
  EXPECT_EQ(ask({inner + requests(3, "X-Forwarded-For: 192.0.2.1\r\n")}, 3).number_with(" 200 "), 2U);
  EXPECT_EQ(ask({inner + requests(3, "X-Forwarded-For: 192.0.2.2\r\n")}, 3).number_with(" 200 "), 2U);
}

TEST_F(MintingTest, AProxysOwnConnectionIsLoopbackAndOneOfAnUnknownClientIsNot) {
  trust("127.0.0.1");
  settings_.proxy_protocol = true;
  const std::string own("\r\n\r\n\0\r\nQUIT\n\x20\0\0\0", 16);
  const std::string no_client("\r\n\r\n\0\r\nQUIT\n\x21\0\0\0", 16);
  EXPECT_EQ(ask({own + requests(50)}, 50).number_with(" 200 "), 50U);
  EXPECT_EQ(ask({no_client + requests(50)}, 50).number_with(" 200 "), 2U);
}

TEST_F(MintingTest, WhereAProxyHeaderMustComeNothingElseIsRead) {
  trust("127.0.0.1");
  settings_.proxy_protocol = true;
  const std::string too_long("\r\n\r\n\0\r\nQUIT\n\x21\x11\x40\0", 16);
  for (const auto& bytes :
       {requests(1), "\r\n" + requests(1), std::string("PROXY TCP4 1.1.1.1 2.2.2.2 1 2\r\n"), too_long,
        std::string("\r\n\r\n\0\r\nQUIT\n\x31\x11", 14), std::string("\x16\x03\x01")}) {
    const auto answers = ask({bytes}, 1);
    EXPECT_TRUE(answers.closed);
    EXPECT_EQ(answers.bytes, "") << bytes;
  }
  EXPECT_EQ(counter_.mints, 0U);
}

TEST_F(MintingTest, AClientCannotAddAProxyHeaderOfItsOwn) {
  trust("127.0.0.1");
  settings_.proxy_protocol = true;
  const auto answers =
      ask({proxy_header("\xC0\x01\x02\x03") + proxy_header("\xC0\x01\x02\x04") + requests(1)}, 1);
  EXPECT_EQ(answers.number_with("HTTP/1.1 400 "), 1U) << answers.bytes;
  EXPECT_EQ(counter_.mints, 0U);
}

TEST_F(MintingTest, AProxyHeaderOfAnybodyElseIsBadInput) {
  trust("192.0.2.7");
  for (const bool on : {false, true}) {
    settings_.proxy_protocol = on;
    const auto answers = ask({proxy_header("\xC0\x01\x02\x03") + requests(1)}, 1);
    EXPECT_EQ(answers.number_with("HTTP/1.1 400 "), 1U) << answers.bytes;
  }
  EXPECT_EQ(counter_.mints, 0U);
}

TEST_F(MintingTest, AProxyHeaderIsPartOfTheTimeOfTheHeadBehindIt) {
  trust("127.0.0.1");
  settings_.proxy_protocol = true;
  settings_.head_deadline = 20ms;
  const std::string one = proxy_header("\xC0\x01\x02\x03");
  const auto part = ask({one.substr(0, 20)}, 1);
  EXPECT_TRUE(part.closed);
  EXPECT_EQ(part.bytes, "") << "whoever sent it does not speak HTTP yet";
  EXPECT_EQ(ask({one + "GET /a"}, 1).number_with("HTTP/1.1 408 "), 1U);
}

// Whatever it is asked, it takes no more memory, and honest clients get their tokens.
TEST(MintBound, AStrangerWithManyAddressesCannotFillTheMemory) {
  MintBound bound(1, 10);
  const auto honest = *domain::parse_ip_address("192.0.2.1");
  auto now = runtime::Clock::time_point(1h);
  const auto before = ::mallinfo2().uordblks;
  domain::IpAddress stranger{{0x20, 0x01, 0x0D, 0xB8}};
  for (unsigned i = 0; i < 20 * MintBound::clients_max; ++i) {
    for (std::size_t byte = 4; byte < 8; ++byte)
      stranger.bytes[byte] = static_cast<std::uint8_t>(i >> (8 * (7 - byte)));
    EXPECT_EQ(bound.ask(stranger, now), 0s) << "each of them is a client of its own";
    if (i % 1000 != 0) continue;
    now += 1s;
    EXPECT_EQ(bound.ask(honest, now), 0s) << i;
  }
  EXPECT_EQ(::mallinfo2().uordblks, before);
}

TEST(MintBound, AddressesOfOneClientAreOne) {
  MintBound bound(1, 1);
  const auto now = runtime::Clock::time_point(1h);
  const auto ask = [&](const char* address) { return bound.ask(*domain::parse_ip_address(address), now); };
  EXPECT_EQ(ask("2001:db8:0:1::1"), 0s);
  EXPECT_EQ(ask("2001:db8:0:1:ffff::2"), 1s);
  EXPECT_EQ(ask("2001:db8:0:2::1"), 0s);
  EXPECT_EQ(ask("192.0.2.1"), 0s);
  EXPECT_EQ(ask("::ffff:192.0.2.1"), 1s);
  EXPECT_EQ(ask("192.0.2.2"), 0s);
}

}  // namespace
}  // namespace tracker::envoy
