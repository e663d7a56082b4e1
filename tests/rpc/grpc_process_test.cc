// The counter's port and end: who can bind it, who can reach it, and what SIGTERM leaves.

#include <gtest/gtest.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <future>
#include <latch>
#include <set>
#include <string>
#include <vector>

#include "grpc_client.h"
#include "support/caller.h"
#include "support/health.h"
#include "support/temporary_directory.h"

namespace tracker::tests {
namespace {

void expect_one_line(const Outcome& outcome, int exit_code, const std::vector<std::string>& parts) {
  EXPECT_EQ(outcome.exit_code, exit_code);
  EXPECT_EQ(std::count(outcome.err.begin(), outcome.err.end(), '\n'), 1) << outcome.err;
  for (const std::string& part : parts) {
    EXPECT_NE(outcome.err.find(part), std::string::npos) << outcome.err << "lacks " << part;
  }
}

Arguments counter_at(const std::string& address, const Arguments& more = {}) {
  Arguments arguments{"counter", "--store",       "memory",     "--counter-addr",
                      address,   "--health-addr", "127.0.0.1:0"};
  arguments.insert(arguments.end(), more.begin(), more.end());
  return arguments;
}

using CounterPortTest = CounterTest;

TEST_F(CounterPortTest, IsRefusedToASecondCounter) {
  const std::string token = client_.mint();
  expect_one_line(run_to_end(counter_at(door_.to_string())), 1, {"--counter-addr", door_.to_string()});
  expect_one_line(run_to_end({"serve", "--store", "memory", "--envoy-addr", "127.0.0.1:0", "--counter-addr",
                              door_.to_string()}),
                  1, {"--counter-addr", door_.to_string()});
  for (std::int64_t i = 1; i <= 20; ++i) {
    EXPECT_TRUE(is_counted(CounterClient(door_).update(token, "/p"), i));
  }
}

// A socket that would share its port with any socket that also would.
class SharingSocket {
 public:
  SharingSocket() : fd_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    const int on = 1;
    ::setsockopt(fd_, SOL_SOCKET, SO_REUSEPORT, &on, sizeof on);
  }
  ~SharingSocket() { ::close(fd_); }
  SharingSocket(const SharingSocket&) = delete;
  SharingSocket& operator=(const SharingSocket&) = delete;

  // Returns the port that it listens on, or 0 if it was refused.
  std::uint16_t listen(std::uint16_t port) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t length = sizeof address;
    const bool listens = ::bind(fd_, reinterpret_cast<sockaddr*>(&address), length) == 0 &&
                         ::listen(fd_, 1) == 0 &&
                         ::getsockname(fd_, reinterpret_cast<sockaddr*>(&address), &length) == 0;
    return listens ? ntohs(address.sin_port) : std::uint16_t{0};
  }

 private:
  int fd_;
};

TEST_F(CounterPortTest, IsSharedWithNobodyWhoWould) {
  EXPECT_EQ(SharingSocket().listen(door_.port), 0);
}

TEST(CounterStartTest, TakesNoPortThatSomebodyWouldShare) {
  SharingSocket other;
  const std::uint16_t port = other.listen(0);
  ASSERT_NE(port, 0);
  const std::string address = "127.0.0.1:" + std::to_string(port);
  expect_one_line(run_to_end(counter_at(address)), 1, {"--counter-addr", address});
}

TEST(CounterStartTest, OffLoopbackNeedsInsecure) {
  expect_one_line(run_to_end(counter_at("0.0.0.0:0")), 2, {"--counter-addr", "0.0.0.0:0", "--insecure"});
  expect_one_line(run_to_end({"counter", "--store", "memory"}, {{"COUNTER_ADDR", "0.0.0.0:0"}}), 2,
                  {"--counter-addr", "0.0.0.0:0", "--insecure"});
  expect_one_line(run_to_end({"serve", "--store", "memory", "--envoy-addr", "127.0.0.1:0", "--counter-addr",
                              "0.0.0.0:0"}),
                  2, {"--counter-addr", "0.0.0.0:0", "--insecure"});
}

TEST(CounterStartTest, InsecureListensOffLoopback) {
  for (const bool by_flag : {true, false}) {
    Program program(counter_at("0.0.0.0:0", by_flag ? Arguments{"--insecure"} : Arguments{}),
                    by_flag ? Environment{} : Environment{{"TRACKER_INSECURE", "1"}});
    const Endpoint door = program.wait_listening().at("counter");
    EXPECT_EQ(door.host, "0.0.0.0");
    CounterClient client({"127.0.0.1", door.port});
    EXPECT_TRUE(is_counted(client.update(client.mint(), "/p"), 1));
  }
}

