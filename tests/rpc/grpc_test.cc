// manager_rpc.CounterService, as its deployed clients see it.

#include <grpcpp/support/byte_buffer.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <algorithm>
#include <cctype>
#include <cstdint>
#include <future>
#include <latch>
#include <regex>
#include <set>
#include <string>
#include <vector>

#include "grpc_client.h"
#include "support/caller.h"

namespace tracker::tests {
namespace {

using namespace std::chrono_literals;
using GrpcTest = CounterTest;

const std::string update_counter = "/manager_rpc.CounterService/UpdateCounter";

std::string upper(std::string text) {
  std::transform(text.begin(), text.end(), text.begin(),
                 [](unsigned char c) { return static_cast<char>(std::toupper(c)); });
  return text;
}

TEST_F(GrpcTest, TokensAreRandomUuidsInLowerCase) {
  const std::regex uuid("[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}");
  std::set<std::string> tokens;
  for (int i = 0; i < 100; ++i) tokens.insert(client_.mint());
  EXPECT_EQ(tokens.size(), 100U);
  for (const std::string& token : tokens) EXPECT_TRUE(std::regex_match(token, uuid)) << token;
}

TEST(GrpcTokensMaxTest, AFullStoreSaysThatNoTokenWasMade) {
  Program program(counter_arguments("memory", {"--tokens-max", "1"}));
  CounterClient client(program.wait_listening().at("counter"));
  client.mint();
  std::string none;
  const auto status = client.new_token(none);
  EXPECT_TRUE(has_status(status, grpc::UNAVAILABLE));
  EXPECT_NE(status.error_message().find("has as many tokens as it may"), std::string::npos)
      << status.error_message();
}

TEST_F(GrpcTest, CountsFromOneForEachTokenAndPath) {
  const std::string first = client_.mint();
  const std::string second = client_.mint();
  for (std::int64_t i = 1; i <= 10; ++i) {
    EXPECT_TRUE(is_counted(client_.update(first, "/test"), i));
    EXPECT_TRUE(is_counted(client_.update(first, "/test2"), i));
    EXPECT_TRUE(is_counted(client_.update(second, "/test"), i));
  }
}

TEST_F(GrpcTest, TokenIsValidOnEveryConnectionAtOnce) {
  CounterClient other(door_);
  const std::string token = client_.mint();
  EXPECT_TRUE(is_counted(other.update(token, "/p"), 1));
  EXPECT_TRUE(is_counted(client_.update(token, "/p"), 2));
}

// The envoy normalises paths. The counter does not.
TEST_F(GrpcTest, PathIsTakenAsItIsSent) {
  const std::string token = client_.mint();
  const std::set<std::string> paths{"/a",
                                    "//a",
                                    "/./a",
                                    "/b/../a",
                                    "/%61",
                                    "/a/",
                                    "/A",
                                    "/a?x=1",
                                    "/a#f",
                                    "/a b",
                                    "/auth",
                                    "/%zz",
                                    "/",
                                    "a",
                                    "path",
                                    "t",
                                    "*",
                                    " ",
                                    "\n",
                                    "/gr\u00fc\u00df",
                                    "\U0001F600",
                                    std::string("\0", 1),
                                    std::string("/\0a", 3)};
  for (const std::string& path : paths) EXPECT_TRUE(is_counted(client_.update(token, path), 1)) << path;
  for (const std::string& path : paths) EXPECT_TRUE(is_counted(client_.update(token, path), 2)) << path;
}

TEST_F(GrpcTest, HexDigitsOfTheTokenAreReadInEitherCase) {
  const std::string token = client_.mint();
  std::string mixed = token;
  for (std::size_t i = 0; i < mixed.size(); i += 2) mixed[i] = upper(mixed)[i];
  EXPECT_TRUE(is_counted(client_.update(token, "/p"), 1));
  EXPECT_TRUE(is_counted(client_.update(upper(token), "/p"), 2));
  EXPECT_TRUE(is_counted(client_.update(mixed, "/p"), 3));
}

TEST_F(GrpcTest, EmptyPathIsRefused) {
  const std::string token = client_.mint();
  for (const std::string& any : {token, std::string(), std::string("invalid")}) {
    const Update update = client_.update(any, "");
    EXPECT_TRUE(has_status(update.status, grpc::INVALID_ARGUMENT));
    EXPECT_EQ(update.status.error_message(), "path cannot be empty");
  }
}

TEST_F(GrpcTest, PathMayHaveEightKibibytes) {
  const std::string token = client_.mint();
  std::string characters;
  for (int i = 0; i < 4096; ++i) characters += "\u00fc";  // two bytes each
  for (const std::string& longest : {"/" + std::string(8191, 'a'), characters}) {
    EXPECT_TRUE(is_counted(client_.update(token, longest), 1));
    EXPECT_TRUE(has_status(client_.update(token, longest + "a").status, grpc::INVALID_ARGUMENT));
    EXPECT_TRUE(is_counted(client_.update(token, longest), 2));
  }
  EXPECT_TRUE(has_status(client_.update(token, std::string(60'000, 'a')).status, grpc::INVALID_ARGUMENT));
}

TEST_F(GrpcTest, WhatIsNoTokenIsNotCounted) {
  const std::string token = client_.mint();
  std::string no_hex = token;
  no_hex[0] = 'g';
  std::string wrong_hyphen = token;
  std::swap(wrong_hyphen[8], wrong_hyphen[9]);
  std::string bare = token;
  std::erase(bare, '-');
  std::string unknown = token;
  unknown[0] = unknown[0] == '0' ? '1' : '0';
  for (const std::string& other :
       {std::string(), std::string("invalid"), std::string(36, ' '), no_hex, wrong_hyphen, bare, unknown,
        "Bearer " + token, "{" + token + "}", "urn:uuid:" + token, token + " ", " " + token, token + "\n",
        token + std::string(1, '\0'), token.substr(0, 35), token + token,
        std::string("00000000-0000-0000-0000-000000000000"), std::string(60'000, 'a')}) {
    EXPECT_TRUE(is_unknown(client_.update(other, "/p"))) << other.substr(0, 80);
    EXPECT_TRUE(is_unknown(client_.update(other, "/p"))) << other.substr(0, 80);
  }
  EXPECT_TRUE(is_counted(client_.update(token, "/p"), 1));
}

grpc::ByteBuffer slice_of(const std::string& bytes) {
  const grpc::Slice slice(bytes);
  return {&slice, 1};
}

TEST_F(GrpcTest, RequestOfMoreThan64KibibytesIsRefusedAndNotCounted) {
  const std::string token = client_.mint();
  const std::string good = "\x0a\x24" + token + "\x12\x02/p";
  // An unknown field makes it that long.
  const auto padded = [&](std::size_t size) {
    const std::size_t rest = size - good.size() - 4;
    const std::string length{static_cast<char>(rest % 128 + 128), static_cast<char>(rest / 128 % 128 + 128),
                             static_cast<char>(rest / 128 / 128)};
    return slice_of(good + "\x7a" + length + std::string(rest, 'x'));
  };
  grpc::ByteBuffer response;
  EXPECT_TRUE(
      has_status(call_by_name(client_.channel(), update_counter, padded(65'536), response), grpc::OK));
  for (const std::size_t size : {65'537U, 1'000'000U}) {
    EXPECT_TRUE(has_status(call_by_name(client_.channel(), update_counter, padded(size), response),
                           grpc::RESOURCE_EXHAUSTED));
  }
  EXPECT_TRUE(is_counted(client_.update(token, "/p"), 2));
}

TEST_F(GrpcTest, WhatIsNoMessageIsRefusedAndNotCounted) {
  const std::string token = client_.mint();
  const std::string token_field = "\x0a\x24" + token;
  const std::string good = token_field + "\x12\x02/p";
  for (const std::string& bytes :
       {token_field + "\x12\x02/\xff",                  // a path that is not UTF-8
        token_field + "\x12\x05/p",                     // longer than the rest
        std::string("\xff\xff\xff"), good + "\x07"}) {  // no fields at all, or none at the end
    const grpc::Slice slice(bytes);
    const grpc::ByteBuffer request(&slice, 1);
    grpc::ByteBuffer response;
    EXPECT_TRUE(has_status(call_by_name(client_.channel(), update_counter, request, response),
                           grpc::INVALID_ARGUMENT));
    EXPECT_TRUE(has_status(
        call_by_name(client_.channel(), "/manager_rpc.CounterService/NewToken", slice_of("\xff"), response),
        grpc::INVALID_ARGUMENT));
  }
  const grpc::Slice slice(good);
  const grpc::ByteBuffer request(&slice, 1);
  grpc::ByteBuffer response;
  EXPECT_TRUE(has_status(call_by_name(client_.channel(), update_counter, request, response), grpc::OK));
  EXPECT_TRUE(is_counted(client_.update(token, "/p"), 2));
}

TEST_F(GrpcTest, UnknownMethodsAreUnimplemented) {
  manager_rpc::NewTokenResponse response;
  for (const char* method :
       {"/manager_rpc.CounterService/Nonsense", "/manager_rpc.Nonsense/NewToken", "/nonsense"}) {
    EXPECT_TRUE(
        has_status(call_by_name(client_.channel(), method, manager_rpc::UpdateCounterRequest(), response),
                   grpc::UNIMPLEMENTED));
  }
}

TEST_F(GrpcTest, ConcurrentCallsOfSeveralConnectionsGetDistinctCounts) {
  constexpr int connections = 8;
  constexpr int calls = 250;
  const std::vector<std::string> tokens{client_.mint(), client_.mint()};
  const std::vector<std::string> paths{"/test", "/test2"};
  using Counts = std::vector<std::vector<std::int64_t>>;  // by token and path
  std::latch all_here(connections);
  std::vector<std::future<Counts>> running;
  for (int connection = 0; connection < connections; ++connection) {
    running.push_back(std::async(std::launch::async, [&] {
      CounterClient client(door_);
      Counts counts(4);
      all_here.arrive_and_wait();
      for (std::size_t i = 0; i < calls; ++i) {
        counts[i % 4].push_back(client.count(tokens[i % 2], paths[i / 2 % 2]));
      }
      return counts;
    }));
  }
  std::vector<std::multiset<std::int64_t>> all(4);
  for (auto& connection : running) {
    const Counts counts = connection.get();
    for (std::size_t key = 0; key < 4; ++key) {
      // If one request was answered before another was sent, its count is smaller.
      EXPECT_TRUE(std::is_sorted(counts[key].begin(), counts[key].end()));
      all[key].insert(counts[key].begin(), counts[key].end());
    }
  }
  std::size_t total = 0;
  for (const auto& counts : all) {
    EXPECT_TRUE(counts_without_gap(counts));
    total += counts.size();
  }
  EXPECT_EQ(total, static_cast<std::size_t>(connections * calls));
}

TEST_F(GrpcTest, CallsThatAreUnderWayTogetherOnOneConnectionGetDistinctCounts) {
  struct Call {
    grpc::ClientContext context;
    manager_rpc::UpdateCounterResponse response;
    std::promise<grpc::Status> status;
  };
  manager_rpc::UpdateCounterRequest request;
  request.set_token(client_.mint());
  request.set_path("/p");
  std::vector<Call> calls(1000);
  for (Call& call : calls) {
    set_deadline(call.context);
    client_.stub().async()->UpdateCounter(&call.context, &request, &call.response,
                                          [&call](const grpc::Status& s) { call.status.set_value(s); });
  }
  std::multiset<std::int64_t> counts;
  for (Call& call : calls) {
    EXPECT_TRUE(has_status(call.status.get_future().get(), grpc::OK));
    counts.insert(call.response.counter());
  }
  EXPECT_TRUE(counts_without_gap(counts));
}

// The outcome of a call with little or no time left. Its library may not even have sent it. The counter does not count
// late, and may still be able to say so.
void expect_too_late(const grpc::Status& status) {
  if (status.error_code() == grpc::UNAVAILABLE) {
    EXPECT_NE(status.error_message().find("nothing was counted"), std::string::npos)
        << status.error_message();
  } else {
    EXPECT_TRUE(has_status(status, grpc::DEADLINE_EXCEEDED));
  }
}

TEST_F(GrpcTest, DeadlineThatHasPassedCountsOnceAtMost) {
  const std::string token = client_.mint();
  EXPECT_TRUE(is_counted(client_.update(token, "/p"), 1));
  constexpr int calls = 50;
  for (int i = 1; i <= calls; ++i)
    expect_too_late(client_.update(token, "/p", std::chrono::milliseconds(-i)).status);
  EXPECT_LE(client_.count(token, "/p"), 2 + calls);
  std::string none;
  expect_too_late(client_.new_token(none, -1s));
  EXPECT_EQ(none, "");
}

TEST_F(GrpcTest, TinyDeadlinesCountOnceAtMost) {
  const std::string token = client_.mint();
  std::int64_t answered = 0;
  std::int64_t perhaps = 0;
  for (int i = 0; i < 300; ++i) {
    grpc::ClientContext context;
    context.set_deadline(std::chrono::system_clock::now() + std::chrono::microseconds(i * 10));
    manager_rpc::UpdateCounterRequest request;
    request.set_token(token);
    request.set_path("/p");
    manager_rpc::UpdateCounterResponse response;
    const grpc::Status status = client_.stub().UpdateCounter(&context, request, &response);
    if (status.ok()) {
      ++answered;
      EXPECT_TRUE(response.success());
      EXPECT_GE(response.counter(), answered);
      EXPECT_LE(response.counter(), answered + perhaps);
    } else {
      expect_too_late(status);
      perhaps += status.error_code() == grpc::UNAVAILABLE ? 0 : 1;
    }
  }
  const std::int64_t stored = client_.count(token, "/p") - 1;
  EXPECT_LE(answered, stored);
  EXPECT_LE(stored, answered + perhaps);
}

TEST_F(GrpcTest, CancelledCallsCountOnceAtMost) {
  const std::string token = client_.mint();
  std::int64_t answered = 0;
  constexpr std::int64_t calls = 200;
  for (int i = 0; i < calls; ++i) {
    grpc::ClientContext context;
    set_deadline(context);
    manager_rpc::UpdateCounterRequest request;
    request.set_token(token);
    request.set_path("/p");
    manager_rpc::UpdateCounterResponse response;
    std::promise<grpc::Status> done;
    client_.stub().async()->UpdateCounter(&context, &request, &response,
                                          [&](const grpc::Status& status) { done.set_value(status); });
    context.TryCancel();
    const grpc::Status status = done.get_future().get();
    answered += status.ok() ? 1 : 0;
    if (!status.ok()) {
      EXPECT_TRUE(has_status(status, grpc::CANCELLED));
    }
  }
  const std::int64_t stored = client_.count(token, "/p") - 1;
  EXPECT_LE(answered, stored);
  EXPECT_LE(stored, calls);
}

TEST(GrpcServeTest, CountsTheSameBesideHttp) {
  Program program({"serve", "--store", "memory", "--envoy-addr", "127.0.0.1:0", "--counter-addr",
                   "127.0.0.1:0", "--health-addr", "127.0.0.1:0"});
  const auto doors = program.wait_listening();
  Caller http(doors.at("envoy"));
  CounterClient grpc_client(doors.at("counter"));
  const std::string by_http = http.mint();
  const std::string by_grpc = grpc_client.mint();
  for (const std::string& token : {by_http, by_grpc}) {
    EXPECT_TRUE(is_counted(grpc_client.update(token, "/a"), 1));
    EXPECT_EQ(http.count("/a", token), 2);
    EXPECT_TRUE(is_counted(grpc_client.update(token, "/a"), 3));
    // Only HTTP normalises.
    EXPECT_EQ(http.count("//a", token), 4);
    EXPECT_TRUE(is_counted(grpc_client.update(token, "//a"), 1));
  }
  Health health{};
  EXPECT_TRUE(has_status(check_health(grpc_client.channel(), "", health), grpc::OK));
  EXPECT_EQ(health, Health::serving);
  program.send_signal(SIGTERM);
  EXPECT_EQ(program.wait_exit(), 0) << program.output();
}

TEST(GrpcServeTest, OffersNoGrpcUnlessAsked) {
  Program program({"serve", "--store", "memory", "--envoy-addr", "127.0.0.1:0"});
  EXPECT_FALSE(program.wait_listening().contains("counter"));
}

}  // namespace
}  // namespace tracker::tests
