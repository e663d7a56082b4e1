// Tokens move from one place to another while clients go on asking, and whatever is killed.

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <map>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "support/caller.h"
#include "support/deadline.h"
#include "support/fleet.h"
#include "support/health.h"
#include "support/partition.h"
#include "support/redis_cluster.h"
#include "support/redis_server.h"
#include "support/steady_load.h"
#include "support/temporary_directory.h"

namespace tracker::tests {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;

namespace fs = std::filesystem;

std::vector<std::string> mint(const Endpoint& envoy, std::size_t tokens) {
  Caller caller(envoy);
  std::vector<std::string> minted;
  for (std::size_t i = 0; i < tokens; ++i) minted.push_back(caller.mint());
  return minted;
}

// Runs a command of tracker, which must succeed.
std::string tracker(const Arguments& arguments) {
  const auto outcome = run_to_end(arguments);
  EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
  return outcome.err;
}

// Runs a command of tracker again and again, and kills it each time after a little longer, until it comes to its end, or has
// made the file that it makes last.
std::size_t tracker_with_kills(const Arguments& arguments, const std::string& made,
                               std::chrono::milliseconds more) {
  std::size_t kills = 0;
  for (auto after = more; !fs::exists(made); after += more, ++kills) {
    Program program(arguments);
    std::this_thread::sleep_for(after);
    program.send_signal(SIGKILL);
    const auto exit_code = program.wait_exit();
    if (exit_code != -SIGKILL) {
      EXPECT_EQ(exit_code, 0) << program.output();
      return kills;
    }
    if (kills > 2000) {
      ADD_FAILURE() << "it never ends: " << program.output();
      return kills;
    }
  }
  return kills;
}

// A service with a socket for commands.
class MovesTest : public testing::Test {
 protected:
  std::string path(const std::string& name) const { return directory_.path() / name; }

  Service serve(const std::string& store) {
    return Service::start({"serve", "--envoy-addr", "127.0.0.1:0", "--health-addr", "127.0.0.1:0", "--store",
                           "rocksdb:" + path(store)},
                          "envoy");
  }