TEST(CounterStartTest, ListensOnIpv6) {
  if (!has_ipv6_loopback()) GTEST_SKIP() << "no IPv6 on this machine";
  Program program(counter_at("[::1]:0"));
  const Endpoint door = program.wait_listening().at("counter");
  EXPECT_EQ(door.host, "::1");
  CounterClient client(door);
  EXPECT_TRUE(is_counted(client.update(client.mint(), "/p"), 1));
}

// The proxy is unreachable, so a connection through it would fail.
TEST_F(CounterPortTest, ProxiesOfTheEnvironmentAreNotAsked) {
  const std::string dead = "http://127.0.0.1:" + std::to_string(lasting_port());
  Environment environment;
  for (const char* name : {"http_proxy", "https_proxy", "grpc_proxy", "all_proxy", "HTTP_PROXY",
                           "HTTPS_PROXY", "GRPC_PROXY", "ALL_PROXY"}) {
    environment[name] = dead;
  }
  for (const char* name : {"no_proxy", "no_grpc_proxy", "NO_PROXY"}) environment[name] = "";
  Program envoy({"envoy", "--envoy-addr", "127.0.0.1:0", "--health-addr", "127.0.0.1:0", "--counter-addr",
                 door_.to_string()},
                environment);
  const auto doors = envoy.wait_listening();
  wait_readyz(doors.at("health"), 200);
  Caller http(doors.at("envoy"));
  const std::string token = http.mint();
  EXPECT_EQ(http.count("/p", token), 1);
  EXPECT_TRUE(is_counted(client_.update(token, "/p"), 2));
}

// Counts until the counter is gone. Counts the latch down once it is running.
std::vector<std::int64_t> count_until_refused(const Endpoint& door, const std::string& token,
                                              std::latch& busy) {
  CounterClient client(door);
  std::vector<std::int64_t> counts;
  for (const Deadline deadline; !deadline.passed();) {
    const Update update = client.update(token, "/p");
    if (!update.status.ok()) {
      EXPECT_TRUE(has_status(update.status, grpc::UNAVAILABLE));
      break;
    }
    counts.push_back(update.counter);
    if (counts.size() == 100) busy.count_down();
  }
  if (counts.size() < 100) busy.count_down();
  return counts;
}

TEST(CounterDrainTest, SigtermAndSigintUnderLoadLoseNoAnswer) {
  for (const int signal : {SIGTERM, SIGINT}) {
    Program program(counter_at("127.0.0.1:0"));
    const Endpoint door = program.wait_listening().at("counter");
    const std::string token = CounterClient(door).mint();
    constexpr int connections = 6;
    std::latch busy(connections);
    std::vector<std::future<std::vector<std::int64_t>>> running;
    for (int i = 0; i < connections; ++i) {
      running.push_back(
          std::async(std::launch::async, [&] { return count_until_refused(door, token, busy); }));
    }
    busy.wait();
    program.send_signal(signal);
    EXPECT_EQ(program.wait_exit(), 0) << program.output();
    std::multiset<std::int64_t> all;
    for (auto& connection : running) {
      for (const std::int64_t count : connection.get()) all.insert(count);
    }
    EXPECT_GE(all.size(), 600U);
    EXPECT_TRUE(counts_without_gap(all)) << "a hit was counted and not answered";
  }
}

TEST(CounterDrainTest, IdleClientsDoNotHoldIt) {
  Program program(counter_at("127.0.0.1:0", {"--drain-limit", "300s"}));
  const Endpoint door = program.wait_listening().at("counter");
  CounterClient client(door);
  const std::string token = client.mint();
  HealthWatch watch(client.channel(), "");
  EXPECT_EQ(watch.next(), Health::serving);
  RawClient silent(door);  // has not even started HTTP/2
  program.send_signal(SIGTERM);
  EXPECT_EQ(program.wait_exit(), 0) << program.output();
}

TEST(CounterAdminTest, HitsOfPublicCallsAreAmongTheBusiest) {
  const TemporaryDirectory directory;
  const std::string socket = directory.path() / "admin";
  Program counter(counter_at("127.0.0.1:0", {"--admin-socket", socket}));
  CounterClient client(counter.wait_listening().at("counter"));
  const auto token = client.mint();
  for (std::int64_t i = 1; i <= 3; ++i) EXPECT_EQ(client.count(token, "/p"), i);
  EXPECT_FALSE(client.update("00000000-0000-4000-8000-000000000000", "/unknown").success);
  const auto top = run_to_end({"top", "--admin-socket", socket});
  EXPECT_NE(top.out.find("\n          3             3  /p\n3 requests counted in the last "),
            std::string::npos)
      << top.out << top.err;
}

}  // namespace
}  // namespace tracker::tests
