// The end of a service: signals, what clients see, and what is still counted.

#include <gtest/gtest.h>
#include <signal.h>

#include <algorithm>
#include <cstdint>
#include <future>
#include <latch>
#include <regex>
#include <stdexcept>
#include <string>
#include <system_error>
#include <vector>

#include "support/caller.h"
#include "support/deployment.h"
#include "support/health.h"

namespace tracker::tests {
namespace {

using namespace std::chrono_literals;

using DrainTest = DeploymentTest;
TRACKER_OVER_ALL_DEPLOYMENTS(DrainTest);

// What one client of a draining service has seen.
struct Seen {
  std::vector<std::int64_t> counts;
  std::size_t refused = 0;
  std::size_t unanswered = 0;
  RawClient::End end = RawClient::End::none;
};

// Keeps `depth` requests in flight until the service ends the connection. Counts the latch down once it is running.
Seen load_until_closed(const Endpoint& envoy, const std::string& token, std::size_t depth, std::latch& busy) {
  Seen seen;
  RawClient client(envoy);
  const std::string requests = repeated(get("/p", token), depth);
  bool counted_down = false;
  for (const Deadline deadline; client.end() == RawClient::End::none && !deadline.passed();) {
    client.send(requests);
    for (std::size_t i = 0; i < depth; ++i) {
      const auto answer = client.read_answer_or_end();  // throws if the end comes within an answer
      if (!answer) {
        seen.unanswered += depth - i;
        break;
      }
      if (answer->status == 503) {
        ++seen.refused;
      } else {
        const bool last = answer->field("Connection") == "close";
        seen.counts.push_back(count_in(*answer, last ? After::closes : After::stays));
      }
    }
    if (!counted_down && seen.counts.size() >= 200) {
      counted_down = true;
      busy.count_down();
    }
  }
  seen.end = client.end();
  if (!counted_down) busy.count_down();
  return seen;
}

void expect_drain_loses_nothing(Deployment& deployment, int signal) {
  const std::string token = Caller(deployment.envoy()).mint();
  constexpr std::size_t depths[] = {1, 1, 1, 16, 16, 200};
  std::latch busy(std::size(depths));
  std::vector<std::future<Seen>> running;
  for (const std::size_t depth : depths) {
    running.push_back(std::async(std::launch::async, [&, depth] {
      return load_until_closed(deployment.envoy(), token, depth, busy);
    }));
  }
  busy.wait();
  deployment.front().send_signal(signal);
  EXPECT_EQ(deployment.front().wait_exit(), 0) << deployment.front().output();

  std::vector<std::int64_t> counts;
  for (auto& client : running) {
    const Seen seen = client.get();
    EXPECT_EQ(seen.end, RawClient::End::closed);
    counts.insert(counts.end(), seen.counts.begin(), seen.counts.end());
  }
  // No gap: each hit that was counted was answered.
  std::sort(counts.begin(), counts.end());
  for (std::size_t i = 0; i < counts.size(); ++i) ASSERT_EQ(counts[i], static_cast<std::int64_t>(i + 1));
}

TEST_P(DrainTest, SigtermUnderLoadLosesNoAnswer) {
  expect_drain_loses_nothing(*start(), SIGTERM);
}

TEST_P(DrainTest, SigintUnderLoadLosesNoAnswer) {
  expect_drain_loses_nothing(*start(), SIGINT);
}

TEST_P(DrainTest, DelayUnderLoadLosesNoAnswer) {
  expect_drain_loses_nothing(*start({"--drain-delay", "300ms"}), SIGTERM);
}

TEST_P(DrainTest, IdleConnectionsAreClosed) {
  for (const int signal : {SIGTERM, SIGINT}) {
    const auto deployment = start();
    std::vector<RawClient> silent;
    for (int i = 0; i < 20; ++i) silent.emplace_back(deployment->envoy());
    std::vector<Caller> kept;
    for (int i = 0; i < 20; ++i) kept.emplace_back(deployment->envoy()).mint();
    deployment->front().send_signal(signal);
    for (RawClient& client : silent) EXPECT_TRUE(ends_without_more(client));
    for (Caller& caller : kept) EXPECT_TRUE(ends_cleanly(caller.client()));
    EXPECT_EQ(deployment->front().wait_exit(), 0);
  }
}

TEST_P(DrainTest, ReceivedPipelineIsAnswered) {
  const auto deployment = start();
  Caller caller(deployment->envoy());
  const std::string token = caller.mint();
  RawClient client(deployment->envoy());
  client.send(repeated(get("/p", token), 1000));
  EXPECT_EQ(count_in(client.read_answer()), 1);
  deployment->front().send_signal(SIGTERM);
  std::int64_t answered = 1;
  // The service decides how much it had received by then. Its answers must be complete and in order.
  while (const auto answer = client.read_answer_or_end()) {
    if (answer->status == 200) {
      EXPECT_EQ(answer->body, "{\"count\":" + std::to_string(++answered) + "}");
    }
    if (answer->status != 200) {
      EXPECT_EQ(answer->status, 503);
    }
  }
  EXPECT_EQ(deployment->front().wait_exit(), 0);
}

// A request that waits behind a full pipeline counts as received, too.
TEST_P(DrainTest, ReceivedPipelineThatIsLongerThanMayWaitIsAnswered) {
  const auto deployment = start();
  Caller caller(deployment->envoy());
  const std::string token = caller.mint();
  RawClient client(deployment->envoy());
  client.send(get("/p", token));
  EXPECT_EQ(count_in(client.read_answer()), 1);
  deployment->front().send_signal(SIGSTOP);
  client.send(repeated(get("/p", token), 500));
  deployment->front().send_signal(SIGTERM);
  deployment->front().send_signal(SIGCONT);
  for (int count = 2; count <= 501; ++count) {
    ASSERT_EQ(client.read_answer().body, "{\"count\":" + std::to_string(count) + "}");
  }
  EXPECT_FALSE(client.read_answer_or_end().has_value());
  EXPECT_EQ(deployment->front().wait_exit(), 0);
}

void flood_until_blocked(RawClient& client, const std::string& requests) {
  std::size_t at = 0;
  while (const auto sent = client.send_some(std::string_view(requests).substr(at), 200ms)) {
    if (*sent == 0) return;
    at = (at + *sent) % requests.size();
  }
}

void wait_until_nobody_listens(const Endpoint& envoy) {
  for (const Deadline deadline; !deadline.passed();) {
    try {
      const RawClient refused(envoy);
    } catch (const std::system_error&) {
      return;
    }
  }
  ADD_FAILURE() << "still listening";
}

// Answers that wait for a slow reader when the drain begins are not cut off by it.
TEST_P(DrainTest, SlowReaderGetsWhatWaitsForIt) {
  const auto deployment = start({"--drain-limit", "30s", "--linger-deadline", "20s", "--linger-bytes-max",
                                 "1GiB", "--write-deadline", "60s"});
  const std::string token = Caller(deployment->envoy()).mint();
  RawClient slow(deployment->envoy(), 4096);
  flood_until_blocked(slow, repeated(get("/p", token), 1000));
  deployment->front().send_signal(SIGTERM);
  wait_until_nobody_listens(deployment->envoy());

  std::int64_t answered = 0;
  while (const auto answer = slow.read_answer_or_end()) {
    if (answer->status == 503) continue;
    ASSERT_EQ(answer->body, "{\"count\":" + std::to_string(++answered) + "}");
  }
  EXPECT_GT(answered, 0);
  EXPECT_EQ(slow.end(), RawClient::End::closed);
  slow.abort();
  EXPECT_EQ(deployment->front().wait_exit(), 0);
}

TEST_P(DrainTest, HalfAHeadDoesNotHoldTheDrain) {
  const auto deployment = start({"--drain-limit", "1s", "--head-deadline", "60s"});
  RawClient client(deployment->envoy());
  Caller(deployment->envoy()).mint();
  client.send("GET /p HTTP/1.1\r\n");
  deployment->front().send_signal(SIGTERM);
  EXPECT_EQ(deployment->front().wait_exit(), 0);
}

TEST_P(DrainTest, ClientThatDoesNotReadDoesNotHoldTheDrain) {
  const auto deployment = start({"--drain-limit", "1s", "--write-deadline", "60s"});
  const std::string token = Caller(deployment->envoy()).mint();
  RawClient stuck(deployment->envoy(), 4096);
  flood_until_blocked(stuck, repeated(get("/p", token), 1000));
  deployment->front().send_signal(SIGTERM);
  EXPECT_EQ(deployment->front().wait_exit(), 0);
}

TEST_P(DrainTest, ClientsOfTheHealthDoorDoNotHoldTheDrain) {
  const auto deployment = start();
  RawClient silent(deployment->health());
  RawClient half(deployment->health());
  half.send("GET /healthz HTTP/1.1\r\n");
  RawClient kept(deployment->health());
  kept.send(get_without_token("/healthz"));
  EXPECT_EQ(kept.read_answer().status, 200);
  deployment->front().send_signal(SIGTERM);
  EXPECT_EQ(deployment->front().wait_exit(), 0);
}

TEST_P(DrainTest, DelayIsNotReadyButServes) {
  const auto deployment = start({"--drain-delay", "60s"});
  Caller caller(deployment->envoy());
  const std::string token = caller.mint();
  EXPECT_EQ(ask_health(deployment->health(), "/readyz").status, 200);
  deployment->front().send_signal(SIGTERM);

  HttpAnswer ready;
  for (const Deadline deadline; ready.status != 503 && !deadline.passed();) {
    ready = ask_health(deployment->health(), "/readyz");
  }
  EXPECT_EQ(ready.status, 503);
  const std::regex body(R"(draining\nnot ready since \d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ\n)");
  EXPECT_TRUE(std::regex_match(ready.body, body)) << ready.body;
  EXPECT_EQ(ask_health(deployment->health(), "/healthz").status, 200);
  EXPECT_EQ(caller.count("/p", token), 1);
  EXPECT_EQ(Caller(deployment->envoy()).count("/p", token), 2);
}

TEST_P(DrainTest, SecondSignalEndsItAtOnceAndIsLogged) {
  for (const int second : {SIGTERM, SIGINT}) {
    const auto deployment = start({"--drain-delay", "300s"});
    auto& front = deployment->front();
    front.send_signal(SIGTERM);
    wait_readyz(deployment->health(), 503);
    // It says nothing within a second of the first signal, because process managers may signal twice.
    for (const Deadline deadline; front.running() && !deadline.passed();) {
      front.send_signal(second);
      front.wait_exit(100ms);
    }
    EXPECT_EQ(front.wait_exit(), 128 + second);
    EXPECT_NE(front.standard_error().find("a second signal"), std::string::npos) << front.standard_error();
  }
}

TEST_P(DrainTest, TheEndOfTheDrainLimitIsLogged) {
  const auto deployment = start({"--drain-limit", "100ms", "--write-deadline", "60s"});
  const std::string token = Caller(deployment->envoy()).mint();
  RawClient stuck(deployment->envoy(), 4096);
  flood_until_blocked(stuck, repeated(get("/p", token), 1000));
  deployment->front().send_signal(SIGTERM);
  EXPECT_EQ(deployment->front().wait_exit(), 0);
  const std::string log = deployment->front().standard_error();
  EXPECT_NE(log.find("--drain-limit"), std::string::npos) << log;
}

TEST_P(DrainTest, OtherSignalsAreIgnored) {
  const auto deployment = start();
  auto& front = deployment->front();
  for (const int signal : {SIGUSR1, SIGUSR2, SIGALRM, SIGPIPE, SIGXFSZ, SIGHUP}) front.send_signal(signal);
  for (const Deadline deadline; !deadline.passed();) {
    if (front.standard_error().find("SIGHUP: this service reads no files") != std::string::npos) break;
  }
  EXPECT_NE(front.standard_error().find("SIGHUP"), std::string::npos) << front.standard_error();
  Caller(deployment->envoy()).mint();
  front.send_signal(SIGTERM);
  EXPECT_EQ(front.wait_exit(), 0) << front.standard_error();
}

}  // namespace
}  // namespace tracker::tests
