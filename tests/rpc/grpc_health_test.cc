// grpc.health.v1 of the counter, and the answers to calls while its Redis is away or silent.

#include <gtest/gtest.h>
#include <signal.h>

#include <chrono>
#include <future>
#include <memory>
#include <optional>
#include <string>
#include <thread>

#include "grpc_client.h"
#include "support/redis_server.h"

namespace tracker::tests {
namespace {

using namespace std::chrono_literals;

constexpr const char* public_service = "manager_rpc.CounterService";

using GrpcHealthTest = CounterTest;

TEST_F(GrpcHealthTest, ServesAsAWholeAndByService) {
  for (const char* service : {"", public_service}) {
    Health health{};
    EXPECT_TRUE(has_status(check_health(client_.channel(), service, health), grpc::OK)) << service;
    EXPECT_EQ(health, Health::serving) << service;
  }
}

TEST_F(GrpcHealthTest, UnknownServiceIsNotFound) {
  for (const char* service : {"nonsense", "manager_rpc", "/manager_rpc.CounterService"}) {
    Health health{};
    EXPECT_TRUE(has_status(check_health(client_.channel(), service, health), grpc::NOT_FOUND)) << service;
  }
  EXPECT_EQ(HealthWatch(client_.channel(), "nonsense").next(), Health::service_unknown);
}

TEST_F(GrpcHealthTest, WatchSaysAtOnceThatItServes) {
  for (const char* service : {"", public_service}) {
    EXPECT_EQ(HealthWatch(client_.channel(), service).next(), Health::serving) << service;
  }
}

TEST_F(GrpcHealthTest, WatchersThatComeAndGoDoNoHarm) {
  for (int i = 0; i < 100; ++i) HealthWatch(client_.channel(), "");
  CounterClient other(door_);
  EXPECT_TRUE(is_counted(other.update(other.mint(), "/p"), 1));
}

// So is a missing service that somebody watches, whatever the status of the existing services.
bool is_not_found(const std::shared_ptr<grpc::Channel>& channel, const std::string& service) {
  Health health{};
  return check_health(channel, service, health).error_code() == grpc::NOT_FOUND;
}

// During --drain-delay it says that the end is near, and goes on serving.
TEST(GrpcDrainDelayTest, WatchSaysNotServingAndCallsAreAnswered) {
  Program program(counter_arguments("memory", {"--drain-delay", "300s"}));
  CounterClient client(program.wait_listening().at("counter"));
  const std::string token = client.mint();
  HealthWatch watch(client.channel(), "");
  HealthWatch watch_service(client.channel(), public_service);
  HealthWatch watch_unknown(client.channel(), "nonsense");
  EXPECT_EQ(watch.next(), Health::serving);
  EXPECT_EQ(watch_service.next(), Health::serving);
  EXPECT_EQ(watch_unknown.next(), Health::service_unknown);
  program.send_signal(SIGTERM);
  EXPECT_EQ(watch.next(), Health::not_serving);
  EXPECT_EQ(watch_service.next(), Health::not_serving);
  EXPECT_TRUE(is_not_found(client.channel(), "nonsense"));
  Health health{};
  EXPECT_TRUE(has_status(check_health(client.channel(), "", health), grpc::OK));
  EXPECT_EQ(health, Health::not_serving);
  EXPECT_TRUE(is_counted(client.update(token, "/p"), 1));
  EXPECT_TRUE(is_counted(CounterClient(program.wait_listening().at("counter")).update(token, "/p"), 2));
  // A second signal takes effect from a second after the first one.
  for (const Deadline deadline; !program.wait_exit(std::chrono::milliseconds(100)) && !deadline.passed();) {
    program.send_signal(SIGTERM);
  }
  EXPECT_TRUE(program.wait_exit().has_value());
}

// Starts a counter over Redis that waits for an answer at most this long, even if its caller would wait longer.
std::unique_ptr<Program> start_counter(const RedisServer& redis, const std::string& request_deadline) {
  return std::make_unique<Program>(
      counter_arguments("redis", {"--redis-addr", redis.address(), "--request-deadline", request_deadline}));
}

// The refusals come at once, not at the deadline of the call or of the counter.
void expect_refusals_at_once(CounterClient& client, const std::string& token) {
  for (int i = 0; i < 20; ++i) {
    const Update update = client.update(token, "/p", 10s);
    EXPECT_TRUE(has_status(update.status, grpc::UNAVAILABLE));
    std::string none;
    EXPECT_TRUE(has_status(client.new_token(none, 10s), grpc::UNAVAILABLE));
    EXPECT_EQ(none, "");
  }
  // These are recognised as wrong without the store.
  EXPECT_TRUE(has_status(client.update(token, "").status, grpc::INVALID_ARGUMENT));
  EXPECT_TRUE(is_unknown(client.update("invalid", "/p")));
}

TEST(GrpcOutageTest, HealthFollowsRedis) {
  RedisServer redis(RedisServer::Keeps::everything);
  redis.kill();
  const auto program = start_counter(redis, "60s");
  CounterClient client(program->wait_listening().at("counter"));
  HealthWatch watch(client.channel(), "");
  HealthWatch watch_service(client.channel(), public_service);
  HealthWatch watch_unknown(client.channel(), "nonsense");
  EXPECT_EQ(watch.next(), Health::not_serving);
  EXPECT_EQ(watch_service.next(), Health::not_serving);
  EXPECT_EQ(watch_unknown.next(), Health::service_unknown);
  Health health{};
  for (const char* service : {"", public_service}) {
    EXPECT_TRUE(has_status(check_health(client.channel(), service, health), grpc::OK)) << service;
    EXPECT_EQ(health, Health::not_serving) << service;
  }
  expect_refusals_at_once(client, "00000000-0000-4000-8000-000000000000");

  std::string token;
  for (std::int64_t round = 0; round < 2; ++round) {
    redis.start_again();
    EXPECT_EQ(watch.next(), Health::serving);
    EXPECT_EQ(watch_service.next(), Health::serving);
    EXPECT_TRUE(is_not_found(client.channel(), "nonsense")) << "although it is watched";
    if (token.empty()) token = client.mint();
    EXPECT_TRUE(is_counted(client.update(token, "/p"), round + 1)) << "refusals counted nothing";
    redis.kill();
    EXPECT_EQ(watch.next(), Health::not_serving);
    EXPECT_EQ(watch_service.next(), Health::not_serving);
    expect_refusals_at_once(client, token);
    EXPECT_TRUE(is_not_found(client.channel(), "nonsense"));
  }
  program->send_signal(SIGTERM);
  EXPECT_EQ(watch_unknown.next(), std::nullopt) << "it stays unknown until the end";
  EXPECT_EQ(program->wait_exit(), 0) << program->output();
}

// Makes Redis accept commands but hold back those that write.
void hold_writes(const RedisServer& redis) {
  redis.command({"CLIENT", "PAUSE", "600000", "WRITE"});
}

void release_writes(const RedisServer& redis) {
  redis.command({"CLIENT", "UNPAUSE"});
}

// Returns whether a client's write was received and is held back.
bool holds_a_write(const RedisServer& redis) {
  for (const Deadline deadline; !deadline.passed(); std::this_thread::sleep_for(1ms)) {
    if (redis.command({"CLIENT", "LIST"}).text.find("flags=b") != std::string::npos) return true;
  }
  return false;
}

TEST(GrpcOutageTest, CallThatWaitsForRedisIsPerhapsCounted) {
  RedisServer redis;
  const auto program = start_counter(redis, "500ms");
  CounterClient client(program->wait_listening().at("counter"));
  ASSERT_TRUE(wait_serving(client.channel()));
  const std::string token = client.mint();
  EXPECT_TRUE(is_counted(client.update(token, "/p"), 1));

  hold_writes(redis);
  // The counter itself answers before the caller gives up.
  EXPECT_TRUE(has_status(client.update(token, "/p").status, grpc::UNKNOWN));
  release_writes(redis);
  std::int64_t counted = 0;
  for (const Deadline deadline; counted == 0 && !deadline.passed();) {
    const Update update = client.update(token, "/p");
    if (update.success) counted = update.counter;
    if (!update.success) {
      EXPECT_TRUE(has_status(update.status, grpc::UNAVAILABLE));
    }
  }
  EXPECT_GE(counted, 2);
  EXPECT_LE(counted, 3);
}

TEST(GrpcOutageTest, CallersDeadlineEndsTheCallThatWaitsForRedis) {
  RedisServer redis;
  const auto program = start_counter(redis, "60s");
  CounterClient client(program->wait_listening().at("counter"));
  ASSERT_TRUE(wait_serving(client.channel()));
  const std::string token = client.mint();

  hold_writes(redis);
  EXPECT_TRUE(has_status(client.update(token, "/p", 300ms).status, grpc::DEADLINE_EXCEEDED));
  release_writes(redis);
  const std::int64_t counted = client.count(token, "/p");
  EXPECT_GE(counted, 1);
  EXPECT_LE(counted, 2);
}

TEST(GrpcOutageTest, SigtermAnswersTheCallThatIsUnderWay) {
  RedisServer redis;
  const auto program = start_counter(redis, "60s");
  CounterClient client(program->wait_listening().at("counter"));
  ASSERT_TRUE(wait_serving(client.channel()));
  HealthWatch watch(client.channel(), "");
  EXPECT_EQ(watch.next(), Health::serving);
  const std::string token = client.mint();

  hold_writes(redis);
  auto under_way = std::async(std::launch::async, [&] { return client.update(token, "/p"); });
  EXPECT_TRUE(holds_a_write(redis));
  program->send_signal(SIGTERM);
  EXPECT_EQ(watch.next(), Health::not_serving);
  release_writes(redis);
  EXPECT_TRUE(is_counted(under_way.get(), 1));
  EXPECT_EQ(program->wait_exit(), 0) << program->output();
}

}  // namespace
}  // namespace tracker::tests
