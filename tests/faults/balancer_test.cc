// A balancer says which counter owns which token. Envoys, counters and other clients ask it.

#include <gmock/gmock.h>
#include <grpc/lookup/v1/rls.grpc.pb.h>
#include <grpcpp/create_channel.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <chrono>
#include <fstream>
#include <map>
#include <string>
#include <thread>
#include <vector>

#include "support/answer_checks.h"
#include "support/caller.h"
#include "support/deadline.h"
#include "support/health.h"
#include "support/partition.h"
#include "support/redis_cluster.h"
#include "support/steady_load.h"

namespace tracker::tests {
namespace {

using testing::HasSubstr;
using testing::Not;

// A balancer over a file, counters and an envoy that ask it.
class BalancerTest : public testing::Test {
 protected:
  void write(const std::string& version, const std::string& list) {
    std::ofstream(file_) << "version " << version << '\n' << list << '\n';
  }

  void start_balancer() { partition_.start_balancer({"--counters-file", file_}); }
  void kill_balancer() {
    balancer().program->send_signal(SIGKILL);
    ASSERT_TRUE(balancer().program->wait_exit());
  }
  Service& balancer() { return partition_.balancer(); }

  void start_counter(char name) {
    partition_.start_counter_with(name, {"--name", {name}, "--peers", partition_.lookup()});
  }

  void start_all() {
    write("1", partition_.list("abc"));
    start_balancer();
    for (const char name : {'a', 'b', 'c'}) start_counter(name);
    envoy_ = &partition_.start_envoy_with({"--counter-addr", partition_.lookup()});
    wait_all_ready(envoy_->health);
  }
  std::vector<std::string> mint(std::size_t tokens) {
    Caller caller(envoy_->door);
    std::vector<std::string> minted;
    for (std::size_t i = 0; i < tokens; ++i) minted.push_back(caller.mint());
    return minted;
  }

  // The answer of grpc.lookup.v1, or the words of the refusal.
  std::string look_up(const std::map<std::string, std::string>& keys) {
    const auto channel = grpc::CreateChannel(balancer().door.to_string(), grpc::InsecureChannelCredentials());
    const auto stub = grpc::lookup::v1::RouteLookupService::NewStub(channel);
    grpc::ClientContext context;
    context.set_deadline(std::chrono::system_clock::now() + patience);
    grpc::lookup::v1::RouteLookupRequest request;
    request.set_target_type("grpc");
    for (const auto& [key, value] : keys) (*request.mutable_key_map())[key] = value;
    grpc::lookup::v1::RouteLookupResponse response;
    const auto status = stub->RouteLookup(&context, request, &response);
    return status.ok() ? response.targets(0) : status.error_message();
  }

