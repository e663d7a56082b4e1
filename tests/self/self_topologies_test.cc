// The self door over each kind of service: customers see every count that was answered before, and only their own.

#include <gtest/gtest.h>
#include <signal.h>

#include <functional>
#include <map>
#include <memory>
#include <ostream>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "self/self_reader.h"
#include "support/caller.h"
#include "support/fleet.h"
#include "support/health.h"
#include "support/partition.h"
#include "support/redis_server.h"
#include "support/temporary_directory.h"

namespace tracker::tests {
namespace {

// A token asks far more often here than a customer would.
const Arguments with_self_door{"--self-addr", "127.0.0.1:0", "--self-rate", "1000000"};

Arguments joined(Arguments arguments, const Arguments& more) {
  arguments.insert(arguments.end(), more.begin(), more.end());
  return arguments;
}

// Programs with a self door.
class Topology {
 public:
  virtual ~Topology() = default;
  virtual Program& front() = 0;  // with the self door
};

class Serve final : public Topology {
 public:
  explicit Serve(const std::string& store)
      : program_(joined({"serve", "--envoy-addr", "127.0.0.1:0", "--health-addr", "127.0.0.1:0", "--store",
                         store == "rocksdb" ? "rocksdb:" + (directory_.path() / "data").string() : store},
                        with_self_door)) {}
  Program& front() override { return program_; }

 private:
  TemporaryDirectory directory_;
  Program program_;
};

class EnvoyAndCounter final : public Topology {
 public:
  explicit EnvoyAndCounter(const std::string& store)
      : counter_({"counter", "--counter-addr", "127.0.0.1:0", "--health-addr", "127.0.0.1:0", "--store",
                  store == "rocksdb" ? "rocksdb:" + (directory_.path() / "data").string() : store}),
        envoy_(joined({"envoy", "--envoy-addr", "127.0.0.1:0", "--health-addr", "127.0.0.1:0",
                       "--counter-addr", counter_.wait_listening().at("counter").to_string()},
                      with_self_door)) {
    wait_all_ready(envoy_.wait_listening().at("health"));
  }
  Program& front() override { return envoy_; }

 private:
  TemporaryDirectory directory_;
  Program counter_;
  Program envoy_;
};

// Counters that own every token each, over one Redis.
class SharedRedis final : public Topology {
 public:
  SharedRedis() {
    for (const char name : {'a', 'b'})
      partition_.start_counter_on(name, redis_.address(), {"--store", "redis"});
    wait_all_ready(
        partition_.start_envoy_with(joined({"--counter-addr", partition_.list("ab")}, with_self_door))
            .health);
  }
  Program& front() override { return *partition_.envoy().program; }

 private:
  RedisServer redis_;
  Partition partition_{2};
};

class ServeRedis final : public Topology {
 public:
  ServeRedis()
      : program_(joined({"serve", "--envoy-addr", "127.0.0.1:0", "--health-addr", "127.0.0.1:0", "--store",
                         "redis", "--redis-addr", redis_.address()},
                        with_self_door)) {
    wait_all_ready(program_.wait_listening().at("health"));
  }
  Program& front() override { return program_; }

 private:
  RedisServer redis_;
  Program program_;
};

class Partitioned final : public Topology {
 public:
  explicit Partitioned(Partition::ListAt list_at) {
    partition_.start_all(list_at);
    const auto list = list_at == Partition::ListAt::balancer ? partition_.lookup() : partition_.list("abc");
    auto& envoy = partition_.start_envoy_with(joined({"--counter-addr", list}, with_self_door));
    wait_all_ready(envoy.health);
  }
  Program& front() override { return *partition_.envoy(1).program; }

 private:
  Partition partition_{3};
};

struct TopologyKind {
  const char* name;
  std::function<std::unique_ptr<Topology>()> start;
};
std::ostream& operator<<(std::ostream& out, const TopologyKind& kind) {
  return out << kind.name;
}

class SelfTopologyTest : public testing::TestWithParam<TopologyKind> {
 protected:
  void SetUp() override {
    topology_ = GetParam().start();
    doors_ = topology_->front().wait_listening();
  }
  const Endpoint& envoy() const { return doors_.at("envoy"); }
  SelfReader reader(const std::string& token) const { return {doors_.at("self"), token}; }

