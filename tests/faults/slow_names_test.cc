// Names of a Redis and of a counter that take long to look up.

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <memory>
#include <string>

#include "support/caller.h"
#include "support/health.h"
#include "support/preload.h"
#include "support/program.h"
#include "support/redis_server.h"

namespace tracker::tests {
namespace {

using testing::HasSubstr;

// `tracker` with the names of support/slow_names.cc.
std::unique_ptr<Program> with_slow_names(const Arguments& arguments) {
  return std::make_unique<Program>(arguments, Environment{{"LD_PRELOAD", preload_name(SLOW_NAMES_LIBRARY)},
                                                          {"ASAN_OPTIONS", "verify_asan_link_order=0"}});
}

std::unique_ptr<Program> serve_over_redis(const std::string& redis) {
  return with_slow_names({"serve", "--store", "redis", "--redis-addr", redis, "--envoy-addr", "127.0.0.1:0",
                          "--health-addr", "127.0.0.1:0"});
}

std::unique_ptr<Program> envoy_of(const std::string& counter) {
  return with_slow_names(
      {"envoy", "--counter-addr", counter, "--envoy-addr", "127.0.0.1:0", "--health-addr", "127.0.0.1:0"});
}

void expect_it_counts_in_the_end(Program& program) {
  const auto doors = program.wait_listening();
  wait_readyz(doors.at("health"), 200);
  Caller caller(doors.at("envoy"));
  EXPECT_EQ(caller.count("/p", caller.mint()), 1);
  EXPECT_THAT(program.standard_error(), HasSubstr("looking up its name takes longer than 2000 ms"));
}

void expect_it_ends_at_once(Program& program) {
  wait_readyz(program.wait_listening().at("health"), 503);
  program.send_signal(SIGTERM);
  EXPECT_EQ(program.wait_exit(), 0) << program.output();
}

TEST(SlowNamesTest, ALateLookUpOfRedisIsUsed) {
  const RedisServer redis;
  const auto program = serve_over_redis("slow.test:" + std::to_string(redis.endpoint().port));
  expect_it_counts_in_the_end(*program);
}

TEST(SlowNamesTest, ALateLookUpOfACounterIsUsed) {
  Program counter(
      {"counter", "--store", "memory", "--counter-addr", "127.0.0.1:0", "--health-addr", "127.0.0.1:0"});
  const auto program = envoy_of("slow.test:" + std::to_string(counter.wait_listening().at("counter").port));
  expect_it_counts_in_the_end(*program);
}

TEST(SlowNamesTest, ALookUpUnderWayDoesNotDelayTheEnd) {
  expect_it_ends_at_once(*serve_over_redis("stuck.test:6379"));
  expect_it_ends_at_once(*envoy_of("stuck.test:6381"));
}

}  // namespace
}  // namespace tracker::tests
