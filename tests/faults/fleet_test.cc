// Three envoys in front of one counter, of three, or of two on a Redis Cluster: the exercise that first described tracker,
// tokens that are valid on all envoys at once, and `tracker check`, which does the same for people.

#include <gtest/gtest.h>
#include <signal.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <future>
#include <map>
#include <memory>
#include <random>
#include <regex>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "support/caller.h"
#include "support/cluster_fleet.h"
#include "support/fleet.h"
#include "support/health.h"
#include "support/partition.h"
#include "support/wrong_envoy.h"

namespace tracker::tests {
namespace {

constexpr std::size_t envoys_number = 3;

struct Request {
  std::size_t envoy;
  std::string token;
  std::string path;
};

struct Share {
  std::size_t envoy;
  std::string token;
  std::string path;
  std::size_t requests;
};

std::vector<Share> shares(const std::string& first, const std::string& second) {
  return {{0, first, "/test", 500},     {1, first, "/test", 300},  {2, first, "/test", 200},
          {0, first, "/test2", 300},    {1, first, "/test2", 400}, {2, first, "/test2", 200},
          {0, second, "/test", 500},    {1, second, "/test", 600}, {0, "invalid", "/test", 500},
          {2, "invalid", "/test2", 500}};
}

std::vector<Request> in_random_order(const std::vector<Share>& all) {
  std::vector<Request> requests;
  for (const auto& [envoy, token, path, number] : all) {
    requests.insert(requests.end(), number, Request{envoy, token, path});
  }
  std::shuffle(requests.begin(), requests.end(), std::mt19937(std::random_device{}()));
  return requests;
}

struct Answered {
  std::map<std::pair<std::string, std::string>, std::vector<std::int64_t>> counts;  // by token and path
  std::size_t unauthorised = 0;
};

// Sends every `step`th request, from `first` on, over one connection to each envoy.
Answered ask_some(const std::vector<Endpoint>& envoys, const std::vector<Request>& requests,
                  std::size_t first, std::size_t step) {
  Answered answered;
  std::vector<Caller> callers(envoys.begin(), envoys.end());
  for (std::size_t i = first; i < requests.size(); i += step) {
    const auto& [envoy, token, path] = requests[i];
    const HttpAnswer answer = callers.at(envoy).ask(get(path, token));
    if (token == "invalid") {
      EXPECT_TRUE(is_refusal(answer, 401));
      ++answered.unauthorised;
    } else {
      answered.counts[{token, path}].push_back(count_in(answer));
    }
  }
  return answered;
}

Answered ask_all(const std::vector<Endpoint>& envoys, const std::vector<Request>& requests) {
  constexpr std::size_t clients = 12;
  std::vector<std::future<Answered>> running;
  for (std::size_t i = 0; i < clients; ++i) {
    running.push_back(
        std::async(std::launch::async, [&, i] { return ask_some(envoys, requests, i, clients); }));
  }
  Answered all;
  for (auto& client : running) {
    Answered its = client.get();
    all.unauthorised += its.unauthorised;
    for (auto& [key, counts] : its.counts) {
      all.counts[key].insert(all.counts[key].end(), counts.begin(), counts.end());
    }
  }
  return all;
}

enum class Counters { one, listed, of_balancer, on_cluster };

// `listed` and `of_balancer` are three counters that share the tokens.
class FleetTest : public testing::TestWithParam<Counters> {
 protected:
  // Starts everything, ready to count.
  void start(std::size_t envoys) {
    if (GetParam() == Counters::one) {
      one_ = Fleet::start(1);
    } else if (GetParam() == Counters::on_cluster) {
      two_ = std::make_unique<ClusterFleet>(2);
      two_->start_envoy();
    } else {
      three_ = std::make_unique<Partition>(3);
      three_->start_all(GetParam() == Counters::listed ? Partition::ListAt::everyone
                                                       : Partition::ListAt::balancer);
    }
    while (--envoys > 0) start_envoy();
  }

  void start_envoy() { wait_all_ready(launch_envoy().health); }

  Service& envoy(std::size_t i) { return one_ ? one_->envoy(i) : two_ ? two_->envoy(i) : three_->envoy(i); }
  std::vector<Endpoint> doors() {
    std::vector<Endpoint> doors;
    for (std::size_t i = 0; i < envoys_number; ++i) doors.push_back(envoy(i).door);
    return doors;
  }
  bool all_running() const {
    return one_ ? one_->all_running() : two_ ? two_->all_running() : three_->all_running();
  }

 private:
  Service& launch_envoy() {
    if (one_) return one_->start_envoy();
    if (two_) return two_->start_envoy();
    if (GetParam() == Counters::listed) return three_->start_envoy("abc");
    return three_->start_envoy_with({"--counter-addr", three_->lookup()});
  }

