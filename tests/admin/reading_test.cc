// Tokens, counts and status of services that run, read by the commands and over the admin door.

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <algorithm>
#include <deque>
#include <fstream>
#include <map>
#include <set>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

#include "domain/hex.h"
#include "domain/slot.h"
#include "domain/token.h"
#include "domain/token_id.h"
#include "support/caller.h"
#include "support/cluster_fleet.h"
#include "support/health.h"
#include "support/partition.h"
#include "support/program.h"
#include "support/request.h"
#include "support/steady_load.h"
#include "support/temporary_directory.h"

namespace tracker::tests {
namespace {

using testing::HasSubstr;
using testing::Not;

// printf %s KEY | sha256sum
constexpr const char* line_of_ana =
    "ana read 8ed3f6ad685b959ead7022518e1af76cd816f8e8ec7ccdda1ed4018e8f2223f8\n";  // alpha
constexpr const char* digest_of_beta = "f44e64e75f3948e9f73f8dfa94721c4ce8cbb4f265c4790c702b2d41cfbf2753";

std::string id_of(const std::string& token) {
  std::string id;
  domain::append_hex(domain::token_id(domain::parse_token(token).value()).bytes, id);
  return id;
}

std::size_t lines_of(const std::string& text) {
  return static_cast<std::size_t>(std::count(text.begin(), text.end(), '\n'));
}

Outcome run(Arguments arguments, const Arguments& more) {
  arguments.insert(arguments.end(), more.begin(), more.end());
  return run_to_end(arguments);
}

/// Where a program that listens has its admin door.
Endpoint admin_of(Program& program) {
  const auto log = program.standard_error();
  const std::string before = "admin door at address=127.0.0.1:";
  const auto at = log.find(before);
  EXPECT_NE(at, std::string::npos) << log;
  return {"127.0.0.1", static_cast<std::uint16_t>(std::stoi(log.substr(at + before.size())))};
}

/// A `tracker serve` with an admin socket and an admin address with two keys.
class Served {
 public:
  explicit Served(const std::string& store)
      : program_({"serve", "--envoy-addr", "127.0.0.1:0", "--health-addr", "127.0.0.1:0", "--store",
                  store == "rocksdb" ? "rocksdb:" + directory_.path().string() + "/data" : store,
                  "--admin-socket", socket(), "--admin-addr", "127.0.0.1:0", "--admin-keys", keys_file()}) {
    doors_ = program_.wait_listening();
  }

  Endpoint envoy() const { return doors_.at("envoy"); }
  Endpoint health() const { return doors_.at("health"); }
  Program& program() { return program_; }
  std::string socket() const { return directory_.path() / "admin"; }
  std::string keys_file() const {
    std::string file = directory_.path() / "keys";
    if (!std::ifstream(file))
      write_keys(file, line_of_ana + std::string("bob write ") + digest_of_beta + "\n");
    return file;
  }
  static void write_keys(const std::string& file, const std::string& text) { std::ofstream(file) << text; }

  Endpoint admin() { return admin_of(program_); }
  HttpAnswer ask(const std::string& request_line, const std::string& fields) {
    RawClient client(admin());
    client.send(request_line + " HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n" + fields + "\r\n");
    return client.read_answer();
  }
  void wait_for_log(const std::string& text) {
    const Deadline deadline;
    while (program_.standard_error().find(text) == std::string::npos) {
      ASSERT_FALSE(deadline.passed()) << program_.standard_error();
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
  }
  Outcome tracker(const Arguments& arguments) { return run(arguments, {"--admin-socket", socket()}); }

 private:
  const TemporaryDirectory directory_;
  Program program_;
  std::map<std::string, Endpoint> doors_;
};

/// A file of keys, and one with a key of them.
class Keys {
 public:
  Keys() {
    Served::write_keys(directory_.path() / "keys", line_of_ana);
    std::ofstream(directory_.path() / "key") << "alpha\n";
  }
  /// For a service.
  Arguments flags() const {
    return {"--admin-addr", "127.0.0.1:0", "--admin-keys", directory_.path() / "keys"};
  }
  /// For who asks it.
  Arguments key() const { return {"--admin-key-file", directory_.path() / "key"}; }