  const TemporaryDirectory directory_;
};

// From serve on disk to a Redis Cluster and back, with each command killed at every moment. The source goes on refusing
// meanwhile, and each count goes on where it was.
TEST_F(MovesTest, ToARedisClusterAndBackWithKillsAtEveryStep) {
  RedisCluster cluster(3, 0, RedisServer::Keeps::everything);
  const Arguments redis{"--store", "redis-cluster", "--redis-addr", cluster.addresses()};
  auto source = serve("one");
  const auto tokens = mint(source.door, 1500);
  {
    Caller caller(source.door);
    for (const auto& token : tokens) EXPECT_EQ(caller.count("/" + std::string(900, 'p'), token), 1);
    for (std::size_t i = 0; i < tokens.size(); i += 7) EXPECT_EQ(caller.count("/some", tokens[i]), 1);
  }
  const Arguments hold{"export", path("all"), "--hold", "--store", "rocksdb:" + path("one")};
  std::size_t kills = tracker_with_kills(hold, path("all"), std::chrono::milliseconds(8));
  const auto refused = [&](const Endpoint& door) {
    Caller caller(door);
    return caller.ask(get("/some", tokens[0])).status == 503 &&
           caller.ask(get_without_token("/auth")).status == 503;
  };
  EXPECT_TRUE(refused(source.door));
  source.program->send_signal(SIGKILL);
  source.program->wait_exit();
  source = serve("one");
  EXPECT_TRUE(refused(source.door)) << "a hold outlives a crash";
  EXPECT_THAT(wait_readyz(source.health, 503), HasSubstr("are held for export"));

  Arguments into{"import", path("all")};
  into.insert(into.end(), redis.begin(), redis.end());
  kills += tracker_with_kills(into, path("all.receipt"), std::chrono::milliseconds(25));
  tracker(into);  // and once more
  EXPECT_GT(kills, 5U);
  for (std::size_t i = 0; i < cluster.size(); ++i) {
    for (const auto* pattern : {"tracker:mark:*", "tracker:held:*", "tracker:intent"})
      EXPECT_THAT(cluster.node(i).command({"KEYS", pattern}).elements, IsEmpty()) << pattern;
  }

  {
    const auto counter =
        Service::start({"counter", "--counter-addr", "127.0.0.1:0", "--health-addr", "127.0.0.1:0", "--store",
                        "redis-cluster", "--redis-addr", cluster.addresses()},
                       "counter");
    const auto envoy = Service::start({"envoy", "--envoy-addr", "127.0.0.1:0", "--health-addr", "127.0.0.1:0",
                                       "--counter-addr", counter.door.to_string()},
                                      "envoy");
    wait_all_ready(counter.health);
    wait_all_ready(envoy.health);
    Caller caller(envoy.door);
    for (std::size_t i = 0; i < tokens.size(); i += 7) EXPECT_EQ(caller.count("/some", tokens[i]), 2);
    for (const auto& token : tokens) EXPECT_EQ(caller.count("/" + std::string(900, 'p'), token), 2);
    tracker({"export", "--drop", path("all.receipt"), "--store", "rocksdb:" + path("one")});
    EXPECT_TRUE(refused(source.door));

    Arguments back{"export", path("back"), "--hold"};
    back.insert(back.end(), redis.begin(), redis.end());
    tracker_with_kills(back, path("back"), std::chrono::milliseconds(25));
    EXPECT_TRUE(refused(envoy.door));
  }
  tracker_with_kills({"import", path("back"), "--store", "rocksdb:" + path("two")}, path("back.receipt"),
                     std::chrono::milliseconds(8));
  const auto home = serve("two");
  Caller caller(home.door);
  for (const auto& token : tokens) EXPECT_EQ(caller.count("/" + std::string(900, 'p'), token), 3);
  for (std::size_t i = 0; i < tokens.size(); i += 7) EXPECT_EQ(caller.count("/some", tokens[i]), 3);
}

TEST_F(MovesTest, AMoveIsGivenUp) {
  const auto source = serve("one");
  const auto token = mint(source.door, 1).front();
  Caller caller(source.door);
  EXPECT_EQ(caller.count("/a", token), 1);
  const std::string store = "rocksdb:" + path("one");
  tracker({"export", path("all"), "--hold", "--store", store});
  EXPECT_EQ(caller.ask(get("/a", token)).status, 503);
  const auto outcome = run_to_end({"export", "--unhold", path("all"), "--store", store});
  EXPECT_EQ(outcome.exit_code, 2);
  EXPECT_THAT(outcome.err, HasSubstr("--not-imported"));
  tracker({"export", "--unhold", path("all"), "--not-imported", "--store", store});
  EXPECT_EQ(caller.count("/a", token), 2);
  const auto import = run_to_end({"import", path("all"), "--store", "rocksdb:" + path("two")});
  EXPECT_EQ(import.exit_code, 1);
  EXPECT_THAT(import.err, HasSubstr("void"));
}

TEST_F(MovesTest, FromARedisOfTheFirstTracker) {
  RedisServer redis;
  const std::string token = "c6f6fd4b-b347-4aa1-b22d-c2a786eb82fd";
  const std::string unused = "11111111-2222-4333-8444-555555555555";
  for (const auto& [key, value] :
       std::map<std::string, std::string>{{token, "true"},
                                          {token + "_/a", "41"},
                                          {token + "_/a/b_c", "7"},
                                          {unused, "true"},
                                          {"99999999-2222-4333-8444-555555555555_/a", "5"},
                                          {"something else", "true"}})
    redis.command({"SET", key, value});
  const Arguments from{"--store", "redis", "--redis-addr", redis.address(), "--first-tracker"};
  Arguments held{"export", path("held"), "--hold"};
  held.insert(held.end(), from.begin(), from.end());
  EXPECT_THAT(run_to_end(held).err, HasSubstr("only read"));
  Arguments all{"export", path("all")};
  all.insert(all.end(), from.begin(), from.end());
  EXPECT_THAT(tracker(all), HasSubstr("tokens=2 counters=2"));
  tracker({"import", path("all"), "--copy", "--store", "rocksdb:" + path("one")});
  const auto service = serve("one");
  Caller caller(service.door);
  EXPECT_EQ(caller.count("/a", token), 42);
  EXPECT_EQ(caller.count("/a/b_c", token), 8);
  EXPECT_EQ(caller.count("/a", unused), 1);
  EXPECT_EQ(caller.ask(get("/a", "99999999-2222-4333-8444-555555555555")).status, 401);
}

// Counters with their list in a file, which grows and shrinks under load.
class GrowingTest : public MovesTest {
 protected:
  // `-` before a name: it leaves.
  void write_list(const std::string& names) {
    auto lines = partition_.list(names);
    std::ranges::replace(lines, ',', '\n');
    for (auto at = lines.find("\nleaving"); at != lines.npos; at = lines.find("\nleaving")) lines[at] = ',';
    std::ofstream(path("counters")) << "version " << ++version_ << '\n' << lines << '\n';
  }
  void start(char name) {
    partition_.start_counter_with(
        name, {"--name", {name}, "--counters-file", path("counters"), "--admin-socket", socket(name)});
  }
  std::string socket(char name) const { return path(std::string(1, name) + ".sock"); }
  void tell_all(const std::string& names) {
    for (const char name : names) partition_.counter(name).program->send_signal(SIGHUP);
    partition_.envoy().program->send_signal(SIGHUP);
  }
  std::string file(char from) const { return path("lost" + std::to_string(version_) + from); }

