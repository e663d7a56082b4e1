// The real program from outside: the example series, exactness under concurrency, and two programs on one port.

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cstdint>
#include <future>
#include <map>
#include <regex>
#include <string>
#include <utility>
#include <vector>

#include "support/caller.h"
#include "support/deployment.h"

namespace tracker::tests {
namespace {

using ServeTest = DeploymentTest;
TRACKER_OVER_ALL_DEPLOYMENTS(ServeTest);

TEST_P(ServeTest, ExampleSeries) {
  Caller caller(shared().envoy());
  const std::string first = caller.mint();
  const std::string second = caller.mint();
  EXPECT_EQ(caller.count("/", first), 1);
  EXPECT_EQ(caller.count("/", first), 2);
  EXPECT_EQ(caller.count("/my/path", first), 1);
  EXPECT_EQ(caller.count("/", second), 1);
  EXPECT_EQ(caller.count("/", first), 3);
}

TEST_P(ServeTest, TokenIsValidOnEveryConnectionAtOnce) {
  Caller minting(shared().envoy());
  for (int i = 0; i < 100; ++i) EXPECT_EQ(Caller(shared().envoy()).count("/", minting.mint()), 1);
}

// A token and path, by index.
using Key = std::size_t;
constexpr std::size_t tokens_number = 3;
constexpr std::array<const char*, 3> paths{"/", "/a", "/a/b"};
constexpr std::size_t keys_number = tokens_number * paths.size();

struct SharedCounts {
  std::vector<std::string> tokens;
  // The highest count that anybody was answered so far.
  std::array<std::atomic<std::int64_t>, keys_number> answered{};
};

void raise_to(std::atomic<std::int64_t>& highest, std::int64_t count) {
  std::int64_t seen = highest.load();
  while (seen < count && !highest.compare_exchange_weak(seen, count)) {
  }
}

// The counts answered to one client, by key, in the order in which it got them.
using Answered = std::map<Key, std::vector<std::int64_t>>;

// Sends `depth` requests in one write, `rounds` times. Checks that each count is above all counts that were answered to
// anybody before the write.
Answered ask_all_keys(const Endpoint& envoy, SharedCounts& counts, std::size_t rounds, std::size_t depth,
                      std::size_t start) {
  Answered answered;
  RawClient client(envoy);
  for (std::size_t round = 0; round < rounds; ++round) {
    std::string requests;
    std::vector<std::pair<Key, std::int64_t>> sent;
    for (std::size_t i = 0; i < depth; ++i) {
      const Key key = (start + round * 7 + i * i) % keys_number;
      sent.emplace_back(key, counts.answered.at(key).load());
      requests += get(paths.at(key % paths.size()), counts.tokens.at(key / paths.size()));
    }
    client.send(requests);
    for (const auto& [key, before] : sent) {
      const std::int64_t count = count_in(client.read_answer());
      EXPECT_GT(count, before);
      answered[key].push_back(count);
      raise_to(counts.answered.at(key), count);
    }
  }
  return answered;
}

void expect_exact(const std::vector<Answered>& clients) {
  for (Key key = 0; key < keys_number; ++key) {
    std::vector<std::int64_t> all;
    for (const Answered& answered : clients) {
      const auto found = answered.find(key);
      if (found == answered.end()) continue;
      EXPECT_TRUE(std::is_sorted(found->second.begin(), found->second.end())) << "of one client";
      all.insert(all.end(), found->second.begin(), found->second.end());
    }
    std::sort(all.begin(), all.end());
    for (std::size_t i = 0; i < all.size(); ++i) {
      ASSERT_EQ(all[i], static_cast<std::int64_t>(i + 1)) << "key " << key;
    }
    EXPECT_GT(all.size(), 0u);
  }
}

TEST_P(ServeTest, CountsAreExactUnderConcurrency) {
  const auto deployment = start({"--threads", "4"});
  SharedCounts counts;
  Caller caller(deployment->envoy());
  for (std::size_t i = 0; i < tokens_number; ++i) counts.tokens.push_back(caller.mint());

  std::vector<std::future<Answered>> running;
  for (std::size_t client = 0; client < 12; ++client) {
    const std::size_t depth = client % 3 == 0 ? 1 : 200;
    const std::size_t rounds = client % 3 == 0 ? 500 : 60;
    running.push_back(std::async(std::launch::async, [&, depth, rounds, client] {
      return ask_all_keys(deployment->envoy(), counts, rounds, depth, client);
    }));
  }
  std::vector<Answered> clients;
  for (auto& result : running) clients.push_back(result.get());
  expect_exact(clients);
}

// The program that refuses says so once, on one line, and does not disturb the other. `setting` is a regular
// expression.
void expect_refused_start(const Outcome& outcome, const std::string& setting, const std::string& address) {
  EXPECT_EQ(outcome.exit_code, 1);
  EXPECT_EQ(std::count(outcome.err.begin(), outcome.err.end(), '\n'), 1) << outcome.err;
  EXPECT_TRUE(std::regex_search(outcome.err, std::regex(setting))) << outcome.err;
  EXPECT_NE(outcome.err.find(address), std::string::npos) << outcome.err;
}

TEST_P(ServeTest, SecondProgramOnThePortIsRefused) {
  const auto deployment = start();
  Caller caller(deployment->envoy());
  const std::string token = caller.mint();
  const std::string address = deployment->envoy().to_string();
  for (int i = 0; i < 3; ++i) {
    expect_refused_start(
        run_to_end({"serve", "--store", "memory", "--envoy-addr", address, "--health-addr", "127.0.0.1:0"}),
        "--envoy-addr", address);
  }
  expect_refused_start(
      run_to_end({"serve", "--store", "memory", "--health-addr", "127.0.0.1:0"}, {{"ENVOY_ADDR", address}}),
      "--envoy-addr|ENVOY_ADDR", address);
  // All connections went to the first program.
  for (std::int64_t i = 1; i <= 20; ++i) EXPECT_EQ(Caller(deployment->envoy()).count("/p", token), i);
  EXPECT_EQ(caller.count("/p", token), 21);
}

TEST_P(ServeTest, SecondProgramOnTheHealthPortIsRefused) {
  const auto deployment = start();
  const std::string address = deployment->health().to_string();
  expect_refused_start(
      run_to_end({"serve", "--store", "memory", "--envoy-addr", "127.0.0.1:0", "--health-addr", address}),
      "--health-addr", address);
  Caller(deployment->envoy()).mint();
}

}  // namespace
}  // namespace tracker::tests
