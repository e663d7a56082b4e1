// Attacks on the counter's port, beside an honest envoy: connections and bytes are bounded.

#include <gtest/gtest.h>
#include <signal.h>

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <sstream>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "support/caller.h"
#include "support/deadline.h"
#include "support/fleet.h"
#include "support/health.h"
#include "support/http2_frames.h"
#include "support/program.h"
#include "support/raw_client.h"
#include "support/temporary_directory.h"

namespace tracker::tests {
namespace {

using namespace std::chrono_literals;
using namespace std::string_literals;
using namespace http2;

constexpr std::size_t mebibyte = 1024 * 1024;

std::size_t open_files(pid_t process) {
  const std::filesystem::directory_iterator files("/proc/" + std::to_string(process) + "/fd");
  return static_cast<std::size_t>(std::distance(begin(files), end(files)));
}

std::size_t lines_with(const std::string& log, const std::string& words) {
  std::istringstream lines(log);
  std::size_t found = 0;
  for (std::string line; std::getline(lines, line);) found += line.find(words) == std::string::npos ? 0 : 1;
  return found;
}

// The log has its own thread, so a line may come a moment after the event.
template <typename Log>
std::size_t lines_in_time(const Log& log, const std::string& words) {
  for (const Deadline deadline; lines_with(log(), words) == 0 && !deadline.passed();) {
    std::this_thread::sleep_for(5ms);
  }
  return lines_with(log(), words);
}

/// An attacker's envoy that has received the counter's settings, so that it has the large windows.
std::unique_ptr<RawClient> greeted_envoy(const Endpoint& door, int receive_buffer_bytes = 0) {
  auto client = std::make_unique<RawClient>(door, receive_buffer_bytes);
  client->send(envoys_first_bytes());
  EXPECT_TRUE(client->readable(patience));
  const std::string acknowledged = frame(settings_frame, ack, 0, "");
  client->send(acknowledged + acknowledged);  // of its first settings, and of those for envoys
  return client;
}

constexpr const char* track = "/tracker.v1.Counting/Track";
const std::string opening = message_head(2) + "\x0a\x00"s;

// A counter over memory with an honest envoy.
class PortTest : public testing::Test {
 protected:
  explicit PortTest(const Arguments& more = {}) : counter_(Service::start(arguments(more), "counter")) {
    wait_readyz(envoy_.health, 200);
    caller_ = std::make_unique<Caller>(envoy_.door);
    token_ = caller_->mint();
  }

  static Arguments arguments(const Arguments& more) {
    Arguments all{"counter",     "--store",       "memory",     "--counter-addr",
                  "127.0.0.1:0", "--health-addr", "127.0.0.1:0"};
    all.insert(all.end(), more.begin(), more.end());
    return all;
  }

  void expect_honest_is_counted(int times = 20) {
    for (int i = 0; i < times; ++i) EXPECT_EQ(caller_->count("/honest", token_), ++honest_);
  }

  pid_t pid() const { return counter_.program->pid(); }
  std::string log() const { return counter_.program->standard_error(); }

  template <typename Condition>
  bool comes_true(Condition condition) {
    const Deadline deadline(patience);
    while (!condition() && !deadline.passed()) std::this_thread::sleep_for(10ms);
    return condition();
  }