  const TemporaryDirectory directory_;
  const std::string file_ = directory_.path() / "counters";
  Partition partition_{4};
  Service* envoy_ = nullptr;
};

TEST_F(BalancerTest, NobodyNeedsItForCounting) {
  start_all();
  wait_all_ready(balancer().health);
  SteadyLoad load(envoy_->door, mint(12), {"/a", "/b"});
  load.wait_for_more(SteadyLoad::Kind::counted, 200);
  kill_balancer();
  load.wait_for_more(SteadyLoad::Kind::counted, 300);
  start_balancer();
  balancer().program->send_signal(SIGSTOP);
  load.wait_for_more(SteadyLoad::Kind::counted, 300);
  balancer().program->send_signal(SIGCONT);
  load.wait_for_more(SteadyLoad::Kind::counted, 300);
  const auto observations = load.stop();
  EXPECT_EQ(load.seen(SteadyLoad::Kind::refused) + load.seen(SteadyLoad::Kind::perhaps), 0U);
  EXPECT_THAT(load.complaints(), testing::IsEmpty());
  EXPECT_THAT(exactness_violations(observations, load.read_stored()), testing::IsEmpty());
}

TEST_F(BalancerTest, ACounterStartsWithTheTableOfItsStore) {
  start_all();
  const auto token = mint(1).front();
  kill_balancer();
  for (const char name : {'a', 'b', 'c'}) {
    partition_.kill_counter(name);
    start_counter(name);
  }
  wait_all_ready(envoy_->health);
  EXPECT_EQ(Caller(envoy_->door).count("/p", token), 1);
}

TEST_F(BalancerTest, ANewListReachesEverybody) {
  start_all();
  start_counter('d');
  wait_readyz(partition_.counter('d').health, 503, "lacks this counter");
  write("2", partition_.list("abcd"));
  balancer().program->send_signal(SIGHUP);
  wait_readyz(partition_.counter('d').health, 200);
  wait_all_ready(envoy_->health);
  EXPECT_EQ(mint(40).size(), 40U);
  EXPECT_THAT(balancer().program->standard_error(), HasSubstr("version 2"));

  // One that comes back with the old list turns nothing back.
  kill_balancer();
  write("1", partition_.list("abc"));
  start_balancer();
  EXPECT_THAT(wait_readyz(balancer().health, 503, "has adopted a later list"), HasSubstr("version 2"));
  EXPECT_EQ(wait_readyz(envoy_->health, 200), "ready\n");
  EXPECT_EQ(mint(40).size(), 40U);
}

TEST_F(BalancerTest, ShowsWhichCountersAreAway) {
  start_all();
  partition_.kill_counter('b');
  EXPECT_THAT(wait_readyz(balancer().health, 200, "counter b at"), HasSubstr("not reachable"));
}

TEST_F(BalancerTest, WatchesNoCounterThatIsNoLongerInTheList) {
  start_all();
  wait_all_ready(balancer().health);
  partition_.kill_counter('b');
  wait_readyz(balancer().health, 200, "counter b at");
  write("2", partition_.list("ac"));
  balancer().program->send_signal(SIGHUP);
  wait_all_ready(balancer().health);
  const auto log = balancer().program->standard_error();
  start_counter('b');
  partition_.kill_counter('a');
  wait_readyz(balancer().health, 200, "counter a at");
  start_counter('a');
  wait_all_ready(balancer().health);
  EXPECT_THAT(balancer().program->standard_error().substr(log.size()),
              Not(HasSubstr("counter b at " + partition_.address('b') + " is reachable")));
}

TEST_F(BalancerTest, OtherClientsAskForTheCounterOfAToken) {
  start_all();
  const auto token = mint(1).front();
  const auto target = look_up({{"token", token}});
  // The counter there counts the token, and no other one does.
  for (const char name : {'a', 'b', 'c'}) {
    auto& plain = partition_.start_envoy_with({"--counter-addr", partition_.address(name)});
    wait_readyz(plain.health, 200);
    const auto answer = Caller(plain.door).ask(get("/p", token));
    EXPECT_EQ(answer.status, target == partition_.address(name) ? 200 : 503);
  }
  EXPECT_THAT(look_up({{"slot", "16383"}}), HasSubstr("127.0.0.1:"));
  for (const std::map<std::string, std::string>& keys : {std::map<std::string, std::string>{},
                                                         {{"slot", "16384"}},
                                                         {{"slot", "-1"}},
                                                         {{"slot", ""}},
                                                         {{"token", "x"}},
                                                         {{"path", "/a"}},
                                                         {{"slot", "1"}, {"token", token}}}) {
    EXPECT_THAT(look_up(keys), HasSubstr("the key map must hold"));
  }
}

TEST_F(BalancerTest, NeedsAList) {
  const auto outcome = run_to_end({"balancer"});
  EXPECT_EQ(outcome.exit_code, 2);
  EXPECT_THAT(outcome.err, HasSubstr("--counters: no counters are given"));
}

// Counters beside the nodes of a Redis Cluster: a and b beside its masters, c beside the replica of the first one.
class ClusterBalancerTest : public testing::Test {
 protected:
  ClusterBalancerTest() {
    for (std::size_t i = 0; i < cluster_.size(); ++i) {
      const char name = static_cast<char>('a' + static_cast<char>(i));
      partition_.start_counter_on(name, cluster_.addresses(), {"--store", "redis-cluster"});
      list_ += (i == 0 ? "" : ",") + cluster_.node(i).address() + '=' + partition_.address(name);
    }
    partition_.start_balancer(
        {"--slots", "redis-cluster", "--redis-addr", cluster_.addresses(), "--counters", list_});
    envoy_ = &partition_.start_envoy_with({"--counter-addr", partition_.lookup()});
    wait_all_ready(envoy_->health);
  }

