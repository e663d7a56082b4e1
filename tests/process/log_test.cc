// The log: a reader of standard error, or the lack of one, blocks nothing. Text from others stays on one line.

#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <map>
#include <memory>
#include <stdexcept>
#include <string>
#include <system_error>
#include <vector>

#include "support/caller.h"
#include "support/health.h"
#include "support/program.h"
#include "support/redis_server.h"
#include "support/temporary_directory.h"

namespace tracker::tests {
namespace {

// A named pipe. Both of its ends are held open, so that the test decides whether it is read.
class NamedPipe {
 public:
  NamedPipe() {
    EXPECT_EQ(::mkfifo(path().c_str(), 0600), 0);
    descriptor_ = ::open(path().c_str(), O_RDWR | O_NONBLOCK | O_CLOEXEC);
    EXPECT_GE(descriptor_, 0);
  }
  ~NamedPipe() { ::close(descriptor_); }

  std::string path() const { return directory_.path() / "stderr"; }

  // Reads what has come, after waiting for it for a moment.
  std::string read() {
    pollfd readable{descriptor_, POLLIN, 0};
    ::poll(&readable, 1, 100);
    std::array<char, 65536> buffer{};
    const auto size = ::read(descriptor_, buffer.data(), buffer.size());
    return size > 0 ? std::string(buffer.data(), static_cast<std::size_t>(size)) : "";
  }

  void fill() {
    const std::string block(4096, 'x');
    while (::write(descriptor_, block.data(), block.size()) > 0) {
    }
    while (::write(descriptor_, "x", 1) > 0) {
    }
  }

 private:
  TemporaryDirectory directory_;
  int descriptor_ = -1;
};

// tracker, with its standard error in that pipe.
class LogTest : public testing::Test {
 protected:
  std::unique_ptr<Program> start(const Arguments& tracker_arguments) {
    Arguments arguments{"-c", "exec 2>\"$0\"; exec \"$@\"", pipe_.path(), tracker_binary()};
    arguments.insert(arguments.end(), tracker_arguments.begin(), tracker_arguments.end());
    return std::make_unique<Program>(arguments, Environment{}, "/bin/sh");
  }

  std::map<std::string, Endpoint> read_listening() {
    std::string log;
    for (const Deadline deadline; !deadline.passed();) {
      log += pipe_.read();
      if (auto doors = listening_doors(log); !doors.empty()) return doors;
    }
    throw std::runtime_error("it does not listen; it said:\n" + log);
  }

  NamedPipe pipe_;
};

const Arguments in_memory{"serve",       "--store",       "memory",     "--envoy-addr",
                          "127.0.0.1:0", "--health-addr", "127.0.0.1:0"};

TEST_F(LogTest, WhatIsLoggedLastIsReadEvenIfTheProgramEndsAtOnce) {
  const auto program = start(in_memory);
  read_listening();
  program->send_signal(SIGTERM);
  EXPECT_EQ(program->wait_exit(), 0);
  const std::string log = pipe_.read();
  EXPECT_TRUE(log.ends_with(" info drained\n")) << log;
}

TEST_F(LogTest, AProgramThatGivesUpDoesNotWaitForAReader) {
  pipe_.fill();
  EXPECT_EQ(start({"serve", "--threads", "none"})->wait_exit(), 2);
  EXPECT_EQ(start({"serve", "--store", "memory", "--envoy-addr", "192.0.2.1:0"})->wait_exit(), 1);
}

// The log does not show the port then, so this retries until it listens.
std::string mint_at(const Endpoint& envoy) {
  for (const Deadline deadline; !deadline.passed();) {
    try {
      return Caller(envoy).mint();
    } catch (const std::system_error&) {  // nobody listens yet
    }
  }
  throw std::runtime_error("nobody listens on " + envoy.to_string());
}

TEST_F(LogTest, AStandardErrorThatIsClosedOrFullStopsNothing) {
  for (const std::string standard_error : {"2>&-", "2>/dev/full", "0<&- 1>&- 2>&-"}) {
    SCOPED_TRACE(standard_error);
    const Endpoint envoy{"127.0.0.1", lasting_port()};
    Program program({"-c", "exec \"$0\" \"$@\" " + standard_error, tracker_binary(), "serve", "--store",
                     "memory", "--envoy-addr", envoy.to_string(), "--health-addr", "127.0.0.1:0"},
                    {}, "/bin/sh");
    EXPECT_NE(mint_at(envoy), "");
    program.send_signal(SIGTERM);
    EXPECT_EQ(program.wait_exit(), 0);
  }
}

TEST_F(LogTest, AReaderThatHasStoppedStopsNeitherCountingNorHealthNorTheEnd) {
  RedisServer redis;
  const auto program = start({"serve", "--store", "redis", "--redis-addr", redis.address(), "--envoy-addr",
                              "127.0.0.1:0", "--health-addr", "127.0.0.1:0", "--threads", "1"});
  const auto doors = read_listening();
  pipe_.fill();
  for (int count = 1; count <= 2; ++count) {  // each outage is logged, and the end of each outage
    redis.kill();
    wait_readyz(doors.at("health"), 503);
    redis.start_again();
    wait_readyz(doors.at("health"), 200);
    Caller caller(doors.at("envoy"));
    EXPECT_EQ(caller.count("/p", caller.mint()), 1);
  }
  program->send_signal(SIGTERM);
  EXPECT_EQ(program->wait_exit(), 0);
}

}  // namespace
}  // namespace tracker::tests
