// The admin socket of counters, and tracker slots forget.

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <string>
#include <thread>
#include <vector>

#include "support/caller.h"
#include "support/health.h"
#include "support/partition.h"

namespace tracker::tests {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

class ForgetTest : public testing::Test {
 protected:
  std::string path(const std::string& name) const { return directory_.path() / name; }
  // Flags that give a counter the socket of its name.
  Arguments with_socket(char name) const { return {"--admin-socket", path({name})}; }
  Outcome forget(const std::string& name, char at) const {
    return run_to_end({"slots", "forget", name, "--admin-socket", path({at})});
  }
  Program counter(const std::string& socket) const {
    return Program({"counter", "--counter-addr", "127.0.0.1:0", "--health-addr", "127.0.0.1:0", "--store",
                    "memory", "--admin-socket", socket});
  }

  TemporaryDirectory directory_;
};

void expect_refused(const Outcome& outcome, const std::vector<std::string>& parts) {
  EXPECT_EQ(outcome.exit_code, 1) << outcome.out << outcome.err;
  EXPECT_EQ(std::count(outcome.err.begin(), outcome.err.end(), '\n'), 1) << outcome.err;
  for (const auto& part : parts) EXPECT_THAT(outcome.err, HasSubstr(part));
}

TEST_F(ForgetTest, ACounterOnANewDiskCountsOnceItsFormerOneIsForgotten) {
  Partition partition(3);
  for (const char name : {'a', 'b', 'c'}) partition.start_counter(name, "abc", with_socket(name));
  for (const char name : {'a', 'b', 'c'}) wait_readyz(partition.counter(name).health, 200);
  auto& envoy = partition.start_envoy("abc");
  wait_readyz(envoy.health, 200);
  Caller caller(envoy.door);
  std::vector<std::string> tokens;
  for (int i = 0; i < 40; ++i) tokens.push_back(caller.mint());
  partition.kill_counter('a');
  partition.lose_store('a');
  partition.start_counter('a', "abc", with_socket('a'));  // its socket is stale
  wait_readyz(partition.counter('a').health, 503, "tracker slots forget a");

  for (const char at : {'b', 'c'}) {
    const auto outcome = forget("a", at);
    EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
    EXPECT_THAT(outcome.out, HasSubstr("Another store may now count under the name a"));
    if (at == 'b') wait_readyz(partition.counter('a').health, 503, "tracker slots forget a` at c");
  }
  wait_all_ready(partition.counter('a').health);
  wait_all_ready(envoy.health);
  std::size_t lost = 0;
  for (const auto& token : tokens) {
    const auto status = caller.ask(get("/p", token)).status;
    EXPECT_TRUE(status == 200 || status == 401) << status;
    if (status == 401) ++lost;
  }
  EXPECT_GT(lost, 2U);  // they were on the disk
  EXPECT_LT(lost, 30U);
  // It lasts.
  partition.end_counter('b');
  partition.start_counter('b', "abc", with_socket('b'));
  wait_readyz(partition.counter('b').health, 200);
  partition.end_counter('a');
  partition.start_counter('a', "abc", with_socket('a'));
  wait_all_ready(partition.counter('a').health);
}

TEST_F(ForgetTest, AListThatLacksAForgottenNameIsAdopted) {
  Partition partition(2);
  for (const char name : {'a', 'b'}) partition.start_counter(name, "ab", with_socket(name));
  for (const char name : {'a', 'b'}) wait_readyz(partition.counter(name).health, 200);
  partition.kill_counter('b');
  partition.end_counter('a');
  partition.start_counter('a', "a", {"--table-version", "1", "--admin-socket", path("a")});
  wait_readyz(partition.counter('a').health, 503, "it lacks b, which may hold tokens");
  const auto outcome = forget("b", 'a');
  EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
  EXPECT_THAT(outcome.out, HasSubstr("A list without b is adopted"));
  EXPECT_THAT(outcome.out, HasSubstr("their hits get 401"));
  wait_all_ready(partition.counter('a').health);  // it owns every slot
}

TEST_F(ForgetTest, WhatCannotBeForgottenIsSaid) {
  Partition partition(2);
  for (const char name : {'a', 'b'}) partition.start_counter(name, "ab", with_socket(name));
  for (const char name : {'a', 'b'}) wait_readyz(partition.counter(name).health, 200);
  expect_refused(forget("x", 'a'), {path("a"), "no counter x is known here", "nothing was forgotten"});
  expect_refused(forget("a", 'a'), {path("a"), "a is this counter itself"});
  // A store on disk has a socket in its directory, too.
  const auto flags = partition.counter_flags('a');
  expect_refused(run_to_end({"slots", "forget", "x", "--store", flags.back()}),
                 {"admin.sock", "no counter x is known here"});

  auto alone = counter(path("alone"));
  alone.wait_listening();
  expect_refused(run_to_end({"slots", "forget", "b"}, {{"TRACKER_ADMIN_SOCKET", path("alone")}}),
                 {path("alone"), "no --peers", "nothing was forgotten"});
  expect_refused(run_to_end({"slots", "forget", "b", "--admin-socket", path("none")}),
                 {path("none"), "no process serves it"});
}

TEST_F(ForgetTest, TheSocketIsPrivateAndGoesWithTheProcess) {
  const std::string deep(120, 'd');
  fs::create_directory(path(deep));
  for (const auto& socket : {path("s"), path(deep + "/s"), path(deep + "/" + std::string(80, 's'))}) {
    auto program = counter(socket);
    program.wait_listening();
    const auto status = fs::status(socket);
    EXPECT_EQ(status.type(), fs::file_type::socket);
    EXPECT_EQ(status.permissions(), fs::perms::owner_read | fs::perms::owner_write);
    expect_refused(run_to_end({"slots", "forget", "b", "--admin-socket", socket}), {"no --peers"});
    program.send_signal(SIGTERM);
    EXPECT_EQ(program.wait_exit(), 0) << program.output();
    EXPECT_FALSE(fs::exists(socket));
  }
}

TEST_F(ForgetTest, ASocketOfAProcessThatWasKilledIsReplaced) {
  {
    auto killed = counter(path("s"));
    killed.wait_listening();
    killed.send_signal(SIGKILL);
    EXPECT_TRUE(killed.wait_exit());
  }
  ASSERT_TRUE(fs::exists(path("s")));
  auto program = counter(path("s"));
  program.wait_listening();
  expect_refused(run_to_end({"slots", "forget", "b", "--admin-socket", path("s")}), {"no --peers"});
}

TEST_F(ForgetTest, WhereItCannotListenIsAMistake) {
  const auto refused = [&](const std::string& socket) {
    return run_to_end(
        {"counter", "--counter-addr", "127.0.0.1:0", "--store", "memory", "--admin-socket", socket});
  };
  auto program = counter(path("s"));
  program.wait_listening();
  expect_refused(refused(path("s")),
                 {"--admin-socket", path("s"), "another process serves", "end that process"});
  program.send_signal(SIGSTOP);
  expect_refused(refused(path("s")), {"another process serves"});
  program.send_signal(SIGCONT);
  expect_refused(run_to_end({"slots", "forget", "b", "--admin-socket", path("s")}), {"no --peers"});

  std::ofstream(path("file")) << "mine";
  expect_refused(refused(path("file")), {"--admin-socket", path("file"), "no socket", "move it away"});
  EXPECT_TRUE(fs::is_regular_file(path("file")));
  expect_refused(refused(path("none/s")), {"--admin-socket", path("none/s"), "no such directory", "make it"});
  expect_refused(refused(path("file/s")), {"no such directory"});
  const auto bad = run_to_end({"counter", "--admin-socket", path("")});
  EXPECT_EQ(bad.exit_code, 2) << bad.err;
}

// It names the socket that its store has anyway.
TEST_F(ForgetTest, TheSocketOfTheStoreMayBeNamed) {
  Partition partition(1);
  auto& first = partition.start_counter_with('a', {});
  wait_readyz(first.health, 200);
  partition.end_counter('a');
  const auto store = partition.counter_flags('a').back().substr(std::string("rocksdb:").size());
  partition.start_counter_with('a', {"--admin-socket", store + "/admin.sock"});
  EXPECT_TRUE(fs::exists(store + "/admin.sock"));
  partition.end_counter('a');
  EXPECT_FALSE(fs::exists(store + "/admin.sock"));
}

}  // namespace
}  // namespace tracker::tests