  std::string shown(const Arguments& more) const {
    Arguments arguments{"slots", "--counters", partition_.lookup()};
    arguments.insert(arguments.end(), more.begin(), more.end());
    const auto outcome = run_to_end(arguments);
    EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
    return outcome.out;
  }

  void expect_owner(std::uint16_t slot, char name) const {
    const auto wanted = "slot " + std::to_string(slot) + " is owned by " +
                        cluster_.node(static_cast<std::size_t>(name - 'a')).address();
    for (const Deadline deadline; shown({"--slot", std::to_string(slot)}).find(wanted) == std::string::npos;)
      ASSERT_FALSE(deadline.passed()) << wanted << "; " << shown({"--slot", std::to_string(slot)});
  }

  mutable RedisCluster cluster_{
      2, 1, RedisServer::Keeps::everything, {"--cluster-require-full-coverage", "no"}};
  Partition partition_{3};
  std::string list_;
  Service* envoy_ = nullptr;
};

TEST_F(ClusterBalancerTest, TheSlotsFollowTheMasters) {
  expect_owner(0, 'a');
  expect_owner(16'383, 'b');
  EXPECT_THAT(shown({"--ask"}), HasSubstr("every counter owns every token"));
  cluster_.move(7, 0, 1);
  expect_owner(7, 'b');
  expect_owner(6, 'a');
  wait_received(cluster_.node(2), cluster_.node(0));
  cluster_.node(2).command({"CLUSTER", "FAILOVER"});
  expect_owner(0, 'c');
  expect_owner(7, 'b');
}

// Whoever counts, it is in the cluster.
TEST_F(ClusterBalancerTest, AnotherCounterStandsInForOneThatIsAway) {
  Caller caller(envoy_->door);
  std::vector<std::string> tokens;
  for (int i = 0; i < 20; ++i) tokens.push_back(caller.mint());
  const auto expect_all = [&](std::int64_t count) {
    for (const auto& token : tokens) EXPECT_EQ(caller.count("/p", token), count);
  };
  expect_all(1);
  partition_.kill_counter('a');
  wait_readyz(envoy_->health, 200, cluster_.node(0).address());
  expect_all(2);
  partition_.balancer().program->send_signal(SIGKILL);
  ASSERT_TRUE(partition_.balancer().program->wait_exit());
  cluster_.node(2).command({"CLUSTER", "FAILOVER"});
  for (const Deadline deadline; cluster_.port_of(0, 1) != cluster_.node(2).endpoint().port;)
    ASSERT_FALSE(deadline.passed()) << "the replica is not promoted";
  for (const auto& token : tokens) {
    auto answer = caller.ask(get("/p", token));  // refused until another master has confirmed the new one
    for (const Deadline deadline; answer.status == 503 && !deadline.passed();)
      answer = caller.ask(get("/p", token));
    EXPECT_EQ(count_in(answer), 3);
  }
}

TEST(BalancerStart, WithSlotsOfAClusterTheNamesAreAddressesOfRedis) {
  const auto outcome = run_to_end({"balancer", "--slots", "redis-cluster", "--counters", "a=127.0.0.1:7001"});
  EXPECT_EQ(outcome.exit_code, 2);
  EXPECT_THAT(outcome.err,
              HasSubstr("a is not the address of a Redis; write redis-host:port=counter-host:port"));
  const auto unnamed = run_to_end({"balancer", "--slots", "redis-cluster", "--counters", "127.0.0.1:7001"});
  EXPECT_THAT(unnamed.err, HasSubstr("127.0.0.1:7001 is not the address of a Redis"));
  const auto other =
      run_to_end({"balancer", "--redis-addr", "127.0.0.1:1", "--counters", "a=127.0.0.1:7001"});
  EXPECT_EQ(other.exit_code, 2);
  EXPECT_THAT(other.err, HasSubstr("--redis-addr: it takes effect only with --slots redis-cluster"));
}

}  // namespace
}  // namespace tracker::tests
