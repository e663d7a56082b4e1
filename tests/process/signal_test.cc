// Signals before there is a service, or in process 1.

#include <gtest/gtest.h>
#include <signal.h>

#include <chrono>
#include <fstream>
#include <optional>
#include <string>

#include "support/health.h"
#include "support/program.h"
#include "support/temporary_directory.h"

namespace tracker::tests {
namespace {

using namespace std::chrono_literals;

// Returns whether the process ignores the signal, according to /proc.
bool ignores(pid_t process, int signal) {
  std::ifstream status("/proc/" + std::to_string(process) + "/status");
  for (std::string line; std::getline(status, line);) {
    if (line.starts_with("SigIgn:"))
      return (std::stoull(line.substr(7), nullptr, 16) >> (signal - 1) & 1U) != 0;
  }
  return false;
}

// From its first moment on, before there is a service that could drain.
TEST(SignalTest, WhileItStartsItEndsCleanly) {
  for (const int signal : {SIGTERM, SIGINT}) {
    const TemporaryDirectory directory;
    Program program({"serve", "--store", "rocksdb:" + (directory.path() / "store").string(), "--envoy-addr",
                     "127.0.0.1:0", "--health-addr", "127.0.0.1:0"});
    for (const Deadline deadline; !ignores(program.pid(), SIGPIPE) && !deadline.passed();) {
    }
    program.send_signal(SIGHUP);
    program.send_signal(signal);
    EXPECT_EQ(program.wait_exit(), 0) << program.output();
  }
}

TEST(SignalTest, ACommandEndsAsShellsExpect) {
  // It asks an envoy that accepts and never answers.
  Program mute({"serve", "--store", "memory", "--envoy-addr", "127.0.0.1:0", "--health-addr", "127.0.0.1:0"});
  const Endpoint envoy = mute.wait_listening().at("envoy");
  mute.send_signal(SIGSTOP);
  Program check({"check", "--envoys", envoy.to_string()});
  for (const Deadline deadline; !ignores(check.pid(), SIGPIPE) && !deadline.passed();) {
  }
  check.send_signal(SIGUSR1);
  check.send_signal(SIGTERM);
  EXPECT_EQ(check.wait_exit(), 128 + SIGTERM) << check.output();
  EXPECT_NE(check.standard_error().find("SIGTERM"), std::string::npos) << check.standard_error();
}

std::optional<pid_t> child_of(pid_t parent) {
  std::ifstream children("/proc/" + std::to_string(parent) + "/task/" + std::to_string(parent) + "/children");
  pid_t child = 0;
  if (children >> child) return child;
  return std::nullopt;
}

// The kernel has no default actions for process 1, so the program must handle the signal itself.
TEST(SignalTest, AsProcessOneASecondSignalEndsItToo) {
  const Arguments unshare{"--user", "--map-root-user", "--pid", "--fork", "--kill-child"};
  const auto with = [&](const Arguments& more) {
    Arguments all = unshare;
    all.insert(all.end(), more.begin(), more.end());
    return all;
  };
  if (Program(with({"true"}), {}, "/usr/bin/unshare").wait_exit() != 0) {
    GTEST_SKIP() << "this machine makes no process namespaces for us";
  }
  Program program(with({tracker_binary(), "serve", "--store", "memory", "--envoy-addr", "127.0.0.1:0",
                        "--health-addr", "127.0.0.1:0", "--drain-delay", "300s"}),
                  {}, "/usr/bin/unshare");
  const Endpoint health = program.wait_listening().at("health");
  const auto tracker = child_of(program.pid());
  ASSERT_TRUE(tracker.has_value());
  ::kill(*tracker, SIGUSR1);
  ::kill(*tracker, SIGTERM);
  wait_readyz(health, 503);
  for (const Deadline deadline; program.running() && !deadline.passed();) {
    ::kill(*tracker, SIGTERM);
    program.wait_exit(100ms);
  }
  EXPECT_EQ(program.wait_exit(), 128 + SIGTERM) << program.output();
}

}  // namespace
}  // namespace tracker::tests