  // Moves what `from` has lost by the list to these counters. Whoever takes part is killed in between.
  void move_lost(char from, const std::string& to, bool kills) {
    wait_readyz(partition_.counter(from).health, 200, "other counters' by the list");
    tracker({"export", file(from), "--slots", "lost", "--admin-socket", socket(from)});
    if (kills) restart(from);
    for (const char name : to) {
      const Arguments import{"import", file(from) + "." + name, "--admin-socket", socket(name)};
      tracker(import);
      if (!kills) continue;
      restart(name);
      restart(from);
      tracker(import);
    }
  }
  // Counter a with all slots, and the envoy, which is returned.
  const auto& start_alone() {
    write_list("a");
    start('a');
    wait_all_ready(partition_.counter('a').health);
    const auto& envoy = partition_.start_envoy_with({"--counters-file", path("counters")});
    wait_all_ready(envoy.health);
    return envoy;
  }
  void restart(char name) {
    partition_.kill_counter(name);
    start(name);
    wait_readyz(partition_.counter(name).health, 200);
  }

  Partition partition_{4};
  std::uint64_t version_ = 0;
};

TEST_F(GrowingTest, OneToThreeToFourToThreeUnderLoad) {
  const auto& envoy = start_alone();
  const auto tokens = mint(envoy.door, 60);
  SteadyLoad load(envoy.door, tokens, {"/a", "/b"});
  load.wait_for_more(SteadyLoad::Kind::counted, 500);

  write_list("abc");
  start('b');
  start('c');
  tell_all("a");
  move_lost('a', "bc", false);
  for (const char name : {'a', 'b', 'c'}) wait_all_ready(partition_.counter(name).health);
  wait_all_ready(envoy.health);
  load.wait_for_more(SteadyLoad::Kind::counted, 500);

  write_list("abcd");
  start('d');
  tell_all("abc");
  for (const char name : {'a', 'b', 'c'}) move_lost(name, "d", true);
  for (const char name : {'a', 'b', 'c', 'd'}) wait_all_ready(partition_.counter(name).health);
  wait_all_ready(envoy.health);
  load.wait_for_more(SteadyLoad::Kind::counted, 500);

  write_list("abc-d");
  tell_all("abcd");
  wait_readyz(partition_.counter('d').health, 503, "other counters' by the list");
  tracker({"export", file('d'), "--slots", "lost", "--admin-socket", socket('d')});
  for (const char name : {'a', 'b', 'c'})
    tracker({"import", file('d') + "." + name, "--admin-socket", socket(name)});
  for (const char name : {'a', 'b', 'c'}) wait_all_ready(partition_.counter(name).health);
  wait_all_ready(envoy.health);
  load.wait_for_more(SteadyLoad::Kind::counted, 500);
  tracker({"export", "--drop", file('d') + ".a.receipt", "--admin-socket", socket('d')});

  write_list("abc");
  tell_all("abc");
  partition_.kill_counter('d');
  load.wait_for_more(SteadyLoad::Kind::counted, 500);

  const auto observations = load.stop();
  EXPECT_THAT(load.complaints(), IsEmpty());
  EXPECT_THAT(load.lost_tokens(), IsEmpty());
  EXPECT_THAT(exactness_violations(observations, load.read_stored()), IsEmpty());
  EXPECT_TRUE(partition_.all_running());
}

TEST_F(GrowingTest, AListThatChangesInTheMiddleOfAMoveLosesNothing) {
  const auto& envoy = start_alone();
  SteadyLoad load(envoy.door, mint(envoy.door, 40), {"/a"});
  load.wait_for_more(SteadyLoad::Kind::counted, 200);

  write_list("ab");
  start('b');
  tell_all("a");
  wait_readyz(partition_.counter('a').health, 200, "other counters' by the list");
  wait_readyz(partition_.counter('b').health, 200);
  mint(envoy.door, 200);  // some by b, in slots of which a holds nothing
  tracker({"export", file('a'), "--slots", "lost:b", "--admin-socket", socket('a')});
  const auto by_list_two = file('a');
  partition_.counter('a').program->send_signal(SIGSTOP);  // it does not hear that all has arrived
  tracker({"import", by_list_two, "--admin-socket", socket('b')});
  partition_.kill_counter('a');
  write_list("abc");
  start('a');
  start('c');
  tell_all("b");
  wait_readyz(partition_.counter('a').health, 200, "other counters' by the list");
  // What b has is no copy, or one, by what a says under the same list.
  move_lost('a', "bc", false);
  move_lost('b', "c", false);  // what it has minted
  for (const char name : {'a', 'b', 'c'}) wait_all_ready(partition_.counter(name).health);
  wait_all_ready(envoy.health);
  load.wait_for_more(SteadyLoad::Kind::counted, 200);

  const auto observations = load.stop();
  EXPECT_THAT(load.complaints(), IsEmpty());
  EXPECT_THAT(load.lost_tokens(), IsEmpty());
  EXPECT_THAT(exactness_violations(observations, load.read_stored()), IsEmpty());
}

// Counter a has only copies of what is lost with b. They are never counted.
class ForgettingTest : public GrowingTest {
 protected:
  // Counter b gets some of the tokens of a, and is lost with its disk. A copy of that is kept. Then the list has only a, which
  // does not take it.
  ForgettingTest() {
    for (const auto& token : tokens_) EXPECT_EQ(caller_.count("/p", token), 1);
    write_list("ab");
    start('b');
    tell_all("a");
    move_lost('a', "b", false);
    for (const char name : {'a', 'b'}) wait_all_ready(partition_.counter(name).health);
    wait_all_ready(envoy_.health);
    for (const auto& token : tokens_) EXPECT_EQ(caller_.count("/p", token), 2);
    partition_.kill_counter('b');
    tracker({"export", path("kept"), "--store", partition_.counter_flags('b').back()});
    partition_.lose_store('b');
    write_list("a");
    tell_all("a");
    wait_readyz(partition_.counter('a').health, 200, lacks_b);
  }