 private:
  const TemporaryDirectory directory_;
};

constexpr const char* unknown_token = "00000000-0000-4000-8000-000000000000";

/// Requests for these paths with these tokens, in one piece.
std::string pipelined(const std::vector<std::string>& paths, const std::vector<std::string>& tokens) {
  std::string requests;
  for (std::size_t i = 0; i < paths.size(); ++i)
    requests += "GET " + paths[i] + " HTTP/1.1\r\nHost: a\r\nAuthorization: " + tokens[i] + "\r\n\r\n";
  return requests;
}

class ReadingTest : public testing::TestWithParam<const char*> {};

TEST_P(ReadingTest, TheCommandsTellWhatWasCounted) {
  Served served(GetParam());
  EXPECT_EQ(served.tracker({"tokens", "--json"}).out, "");
  Caller caller(served.envoy());
  std::map<std::string, std::int64_t> totals;
  std::string token;
  for (int i = 0; i < 5; ++i) {
    token = caller.mint();
    auto& total = totals[id_of(token)];
    for (int path = 0; path <= i; ++path, ++total) caller.count("/p/" + std::to_string(path), token);
  }
  const auto listed = served.tracker({"tokens", "list"});
  EXPECT_EQ(listed.exit_code, 0);
  EXPECT_EQ(lines_of(listed.out), 7U) << listed.out;
  EXPECT_THAT(listed.out, HasSubstr("5 tokens, 15 paths, 15 requests counted"));
  for (const auto& [id, total] : totals) {
    const auto shown = served.tracker({"tokens", "show", id, "--json"});
    EXPECT_THAT(shown.out, HasSubstr("\"total\":" + std::to_string(total) + "}"));
  }
  EXPECT_THAT(listed.out, Not(HasSubstr(token)));

  caller.count("/p/1", token);
  const auto counts = served.tracker({"counts", id_of(token), "--prefix", "/p/1"});
  EXPECT_EQ(counts.exit_code, 0);
  EXPECT_EQ(counts.out, "             2  /p/1\n             2  on 1 path of token " + id_of(token) + "\n");
  EXPECT_EQ(caller.count("/p/1", token), 3) << "reading counts nothing";

  const auto status = served.tracker({"status"});
  EXPECT_EQ(status.exit_code, 0);
  EXPECT_THAT(status.out, HasSubstr("ready since"));
}

// What was answered is there, whoever counts meanwhile.
TEST_P(ReadingTest, AReadingSeesWhatWasAnsweredBefore) {
  Served served(GetParam());
  Caller caller(served.envoy());
  std::vector<std::string> tokens;
  for (int i = 0; i < 8; ++i) tokens.push_back(caller.mint());
  SteadyLoad load(served.envoy(), tokens, {"/a", "/b"});
  const auto own = caller.mint();
  ASSERT_EQ(served.tracker({"tokens", "label", id_of(own), "--label", "own"}).exit_code, 0);
  for (std::int64_t count = 1; count <= 50; ++count) {
    ASSERT_EQ(caller.count("/own", own), count);
    RawClient admin(served.admin());
    admin.send("GET /v1/tokens/" + id_of(own) +
               "/counts HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer alpha\r\n\r\n");
    const auto answer = admin.read_answer();
    ASSERT_THAT(answer.body, HasSubstr("{\"path\":\"/own\",\"count\":" + std::to_string(count) + "}"));
    // It looks at all tokens, of which the load mints more and more, and answers with this one.
    admin.send("GET /v1/tokens?label=own HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer alpha\r\n\r\n");
    ASSERT_THAT(admin.read_answer().body, HasSubstr("\"paths\":1,\"total\":" + std::to_string(count) + "}"));
  }
  load.wait_for_more(SteadyLoad::Kind::counted, 100);
  load.stop();
  EXPECT_THAT(load.complaints(), testing::IsEmpty());
}

INSTANTIATE_TEST_SUITE_P(Stores, ReadingTest, testing::Values("memory", "rocksdb"),
                         [](const auto& store) { return std::string(store.param); });

TEST(AdminReadingTest, StatusTellsHitsAndRefusalsAsTheMetricsDo) {
  Served served("memory");
  EXPECT_THAT(served.tracker({"status"}).out, HasSubstr("  refused        nothing since the start\n"));
  Caller caller(served.envoy());
  const auto token = caller.mint();
  for (int i = 0; i < 5; ++i) caller.count("/p", token);
  for (int i = 0; i < 2; ++i) EXPECT_EQ(caller.ask(get_without_token("/p")).status, 401);
  EXPECT_EQ(caller.ask(get("/p", domain::to_string(domain::random_token()))).status, 401);
  EXPECT_THAT(served.tracker({"status", "--json"}).out,
              HasSubstr("\"hits\":5,\"refusals\":{\"no_token\":2,\"unknown_token\":1}"));
  const auto text = served.tracker({"status"}).out;
  EXPECT_THAT(text, HasSubstr("  counted        5 hits since the start\n"));
  EXPECT_THAT(text, HasSubstr("  refused        2 no_token, 1 unknown_token\n"));
  const auto metrics = ask_health(served.health(), "/metrics").body;
  for (const char* line :
       {"tracker_http_answers_total{code=\"200\"} 6\n", "tracker_tokens_minted_total{door=\"http\"} 1\n",
        "tracker_http_refusals_total{reason=\"no_token\"} 2\n",
        "tracker_http_refusals_total{reason=\"unknown_token\"} 1\n"})
    EXPECT_THAT(metrics, HasSubstr(line));
}

// Only what was counted, whatever was asked in the same batch.
TEST_P(ReadingTest, TheBusiestAreThoseThatWereCounted) {
  Served served(GetParam());
  Caller caller(served.envoy());
  const auto token = caller.mint();
  const auto other = caller.mint();
  for (int i = 0; i < 3; ++i) caller.count("/often", token);
  caller.count("/once?x=1", other);
  RawClient client(served.envoy());
  client.send(pipelined({"/often", "/unknown", "/often"}, {token, unknown_token, other}));
  for (const int status : {200, 401, 200}) EXPECT_EQ(client.read_answer().status, status);

  const auto paths = served.tracker({"top"});
  EXPECT_EQ(paths.exit_code, 0) << paths.err;
  EXPECT_THAT(paths.out, testing::StartsWith("last minute   since start  path\n"
                                             "          5             5  /often\n"
                                             "          1             1  /once\n"
                                             "6 requests counted in the last "));
  const auto tokens = served.tracker({"top", "--by", "token", "--over", "start", "--limit", "1", "--json"});
  const auto entry = R"("top":[{"id":")" + id_of(token) + R"(","count":4,"error":0}]})";
  EXPECT_THAT(tokens.out, HasSubstr(R"("hits":6,"others_max":2,)" + entry + ","));
  EXPECT_THAT(tokens.out, testing::EndsWith(entry + "}\n"));
  EXPECT_THAT(tokens.out, Not(HasSubstr(token)));
  EXPECT_EQ(served.tracker({"top", "--by", "paths"}).exit_code, 2);
}

TEST(AdminReadingTest, ATokenIsTakenFromAFileOrStandardInputOnly) {
  Served served("memory");
  Caller caller(served.envoy());
  const auto token = caller.mint();
  caller.count("/p", token);
  const TemporaryDirectory directory;
  const std::string file = directory.path() / "token";
  std::ofstream(file) << token << "\n";
  EXPECT_THAT(served.tracker({"counts", "--token-file", file, "--json"}).out,
              testing::Eq("{\"path\":\"/p\",\"count\":1}\n"));
  const auto refused = served.tracker({"counts", token});
  EXPECT_EQ(refused.exit_code, 2);
  EXPECT_THAT(refused.err, HasSubstr("standard input"));
  EXPECT_THAT(refused.err, Not(HasSubstr(token)));
  EXPECT_EQ(served.tracker({"counts"}).exit_code, 2);
  EXPECT_EQ(served.tracker({"counts", std::string(32, '0')}).exit_code, 1);
  EXPECT_EQ(served.tracker({"tokens", "show", std::string(32, '0')}).exit_code, 1);
  EXPECT_EQ(served.tracker({"tokens", "show", "x"}).exit_code, 2);
}

TEST(AdminReadingTest, AServiceThatDoesNotRunIsSaidSo) {
  const TemporaryDirectory directory;
  for (const char* command : {"tokens", "status", "top"}) {
    const auto outcome = run_to_end({command, "--admin-socket", directory.path() / "none"});
    EXPECT_EQ(outcome.exit_code, 1);
    EXPECT_THAT(outcome.err, HasSubstr("name the --admin-socket or the --store of one that runs"));
  }
}

TEST(AdminReadingTest, OverTcpAKeyIsNeeded) {
  Served served("memory");
  const std::string alpha = "Authorization: Bearer alpha\r\n";
  const std::string beta = "Authorization: Bearer beta\r\n";
  EXPECT_EQ(served.ask("GET /v1/status", "").status, 401);
  EXPECT_EQ(served.ask("GET /v1/status", "Authorization: Bearer wrong\r\n").status, 401);
  EXPECT_EQ(served.ask("GET /v1/status", alpha).status, 200);
  EXPECT_EQ(served.ask("GET /v1/status", alpha + "Origin: http://localhost\r\n").status, 403);
  EXPECT_EQ(served.ask("POST /slots/forget", alpha).status, 403);
  EXPECT_EQ(served.ask("POST /slots/forget", beta).status, 500)
      << "it is allowed, and there is no such counter";
  EXPECT_EQ(served.ask("PUT /v1/tokens", beta).status, 405);
  RawClient client(served.admin());
  client.send("GET /v1/status HTTP/1.1\r\nHost: evil.example\r\n" + alpha + "\r\n");
  EXPECT_EQ(client.read_answer().status, 421);
  served.wait_for_log("a wrong one, is refused");
  served.wait_for_log("with the key of bob: /slots/forget");
  EXPECT_THAT(served.program().standard_error(), Not(HasSubstr("beta")));
}

TEST(AdminReadingTest, KeysAreReadAgain) {
  Served served("memory");
  const std::string alpha = "Authorization: Bearer alpha\r\n";
  const std::string beta = "Authorization: Bearer beta\r\n";
  Served::write_keys(served.keys_file(), "ana read nonsense\n");
  served.program().send_signal(SIGHUP);
  served.wait_for_log("the keys so far stay");
  EXPECT_EQ(served.ask("GET /v1/status", alpha).status, 200);
  Served::write_keys(served.keys_file(), std::string("eve read ") + digest_of_beta + "\n");
  served.program().send_signal(SIGHUP);
  served.wait_for_log("was read again");
  EXPECT_EQ(served.ask("GET /v1/status", alpha).status, 401);
  EXPECT_EQ(served.ask("GET /v1/status", beta).status, 200);
}

TEST(AdminReadingTest, AnAddressNeedsKeysAndLoopback) {
  const auto refusal_of = [](const Arguments& more) {
    const auto outcome = run({"serve", "--envoy-addr", "127.0.0.1:0", "--store", "memory"}, more);
    EXPECT_EQ(outcome.exit_code, 2);
    return outcome.err;
  };
  const TemporaryDirectory directory;
  const std::string keys = directory.path() / "keys";
  Served::write_keys(keys, line_of_ana);
  EXPECT_THAT(refusal_of({"--admin-addr", "127.0.0.1:0"}), HasSubstr("give --admin-keys"));
  EXPECT_THAT(refusal_of({"--admin-addr", "0.0.0.0:0", "--admin-keys", keys}), HasSubstr("--admin-insecure"));
  EXPECT_THAT(refusal_of({"--admin-addr", "127.0.0.1:0", "--admin-keys", "/nowhere"}),
              HasSubstr("cannot be read"));
  EXPECT_THAT(refusal_of({"--admin-keys", keys}), HasSubstr("only with --admin-addr"));
}

// Each counter tells its own tokens alone, and the command has them all.
TEST(AdminReadingTest, PartitionedCountersAreMerged) {
  Partition partition(3);
  const Keys keys;
  std::string admin;
  std::map<char, std::string> address_of;
  for (const char name : {'a', 'b', 'c'}) {
    auto& counter = partition.start_counter(name, "abc", keys.flags());
    address_of[name] = admin_of(*counter.program).to_string();
    admin += (admin.empty() ? "" : ",") + address_of[name];
  }
  auto& envoy = partition.start_envoy("abc");
  wait_all_ready(envoy.health);
  Caller caller(envoy.door);
  std::set<std::string> ids;
  std::string token;
  for (int i = 0; i < 60; ++i) {
    token = caller.mint();
    ids.insert(id_of(token));
    caller.count("/p", token);
  }
  const auto key = keys.key();
  const auto all = run({"tokens", "--admin", admin}, key);
  EXPECT_THAT(all.out, HasSubstr("60 tokens, 60 paths, 60 requests counted")) << all.err;
  for (const auto& id : ids) EXPECT_THAT(all.out, HasSubstr(id));
  EXPECT_THAT(run({"counts", id_of(token), "--admin", admin}, key).out, HasSubstr("1  /p\n"));
  int owners = 0;
  for (const auto& [name, address] : address_of) {
    const auto one = run({"tokens", "show", id_of(token), "--admin", address}, key);
    if (one.exit_code == 0) {
      ++owners;
    } else {
      EXPECT_THAT(one.err, HasSubstr("by another counter"));
    }
  }
  EXPECT_EQ(owners, 1);
  EXPECT_EQ(caller.ask(get("/p", domain::to_string(domain::random_token()))).status, 401);
  const auto top = run({"top", "--admin", admin}, key);
  EXPECT_THAT(top.out, HasSubstr("         60            60  /p\n")) << top.err;
  const auto top_tokens = run({"top", "--by", "token", "--limit", "100", "--json", "--admin", admin}, key);
  for (const auto& id : ids) EXPECT_THAT(top_tokens.out, HasSubstr(id + R"(","count":1,"error":0})"));
  const auto status = run({"status", "--admin", admin}, key);
  EXPECT_EQ(status.exit_code, 0);
  EXPECT_THAT(status.out, HasSubstr("(this one)"));
  EXPECT_THAT(status.out, testing::EndsWith("all 3 services\n  counted        60 hits since the start\n"
                                            "  refused        1 unknown_token\n"));
  EXPECT_THAT(run({"status", "--json", "--admin", admin}, key).out,
              testing::EndsWith("{\"services\":3,\"hits\":60,\"refusals\":{\"unknown_token\":1}}\n"));
}

// Two counters on one cluster have all tokens, and stand in for each other. A slot that moves, and a master that is replaced,
// hide no count.
TEST(AdminReadingTest, ARedisClusterIsReadWhileItChanges) {
  const Keys keys;
  ClusterFleet fleet(2, 0, keys.flags());
  const auto key = keys.key();
  const auto one = admin_of(*fleet.counter(0).program).to_string();
  const auto other = admin_of(*fleet.counter(1).program).to_string();
  const auto both = one + "," + other;
  Caller caller(fleet.start_envoy().door);
  std::map<std::string, domain::Slot> slots;  // of the tokens
  for (int i = 0; i < 30; ++i) {
    const auto token = caller.mint();
    slots[id_of(token)] = domain::slot_of(domain::token_id(domain::parse_token(token).value()));
    caller.count("/a", token);
    caller.count("/b", token);
  }
  const auto expect_all = [&] {
    for (const auto& admin : {one, other, both}) {
      const auto all = run({"tokens", "--admin", admin}, key);
      EXPECT_THAT(all.out, HasSubstr("30 tokens, 60 paths, 60 requests counted")) << all.err;
      for (const auto& [id, slot] : slots) EXPECT_THAT(all.out, HasSubstr(id));
    }
  };
  expect_all();
  const auto [id, slot] = *slots.begin();
  const auto expect_counts = [&, id = id] {
    for (const auto& admin : {one, other}) {
      const auto counts = run({"counts", id, "--admin", admin}, key);
      EXPECT_EQ(counts.out,
                "             1  /a\n             1  /b\n             2  on 2 paths of token " + id + "\n")
          << counts.err;
    }
  };
  expect_counts();
  const auto status = run({"status", "--admin", both}, key);
  EXPECT_EQ(status.exit_code, 0);
  EXPECT_THAT(status.out, HasSubstr("  store          redis-cluster\n"));
  EXPECT_THAT(status.out, HasSubstr("all 2 services\n  counted        60 hits since the start\n"));

  const auto from = fleet.node_of(slot);
  const auto to = (from + 1) % ClusterFleet::masters;
  fleet.cluster().begin_move(slot, from, to);
  expect_counts();
  const auto refused = run({"tokens", "--admin", one}, key);
  EXPECT_EQ(refused.exit_code, 1);
  EXPECT_THAT(refused.err, HasSubstr("is being resharded"));
  fleet.cluster().move_keys(slot, from, to);
  expect_counts();
  fleet.cluster().end_move(slot, from, to);
  expect_all();

  wait_received(fleet.cluster().node(ClusterFleet::masters + to), fleet.cluster().node(to));
  fleet.cluster().node(to).kill();
  expect_counts();
  fleet.cluster().wait_until_well({to});
  expect_all();
}

// Connections at the door are bounded. They take nothing from those that are counted.
TEST(AdminReadingTest, TheConnectionThatAskedNothingForLongestMakesWay) {
  constexpr std::size_t connections_max = 64;
  Served served("memory");
  SteadyLoad load(served.envoy(), {Caller(served.envoy()).mint()}, {"/a"});
  const auto ask = [](RawClient& client) {
    client.send("GET /v1/status HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer alpha\r\n\r\n");
    EXPECT_EQ(client.read_answer().status, 200);
  };
  std::deque<RawClient> clients;
  while (clients.size() < connections_max) ask(clients.emplace_back(served.admin()));
  RawClient another(served.admin());
  ask(another);
  EXPECT_EQ(clients.front().read_to_end(), RawClient::End::closed);
  clients.pop_front();
  for (auto& client : clients) ask(client);
  load.wait_for_more(SteadyLoad::Kind::counted, 100);
  load.stop();
  EXPECT_THAT(load.complaints(), testing::IsEmpty());
  EXPECT_EQ(load.seen(SteadyLoad::Kind::refused) + load.seen(SteadyLoad::Kind::perhaps), 0U);
}

}  // namespace
}  // namespace tracker::tests