  Service counter_;
  Service envoy_ = Service::start({"envoy", "--envoy-addr", "127.0.0.1:0", "--health-addr", "127.0.0.1:0",
                                   "--counter-addr", counter_.door.to_string(), "--threads", "1"},
                                  "envoy");
  std::unique_ptr<Caller> caller_;
  std::string token_;
  std::int64_t honest_ = 0;
};

TEST_F(PortTest, HalfMessagesOfManyEnvoysTakeBoundedMemory) {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  GTEST_SKIP() << "a sanitizer keeps memory for itself";
#endif
  const std::size_t before = resident_bytes(pid());
  const std::string bytes =
      headers(1, grpc_request(track)) + data(1, message_head(8 * mebibyte) + std::string(2 * mebibyte, 'x'));
  std::vector<std::unique_ptr<RawClient>> attackers;
  for (int i = 0; i < 300; ++i) {
    attackers.push_back(greeted_envoy(counter_.door));
    attackers.back()->send(bytes);  // fails if it was dropped meanwhile
    if (i % 50 == 0) expect_honest_is_counted();
  }
  EXPECT_LT(resident_bytes(pid()), before + 192 * mebibyte) << "600 MiB were sent";
  expect_honest_is_counted();
  EXPECT_EQ(lines_in_time([this] { return log(); }, "is dropped"), 1U) << log();
}

TEST_F(PortTest, HalfMessagesOnManyStreamsTakeBoundedMemory) {
  const auto attacker = greeted_envoy(counter_.door);
  std::string bytes;
  for (std::int32_t stream = 1; stream < 2 * 50; stream += 2) {
    bytes += headers(stream, grpc_request(track)) +
             data(stream, message_head(8 * mebibyte) + std::string(mebibyte, 'x'));
  }
  attacker->send(bytes);
  EXPECT_NE(attacker->read_to_end(), RawClient::End::none) << "they are more than all its windows let in";
  expect_honest_is_counted();
}

TEST_F(PortTest, EnvoyThatNeverReadsIsDropped) {
  [[maybe_unused]] const std::size_t before = resident_bytes(pid());
  const auto attacker = greeted_envoy(counter_.door, 4096);
  ASSERT_TRUE(attacker->send(headers(1, grpc_request(track)) + data(1, opening)));
  std::string asks;
  while (asks.size() < 16'380) asks += message_head(0);  // each gets an answer of the same size
  const std::string frame = data(1, asks);
  std::size_t sent = 0;
  std::string_view left;
  for (;;) {
    if (left.empty()) left = frame;
    const auto some = attacker->send_some(left, 100ms);
    if (!some || attacker->broken(0ms)) break;
    sent += *some;
    left.remove_prefix(*some);
    if (*some == 0 || sent > 64 * mebibyte) break;
  }
  EXPECT_TRUE(attacker->broken(patience));
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
  EXPECT_LT(resident_bytes(pid()), before + 64 * mebibyte);
#endif
  expect_honest_is_counted();
}

class FewConnectionsTest : public PortTest {
 protected:
  // 16 is accepted with any limit of open files. With --core-dumps, the user who runs the tests may look into /proc for
  // its open files.
  FewConnectionsTest() : PortTest({"--counter-connections-max", "16", "--core-dumps"}) {}
};

TEST_F(FewConnectionsTest, SilentConnectionsLockNobodyOut) {
  const std::size_t before = open_files(pid());
  std::vector<std::unique_ptr<RawClient>> silent;
  for (int i = 0; i < 500; ++i) {
    silent.push_back(std::make_unique<RawClient>(counter_.door));
    if (i % 2 == 0) silent.back()->send(preface.substr(0, 10));
  }
  EXPECT_TRUE(comes_true([&] { return open_files(pid()) < before + 40; })) << open_files(pid());
  expect_honest_is_counted();
  EXPECT_EQ(ask_health(counter_.health, "/readyz").status, 200);
  const Service another =
      Service::start({"envoy", "--envoy-addr", "127.0.0.1:0", "--health-addr", "127.0.0.1:0",
                      "--counter-addr", counter_.door.to_string(), "--threads", "1"},
                     "envoy");
  wait_readyz(another.health, 200);
  EXPECT_EQ(Caller(another.door).count("/honest", token_), ++honest_);
  RawClient client(counter_.door);
  ASSERT_TRUE(client.send(callers_first_bytes()));
  EXPECT_TRUE(client.readable(patience)) << "a caller who speaks is served";
  EXPECT_EQ(client.end(), RawClient::End::none);
  EXPECT_EQ(lines_in_time([this] { return log(); }, "has not sent its first settings"), 1U) << log();
}

TEST_F(FewConnectionsTest, OneCallerTooManyIsClosedAndEnvoysHaveTheirOwnPlaces) {
  std::vector<std::unique_ptr<RawClient>> callers;
  for (int i = 0; i < 16; ++i) {
    callers.push_back(std::make_unique<RawClient>(counter_.door));
    ASSERT_TRUE(callers.back()->send(callers_first_bytes()));
    ASSERT_TRUE(callers.back()->readable(patience));
  }
  for (int i = 0; i < 5; ++i) {
    RawClient refused(counter_.door);
    refused.send(callers_first_bytes());
    EXPECT_NE(refused.read_to_end(), RawClient::End::none);
    EXPECT_EQ(refused.unread(), "");
  }
  EXPECT_EQ(lines_in_time([this] { return log(); }, "--counter-connections-max 16 is reached"), 1U) << log();
  expect_honest_is_counted();
  const Service another =
      Service::start({"envoy", "--envoy-addr", "127.0.0.1:0", "--health-addr", "127.0.0.1:0",
                      "--counter-addr", counter_.door.to_string(), "--threads", "1"},
                     "envoy");
  wait_readyz(another.health, 200);

  callers.clear();
  EXPECT_TRUE(comes_true([&] {
    RawClient client(counter_.door);
    return client.send(callers_first_bytes()) && client.readable(patience) &&
           client.end() == RawClient::End::none;
  })) << "places that became free are taken again";
}

class ShortIdleTest : public PortTest {
 protected:
  ShortIdleTest() : PortTest({"--counter-idle-deadline", "300ms"}) {}
};

TEST_F(ShortIdleTest, IdleCallersAreSentAwayAndBusyOnesAreNot) {
  RawClient idle(counter_.door);
  RawClient busy(counter_.door);
  ASSERT_TRUE(idle.send(callers_first_bytes()));
  ASSERT_TRUE(busy.send(callers_first_bytes()));
  std::int32_t stream = 1;
  const Deadline deadline(patience);
  while (!idle.broken(0ms) && !deadline.passed()) {
    ASSERT_TRUE(busy.send(headers(stream, grpc_request("/manager_rpc.CounterService/NewToken")) +
                          data(stream, message_head(0), end_stream)));
    stream += 2;
    if (idle.readable(100ms) && idle.read_to_end() != RawClient::End::none) break;
  }
  EXPECT_NE(idle.end(), RawClient::End::none);
  // Two steps (RFC 9113, section 6.8): a call that crosses the first step is served.
  const auto goaway = [](std::uint32_t last_stream) {
    return frame(goaway_frame, 0, 0, number(last_stream, 4) + number(0, 4));
  };
  const auto first = idle.unread().find(goaway(0x7FFF'FFFF));
  EXPECT_NE(first, std::string_view::npos);
  EXPECT_NE(idle.unread().find(goaway(0), first), std::string_view::npos)
      << "it is told that nothing was done";
  EXPECT_FALSE(busy.broken(0ms));
  expect_honest_is_counted();
}

// The clients of each door open all the connections that they can get.
TEST(FewDescriptorsTest, NoDoorTakesWhatTheOthersNeed) {
  const TemporaryDirectory temporary;
  Program program(
      {"-c", "ulimit -n 1000; exec '" + tracker_binary() +
                 "' serve --store 'rocksdb:" + (temporary.path() / "store").string() +
                 "' --envoy-addr 127.0.0.1:0 --counter-addr 127.0.0.1:0 --health-addr 127.0.0.1:0 "
                 "--cache-bytes 1MiB --threads 1"},
      Environment{}, "/bin/sh");
  const auto doors = program.wait_listening();
  EXPECT_EQ(
      lines_with(program.standard_error(), "--connections-max 10000 and --counter-connections-max 1000 need"),
      1U)
      << program.standard_error();
  const std::string token = Caller(doors.at("envoy")).mint();
  std::int64_t count = 0;
  for (const char* door : {"health", "counter"}) {
    std::vector<std::unique_ptr<RawClient>> clients;
    for (int i = 0; i < 700; ++i) clients.push_back(std::make_unique<RawClient>(doors.at(door)));
    for (int i = 0; i < 50; ++i) {
      ASSERT_EQ(Caller(doors.at("envoy")).count("/p", token), ++count) << door;
    }
    EXPECT_EQ(ask_health(doors.at("health"), "/readyz").status, 200) << door;
  }
  program.send_signal(SIGTERM);
  EXPECT_EQ(program.wait_exit(), 0) << program.output();
}

}  // namespace
}  // namespace tracker::tests
