// tracker slots asks balancers for the list, and counters what is settled.

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <algorithm>
#include <string>

#include "support/caller.h"
#include "support/health.h"
#include "support/partition.h"

namespace tracker::tests {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

constexpr const char* all_settled = "\n16384 of 16384 slots are known to be settled\n";

Outcome slots(const std::string& counters, const Arguments& flags = {}) {
  Arguments arguments{"slots", "--counters", counters};
  arguments.insert(arguments.end(), flags.begin(), flags.end());
  return run_to_end(arguments);
}

Service start_balancer(const std::string& list, const std::string& address = "127.0.0.1:0") {
  return Service::start({"balancer", "--balancer-addr", address, "--health-addr", "127.0.0.1:0", "--counters",
                         list, "--table-version", "4"},
                        "balancer");
}

TEST(SlotsTest, CountersThatAreSettledSaySo) {
  Partition partition(2);
  partition.start_all();
  const auto outcome = slots(partition.list("ab"), {"--ask"});
  EXPECT_EQ(outcome.exit_code, 0) << outcome.out;
  EXPECT_EQ(outcome.err, "");
  for (const char name : {'a', 'b'})
    EXPECT_THAT(outcome.out,
                HasSubstr("counter " + std::string{name} + " at " + partition.address(name) + " is ready\n"));
  EXPECT_THAT(outcome.out, HasSubstr(all_settled));
  EXPECT_THAT(slots(partition.list("ab")).out, Not(HasSubstr("ready"))) << "nobody is asked";
}

TEST(SlotsTest, WhatIsNotSettledIsSaid) {
  Partition partition(3);
  for (const char name : {'a', 'b'}) partition.start_counter(name, "ab", {"--table-version", "1"});
  for (const char name : {'a', 'b'}) wait_readyz(partition.counter(name).health, 200);
  auto& envoy = partition.start_envoy("ab", {"--table-version", "1"});
  wait_all_ready(envoy.health);
  Caller caller(envoy.door);
  for (int i = 0; i < 60; ++i) caller.mint();

  partition.start_counter('c', "abc", {"--table-version", "2"});
  wait_readyz(partition.counter('c').health, 503, "has another list");
  const Arguments ask{"--table-version", "2", "--ask"};
  auto outcome = slots(partition.list("abc"), ask);
  EXPECT_EQ(outcome.exit_code, 1);
  EXPECT_EQ(outcome.err, "");
  EXPECT_THAT(outcome.out, HasSubstr("is ready\n  it has another list: version 1, fingerprint "));
  EXPECT_THAT(outcome.out,
              HasSubstr("counter c at " + partition.address('c') + " is reachable, but hits of tokens in"));
  EXPECT_THAT(outcome.out, HasSubstr("\n  0 of its "));
  EXPECT_THAT(outcome.out, HasSubstr("\n0 of 16384 slots are known to be settled\n"));

  for (const char name : {'a', 'b'}) {
    partition.end_counter(name);
    partition.start_counter(name, "abc", {"--table-version", "2"});
  }
  wait_readyz(partition.counter('c').health, 200);
  outcome = slots(partition.list("abc"), ask);
  EXPECT_EQ(outcome.exit_code, 1);
  EXPECT_THAT(outcome.out, HasSubstr("that are not its own"));
  EXPECT_THAT(outcome.out, Not(HasSubstr("another list")));
  EXPECT_THAT(outcome.out, Not(HasSubstr(all_settled)));
}

TEST(SlotsTest, ACounterThatIsAwayIsNamedWithTheReason) {
  Partition partition(2);
  partition.start_all();
  partition.counter('a').program->send_signal(SIGSTOP);
  partition.kill_counter('b');
  const auto outcome = slots(partition.list("ab"), {"--ask"});
  EXPECT_EQ(outcome.exit_code, 1);
  EXPECT_THAT(outcome.out,
              HasSubstr("counter a at " + partition.address('a') + " is not reachable: it has not answered"));
  EXPECT_THAT(outcome.out, AllOf(HasSubstr("counter b at " + partition.address('b') + " is not reachable: "),
                                 HasSubstr("Connection refused\n")));
  partition.counter('a').program->send_signal(SIGCONT);
}

TEST(SlotsTest, CountersThatOwnEveryTokenSaySo) {
  Partition partition(2);
  partition.start_counter_with('a', {});
  wait_readyz(partition.counter('a').health, 200);
  auto outcome = slots(partition.list("a"), {"--ask"});
  EXPECT_EQ(outcome.exit_code, 0);
  EXPECT_THAT(outcome.out, HasSubstr("  it owns every token"));
  partition.start_counter('b', "ab");
  outcome = slots(partition.list("ab"), {"--ask"});
  EXPECT_EQ(outcome.exit_code, 1) << outcome.out;
}

TEST(SlotsTest, TheListMayBeABalancers) {
  Partition partition(2);
  const auto balancer = start_balancer(partition.list("ab"));
  const auto lookup = "lookup://" + balancer.door.to_string();
  for (const char name : {'a', 'b'})
    partition.start_counter_with(name, {"--name", {name}, "--peers", lookup});
  for (const char name : {'a', 'b'}) wait_all_ready(partition.counter(name).health);
  const auto outcome = slots(lookup, {"--ask", "--slot", "42"});
  EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
  EXPECT_THAT(outcome.out, HasSubstr("version 4, fingerprint "));
  EXPECT_THAT(outcome.out, HasSubstr("slot 42 is owned by"));
  EXPECT_THAT(outcome.out, HasSubstr(all_settled));
  EXPECT_EQ(slots(partition.list("ab"), {"--table-version", "4"}).out, slots(lookup).out);

  // One of several balancers may be away.
  const Endpoint away{"127.0.0.1", lasting_port()};
  const auto one_of_two = slots(lookup + ',' + away.to_string());
  EXPECT_EQ(one_of_two.exit_code, 0);
  EXPECT_THAT(one_of_two.out, AllOf(HasSubstr("balancer " + away.to_string() + " is not reachable: "),
                                    HasSubstr("Connection refused\n")));
  EXPECT_THAT(one_of_two.out, HasSubstr("version 4"));
}

TEST(SlotsTest, WhereNoBalancerGivesAListItIsAnError) {
  const auto refused = [](const std::string& counters) {
    const auto outcome = slots(counters);
    EXPECT_EQ(outcome.exit_code, 1);
    EXPECT_EQ(outcome.out, "");
    EXPECT_EQ(std::count(outcome.err.begin(), outcome.err.end(), '\n'), 1) << outcome.err;
    EXPECT_THAT(outcome.err, HasSubstr("--counters: balancer "));
    EXPECT_THAT(outcome.err, HasSubstr("start a balancer there"));
    return outcome.err;
  };
  const Endpoint door{"127.0.0.1", lasting_port()};
  EXPECT_THAT(refused("lookup://" + door.to_string()),
              AllOf(HasSubstr(door.to_string() + " is not reachable: "), HasSubstr("Connection refused")));

  auto balancer = start_balancer("a=127.0.0.1:1,b=127.0.0.1:2", door.to_string());
  balancer.program->send_signal(SIGSTOP);
  EXPECT_THAT(refused("lookup://" + door.to_string()), HasSubstr("has not answered the greeting"));
  balancer.program->send_signal(SIGCONT);

  Partition partition(1);
  partition.start_counter_with('a', {});
  EXPECT_THAT(refused("lookup://" + partition.address('a')), HasSubstr("gives no list of counters"));
}

}  // namespace
}  // namespace tracker::tests