  // Each token is counted at a, or was at b and is unknown now. Returns how many are unknown.
  std::size_t expect_lost() {
    std::size_t lost = 0;
    for (const auto& token : tokens_) {
      const auto answer = caller_.ask(get("/p", token));
      if (answer.status == 401) ++lost;
      EXPECT_TRUE(answer.status == 401 || is_count(answer, 3)) << answer.to_string();
    }
    EXPECT_GT(lost, 5U);
    EXPECT_LT(lost, 55U);
    return lost;
  }

  // Whether counter a, which has just started, takes the list without b.
  bool takes_list() {
    for (const Deadline deadline; !deadline.passed();
         std::this_thread::sleep_for(std::chrono::milliseconds(5))) {
      const auto answer = ask_health(partition_.counter('a').health, "/readyz");
      if (answer.status == 200) return true;
      if (answer.body.find(lacks_b) != answer.body.npos) return false;
    }
    ADD_FAILURE() << "it says neither";
    return false;
  }

  static constexpr auto lacks_b = "it lacks b, which may hold tokens";
  const Service& envoy_ = start_alone();
  const std::vector<std::string> tokens_ = mint(envoy_.door, 60);
  Caller caller_{envoy_.door};
};

TEST_F(ForgettingTest, WhatIsLostWithItsOnlyHolderCanBeGivenUp) {
  const auto outcome = run_to_end({"slots", "forget", "b", "--admin-socket", socket('a')});
  EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
  EXPECT_THAT(outcome.out, HasSubstr("slots had moved away from here"));
  EXPECT_THAT(outcome.out, HasSubstr("are given up: their hits get 401"));
  tell_all("a");
  restart('a');
  wait_all_ready(partition_.counter('a').health);
  wait_all_ready(envoy_.health);
  const auto lost = expect_lost();
  for (const auto& token : mint(envoy_.door, 60)) EXPECT_EQ(caller_.count("/p", token), 1);
  EXPECT_THAT(tracker({"export", path("left"), "--admin-socket", socket('a')}),
              HasSubstr("tokens=" + std::to_string(tokens_.size() - lost + 60)));

  tracker({"import", path("kept"), "--copy", "--admin-socket", socket('a')});
  std::size_t found = 0;
  for (const auto& token : tokens_) {
    const auto count = caller_.count("/p", token);
    if (count == 3) ++found;
    EXPECT_TRUE(count == 3 || count == 4) << count;
  }
  EXPECT_EQ(found, lost) << "they go on where they were in the copy of b";
}

// The counter is killed at every moment of it. Until it is done, no token of b is said to be unknown.
TEST_F(ForgettingTest, AForgettingThatIsKilledIsDoneAgain) {
  std::size_t kills = 0;
  for (auto pause = std::chrono::microseconds(0);; pause += std::chrono::microseconds(1'500)) {
    ASSERT_LT(kills, 200U) << "it never ends";
    Program forget({"slots", "forget", "b", "--admin-socket", socket('a')});
    std::this_thread::sleep_for(pause);
    if (!forget.running()) {
      EXPECT_EQ(forget.wait_exit(), 0) << forget.output();
      break;
    }
    ++kills;
    partition_.kill_counter('a');
    forget.wait_exit();
    start('a');
    if (takes_list()) break;
    for (const auto& token : tokens_) EXPECT_EQ(caller_.ask(get("/p", token)).status, 503);
  }
  std::cout << kills << " kills\n";
  EXPECT_GT(kills, 2U);
  tell_all("a");
  restart('a');
  wait_all_ready(partition_.counter('a').health);
  wait_all_ready(envoy_.health);
  expect_lost();
}

// The commands of a page, as they stand there. Its ports are other ones here.
class PageTest : public GrowingTest {
 protected:
  // The blocks of commands in a section of docs/scaling.md.
  static std::vector<std::string> blocks_of(const std::string& heading) {
    std::ifstream page(DOCS "/scaling.md");
    std::vector<std::string> blocks;
    bool is_in_section = false;
    bool is_in_block = false;
    for (std::string line; std::getline(page, line);) {
      if (line.starts_with("#") && !is_in_block) is_in_section = line == heading;
      if (!is_in_section) continue;
      if (line.starts_with("```")) {
        is_in_block = !is_in_block;
        if (is_in_block) blocks.emplace_back();
      } else if (is_in_block) {
        blocks.back() += line + '\n';
      }
    }
    return blocks;
  }
  std::unique_ptr<Program> run(std::string commands, const Environment& more = {}) {
    for (const char name : std::string("abc")) {
      const auto port = "127.0.0.1:640" + std::to_string(name - 'a' + 1);
      for (auto at = commands.find(port); at != commands.npos; at = commands.find(port, at))
        commands.replace(at, port.size(), partition_.address(name));
    }
    Environment environment{{"PATH", path("bin") + ":/usr/bin:/bin"}, {"HEALTH_ADDR", "127.0.0.1:0"}};
    environment.insert(more.begin(), more.end());
    return std::make_unique<Program>(Arguments{"-c", "cd '" + directory_.path().string() + "'\n" + commands},
                                     environment, "/bin/bash");
  }
};

TEST_F(PageTest, OneCounterBecomesThreeAsThePageSays) {
  const auto blocks = blocks_of("### Moving tokens");
  ASSERT_EQ(blocks.size(), 2U);
  fs::create_directory(path("bin"));
  fs::create_symlink(tracker_binary(), path("bin/tracker"));
  std::ofstream(path("counters")) << "version 1\na=" << partition_.address('a') << '\n';
  auto service = [&](Arguments arguments, const std::string& door) {
    arguments.insert(arguments.end(), {"--health-addr", "127.0.0.1:0", "--counters-file", path("counters")});
    return Service::start(arguments, door);
  };
  const auto a = service({"counter", "--name", "a", "--counter-addr", partition_.address('a'), "--store",
                          "rocksdb:" + path("a")},
                         "counter");
  const auto envoy = service({"envoy", "--envoy-addr", "127.0.0.1:0"}, "envoy");
  wait_all_ready(envoy.health);
  SteadyLoad load(envoy.door, mint(envoy.door, 60), {"/a", "/b"});
  load.wait_for_more(SteadyLoad::Kind::counted, 300);

  auto new_counters = run(blocks[0] + "jobs -p > pids; wait");
  const auto listening = [&] {
    const auto log = new_counters->standard_error();
    const auto first = log.find("listening counter=");
    return first != log.npos && log.find("listening counter=", first + 1) != log.npos;
  };
  for (const Deadline deadline; !listening() && !deadline.passed();)
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  for (const Deadline deadline;;) {
    auto moving = run("set -e\n" + blocks[1], {{"pid_of_a", std::to_string(a.program->pid())},
                                               {"pid_of_envoy", std::to_string(envoy.program->pid())}});
    if (moving->wait_exit() == 0) break;
    ASSERT_FALSE(deadline.passed()) << moving->output();
    ASSERT_THAT(moving->output(), HasSubstr("no tokens here are another counter's"));
  }
  wait_all_ready(a.health);
  wait_all_ready(envoy.health);
  load.wait_for_more(SteadyLoad::Kind::counted, 300);
  const auto observations = load.stop();
  EXPECT_THAT(load.complaints(), IsEmpty());
  EXPECT_THAT(load.lost_tokens(), IsEmpty());
  EXPECT_THAT(exactness_violations(observations, load.read_stored()), IsEmpty());
  run("kill $(cat pids)")->wait_exit();
  EXPECT_TRUE(new_counters->wait_exit());
}

TEST_F(GrowingTest, RefusalsNameTheRemedy) {
  write_list("ab");
  for (const char name : {'a', 'b'}) start(name);
  for (const char name : {'a', 'b'}) wait_readyz(partition_.counter(name).health, 200);
  const auto refusal = [&](const Arguments& arguments) {
    const auto outcome = run_to_end(arguments);
    EXPECT_EQ(outcome.exit_code, 1) << outcome.err;
    return outcome.err;
  };
  EXPECT_THAT(refusal({"export", path("x"), "--slots", "lost", "--admin-socket", socket('a')}),
              HasSubstr("no tokens here are another counter's"));
  EXPECT_THAT(refusal({"export", path("x"), "--slots", "lost:b", "--admin-socket", socket('a')}),
              HasSubstr("none are to be moved"));
  tracker({"export", path("all"), "--admin-socket", socket('a')});
  EXPECT_THAT(refusal({"export", path("all"), "--admin-socket", socket('a')}), HasSubstr("the file exists"));
  EXPECT_THAT(refusal({"import", path("all"), "--admin-socket", socket('b')}), HasSubstr("--copy"));
  EXPECT_THAT(refusal({"import", path("all"), "--copy", "--admin-socket", socket('b')}),
              HasSubstr("are not this counter's"));
  EXPECT_THAT(refusal({"import", path("all"), "--copy", "--admin-socket", socket('a')}),
              HasSubstr("very store"));
  EXPECT_THAT(refusal({"import", path("none"), "--admin-socket", socket('a')}), HasSubstr("cannot open"));
  EXPECT_THAT(refusal({"import", path("all"), "--copy", "--admin-socket", path("none")}),
              HasSubstr("no process serves it"));
}

}  // namespace
}  // namespace tracker::tests
