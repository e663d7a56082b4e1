// Clients that half-close, vanish, do not read, or keep sending.

#include <gtest/gtest.h>

#include <cstdint>
#include <string>
#include <vector>

#include "support/caller.h"
#include "support/deployment.h"

namespace tracker::tests {
namespace {

using namespace std::chrono_literals;

using HttpClientTest = DeploymentTest;
TRACKER_OVER_ALL_DEPLOYMENTS(HttpClientTest);

TEST_P(HttpClientTest, HalfClosedSenderGetsAllAnswers) {
  Caller caller(shared().envoy());
  for (const std::size_t number : {1u, 2u, 128u, 500u}) {
    SCOPED_TRACE(number);
    const std::string token = caller.mint();
    RawClient client(shared().envoy());
    client.send(repeated(get("/p", token), number));
    client.half_close();
    for (std::size_t i = 1; i <= number; ++i) {
      ASSERT_TRUE(is_count(client.read_answer(), static_cast<std::int64_t>(i)));
    }
    EXPECT_TRUE(ends_cleanly(client));
    EXPECT_EQ(caller.count("/p", token), static_cast<std::int64_t>(number + 1));
  }
}

TEST_P(HttpClientTest, HalfCloseWithinAHeadCountsNothing) {
  Caller caller(shared().envoy());
  const std::string token = caller.mint();
  const std::string whole = get("/p", token);
  std::int64_t count = 0;
  for (std::size_t size = 1; size < whole.size(); size += 7) {
    RawClient client(shared().envoy());
    client.send(whole + whole.substr(0, size));
    client.half_close();
    EXPECT_TRUE(is_count(client.read_answer(), ++count));
    // The contract does not say whether half a head is answered. If it is, then by one refusal.
    const auto answer = client.read_answer_or_end();
    if (answer) {
      EXPECT_TRUE(is_refusal(*answer, 400, After::closes));
    }
    EXPECT_TRUE(ends_without_more(client));
  }
  EXPECT_EQ(caller.count("/p", token), count + 1);
}

TEST_P(HttpClientTest, HalfCloseWithoutARequestIsClosedWithoutAWord) {
  RawClient client(shared().envoy());
  client.half_close();
  EXPECT_TRUE(ends_cleanly(client));
}

TEST_P(HttpClientTest, ServiceOutlivesVanishingClients) {
  Caller caller(shared().envoy());
  const std::string token = caller.mint();
  constexpr std::int64_t clients = 100;
  constexpr std::int64_t requests = 20;
  for (std::int64_t i = 0; i < clients; ++i) {
    RawClient client(shared().envoy());
    client.send(repeated(get("/p", token), requests));
    if (i % 2 == 0) {
      EXPECT_GT(count_in(client.read_answer()), 0);
    }
    client.abort();
  }
  const std::int64_t count = caller.count("/p", token);
  EXPECT_GT(count, clients / 2);
  EXPECT_LE(count, clients * requests + 1);
}

TEST_P(HttpClientTest, ServiceOutlivesClientsThatVanishWithinAHead) {
  Caller caller(shared().envoy());
  const std::string token = caller.mint();
  const std::string whole = get("/p", token);
  for (std::size_t size = 0; size < whole.size(); ++size) {
    RawClient client(shared().envoy());
    client.send(whole.substr(0, size));
    client.abort();
  }
  EXPECT_EQ(caller.count("/p", token), 1);
}

// There is room for one connection, so the next client is served only when the one that does not read is gone. No other
// deadline can have ended it.
TEST_P(HttpClientTest, ClientThatDoesNotReadIsClosed) {
  const auto deployment = start({"--write-deadline", "300ms", "--connections-max", "1", "--idle-deadline",
                                 "300s", "--head-deadline", "300s", "--request-deadline", "300s"});
  RawClient stuck(deployment->envoy(), 4096);
  stuck.send(get_without_token("/auth"));
  const std::string token = token_in(stuck.read_answer());
  const std::string flood = repeated(get("/p", token), 1000);
  std::size_t at = 0;
  bool served = false;
  for (const Deadline deadline; !served && !deadline.passed();) {
    const auto sent = stuck.send_some(std::string_view(flood).substr(at), 20ms);
    if (sent.value_or(0) > 0) {
      at = (at + *sent) % flood.size();
      continue;
    }
    RawClient next(deployment->envoy());
    next.send(get("/other", token));
    const HttpAnswer answer = next.read_answer();
    served = answer.status == 200;
    if (!served) {
      EXPECT_TRUE(is_refusal(answer, 503, After::closes));
    }
  }
  EXPECT_TRUE(served);
  // What arrived is a run of answers, none of them twice.
  for (std::int64_t count = 1; count <= 10; ++count) EXPECT_TRUE(is_count(stuck.read_answer(), count));
}

TEST_P(HttpClientTest, AnswerArrivesThoughTheClientStillSends) {
  Caller caller(shared().envoy());
  const std::string token = caller.mint();
  const std::string body(60 * 1024, 'x');
  for (int i = 0; i < 20; ++i) {
    RawClient client(shared().envoy());
    client.send("POST /p HTTP/1.1\r\nHost: tracker\r\nAuthorization: " + token +
                "\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body);
    EXPECT_TRUE(is_refusal(client.read_answer(), 405, After::closes));
    EXPECT_TRUE(ends_cleanly(client));
  }
  EXPECT_EQ(caller.count("/p", token), 1);
}

TEST_P(HttpClientTest, AnswerArrivesBeforeTheBodyIsSent) {
  const auto deployment = start({"--linger-deadline", "20s"});
  RawClient client(deployment->envoy());
  client.send("PUT /p HTTP/1.1\r\nHost: tracker\r\nContent-Length: 61440\r\n\r\n");
  EXPECT_TRUE(is_refusal(client.read_answer(), 405, After::closes));
  EXPECT_TRUE(client.send(std::string(61440, 'x')));
  EXPECT_TRUE(ends_cleanly(client));
}

// A flood after a refusal is treated like a body: it is discarded, not parsed.
TEST_P(HttpClientTest, RefusalArrivesBeforeAFloodOfRequests) {
  Caller caller(shared().envoy());
  const std::string token = caller.mint();
  RawClient client(shared().envoy());
  client.send(get("/%zz", token) + repeated(get("/p", token), 500));
  EXPECT_TRUE(is_refusal(client.read_answer(), 400, After::closes));
  EXPECT_TRUE(ends_cleanly(client));
  EXPECT_EQ(caller.count("/p", token), 1);
}

}  // namespace
}  // namespace tracker::tests