  std::unique_ptr<Fleet> one_;
  std::unique_ptr<ClusterFleet> two_;
  std::unique_ptr<Partition> three_;
};

INSTANTIATE_TEST_SUITE_P(, FleetTest,
                         testing::Values(Counters::one, Counters::listed, Counters::of_balancer,
                                         Counters::on_cluster),
                         [](const auto& counters) {
                           return counters.param == Counters::one      ? "one_counter"
                                  : counters.param == Counters::listed ? "three_counters"
                                  : counters.param == Counters::of_balancer
                                      ? "three_counters_of_a_balancer"
                                      : "two_counters_on_a_redis_cluster";
                         });

TEST_P(FleetTest, CountsTheExerciseExactly) {
  start(envoys_number);
  const std::string first = Caller(envoy(0).door).mint();
  const std::string second = Caller(envoy(1).door).mint();
  const std::vector<Request> requests = in_random_order(shares(first, second));
  ASSERT_EQ(requests.size(), 4000u);

  Answered answered = ask_all(doors(), requests);
  EXPECT_EQ(answered.unauthorised, 1000u);
  for (const auto& [token, path, expected] :
       {std::tuple(first, "/test", 1000), std::tuple(first, "/test2", 900),
        std::tuple(second, "/test", 1100)}) {
    auto& counts = answered.counts[{token, path}];
    std::sort(counts.begin(), counts.end());
    ASSERT_EQ(counts.size(), static_cast<std::size_t>(expected)) << path;
    for (std::size_t i = 0; i < counts.size(); ++i) ASSERT_EQ(counts[i], static_cast<std::int64_t>(i + 1));
  }
  Caller last(envoy(2).door);
  EXPECT_EQ(last.count("/test", first), 1001);
  EXPECT_EQ(last.count("/test2", first), 901);
  EXPECT_EQ(last.count("/test", second), 1101);
  EXPECT_TRUE(all_running());
}

TEST_P(FleetTest, TokenIsValidAtEveryEnvoyAtOnce) {
  start(envoys_number);
  const auto envoys = doors();
  std::vector<Caller> callers(envoys.begin(), envoys.end());
  for (std::size_t round = 0; round < 300; ++round) {
    const std::string token = callers[round % envoys_number].mint();
    for (std::size_t i = 1; i <= envoys_number; ++i) {
      ASSERT_EQ(callers[(round + i) % envoys_number].count("/p", token), static_cast<std::int64_t>(i));
    }
  }
}

// An envoy that starts later knows the earlier tokens. The others do not notice when one stops.
TEST_P(FleetTest, EnvoysComeAndGo) {
  start(2);
  const std::string token = Caller(envoy(0).door).mint();
  EXPECT_EQ(Caller(envoy(0).door).count("/p", token), 1);
  envoy(0).program->send_signal(SIGKILL);
  EXPECT_TRUE(envoy(0).program->wait_exit().has_value());
  EXPECT_EQ(Caller(envoy(1).door).count("/p", token), 2);
  start_envoy();
  EXPECT_EQ(Caller(envoy(2).door).count("/p", token), 3);
  EXPECT_EQ(Caller(envoy(1).door).count("/p", token), 4);
}

Outcome check(const std::vector<Endpoint>& envoys, const Arguments& more = {}) {
  std::string list;
  for (const Endpoint& envoy : envoys) list += (list.empty() ? "" : ",") + envoy.to_string();
  Arguments arguments{"check", "--envoys", list};
  arguments.insert(arguments.end(), more.begin(), more.end());
  return run_to_end(arguments);
}

// Checks for a line with these words in this order.
testing::AssertionResult has_row(const std::string& table, const std::string& token, const std::string& path,
                                 const std::string& expected, const std::string& then) {
  const std::regex row("(^|\n)[^\n]*\\b" + token + "\\b[^\n]*" + path + "\\s[^\n]*\\b" + expected +
                       "\\b[^\n]*\\b" + expected + "\\b[^\n]*\\b" + then + "\\b");
  if (std::regex_search(table, row)) return testing::AssertionSuccess();
  return testing::AssertionFailure() << "no row " << token << ' ' << path << ' ' << expected << " in:\n"
                                     << table;
}

TEST_P(FleetTest, CheckFindsItRight) {
  start(envoys_number);
  const Outcome outcome = check(doors());
  EXPECT_EQ(outcome.exit_code, 0) << outcome.out << outcome.err;
  EXPECT_TRUE(has_row(outcome.out, "first", "/test", "1000", "1001"));
  EXPECT_TRUE(has_row(outcome.out, "first", "/test2", "900", "901"));
  EXPECT_TRUE(has_row(outcome.out, "second", "/test", "1100", "1101"));
  EXPECT_TRUE(has_row(outcome.out, "invalid", "/test", "500", "401"));
  EXPECT_TRUE(has_row(outcome.out, "invalid", "/test2", "500", "401"));
  EXPECT_NE(outcome.err.find("4000 of 4000"), std::string::npos) << "no progress: " << outcome.err;
  // It can run repeatedly, because it mints its own tokens.
  EXPECT_EQ(check(doors(), {"--requests", "400"}).exit_code, 0);
}

TEST(CheckTest, TakesAnyNumberOfEnvoysAndRequests) {
  const auto fleet = Fleet::start(1);
  const Endpoint envoy = fleet->envoy().door;
  for (const std::vector<Endpoint>& envoys :
       {std::vector{envoy}, std::vector{envoy, envoy}, std::vector{envoy, envoy, envoy, envoy, envoy}}) {
    const Outcome outcome = check(envoys, {"--requests", "400"});
    EXPECT_EQ(outcome.exit_code, 0) << outcome.out << outcome.err;
    EXPECT_TRUE(has_row(outcome.out, "first", "/test", "100", "101"));
  }
  const Outcome more = check({envoy}, {"--requests", "8000"});
  EXPECT_EQ(more.exit_code, 0) << more.out << more.err;
  EXPECT_TRUE(has_row(more.out, "second", "/test", "2200", "2201"));
}

TEST(CheckTest, FindsEnvoysThatShareNoTokensWrong) {
  const Arguments serve{"serve",       "--store",       "memory",     "--envoy-addr",
                        "127.0.0.1:0", "--health-addr", "127.0.0.1:0"};
  const Service one = Service::start(serve, "envoy");
  const Service other = Service::start(serve, "envoy");
  const Outcome outcome = check({one.door, other.door}, {"--requests", "400"});
  EXPECT_EQ(outcome.exit_code, 1) << outcome.out << outcome.err;
  EXPECT_NE(outcome.out.find("401"), std::string::npos) << outcome.out;
  EXPECT_EQ(check({one.door}, {"--requests", "400"}).exit_code, 0);
}

TEST(CheckTest, FindsWrongCountsWrong) {
  for (const auto fault :
       {WrongEnvoy::Fault::skips_a_count, WrongEnvoy::Fault::gives_a_count_twice,
        WrongEnvoy::Fault::loses_the_last_count, WrongEnvoy::Fault::counts_invalid_tokens,
        WrongEnvoy::Fault::refuses_one, WrongEnvoy::Fault::mints_nothing, WrongEnvoy::Fault::drops_one}) {
    const WrongEnvoy envoy(fault);
    const Outcome outcome = check({envoy.door()}, {"--requests", "400"});
    EXPECT_EQ(outcome.exit_code, 1) << "fault " << static_cast<int>(fault) << '\n'
                                    << outcome.out << outcome.err;
  }
  const WrongEnvoy right(WrongEnvoy::Fault::none);
  const Outcome outcome = check({right.door()}, {"--requests", "400"});
  EXPECT_EQ(outcome.exit_code, 0) << outcome.out << outcome.err;
}

TEST(CheckTest, JudgesEnvoysOfTheFirstTracker) {
  const WrongEnvoy old(WrongEnvoy::Fault::knows_no_bearer);
  const Outcome outcome = check({old.door()}, {"--requests", "400"});
  EXPECT_EQ(outcome.exit_code, 0) << outcome.out << outcome.err;
}

TEST(CheckTest, SaysWhichEnvoyIsNotThere) {
  const Endpoint nobody{"127.0.0.1", lasting_port()};
  const Outcome outcome = check({nobody});
  EXPECT_EQ(outcome.exit_code, 1) << outcome.out << outcome.err;
  EXPECT_NE(outcome.err.find(nobody.to_string()), std::string::npos) << outcome.err;
}

TEST(CheckTest, RefusesBadSettings) {
  const std::vector<std::pair<Arguments, std::string>> bad{
      {{"check"}, "--envoys"},
      {{"check", "--envoys", ""}, "--envoys"},
      {{"check", "--envoys", "here"}, "here"},
      {{"check", "--envoys", ":6380"}, ":6380"},
      {{"check", "--envoys", "127.0.0.1:0"}, "127.0.0.1:0"},
      {{"check", "--envoys", "127.0.0.1:6380,"}, "127.0.0.1:6380,"},
      {{"check", "--envoys", "127.0.0.1:6380,,127.0.0.1:6381"}, "--envoys"},
      {{"check", "--envoys", "127.0.0.1:6380", "--requests", "many"}, "--requests"},
      {{"check", "--envoys", "127.0.0.1:6380", "--requests", "0"}, "--requests"},
      {{"check", "--envoys", "127.0.0.1:6380", "--requests", "-1"}, "--requests"},
  };
  for (const auto& [arguments, named] : bad) {
    const Outcome outcome = run_to_end(arguments);
    EXPECT_EQ(outcome.exit_code, 2) << named << ": " << outcome.err;
    EXPECT_EQ(std::count(outcome.err.begin(), outcome.err.end(), '\n'), 1) << outcome.err;
    EXPECT_NE(outcome.err.find(named), std::string::npos) << outcome.err;
  }
}

}  // namespace
}  // namespace tracker::tests
