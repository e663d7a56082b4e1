// Good requests that arrive in pieces: cut at every byte, and one byte at a time.

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "http_good_requests.h"
#include "support/caller.h"
#include "support/deployment.h"

namespace tracker::tests {
namespace {

using HttpSplitTest = DeploymentTest;
TRACKER_OVER_ALL_DEPLOYMENTS(HttpSplitTest);

std::vector<RawClient> connect_clients(const Endpoint& envoy, std::size_t number) {
  std::vector<RawClient> clients;
  clients.reserve(number);
  for (std::size_t i = 0; i < number; ++i) clients.emplace_back(envoy);
  return clients;
}

// Uses all connections at once: while the first pieces go out, the service reads those that have arrived. The calls in
// between make it likely that it has read them all before the second pieces come.
void send_cut_at_every_byte(std::vector<RawClient>& clients, std::string_view bytes, Caller& caller) {
  for (std::size_t i = 0; i < clients.size(); ++i) clients[i].send(bytes.substr(0, i + 1));
  for (int i = 0; i < 3; ++i) caller.mint();
  for (std::size_t i = 0; i < clients.size(); ++i) clients[i].send(bytes.substr(i + 1));
}

// Each connection got the same answer, and each raised the count by one.
void expect_one_count_each(std::vector<RawClient>& clients, After after) {
  std::vector<std::int64_t> counts;
  for (RawClient& client : clients) {
    counts.push_back(count_in(client.read_answer(), after));
    client.half_close();
    EXPECT_TRUE(ends_cleanly(client));
  }
  std::sort(counts.begin(), counts.end());
  for (std::size_t i = 0; i < counts.size(); ++i) EXPECT_EQ(counts[i], static_cast<std::int64_t>(i + 1));
}

TEST_P(HttpSplitTest, CutAtEveryByte) {
  for (const GoodRequest& request : good_requests()) {
    SCOPED_TRACE(request.name);
    Caller caller(shared().envoy());
    const std::string token = caller.mint();
    const std::string bytes = with_token(request.bytes, token);
    auto clients = connect_clients(shared().envoy(), bytes.size() - 1);
    send_cut_at_every_byte(clients, bytes, caller);
    expect_one_count_each(clients, request.after);
    EXPECT_EQ(caller.count(request.path, token), static_cast<std::int64_t>(bytes.size()));
  }
}

TEST_P(HttpSplitTest, OneByteAtATime) {
  Caller caller(shared().envoy());
  const auto& requests = good_requests();
  auto clients = connect_clients(shared().envoy(), requests.size());
  std::vector<std::string> tokens;
  std::vector<std::string> bytes;
  std::size_t longest = 0;
  for (const GoodRequest& request : requests) {
    tokens.push_back(caller.mint());
    bytes.push_back(with_token(request.bytes, tokens.back()));
    longest = std::max(longest, bytes.back().size());
  }
  // In turns, so that the service can read each byte before the next one comes.
  for (std::size_t at = 0; at < longest; ++at) {
    for (std::size_t i = 0; i < clients.size(); ++i) {
      if (at < bytes[i].size()) clients[i].send(std::string_view(bytes[i]).substr(at, 1));
    }
  }
  for (std::size_t i = 0; i < clients.size(); ++i) {
    SCOPED_TRACE(requests[i].name);
    EXPECT_TRUE(is_count(clients[i].read_answer(), 1, requests[i].after));
    EXPECT_EQ(caller.count(requests[i].path, tokens[i]), 2);
  }
}

TEST_P(HttpSplitTest, MintingCutAtEveryByte) {
  Caller caller(shared().envoy());
  const std::string bytes = get_without_token("/auth");
  auto clients = connect_clients(shared().envoy(), bytes.size() - 1);
  send_cut_at_every_byte(clients, bytes, caller);
  for (RawClient& client : clients) EXPECT_EQ(caller.count("/", token_in(client.read_answer())), 1);
}

// Two requests in one stream, cut at every byte of both.
TEST_P(HttpSplitTest, PairCutAtEveryByte) {
  Caller caller(shared().envoy());
  const std::string token = caller.mint();
  const std::string bytes = get("/first", token) + get("/second", token);
  auto clients = connect_clients(shared().envoy(), bytes.size() - 1);
  send_cut_at_every_byte(clients, bytes, caller);
  for (RawClient& client : clients) {
    EXPECT_GT(count_in(client.read_answer()), 0);
    EXPECT_GT(count_in(client.read_answer()), 0);
    client.half_close();
    EXPECT_TRUE(ends_cleanly(client));
  }
  EXPECT_EQ(caller.count("/first", token), static_cast<std::int64_t>(bytes.size()));
  EXPECT_EQ(caller.count("/second", token), static_cast<std::int64_t>(bytes.size()));
}

}  // namespace
}  // namespace tracker::tests
