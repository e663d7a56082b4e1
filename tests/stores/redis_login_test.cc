// How a counter gets the password of its Redis: by the address or by a file. Uses a real redis-server.

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <string>
#include <thread>

#include "support/health.h"
#include "support/program.h"
#include "support/redis_server.h"
#include "support/temporary_directory.h"

namespace tracker::tests {
namespace {

using testing::HasSubstr;
using testing::Not;

class RedisLoginTest : public testing::Test {
 protected:
  std::string file_with(const std::string& text, bool for_all = false) {
    const auto path = directory_.path() / "password";
    std::ofstream(path) << text;
    using std::filesystem::perms;
    std::filesystem::permissions(
        path, perms::owner_read | perms::owner_write | (for_all ? perms::others_read : perms::none));
    return path.string();
  }

  static Arguments counter(const Arguments& more) {
    Arguments arguments{"counter", "--counter-addr", "127.0.0.1:0", "--health-addr", "127.0.0.1:0"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return arguments;
  }

  const RedisServer redis_{RedisServer::Keeps::nothing,
                           {"--requirepass", "s3cr/et%", "--user", "app", "on", ">s3cr/et%", "~*", "+@all"},
                           "s3cr/et%"};
  const TemporaryDirectory directory_;
};

void expect_ready(const Arguments& arguments, const Environment& environment = {}) {
  Program program(arguments, environment);
  wait_readyz(program.wait_listening().at("health"), 200);
  EXPECT_THAT(program.output(), Not(HasSubstr("s3cr")));
}

TEST_F(RedisLoginTest, ThePasswordComesFromAFile) {
  const auto address = redis_.address();
  for (const char* text : {"s3cr/et%", "s3cr/et%\n", "s3cr/et%\r\n", "s3cr/et%\nmore\n"}) {
    expect_ready(counter({"--redis-addr", address, "--redis-password-file", file_with(text)}));
  }
  const auto file = file_with("s3cr/et%\n");
  expect_ready(counter({"--redis-addr", "redis://app@" + address, "--redis-password-file", file}));
  expect_ready(counter({}), {{"REDIS_ADDR", address}, {"TRACKER_REDIS_PASSWORD_FILE", file + "\n"}});
}

TEST_F(RedisLoginTest, ThePasswordComesFromTheAddressWithWhiteSpaceAroundIt) {
  expect_ready(counter({}), {{"REDIS_ADDR", "  redis://:s3cr%2Fet%25@" + redis_.address() + "/0\n"}});
}

void wait_for_log(Program& program, const std::string& said) {
  for (const Deadline deadline; program.output().find(said) == std::string::npos;) {
    ASSERT_FALSE(deadline.passed()) << program.output();
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
}

// A changed password needs no restart.
TEST_F(RedisLoginTest, SighupReadsTheFileAgain) {
  for (const std::string command : {"counter", "serve"}) {
    SCOPED_TRACE(command);
    const auto file = file_with("of yesterday");
    Program program({command, "--" + (command == "serve" ? "envoy" : command) + "-addr", "127.0.0.1:0",
                     "--health-addr", "127.0.0.1:0", "--store", "redis", "--redis-addr",
                     "redis://app@" + redis_.address(), "--redis-password-file", file});
    const auto health = program.wait_listening().at("health");
    wait_readyz(health, 503, "--redis-password-file is wrong");
    std::filesystem::remove(file);
    program.send_signal(SIGHUP);
    wait_for_log(program, "warning SIGHUP: the password stays as it was: --redis-password-file: ");
    file_with("s3cr/et%\n");
    program.send_signal(SIGHUP);
    wait_readyz(health, 200);
    EXPECT_THAT(program.output(), Not(HasSubstr("s3cr")));
  }
}

TEST_F(RedisLoginTest, AFileForAllEyesIsWarnedOf) {
  const auto warned = [&](bool for_all) {
    Program program(
        counter({"--redis-addr", redis_.address(), "--redis-password-file", file_with("s3cr/et%", for_all)}));
    program.wait_listening();
    return program.output();
  };
  EXPECT_THAT(warned(true), HasSubstr("warning --redis-password-file: "));
  EXPECT_THAT(warned(false), Not(HasSubstr("--redis-password-file")));
}

void expect_error(const Outcome& outcome, int exit_code, const std::string& said) {
  EXPECT_EQ(outcome.exit_code, exit_code);
  EXPECT_THAT(outcome.err, HasSubstr(said));
  EXPECT_THAT(outcome.err, HasSubstr("--redis-"));
  EXPECT_THAT(outcome.err, Not(HasSubstr("s3cr")));
}

TEST_F(RedisLoginTest, FilesThatHoldNoPasswordAreRefused) {
  const auto run = [&](const std::string& file) {
    return run_to_end(counter({"--redis-addr", redis_.address(), "--redis-password-file", file}));
  };
  expect_error(run((directory_.path() / "nowhere").string()), 1, "No such file");
  expect_error(run(directory_.path().string()), 1, "directory");
  expect_error(run(file_with("")), 2, "first line is empty");
  expect_error(run(file_with("\ns3cr\n")), 2, "first line is empty");
}

TEST_F(RedisLoginTest, APasswordComesFromOnePlace) {
  const auto file = file_with("s3cr");
  expect_error(run_to_end(counter(
                   {"--redis-addr", "redis://:s3cr@" + redis_.address(), "--redis-password-file", file})),
               2, "holds a password, too");
  expect_error(run_to_end(counter({"--redis-addr", "redis://s3cr@" + redis_.address()})), 2, "colon");
}

TEST(RedisAddressTest, WhatIsWrongInItIsSaid) {
  const struct {
    std::string address;
    std::string said;
  } wrong[] = {
      {"rediss://:s3cr@127.0.0.1:1", "TLS"},
      {"redis://:s3cr/s3cr=@127.0.0.1:1", "%2F"},
      {"redis://:s3cr%s3cr@127.0.0.1:1", "%25"},
      {"redis://s3cr@127.0.0.1:1", "redis://:password@"},
      {"unix:///run/redis.sock", "Unix socket"},
      {"/var/run/redis.sock", "Unix socket"},
      {"redis://:s3cr@127.0.0.1:1/0?protocol=3", "query"},
      {"redis://:s3cr@127.0.0.1:1/0#s3cr", "fragment"},
      {"redis://:s3cr@127.0.0.1:1/zero", "database"},
      {"redis://:s3cr@127.0.0.1:port", "port"},
      {"redis://:s3cr@:6379", "host"},
      {"127.0.0.1", "port is missing"},
  };
  for (const auto& [address, said] : wrong) {
    expect_error(run_to_end({"counter", "--counter-addr", "127.0.0.1:0"}, {{"REDIS_ADDR", address}}), 2,
                 said);
  }
}

}  // namespace
}  // namespace tracker::tests
