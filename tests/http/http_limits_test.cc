// Every limit and deadline of the HTTP edge: the defaults at their exact boundaries, and the others with lower
// settings.

#include <gtest/gtest.h>
#include <sys/resource.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "bad_input_check.h"
#include "support/caller.h"
#include "support/deployment.h"

namespace tracker::tests {
namespace {

using namespace std::chrono_literals;

using HttpLimitsTest = DeploymentTest;
TRACKER_OVER_ALL_DEPLOYMENTS(HttpLimitsTest);

// A GET whose request line, without its CRLF, has this many bytes.
std::string with_line_of(std::size_t bytes, std::string_view token) {
  const std::size_t others = std::string_view("GET / HTTP/1.1").size();
  return get("/" + std::string(bytes - others, 'p'), token);
}

// A GET whose head, from the first byte to the end of the blank line, has this many bytes.
std::string with_head_of(std::size_t bytes, std::string_view token) {
  const std::size_t others = get("/p", token, "X: \r\n").size();
  return get("/p", token, "X: " + std::string(bytes - others, 'x') + "\r\n");
}

// A GET with this many fields, including Host and Authorization.
std::string with_fields(std::size_t number, std::string_view token) {
  return get("/p", token, repeated("X: v\r\n", number - 2));
}

BadInput too_large(std::string bytes, int status) {
  return {"one more than the limit", std::move(bytes), {status}};
}

// Has the size of a real token, so that lengths are known before a token exists.
const std::string placeholder(36, '0');

std::string with_placeholder(std::string bytes) {
  return bytes.replace(bytes.find(placeholder), placeholder.size(), "$TOKEN");
}

void expect_limits(const Endpoint& envoy, std::size_t line_max, std::size_t head_max,
                   std::size_t fields_max) {
  Caller caller(envoy);
  const std::string token = caller.mint();
  EXPECT_TRUE(is_count(caller.ask(with_line_of(line_max, token)), 1));
  EXPECT_TRUE(is_count(caller.ask(with_line_of(line_max, token)), 2));
  EXPECT_TRUE(is_count(caller.ask(with_head_of(head_max, token)), 1));
  EXPECT_TRUE(is_count(caller.ask(with_fields(fields_max, token)), 2));

  expect_refused(envoy, too_large(with_placeholder(with_line_of(line_max + 1, placeholder)), 414));
  expect_refused(envoy, too_large(with_placeholder(with_head_of(head_max + 1, placeholder)), 431));
  expect_refused(envoy, too_large(with_placeholder(with_fields(fields_max + 1, placeholder)), 431));
}

TEST_P(HttpLimitsTest, DefaultSizes) {
  expect_limits(shared().envoy(), 8192, 16384, 100);
}

TEST_P(HttpLimitsTest, LowerSizes) {
  const auto deployment =
      start({"--request-line-bytes-max", "100", "--head-bytes-max", "300", "--head-fields-max", "5"});
  expect_limits(deployment->envoy(), 100, 300, 5);
}

TEST_P(HttpLimitsTest, SizesWithUnits) {
  const auto deployment = start({"--request-line-bytes-max", "1KiB", "--head-bytes-max", "2KiB"});
  expect_limits(deployment->envoy(), 1024, 2048, 100);
}

// The limit is on the path in normal form, however long the request line may be.
TEST_P(HttpLimitsTest, PathHasALimitOfItsOwn) {
  const auto deployment = start({"--request-line-bytes-max", "64KiB", "--head-bytes-max", "128KiB"});
  Caller caller(deployment->envoy());
  const std::string token = caller.mint();
  const std::string longest = "/" + std::string(8191, 'p');
  std::int64_t count = 0;
  for (const auto& target : {longest, "/x/../" + std::string(4000, '/') + "%70" + longest.substr(2),
                             longest + "?" + std::string(40'000, 'q')}) {
    EXPECT_TRUE(is_count(caller.ask(get(target, token)), ++count));
  }
  for (const auto& target : {longest + "p", longest + "p?q", "/" + std::string(60'000, 'p'),
                             "/x/../" + std::string(4000, '/') + longest + "p"}) {
    BadInput input{"path too long", get(target, "$TOKEN"), {414}};
    input.meant.push_back(longest);
    expect_refused(deployment->envoy(), input);
    expect_refused(deployment->envoy(), input, Sent::between_good_requests);
  }
}

// A pipelined head is measured by itself, wherever it begins in the bytes read.
TEST_P(HttpLimitsTest, EachHeadOfAPipelineIsMeasuredByItself) {
  Caller caller(shared().envoy());
  const std::string token = caller.mint();
  RawClient client(shared().envoy());
  std::int64_t count = 0;
  client.send(repeated(with_head_of(16384, token) + get("/p", token), 10) + with_head_of(16385, token));
  for (int i = 0; i < 20; ++i) EXPECT_TRUE(is_count(client.read_answer(), ++count));
  EXPECT_TRUE(is_refusal(client.read_answer(), 431, After::closes));
  EXPECT_TRUE(ends_cleanly(client));
}

TEST_P(HttpLimitsTest, HeadThatDoesNotEndIsTimedOut) {
  const auto deployment = start({"--head-deadline", "300ms", "--write-deadline", "300s"});
  Caller caller(deployment->envoy());
  const std::string token = caller.mint();
  const std::string whole = get("/p", token);
  for (const std::size_t size : {std::size_t{1}, std::size_t{10}, whole.size() - 1}) {
    SCOPED_TRACE(size);
    RawClient client(deployment->envoy());
    client.send(whole.substr(0, size));
    EXPECT_TRUE(is_refusal(client.read_answer(), 408, After::closes));
    EXPECT_TRUE(ends_cleanly(client));
  }
  EXPECT_EQ(caller.count("/p", token), 1);
}

TEST_P(HttpLimitsTest, SecondHeadThatDoesNotEndIsTimedOut) {
  const auto deployment = start({"--head-deadline", "300ms", "--write-deadline", "300s"});
  Caller caller(deployment->envoy());
  const std::string token = caller.mint();
  RawClient client(deployment->envoy());
  client.send(get("/p", token) + "GET /p HTTP/1.1\r\nHost:");
  EXPECT_TRUE(is_count(client.read_answer(), 1));
  EXPECT_TRUE(is_refusal(client.read_answer(), 408, After::closes));
  EXPECT_TRUE(ends_cleanly(client));
  EXPECT_EQ(caller.count("/p", token), 2);
}

// Trickling bytes do not extend the deadline, which starts at the first byte.
TEST_P(HttpLimitsTest, TricklingHeadIsTimedOut) {
  const auto deployment = start({"--head-deadline", "300ms", "--write-deadline", "300s"});
  RawClient client(deployment->envoy());
  client.send("GET /p HTTP/1.1\r\nX: ");
  for (const Deadline deadline; !client.readable(20ms) && !deadline.passed();) client.send("x");
  EXPECT_TRUE(is_refusal(client.read_answer(), 408, After::closes));
}

// Each head has its own first byte: a stream whose pieces never end at the end of a head is not one slow head.
TEST_P(HttpLimitsTest, HeadDeadlineStartsAnewWithEachHead) {
  const auto deployment = start({"--head-deadline", "1s"});
  const std::string token = Caller(deployment->envoy()).mint();
  const std::string whole = get("/p", token);
  const std::string_view first_half = std::string_view(whole).substr(0, whole.size() / 2);
  const std::string_view second_half = std::string_view(whole).substr(whole.size() / 2);
  RawClient client(deployment->envoy());
  client.send(first_half);
  std::int64_t count = 0;
  for (const Deadline deadline(1500ms); !deadline.passed();) {
    client.send(std::string(second_half) + std::string(first_half));
    ASSERT_TRUE(is_count(client.read_answer(), ++count));
    // Not a wait for a state: it keeps the number of requests low.
    client.readable(5ms);
  }
  client.send(second_half);
  EXPECT_TRUE(is_count(client.read_answer(), ++count));
}

// A CRLF that is skipped is not a head: the connection is idle after it, and the next head has a deadline.
TEST_P(HttpLimitsTest, SkippedCrlfLeavesTheDeadlinesAsTheyAre) {
  const auto deployment = start({"--head-deadline", "500ms", "--idle-deadline", "1s"});
  RawClient idle(deployment->envoy());
  RawClient half(deployment->envoy());
  for (RawClient* client : {&idle, &half}) {
    client->send("\r");
    client->readable(50ms);  // so that the two arrive separately
    client->send("\n");
    client->readable(50ms);
  }
  half.send("GET");
  EXPECT_TRUE(is_refusal(half.read_answer(), 408, After::closes));
  EXPECT_TRUE(ends_cleanly(idle));
}

TEST_P(HttpLimitsTest, LateHeadThatIsBadBesidesIsRefusedForThat) {
  const auto deployment = start({"--head-deadline", "200ms"});
  for (const auto& [bytes, status] : std::vector<std::pair<std::string, int>>{
           {"GET / HTTP/1.1\r\nHost: x\r\nHost: x\r\n", 400},
           {"GET / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n", 400},
           {"FOO / HTTP/1.1\r\nHost: x\r\n", 501},
           {"POST / HTTP/1.1\r\nHost: x\r\n", 405},
           {"GET / HTTP/1.1\r\nHost: x\r\n", 408},
       }) {
    RawClient client(deployment->envoy());
    client.send(bytes);
    EXPECT_TRUE(is_refusal(client.read_answer(), status, After::closes)) << bytes;
  }
}

TEST_P(HttpLimitsTest, AnswerToALateHeadOfAHeadRequestHasNoBody) {
  const auto deployment = start({"--head-deadline", "200ms"});
  for (const auto& [bytes, status] : std::vector<std::pair<std::string, int>>{
           {"HEAD /", 408},
           {"HEAD / HTTP/1.1\r\nHost: x\r\n", 405},
           {"HEAD / HTTP/1.1\r\nHost: x\r\nHost: x\r\n", 400},
       }) {
    RawClient client(deployment->envoy());
    client.send(bytes);
    EXPECT_TRUE(is_refusal(client.read_answer(AnswerTo::head), status, After::closes, AnswerTo::head))
        << bytes;
    EXPECT_TRUE(ends_cleanly(client)) << bytes;
  }
}

// A client that reads none of its answers. So it is never idle until the deadline for reading has passed.
std::unique_ptr<RawClient> busy_client(const Endpoint& envoy) {
  auto client = std::make_unique<RawClient>(envoy, 4096);
  const std::string many = repeated(get_without_token("/p"), 1000);
  for (const Deadline deadline; client->send_some(many, 200ms).value_or(0) > 0 && !deadline.passed();) {
  }
  return client;
}

// More than tracker refuses at a time. If this process may not open so many files, neither may its tracker, which then
// refuses fewer at a time.
std::size_t many_connections() {
  rlimit files{};
  ::getrlimit(RLIMIT_NOFILE, &files);
  files.rlim_cur = files.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &files);
  return std::min<std::size_t>(1200, files.rlim_cur - 100);
}

TEST_P(HttpLimitsTest, EveryConnectionTooManyGetsItsAnswer) {
  const auto deployment = start({"--connections-max", "1", "--write-deadline", "300s"});
  const auto busy = busy_client(deployment->envoy());
  std::vector<std::unique_ptr<RawClient>> others;
  for (auto left = many_connections(); left > 0; --left) {
    others.push_back(std::make_unique<RawClient>(deployment->envoy()));
  }
  for (const auto& other : others) ASSERT_TRUE(is_refusal(other->read_answer(), 503, After::closes));
}

TEST_P(HttpLimitsTest, IdleConnectionsLockNobodyOut) {
  const auto deployment = start({"--connections-max", "50", "--threads", "2"});
  const std::string token = Caller(deployment->envoy()).mint();
  std::vector<std::unique_ptr<Caller>> idle;
  for (std::int64_t i = 1; i <= 100; ++i) {
    idle.push_back(std::make_unique<Caller>(deployment->envoy()));
    ASSERT_EQ(idle.back()->count("/p", token), i);
  }
  for (std::size_t i = 0; i < 50; ++i) ASSERT_TRUE(ends_without_more(idle[i]->client())) << i;
  for (std::size_t i = 50; i < 100; ++i) ASSERT_EQ(idle[i]->count("/q", token), static_cast<int>(i) - 49);
}

TEST_P(HttpLimitsTest, UnfinishedHeadsLockNobodyOut) {
  const auto deployment = start({"--connections-max", "20", "--threads", "2"});
  std::vector<std::unique_ptr<RawClient>> slow;
  for (int i = 0; i < 20; ++i) {
    slow.push_back(std::make_unique<RawClient>(deployment->envoy()));
    slow.back()->send("GET / HTTP/1.1\r\nHost:");
  }
  int served = 0;
  for (const Deadline deadline; served < 20 && !deadline.passed();) {
    RawClient client(deployment->envoy());
    client.send(get_without_token("/auth"));
    if (client.read_answer().status == 200) ++served;
  }
  EXPECT_EQ(served, 20);
  EXPECT_TRUE(is_refusal(slow.front()->read_answer(), 408, After::closes));
}

// Connections that only connect give way to each other. A client that keeps sending requests keeps its place and its
// counts.
TEST_P(HttpLimitsTest, ClientThatGoesOnAskingStaysInAFlood) {
  const auto deployment = start({"--connections-max", "20", "--threads", "2"});
  Caller honest(deployment->envoy());
  const std::string token = honest.mint();
  std::vector<std::unique_ptr<RawClient>> flood;
  for (int i = 0; i < 500; ++i) {
    flood.push_back(std::make_unique<RawClient>(deployment->envoy()));
    ASSERT_EQ(honest.count("/p", token), i + 1);
  }
}

TEST_P(HttpLimitsTest, OneAddressHasNoMoreConnectionsThanItMay) {
  const auto deployment = start({"--connections-per-address-max", "2"});
  Caller first(deployment->envoy());
  const std::string token = first.mint();
  auto second = std::make_unique<Caller>(deployment->envoy());
  EXPECT_EQ(second->count("/p", token), 1);
  RawClient third(deployment->envoy());
  third.send(get("/p", token));
  EXPECT_TRUE(is_refusal(third.read_answer(), 503, After::closes));
  EXPECT_EQ(first.count("/p", token), 2);
  second.reset();
  bool served = false;
  for (const Deadline deadline; !served && !deadline.passed();) {
    RawClient client(deployment->envoy());
    client.send(get("/p", token));
    served = client.read_answer().status == 200;
  }
  EXPECT_TRUE(served);
  EXPECT_EQ(first.count("/p", token), 4);
}

// A proxy brings many clients. Each of them has no more connections than it may, where the proxy says whose they are.
TEST_P(HttpLimitsTest, AClientBehindAProxyHasNoMoreConnectionsThanItMay) {
  const auto deployment =
      start({"--connections-per-address-max", "2", "--trusted-proxies", "127.0.0.1", "--proxy-protocol"});
  const auto ask_for = [&](const std::string& client) {
    auto connection = std::make_unique<RawClient>(deployment->envoy());
    connection->send(proxy_header(client) + get_without_token("/auth"));
    return connection;
  };
  const std::string one = "\xC0\x01\x02\x03";
  const std::string proxy("\x7F\0\0\x01", 4);
  auto first = ask_for(one);
  EXPECT_TRUE(is_token(first->read_answer()));
  auto second = ask_for(one);
  EXPECT_TRUE(is_token(second->read_answer()));
  EXPECT_TRUE(is_refusal(ask_for(one)->read_answer(), 503, After::closes));
  EXPECT_TRUE(is_token(ask_for("\xC0\x01\x02\x04")->read_answer()));
  std::vector<std::unique_ptr<RawClient>> its_own;
  for (int i = 0; i < 3; ++i) {
    its_own.push_back(ask_for(proxy));
    EXPECT_TRUE(is_token(its_own.back()->read_answer())) << "the proxy itself has no such bound";
  }
  second.reset();
  bool served = false;
  for (const Deadline deadline; !served && !deadline.passed();)
    served = is_token(ask_for(one)->read_answer());
  EXPECT_TRUE(served);
}

TEST_P(HttpLimitsTest, IdleConnectionIsClosedWithoutAWord) {
  const auto deployment = start({"--idle-deadline", "300ms", "--head-deadline", "300s"});
  RawClient silent(deployment->envoy());
  Caller caller(deployment->envoy());
  caller.mint();
  EXPECT_TRUE(ends_cleanly(silent));
  EXPECT_TRUE(ends_cleanly(caller.client()));
}

// The deadline of a head starts at its first byte: an idle connection outlives one that sent half a head.
TEST_P(HttpLimitsTest, IdleConnectionHasNoHeadDeadline) {
  const auto deployment = start({"--head-deadline", "200ms"});
  Caller idle(deployment->envoy());
  idle.mint();
  for (int i = 0; i < 2; ++i) {
    RawClient half(deployment->envoy());
    half.send("GET");
    EXPECT_TRUE(is_refusal(half.read_answer(), 408, After::closes));
  }
  idle.mint();
}

TEST_P(HttpLimitsTest, LingeringEndsAtItsDeadline) {
  const auto deployment = start({"--linger-deadline", "300ms", "--linger-bytes-max", "1MiB",
                                 "--head-deadline", "300s", "--write-deadline", "300s"});
  RawClient client(deployment->envoy());
  client.send("POST /p HTTP/1.1\r\nHost: tracker\r\nContent-Length: 1000000\r\n\r\n");
  EXPECT_TRUE(is_refusal(client.read_answer(), 405, After::closes));
  for (const Deadline deadline; !client.broken(20ms) && !deadline.passed();) client.send_some("x", 0ms);
  EXPECT_TRUE(client.broken(0ms));
}

TEST_P(HttpLimitsTest, LingeringEndsAfterItsBytes) {
  const auto deployment = start({"--linger-deadline", "60s", "--linger-bytes-max", "1KiB"});
  RawClient client(deployment->envoy());
  client.send("POST /p HTTP/1.1\r\nHost: tracker\r\nContent-Length: 1000000\r\n\r\n");
  EXPECT_TRUE(is_refusal(client.read_answer(), 405, After::closes));
  const std::string piece(100, 'x');
  for (const Deadline deadline; !client.broken(20ms) && !deadline.passed();) client.send_some(piece, 0ms);
  EXPECT_TRUE(client.broken(0ms));
}

TEST_P(HttpLimitsTest, WhereAllAreBusyOneConnectionTooManyIsRefused) {
  const auto deployment = start({"--connections-max", "2", "--write-deadline", "300s"});
  std::string token;
  {
    Caller first(deployment->envoy());
    token = first.mint();
  }
  auto busy = busy_client(deployment->envoy());
  const auto other = busy_client(deployment->envoy());
  for (int i = 0; i < 5; ++i) {
    RawClient third(deployment->envoy());
    third.send(get("/p", token));
    EXPECT_TRUE(is_refusal(third.read_answer(), 503, After::closes));
    EXPECT_TRUE(ends_without_more(third));
  }
  busy.reset();
  bool served = false;
  for (const Deadline deadline; !served && !deadline.passed();) {
    RawClient third(deployment->envoy());
    third.send(get("/p", token));
    const HttpAnswer answer = third.read_answer();
    served = answer.status == 200;
    if (served) {
      EXPECT_TRUE(is_count(answer, 1));
    }
  }
  EXPECT_TRUE(served);
}

TEST_P(HttpLimitsTest, HitsTooManyAreRefusedAndNotCounted) {
  const auto deployment = start({"--hits-max", "2"});
  Caller caller(deployment->envoy());
  const std::string token = caller.mint();
  constexpr int number = 100;
  std::int64_t count = 0;
  int refused = 0;
  RawClient client(deployment->envoy());
  client.send(repeated(get("/p", token), number));
  for (int i = 0; i < number; ++i) {
    const HttpAnswer answer = client.read_answer();
    if (answer.status == 200) {
      EXPECT_TRUE(is_count(answer, ++count));
    } else {
      EXPECT_TRUE(is_refusal(answer, 503));
      ++refused;
    }
  }
  EXPECT_GT(count, 0);
  EXPECT_GT(refused, 0);
  EXPECT_EQ(caller.count("/p", token), count + 1);
}

TEST_P(HttpLimitsTest, ThreadsAreASetting) {
  for (const char* threads : {"1", "2", "5"}) {
    SCOPED_TRACE(threads);
    const auto deployment = start({"--threads", threads});
    const std::string token = Caller(deployment->envoy()).mint();
    for (std::int64_t i = 1; i <= 30; ++i) EXPECT_EQ(Caller(deployment->envoy()).count("/p", token), i);
  }
}

}  // namespace
}  // namespace tracker::tests
