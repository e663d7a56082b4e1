// Several counters among which the tokens are partitioned by the envoy.

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <algorithm>
#include <chrono>
#include <fstream>
#include <map>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "support/caller.h"
#include "support/health.h"
#include "support/partition.h"
#include "support/redis_server.h"
#include "support/steady_load.h"

namespace tracker::tests {
namespace {

using testing::HasSubstr;

std::vector<std::string> mint(const Endpoint& envoy, std::size_t tokens) {
  Caller caller(envoy);
  std::vector<std::string> minted;
  for (std::size_t i = 0; i < tokens; ++i) minted.push_back(caller.mint());
  return minted;
}

// Asks once for each token. Returns the tokens by the status of their answers.
std::map<int, std::vector<std::string>> ask_once(const Endpoint& envoy,
                                                 const std::vector<std::string>& tokens,
                                                 const std::string& path) {
  std::map<int, std::vector<std::string>> by_status;
  Caller caller(envoy);
  for (const auto& token : tokens) by_status[caller.ask(get(path, token)).status].push_back(token);
  return by_status;
}

// Waits until the envoy has a connection to every counter.
void wait_reached(const Endpoint& health) {
  for (const Deadline deadline; !deadline.passed();) {
    if (wait_readyz(health, 200).find("not reachable") == std::string::npos) return;
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  FAIL() << wait_readyz(health, 200);
}

void expect_count(const Endpoint& envoy, const std::vector<std::string>& tokens, const std::string& path,
                  std::int64_t count) {
  Caller caller(envoy);
  for (const auto& token : tokens) EXPECT_EQ(caller.count(path, token), count) << token;
}

TEST(PartitionTest, TokensAreSpreadAndCountedExactly) {
  Partition partition(3);
  partition.start_all();
  const auto tokens = mint(partition.envoy().door, 60);
  for (std::int64_t round = 1; round <= 3; ++round) expect_count(partition.envoy().door, tokens, "/p", round);
  // Another envoy with the list in another order sends to the same counters.
  auto& other = partition.start_envoy("cab");
  wait_all_ready(other.health);
  expect_count(other.door, tokens, "/p", 4);

  partition.kill_counter('b');
  wait_readyz(partition.envoy().health, 200, "counter b at " + partition.address('b'));
  const auto answers = ask_once(partition.envoy().door, tokens, "/p");
  EXPECT_GT(answers.at(503).size(), 5U);
  EXPECT_GT(answers.at(200).size(), 20U);
  EXPECT_EQ(answers.size(), 2U);
  EXPECT_EQ(mint(partition.envoy().door, 20).size(), 20U);  // by the counters that are up
  partition.start_counter('b', "abc");                      // it needs nobody for that
  wait_all_ready(partition.envoy().health);
  expect_count(partition.envoy().door, answers.at(503), "/p", 5);
  expect_count(partition.envoy().door, answers.at(200), "/p", 6);
}

TEST(PartitionTest, IsExactWhileCountersAreKilledAndPaused) {
  Partition partition(3);
  partition.start_all();
  SteadyLoad load(partition.envoy().door, mint(partition.envoy().door, 12), {"/a", "/b"});
  for (const char name : {'a', 'b', 'c', 'a'}) {
    load.wait_for_more(SteadyLoad::Kind::counted, 200);
    partition.kill_counter(name);
    load.wait_for_more(SteadyLoad::Kind::counted, 200);
    partition.start_counter(name, "abc");
    partition.counter('b').program->send_signal(SIGSTOP);
    load.wait_for_more(SteadyLoad::Kind::counted, 200);
    partition.counter('b').program->send_signal(SIGCONT);
    wait_all_ready(partition.envoy().health);
  }
  load.wait_for_more(SteadyLoad::Kind::counted, 200);
  const auto observations = load.stop();
  EXPECT_THAT(load.complaints(), testing::IsEmpty());
  EXPECT_THAT(load.lost_tokens(), testing::IsEmpty());
  EXPECT_THAT(exactness_violations(observations, load.read_stored()), testing::IsEmpty());
}

// Only hits whose owners differ between the lists are refused, and nothing is counted in two places.
TEST(PartitionTest, AnEnvoyWithAnotherListIsRefusedOnlyWhatMoved) {
  Partition partition(3);
  partition.start_all();
  const auto tokens = mint(partition.envoy().door, 90);
  auto& outdated = partition.start_envoy("ab", {"--threads", "1"});
  wait_readyz(outdated.health, 200, "has another list");
  wait_reached(outdated.health);
  const auto answers = ask_once(outdated.door, tokens, "/p");
  EXPECT_GT(answers.at(200).size(), 30U);  // about two thirds
  EXPECT_GT(answers.at(503).size(), 10U);
  EXPECT_EQ(answers.size(), 2U);
  EXPECT_THAT(outdated.program->standard_error(), HasSubstr("has another list"));
  expect_count(partition.envoy().door, answers.at(200), "/p", 2);
  expect_count(partition.envoy().door, answers.at(503), "/p", 1);
}

TEST(PartitionTest, ACounterShowsTheOtherListOfAnEnvoyThatIsConnected) {
  Partition partition(3);
  partition.start_all();
  const auto& health = partition.counter('a').health;
  auto& outdated = partition.start_envoy("ab");
  EXPECT_THAT(wait_readyz(health, 200, "an envoy has another list, " + partition.list("ab")),
              HasSubstr("than this counter, " + partition.list("abc")));
  outdated.program->send_signal(SIGKILL);
  ASSERT_TRUE(outdated.program->wait_exit());
  wait_all_ready(health);

  // The list of an envoy whose connection lasts.
  const TemporaryDirectory directory;
  const std::string file = directory.path() / "counters";
  const auto write = [&](const std::string& version, const std::string& names) {
    std::string lines = partition.list(names);
    std::replace(lines.begin(), lines.end(), ',', '\n');
    std::ofstream(file) << "version " << version << '\n' << lines << '\n';
  };
  write("1", "abc");
  auto& envoy = partition.start_envoy_with({"--counters-file", file});
  wait_all_ready(envoy.health);
  wait_all_ready(health);
  write("2", "ab");
  envoy.program->send_signal(SIGHUP);
  wait_readyz(health, 200, "(version 2), than this counter");
  write("3", "cab");
  envoy.program->send_signal(SIGHUP);
  wait_all_ready(health);
  EXPECT_THAT(partition.counter('a').program->standard_error(), HasSubstr("an envoy has another list"));
}

TEST(PartitionTest, AnEnvoyOfOneCounterOfSeveralIsRefusedTheOthersTokens) {
  Partition partition(2);
  partition.start_all();
  const auto tokens = mint(partition.envoy().door, 40);
  auto& plain = partition.start_envoy("a", {"--threads", "1"});
  wait_readyz(plain.health, 200, "has another list");
  const auto answers = ask_once(plain.door, tokens, "/p");
  EXPECT_EQ(answers.size(), 2U);
  EXPECT_GT(answers.at(200).size(), 5U);
  EXPECT_GT(answers.at(503).size(), 5U);
}

TEST(PartitionTest, AMixtureIsRefusedWhole) {
  Partition partition(2);
  partition.start_counter_with('a', {});
  partition.start_counter('b', "ab");
  auto& envoy = partition.start_envoy("ab", {"--threads", "1"});
  wait_readyz(envoy.health, 503, "counter a owns every token");
  EXPECT_TRUE(is_refusal(Caller(envoy.door).ask(get_without_token("/auth")), 503));
  EXPECT_THAT(wait_readyz(partition.counter('b').health, 503), HasSubstr("start it with the same --peers"));
}

TEST(PartitionTest, CountersThatOwnEveryTokenInDifferentStoresAreRefusedWhole) {
  Partition partition(2);
  partition.start_counter_with('a', {});
  auto& alone = partition.start_envoy("a");
  wait_readyz(alone.health, 200);
  const auto known = mint(alone.door, 20);
  auto& envoy = partition.start_envoy("ab", {"--threads", "1"});
  // As long as b is not heard of, a token that a does not know may be known to b.
  const auto early = ask_once(envoy.door, known, "/p");
  EXPECT_FALSE(early.contains(401));
  partition.start_counter_with('b', {});
  wait_readyz(envoy.health, 503, "not known to share one Redis");
  EXPECT_EQ(ask_once(envoy.door, known, "/p").at(503).size(), known.size());
}

TEST(PartitionTest, NamesThatAreNotInTheListAreMistakes) {
  Partition partition(2);
  const auto refused = [&](const std::string& name, const std::string& list) {
    auto arguments = partition.counter_flags('a');
    for (const auto& flag : {std::string("--peers"), list, std::string("--name"), name})
      arguments.push_back(flag);
    const auto outcome = run_to_end(arguments);
    EXPECT_EQ(outcome.exit_code, 2);
    return outcome.err;
  };
  EXPECT_THAT(refused("c", partition.list("ab")), HasSubstr("\"c\" is not in the list of counters"));
  EXPECT_THAT(refused("a", "a=127.0.0.1:1,a=127.0.0.1:2"), HasSubstr("the name 'a' is there twice"));
}

TEST(PartitionTest, AStoreThatHasCountedPartitionedNeedsItsPeers) {
  Partition partition(2);
  partition.start_all();
  partition.end_counter('a');
  const auto without = run_to_end(partition.counter_flags('a'));
  EXPECT_EQ(without.exit_code, 2);
  EXPECT_THAT(without.err, HasSubstr("--peers"));
  auto& misnamed =
      partition.start_counter_with('a', {"--name", "b", "--peers", "b=" + partition.address('a')});
  EXPECT_THAT(wait_readyz(misnamed.health, 503), HasSubstr("the store has counted as a"));
}

TEST(PartitionTest, ACounterOnANewDiskDoesNotCount) {
  Partition partition(2);
  partition.start_all();
  const auto tokens = mint(partition.envoy().door, 20);
  expect_count(partition.envoy().door, tokens, "/p", 1);
  partition.kill_counter('a');
  partition.lose_store('a');
  partition.start_counter('a', "ab");
  EXPECT_THAT(wait_readyz(partition.counter('a').health, 503, "knows another store by the name of a"),
              HasSubstr("tracker slots forget a"));
  const auto answers = ask_once(partition.envoy().door, tokens, "/p");
  EXPECT_FALSE(answers.contains(401));
  EXPECT_GT(answers.at(503).size(), 2U);
}

// A counter joins: only the slots that it gains stop, and they settle where no token lies in them.
TEST(PartitionTest, ACounterJoins) {
  Partition partition(3);
  for (const char name : {'a', 'b'}) partition.start_counter(name, "ab", {"--table-version", "1"});
  for (const char name : {'a', 'b'}) wait_readyz(partition.counter(name).health, 200);
  auto& envoy = partition.start_envoy("ab", {"--table-version", "1"});
  wait_all_ready(envoy.health);
  const auto tokens = mint(envoy.door, 60);
  expect_count(envoy.door, tokens, "/p", 1);

  partition.start_counter('c', "abc", {"--table-version", "2"});
  wait_readyz(partition.counter('c').health, 503, "has another list");
  for (const char name : {'a', 'b'}) {
    partition.end_counter(name);
    partition.start_counter(name, "abc", {"--table-version", "2"});
  }
  wait_readyz(partition.counter('c').health, 200);
  // The envoy of the old list goes on with what did not move. The new one reaches the slots of c that were free.
  auto& after = partition.start_envoy("abc", {"--table-version", "2"});
  wait_all_ready(after.health);
  wait_reached(envoy.health);
  const auto old = ask_once(envoy.door, tokens, "/p");
  const auto now = ask_once(after.door, tokens, "/p");
  EXPECT_EQ(old.at(200), now.at(200));  // nobody else counts a token whose counts lie at a or b
  EXPECT_FALSE(now.contains(401));
  EXPECT_GT(now.at(503).size(), 5U);
  EXPECT_GT(now.at(200).size(), 25U);
  std::set<std::string> fresh;
  for (const auto& token : mint(after.door, 60)) fresh.insert(token);
  expect_count(after.door, {fresh.begin(), fresh.end()}, "/p", 1);
  EXPECT_THAT(wait_readyz(partition.counter('a').health, 200), HasSubstr("slots that are other counters'"));
}

// What is not gained goes on, and nothing settles without the counter that is down.
TEST(PartitionTest, ACounterIsDownDuringTwoChanges) {
  Partition partition(3);
  const Arguments first{"--table-version", "1"};
  const Arguments second{"--table-version", "2"};
  const Arguments third{"--table-version", "3"};
  for (const char name : {'a', 'b'}) partition.start_counter(name, "ab", first);
  for (const char name : {'a', 'b'}) wait_readyz(partition.counter(name).health, 200);
  auto& before = partition.start_envoy("ab", first);
  wait_all_ready(before.health);
  const auto tokens = mint(before.door, 60);
  expect_count(before.door, tokens, "/p", 1);
  partition.kill_counter('b');

  partition.end_counter('a');
  partition.start_counter('a', "abc", second);
  partition.start_counter('c', "abc", second);
  wait_readyz(partition.counter('c').health, 503, "counter b at " + partition.address('b'));
  partition.end_counter('a');
  partition.start_counter('a', "ab-c", third);
  partition.end_counter('c');
  partition.start_counter('c', "ab-c", third);
  wait_readyz(partition.counter('c').health, 503, "this counter leaves");

  auto& after = partition.start_envoy("ab-c", {"--table-version", "3", "--threads", "1"});
  wait_readyz(after.health, 200, "counter b at " + partition.address('b'));
  const auto without = ask_once(after.door, tokens, "/p");
  EXPECT_EQ(without.size(), 2U);
  partition.start_counter('b', "ab-c", third);
  wait_all_ready(partition.counter('a').health);
  wait_all_ready(after.health);
  // a gave up in the second list what it gained back in the third. So those of its tokens wait until b has the list.
  expect_count(after.door, without.at(503), "/p", 2);
  expect_count(after.door, without.at(200), "/p", 3);
}

TEST(PartitionTest, AListIsReadAgain) {
  Partition partition(2);
  const TemporaryDirectory directory;
  const std::string file = directory.path() / "counters";
  const auto write = [&](const std::string& text) { std::ofstream(file) << text; };
  write("version 1\na=" + partition.address('a') + "\n");
  partition.start_counter_with('a', {"--name", "a", "--counters-file", file});
  wait_readyz(partition.counter('a').health, 200);
  auto& envoy = partition.start_envoy_with({"--counters-file", file});
  wait_all_ready(envoy.health);
  const auto tokens = mint(envoy.door, 20);

  const auto two = "a=" + partition.address('a') + "\nb=" + partition.address('b') + "\n";
  write("version 1\n" + two);  // another list with the same version
  partition.counter('a').program->send_signal(SIGHUP);
  EXPECT_THAT(wait_readyz(partition.counter('a').health, 200, "is refused"), HasSubstr("a higher version"));
  write("version 2\n" + two);
  partition.start_counter_with('b', {"--name", "b", "--counters-file", file});
  partition.counter('a').program->send_signal(SIGHUP);
  envoy.program->send_signal(SIGHUP);
  wait_readyz(partition.counter('b').health, 200);
  wait_all_ready(envoy.health);
  const auto answers = ask_once(envoy.door, tokens, "/p");
  EXPECT_FALSE(answers.contains(401));
  EXPECT_GT(answers.at(200).size(), 3U);
  EXPECT_GT(answers.at(503).size(), 3U);  // their counts lie at a, and b owns them
}

TEST(PartitionTest, TheCountersOfOneRedisStandInForEachOther) {
  Partition partition(2);
  const RedisServer redis;
  const auto start = [&](char name) {
    partition.start_counter_on(name, redis.address(), {});
    wait_readyz(partition.counter(name).health, 200);
  };
  start('a');
  start('b');
  auto& envoy = partition.start_envoy("ab", {"--threads", "1"});
  wait_all_ready(envoy.health);
  const auto tokens = mint(envoy.door, 30);
  expect_count(envoy.door, tokens, "/p", 1);
  partition.kill_counter('a');
  wait_readyz(envoy.health, 200, "counter a at");
  expect_count(envoy.door, tokens, "/p", 2);
  start('a');
  wait_all_ready(envoy.health);
  expect_count(envoy.door, tokens, "/p", 3);
  EXPECT_TRUE(is_refusal(Caller(envoy.door).ask(get("/p", "01234567-89ab-4cde-8f01-23456789abcd")), 401));
}

// A process that was thought to be dead comes back while another one has its place.
TEST(PartitionTest, OfTwoProcessesWithOneNameOnARedisTheLaterOneCounts) {
  Partition partition(3);
  const RedisServer redis;
  partition.start_counter_on('a', redis.address(), {"--name", "a", "--peers", partition.list("ab")});
  partition.start_counter('b', "ab");
  auto& envoy = partition.start_envoy("ab");
  wait_all_ready(envoy.health);
  const auto tokens = mint(envoy.door, 30);
  expect_count(envoy.door, tokens, "/p", 1);

  partition.counter('a').program->send_signal(SIGSTOP);
  const auto moved = "a=" + partition.address('c') + ",b=" + partition.address('b');
  partition.start_counter_on('c', redis.address(), {"--name", "a", "--peers", moved});
  wait_readyz(partition.counter('c').health, 200);
  auto& other = partition.start_envoy_with({"--counter-addr", moved});
  wait_all_ready(other.health);
  expect_count(other.door, tokens, "/p", 2);

  partition.counter('a').program->send_signal(SIGCONT);
  wait_readyz(partition.counter('a').health, 503, "another counter has taken it over");
  const auto answers = ask_once(envoy.door, tokens, "/p");
  EXPECT_GT(answers.at(200).size(), 5U);
  EXPECT_GT(answers.at(503).size(), 5U);
  EXPECT_EQ(answers.size(), 2U);
  expect_count(other.door, answers.at(503), "/p", 3);
  expect_count(other.door, answers.at(200), "/p", 4);
}

TEST(PartitionTest, CountersWithPeersDoNotShareARedis) {
  Partition partition(2);
  const RedisServer redis;
  for (const char name : {'a', 'b'}) {
    partition.start_counter_on(name, redis.address(), {"--name", {name}, "--peers", partition.list("ab")});
  }
  // The first one to write has the store. The other one sees its name there.
  wait_readyz(partition.counter('a').health, 503);
  wait_readyz(partition.counter('b').health, 503);
}

}  // namespace
}  // namespace tracker::tests