  std::unique_ptr<Topology> topology_;
  std::map<std::string, Endpoint> doors_;
};

INSTANTIATE_TEST_SUITE_P(
    , SelfTopologyTest,
    testing::Values(
        TopologyKind{"serve_memory", [] { return std::make_unique<Serve>("memory"); }},
        TopologyKind{"serve_rocksdb", [] { return std::make_unique<Serve>("rocksdb"); }},
        TopologyKind{"envoy_memory", [] { return std::make_unique<EnvoyAndCounter>("memory"); }},
        TopologyKind{"envoy_rocksdb", [] { return std::make_unique<EnvoyAndCounter>("rocksdb"); }},
        TopologyKind{"serve_redis", [] { return std::make_unique<ServeRedis>(); }},
        TopologyKind{"shared_redis", [] { return std::make_unique<SharedRedis>(); }},
        TopologyKind{"partition", [] { return std::make_unique<Partitioned>(Partition::ListAt::everyone); }},
        TopologyKind{"balancer", [] { return std::make_unique<Partitioned>(Partition::ListAt::balancer); }}),
    [](const auto& its) { return its.param.name; });

TEST_P(SelfTopologyTest, EachTokenSeesAtOnceWhatItsRequestsWereAnswered) {
  Caller caller(envoy());
  std::vector<std::string> tokens;
  for (int i = 0; i < 12; ++i) tokens.push_back(caller.mint());
  for (const auto& token : tokens) EXPECT_EQ(reader(token).page().counts, PathCounts());
  std::map<std::string, std::map<std::string, std::int64_t>> answered;  // by token and path
  std::minstd_rand random(1);
  for (int i = 0; i < 300; ++i) {
    const auto& token = tokens[random() % tokens.size()];
    const auto path = "/p" + std::to_string(random() % 5);
    auto& its = answered[token];
    its[path] = caller.count(path, token);
    const auto read = reader(token).ask();
    ASSERT_EQ(page_in(read).counts, PathCounts(its.begin(), its.end())) << i;
  }
  // Nothing was counted by that.
  for (const auto& [token, its] : answered) {
    for (const auto& [path, count] : its) EXPECT_EQ(caller.count(path, token), count + 1);
  }
}

TEST_P(SelfTopologyTest, PagesFollowEachOtherWhileOthersAreCounted) {
  Caller caller(envoy());
  const auto token = caller.mint();
  PathCounts wanted;
  for (int i = 10; i < 35; ++i) {
    const auto path = "/in/" + std::to_string(i);
    wanted.emplace_back(path, caller.count(path, token));
  }
  caller.count("/in", token);
  caller.count("/out", token);
  const auto reads = reader(token);
  PathCounts read;
  auto page = reads.page("?prefix=%2Fin%2f&limit=7");
  for (int pages = 1;; ++pages) {
    ASSERT_LE(page.counts.size(), 7U);
    read.insert(read.end(), page.counts.begin(), page.counts.end());
    if (!page.next) break;
    ASSERT_EQ(page.counts.size(), 7U);
    ASSERT_LE(pages, 10);
    caller.count("/in/1", token);  // before every page but the first
    page = reads.page("?limit=7&prefix=/in/&cursor=" + *page.next);
  }
  EXPECT_EQ(read, wanted);
  EXPECT_EQ(reads.all("?limit=1").size(), wanted.size() + 3);
  EXPECT_EQ(reads.page("?prefix=/nothing").counts, PathCounts());
}

TEST_P(SelfTopologyTest, AnUnknownTokenIsUnauthorizedAndNeverAnotherOne) {
  Caller caller(envoy());
  const auto token = caller.mint();
  caller.count("/secret", token);
  reader(token).page();  // its counters are reached
  for (int i = 0; i < 30; ++i) {
    const auto known = caller.mint();
    EXPECT_EQ(reader(known).page().counts, PathCounts());
  }
  for (int i = 0; i < 30; ++i) {
    auto unknown = token;
    unknown.replace(0, 8, std::to_string(10'000'000 + i));
    const auto answer = reader(unknown).ask();
    check_problem(answer, 401);
    EXPECT_EQ(answer.body.find("secret"), std::string::npos);
  }
}

TEST_P(SelfTopologyTest, ItDrains) {
  Caller caller(envoy());
  const auto token = caller.mint();
  reader(token).page();
  Caller idle(doors_.at("self"));  // an open connection holds nothing up
  page_in(idle.ask(get("/v1/self/counts", token)));
  topology_->front().send_signal(SIGTERM);
  EXPECT_EQ(topology_->front().wait_exit(), 0);
  EXPECT_EQ(topology_->front().standard_error().find(token), std::string::npos);
}

}  // namespace
}  // namespace tracker::tests
