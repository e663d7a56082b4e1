// Settings and start-up: where settings come from, which ones are refused, and how that is said.

#include <gtest/gtest.h>
#include <sched.h>
#include <signal.h>

#include <algorithm>
#include <chrono>
#include <fstream>
#include <regex>
#include <sstream>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "support/caller.h"
#include "support/deadline.h"
#include "support/program.h"
#include "support/temporary_directory.h"

namespace tracker::tests {
namespace {

using std::chrono_literals::operator""ms;

const Arguments serve{"serve",       "--store",       "memory",     "--envoy-addr",
                      "127.0.0.1:0", "--health-addr", "127.0.0.1:0"};

Arguments serve_with(const Arguments& more) {
  Arguments arguments = serve;
  arguments.insert(arguments.end(), more.begin(), more.end());
  return arguments;
}

bool has(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

bool comes_to_say(Program& program, const std::string& part) {
  for (const Deadline deadline; !has(program.output(), part); std::this_thread::sleep_for(1ms)) {
    if (deadline.passed()) return false;
  }
  return true;
}

void expect_one_line(const Outcome& outcome, int exit_code, const std::vector<std::string>& parts) {
  EXPECT_EQ(outcome.exit_code, exit_code);
  EXPECT_EQ(std::count(outcome.err.begin(), outcome.err.end(), '\n'), 1) << outcome.err;
  EXPECT_TRUE(outcome.err.ends_with('\n')) << outcome.err;
  for (const std::string& part : parts)
    EXPECT_TRUE(has(outcome.err, part)) << outcome.err << "lacks " << part;
}

struct BadSetting {
  std::string flag;
  std::string environment;
  std::string value;
};

const std::vector<BadSetting>& bad_settings() {
  static const std::vector<BadSetting> settings{
      {"--envoy-addr", "ENVOY_ADDR", "nonsense"},
      {"--envoy-addr", "ENVOY_ADDR", "127.0.0.1"},
      {"--envoy-addr", "ENVOY_ADDR", "127.0.0.1:99999"},
      {"--envoy-addr", "ENVOY_ADDR", "127.0.0.1:-1"},
      {"--envoy-addr", "ENVOY_ADDR", "127.0.0.1:80x"},
      {"--envoy-addr", "ENVOY_ADDR", "[::1:80"},
      {"--health-addr", "HEALTH_ADDR", "nonsense"},
      {"--health-addr", "HEALTH_ADDR", "127.0.0.1:http"},
      {"--admin-addr", "TRACKER_ADMIN_ADDR", "none"},
      {"--store", "TRACKER_STORE", "bogus"},
      {"--store", "TRACKER_STORE", "memory:x"},
      {"--store", "TRACKER_STORE", "rocksdb:~/counts"},
      {"--store", "TRACKER_STORE", "rocksdb:~"},
      {"--require-durability", "TRACKER_REQUIRE_DURABILITY", "maybe"},
      {"--threads", "TRACKER_THREADS", "many"},
      {"--threads", "TRACKER_THREADS", "-1"},
      {"--threads", "TRACKER_THREADS", "0"},
      {"--threads", "TRACKER_THREADS", "2x"},
      {"--threads", "TRACKER_THREADS", "99999999999999999999"},
      {"--request-line-bytes-max", "TRACKER_REQUEST_LINE_BYTES_MAX", "long"},
      {"--head-bytes-max", "TRACKER_HEAD_BYTES_MAX", "16XiB"},
      {"--head-fields-max", "TRACKER_HEAD_FIELDS_MAX", "x"},
      {"--head-deadline", "TRACKER_HEAD_DEADLINE", "soon"},
      {"--idle-deadline", "TRACKER_IDLE_DEADLINE", "10parsecs"},
      {"--write-deadline", "TRACKER_WRITE_DEADLINE", "-1s"},
      {"--linger-deadline", "TRACKER_LINGER_DEADLINE", "s"},
      {"--linger-bytes-max", "TRACKER_LINGER_BYTES_MAX", "-5"},
      {"--request-deadline", "TRACKER_REQUEST_DEADLINE", "2y"},
      {"--pipeline-max", "TRACKER_PIPELINE_MAX", "0"},
      {"--pipeline-max", "TRACKER_PIPELINE_MAX", "1e3"},
      {"--connections-max", "TRACKER_CONNECTIONS_MAX", "0"},
      {"--connections-max", "TRACKER_CONNECTIONS_MAX", "all"},
      {"--connections-per-address-max", "TRACKER_CONNECTIONS_PER_ADDRESS_MAX", "-1"},
      {"--hits-max", "TRACKER_HITS_MAX", "0x10"},
      {"--auth", "TRACKER_AUTH", "shut"},
      {"--mint-rate", "TRACKER_MINT_RATE", "-1"},
      {"--mint-burst", "TRACKER_MINT_BURST", "0"},
      {"--trusted-proxies", "TRACKER_TRUSTED_PROXIES", "proxy.example"},
      {"--trusted-proxies", "TRACKER_TRUSTED_PROXIES", "10.0.0.1/8"},
      {"--trusted-proxies", "TRACKER_TRUSTED_PROXIES", "10.0.0.0/8,"},
      {"--trusted-proxies", "TRACKER_TRUSTED_PROXIES", "10.0.0.1:80"},
      {"--drain-delay", "TRACKER_DRAIN_DELAY", "later"},
      {"--drain-limit", "TRACKER_DRAIN_LIMIT", "never"},
      {"--log-format", "TRACKER_LOG_FORMAT", "xml"},
      {"--log-level", "TRACKER_LOG_LEVEL", "loud"},
  };
  return settings;
}

TEST(StartupTest, BadFlagIsNamedWithItsValue) {
  for (const BadSetting& setting : bad_settings()) {
    SCOPED_TRACE(setting.flag + " " + setting.value);
    Arguments arguments = serve;
    const auto given = std::find(arguments.begin(), arguments.end(), setting.flag);
    if (given != arguments.end()) arguments.erase(given, given + 2);
    arguments.push_back(setting.flag + "=" + setting.value);
    expect_one_line(run_to_end(arguments), 2, {setting.flag, setting.value});
  }
}

TEST(StartupTest, BadEnvironmentIsNamedWithItsValue) {
  for (const BadSetting& setting : bad_settings()) {
    SCOPED_TRACE(setting.environment + "=" + setting.value);
    Arguments arguments = serve;
    const auto given = std::find(arguments.begin(), arguments.end(), setting.flag);
    if (given != arguments.end()) arguments.erase(given, given + 2);
    expect_one_line(run_to_end(arguments, {{setting.environment, setting.value}}), 2,
                    {setting.environment, setting.value});
  }
}

// A shell replaces ~ only at the beginning of a word.
TEST(StartupTest, TildeThatNoShellReplacedIsRefusedWithTheRemedy) {
  const std::vector<Arguments> commands{
      {"serve", "--store", "rocksdb:~/counts"},
      {"counter", "--store", "rocksdb:~/counts"},
      {"backup", "--store", "rocksdb:~/counts", "/nowhere/backup"},
      {"restore", "--store", "rocksdb:~/counts", "/nowhere/backup"},
  };
  for (const Arguments& command : commands) {
    SCOPED_TRACE(command.front());
    expect_one_line(run_to_end(command), 2,
                    {"--store", "rocksdb:~/counts", "rocksdb:$HOME/counts", "absolute"});
  }
  expect_one_line(run_to_end({"serve", "--store", "rocksdb:~other/x"}), 2, {"rocksdb:~other/x", "absolute"});
}

TEST(StartupTest, WhatIsNoSettingIsRefused) {
  struct Wrong {
    Arguments arguments;
    std::vector<std::string> said;
  };
  const std::vector<Wrong> wrong{
      {serve_with({"--bogus"}),
       {"--bogus: there is no such setting of tracker serve; tracker help serve lists all"}},
      {serve_with({"--bogus", "1"}), {"--bogus: "}},
      {serve_with({"--bogus=1"}), {"--bogus: "}},
      {serve_with({"--drain-limt", "5s"}),
       {"--drain-limt: there is no such setting of tracker serve", "did you mean --drain-limit?"}},
      {serve_with({"--drain_limit=5s"}), {"did you mean --drain-limit?"}},
      {serve_with({"--thread", "1"}), {"--thread: ", "did you mean --threads?"}},
      {serve_with({"--connections", "1"}), {"did you mean --connections-max?"}},
      {serve_with({"-threads", "1"}), {"did you mean --threads?"}},
      {serve_with({"threads=1"}), {"\"threads=1\"", "did you mean --threads?"}},
      {serve_with({"-V"}), {"-V: "}},
      {serve_with({"stray"}), {"\"stray\": this is not an argument of tracker serve"}},
      {serve_with({"--insecure", "yes"}), {"\"yes\""}},
      {serve_with({"--threads"}), {"--threads: its value is missing"}},
      {serve_with({"--threads", "1", "--threads", "2"}), {"--threads: it is given more than once"}},
      {serve_with({"--redis-proxy", "--redis-proxy"}), {"--redis-proxy: it is given more than once"}},
      {{"envoy", "--store", "memory"},
       {"--store: ", "tracker envoy", "it is one of tracker serve, tracker counter"}},
      {{"backup"}, {"TO is required", "tracker backup --help"}},
      {{"backup", "--stroe", "rocksdb:x", "/nowhere"}, {"did you mean --store?"}},
      {{"slots", "forget"}, {"forget: NAME is missing; write tracker slots forget NAME"}},
      {{"slots", "forget", ""}, {"NAME is missing"}},
      {{"slots", "frget", "b"}, {"\"frget\": ", "did you mean tracker slots forget NAME?"}},
      {{"slots", "more"}, {"\"more\": ", "there is only tracker slots forget NAME"}},
      {{"slots", "forget", "b", "c"}, {"\"c\": there is no argument after tracker slots forget NAME"}},
      {{"slots"}, {"--counters: no counters are given"}},
      {{"bogus"}, {"\"bogus\": there is no such command; tracker help lists all"}},
      {{"serv"}, {"\"serv\": ", "did you mean serve?"}},
      {{"help", "chek"}, {"\"chek\": ", "did you mean check?"}},
      {{"help", "serve", "more"}, {"tracker help"}},
      {{"version", "more"}, {"tracker version"}},
      {{"completion"}, {"tracker completion bash"}},
      {{"completion", "csh"}, {"\"csh\"", "tracker completion bash"}},
      {{"completion", "bash", "more"}, {"tracker completion"}},
      {{"manual"}, {"DIR is missing", "tracker manual DIR"}},
      {{"--bogus"}, {"--bogus: "}},
      {{"--threads", "2", "serve"}, {"--threads: ", "a command comes first"}},
      {{}, {"a command is missing"}},
  };
  for (const Wrong& row : wrong) expect_one_line(run_to_end(row.arguments), 2, row.said);
}

// The words of a library, or a name in its source, must not show.
TEST(StartupTest, ErrorsAreInWordsOfTheirOwn) {
  for (const Arguments& arguments :
       {serve_with({"--bogus"}), serve_with({"stray"}), serve_with({"--threads"}), Arguments{"bogus"},
        Arguments{"--bogus"}, Arguments{"backup"}}) {
    const Outcome outcome = run_to_end(arguments);
    for (const char* foreign : {"following", "TEXT", "expected", "INI"})
      EXPECT_FALSE(has(outcome.err, foreign)) << outcome.err;
  }
}

// Returns the greatest number of fields that the running service accepts, for a limit of 3, 5 or the default 100.
int fields_taken(Program& program) {
  const Endpoint envoy = program.wait_listening().at("envoy");
  for (const int fields : {3, 5}) {
    RawClient client(envoy);
    client.send(get_without_token("/auth", repeated("X: v\r\n", static_cast<std::size_t>(fields))));
    if (client.read_answer().status == 431) return fields;
  }
  return 100;
}

TEST(StartupTest, FlagThatCannotTakeEffectIsRefused) {
  struct Idle {
    Arguments arguments;
    std::string flag;
    std::string remedy;
  };
  const std::vector<Idle> idle{
      {serve_with({"--redis-addr", "127.0.0.1:1"}), "--redis-addr", "--store redis"},
      {serve_with({"--redis-addr", "nonsense"}), "--redis-addr", "--store redis"},
      {serve_with({"--redis-password-file", "/nowhere"}), "--redis-password-file", "--store redis"},
      {serve_with({"--redis-replicas", "1"}), "--redis-replicas", "--store redis"},
      {serve_with({"--redis-proxy"}), "--redis-proxy", "--store redis"},
      {serve_with({"--store-name", "shop"}), "--store-name", "--redis-proxy"},
      {serve_with({"--durability", "none"}), "--durability", "--store rocksdb:DIR"},
      {serve_with({"--cache-bytes", "8MiB"}), "--cache-bytes", "--store rocksdb:DIR"},
      {serve_with({"--insecure"}), "--insecure", "--counter-addr"},
      {serve_with({"--counter-addr", "127.0.0.1:0", "--insecure"}), "--insecure", "off loopback"},
      {serve_with({"--linger-deadline", "0", "--linger-bytes-max", "1"}), "--linger-bytes-max",
       "--linger-deadline"},
      {serve_with({"--require-durability"}), "--require-durability", "--store memory"},
      {serve_with({"--access-log-sample", "10"}), "--access-log-sample", "--access-log"},
      {serve_with({"--auth", "closed", "--mint-rate", "5"}), "--mint-rate", "--auth open"},
      {serve_with({"--auth", "closed", "--mint-burst", "5"}), "--mint-burst", "--mint-rate above 0"},
      {serve_with({"--mint-rate", "0", "--mint-burst", "5"}), "--mint-burst", "--mint-rate above 0"},
      {serve_with({"--proxy-protocol"}), "--proxy-protocol", "--trusted-proxies"},
      {{"counter", "--counter-addr", "127.0.0.1:0", "--insecure"}, "--insecure", "off loopback"},
      {{"counter", "--durability", "none"}, "--durability", "--store rocksdb:DIR"},
      {{"counter", "--store", "memory", "--redis-addr", "127.0.0.1:1"}, "--redis-addr", "--store redis"},
      {{"serve", "--redis-addr", "127.0.0.1:1"}, "--redis-addr", "--store redis"},
      {{"serve", "--redis-proxy"}, "--redis-proxy", "--store redis"},
      {{"slots", "--admin-socket", "/x"}, "--admin-socket", "forget NAME"},
      {{"slots", "--store", "rocksdb:x"}, "--store", "forget NAME"},
      {{"slots", "forget", "b", "--counters", "a=h:1"}, "--counters", "tracker slots alone"},
      {{"slots", "forget", "b", "--ask"}, "--ask", "tracker slots alone"},
      {{"slots", "forget", "b", "--counters-file", "f"}, "--counters-file", "tracker slots alone"},
      {{"slots", "forget", "b", "--admin-socket", "/x", "--store", "rocksdb:x"}, "--store", "--admin-socket"},
      {{"envoy", "--counter-addr", "a=h:1", "--counters-file", "f"},
       "--counter-addr",
       "without --counters-file"},
      {{"counter", "--peers", "a=h:1", "--counters-file", "f"}, "--peers", "without --counters-file"},
      {{"slots", "--counters", "a=h:1", "--counters-file", "f"}, "--counters", "without --counters-file"},
  };
  for (const Idle& row : idle) expect_one_line(run_to_end(row.arguments), 2, {row.flag, row.remedy});
}

// Commands and stores share environment files.
TEST(StartupTest, VariableThatCannotTakeEffectIsLeftAlone) {
  Program program(serve_with({"--connections-max", "100"}),  // no warning about few open files
                  {{"REDIS_ADDR", "nonsense"},
                   {"TRACKER_REDIS_PASSWORD_FILE", "/nowhere"},
                   {"TRACKER_REDIS_PROXY", "nonsense"},
                   {"TRACKER_DURABILITY", "none"},
                   {"TRACKER_CACHE_BYTES", "nonsense"},
                   {"TRACKER_INSECURE", "yes"},
                   {"TRACKER_ENVOYS", "nonsense"},
                   {"TRACKER_PORT", "tcp://10.0.0.1:6380"},
                   {"TRACKER_OF_ANOTHER_PROGRAM", "1"}});
  program.wait_listening();
  EXPECT_FALSE(has(program.output(), "warning")) << program.output();
}

// A list is given by a flag or by a file, and COUNTER_ADDR is also where a counter listens.
TEST(StartupTest, AFlagBeatsTheVariableOfAnotherFlagThatGivesTheSame) {
  const TemporaryDirectory directory;
  const std::string file = (directory.path() / "counters").string();
  std::ofstream(file) << "a=127.0.0.1:1\n";
  Program by_file({"envoy", "--envoy-addr", "127.0.0.1:0", "--counters-file", file},
                  {{"COUNTER_ADDR", "b=127.0.0.1:2"}});
  EXPECT_TRUE(comes_to_say(by_file, "counter a at 127.0.0.1:1"));
  EXPECT_FALSE(has(by_file.output(), "127.0.0.1:2")) << by_file.output();
  Program by_list({"envoy", "--envoy-addr", "127.0.0.1:0", "--counter-addr", "b=127.0.0.1:2"},
                  {{"TRACKER_COUNTERS_FILE", file}});
  EXPECT_TRUE(comes_to_say(by_list, "counter b at 127.0.0.1:2"));
  EXPECT_FALSE(has(by_list.output(), "127.0.0.1:1")) << by_list.output();
}

TEST(StartupTest, MisspelledVariableIsWarnedOf) {
  Program program(
      serve,
      {{"TRACKER_DRAIN_LIMT", "5s"}, {"tracker_threads", "2"}, {"TRACKER_REDIS_ADDR", "redis://:s3cret@h"}});
  program.wait_listening();
  const std::string log = program.standard_error();
  EXPECT_TRUE(has(log, "warning TRACKER_DRAIN_LIMT: ")) << log;
  EXPECT_TRUE(has(log, "did you mean TRACKER_DRAIN_LIMIT?")) << log;
  EXPECT_TRUE(has(log, "did you mean TRACKER_THREADS?")) << log;
  EXPECT_TRUE(has(log, "did you mean REDIS_ADDR?")) << log;
  EXPECT_FALSE(has(log, "s3cret")) << log;
}

TEST(StartupTest, DoorsAtOneAddressAreRefused) {
  struct Twins {
    Arguments arguments;
    std::vector<std::string> said;
  };
  const Arguments memory{"serve", "--store", "memory"};
  const auto with = [&](const Arguments& more) {
    Arguments arguments = memory;
    arguments.insert(arguments.end(), more.begin(), more.end());
    return arguments;
  };
  const std::vector<Twins> twins{
      {with({"--envoy-addr", "127.0.0.1:1", "--health-addr", "127.0.0.1:1"}),
       {"--health-addr: 127.0.0.1:1", "--envoy-addr"}},
      {with({"--envoy-addr", ":1", "--health-addr", "127.0.0.1:1"}), {"--health-addr", "--envoy-addr"}},
      {with({"--envoy-addr", "127.0.0.1:1", "--health-addr", "0.0.0.0:1"}),
       {"--health-addr", "--envoy-addr"}},
      {with({"--envoy-addr", "[::1]:1", "--health-addr", "[::]:1"}), {"--health-addr", "--envoy-addr"}},
      {with({"--envoy-addr", "localhost:1", "--health-addr", "127.0.0.1:1"}),
       {"--health-addr", "--envoy-addr"}},
      {with({"--envoy-addr", "127.0.0.1:1", "--counter-addr", "127.0.0.1:1"}),
       {"--counter-addr: 127.0.0.1:1", "--envoy-addr"}},
      {with({"--envoy-addr", "127.0.0.1:1", "--counter-addr", "127.0.0.1:11"}),
       {"--health-addr (by default", "--counter-addr"}},
      {{"counter", "--health-addr", "127.0.0.1:6381"}, {"--health-addr", "--counter-addr"}},
      {{"envoy", "--health-addr", "127.0.0.1:6380"}, {"--health-addr", "--envoy-addr"}},
  };
  for (const Twins& row : twins) expect_one_line(run_to_end(row.arguments), 2, row.said);
}

TEST(StartupTest, ValuesAreReadAsPeopleWriteThem) {
  Program program({"serve"}, {{"TRACKER_STORE", " memory\n"},
                              {"ENVOY_ADDR", " 127.0.0.1:0 "},
                              {"HEALTH_ADDR", "127.0.0.1:0\r\n"},
                              {"TRACKER_REQUEST_LINE_BYTES_MAX", "8KB"},
                              {"TRACKER_HEAD_BYTES_MAX", "16kb"},
                              {"TRACKER_IDLE_DEADLINE", "1d"},
                              {"TRACKER_REQUIRE_DURABILITY", "off"},
                              {"TRACKER_HEAD_FIELDS_MAX", " 3\n"}});
  EXPECT_EQ(fields_taken(program), 3);
}

// Wherever the mistake is, and wherever the URL is given.
TEST(StartupTest, NoPartOfARedisUrlWithAPasswordIsPrinted) {
  // Other forms are in shown_value_test.cc.
  const std::vector<std::string> urls{"redis://user:s3cr@h", "redis://:s3cr/s3cr=s3cr@h:1", ":s3cr@h:1"};
  std::vector<std::pair<Arguments, Environment>> runs;
  for (const std::string& url : urls) {
    runs.push_back({{"counter", "--counter-addr", url}, {}});
    runs.push_back({{"counter", "--store", url}, {}});
    if (has(url, "://")) runs.push_back({{"counter", "--store", "rocksdb:" + url}, {}});
    runs.push_back({{"counter", url}, {}});
    runs.push_back({{"counter", "-u" + url}, {}});
    runs.push_back({{"counter", "--redis-adr", url}, {}});
    runs.push_back({{"counter", "--redis-adr=" + url}, {}});
    runs.push_back({{"counter", "--redis-addr:" + url}, {}});
    runs.push_back({{"counter", "--insecure=" + url}, {}});
    runs.push_back({{"counter", "--hits-max", url}, {}});
    runs.push_back({{"counter", "--redis-password-file", url}, {}});
    runs.push_back({{"counter", "--redis-addr", url, "--redis-addr", url}, {}});
    runs.push_back({{"serve", "--store", "memory", "--redis-addr", url}, {}});
    runs.push_back({{url}, {}});
    runs.push_back({{"--redis-addr=" + url}, {}});
    runs.push_back({{"help", url}, {}});
    runs.push_back({{"check", "--envoys", url}, {}});
    runs.push_back({{"counter"}, {{"HEALTH_ADDR", url}}});
    runs.push_back({{"counter"}, {{"TRACKER_STORE", url}}});
    runs.push_back({{"counter"}, {{"TRACKER_THREADS", url}}});
  }
  for (const std::string url : {"redis://:s3cr@h", "redis://u:s3cr@h:1/0"}) {
    runs.push_back({{"backup", url}, {}});
    runs.push_back({{"restore", url}, {}});
  }
  for (const auto& [arguments, environment] : runs) {
    const Outcome outcome = run_to_end(arguments, environment);
    EXPECT_TRUE(outcome.exit_code == 2 || has(outcome.err, "--redis-password-file"))
        << arguments.back() << '\n'
        << outcome.err;
    EXPECT_FALSE(has(outcome.out + outcome.err, "s3")) << outcome.out << outcome.err;
  }
  const Outcome help = run_to_end({"counter", "--help"}, {{"REDIS_ADDR", "redis://:s3cr@h:1"}});
  EXPECT_FALSE(has(help.out + help.err, "s3")) << help.out;
}

TEST(StartupTest, NodesOfAClusterAreReadAsAList) {
  const auto cluster = [](const std::string& nodes, const Arguments& more = {}) {
    Arguments arguments{"counter", "--store", "redis-cluster", "--redis-addr", nodes};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return run_to_end(arguments);
  };
  expect_one_line(cluster("redis://127.0.0.1:1/3,127.0.0.1:2"), 2, {"--redis-addr", "no databases"});
  expect_one_line(cluster("127.0.0.1:1,redis://:secret@127.0.0.1:2"), 2,
                  {"--redis-addr", "before the first node"});
  expect_one_line(cluster("127.0.0.1:1,"), 2, {"--redis-addr", "host"});
  expect_one_line(cluster("127.0.0.1:1", {"--peers", "a=127.0.0.1:3", "--name", "a"}), 2,
                  {"--store redis-cluster", "--peers", "stand in"});
  expect_one_line(run_to_end({"counter", "--redis-addr", "127.0.0.1:1,127.0.0.1:2"}), 2,
                  {"--redis-addr", "--store redis-cluster"});
}

TEST(StartupTest, AddressThatIsNotLocalIsRefused) {
  const Outcome outcome = run_to_end({"serve", "--store", "memory", "--envoy-addr", "192.0.2.1:0"});
  expect_one_line(outcome, 1, {"--envoy-addr", "192.0.2.1"});
}

TEST(StartupTest, HealthAddressThatIsNotLocalIsRefused) {
  const Outcome outcome = run_to_end(
      {"serve", "--store", "memory", "--envoy-addr", "127.0.0.1:0", "--health-addr", "192.0.2.1:0"});
  expect_one_line(outcome, 1, {"--health-addr", "192.0.2.1"});
}

TEST(StartupTest, FlagBeatsEnvironmentBeatsDefault) {
  Program by_default(serve);
  EXPECT_EQ(fields_taken(by_default), 100);
  Program by_environment(serve, {{"TRACKER_HEAD_FIELDS_MAX", "3"}});
  EXPECT_EQ(fields_taken(by_environment), 3);
  Program by_flag(serve_with({"--head-fields-max", "5"}), {{"TRACKER_HEAD_FIELDS_MAX", "3"}});
  EXPECT_EQ(fields_taken(by_flag), 5);
}

TEST(StartupTest, EverySettingCanComeFromTheEnvironment) {
  Program program({"serve"}, {{"ENVOY_ADDR", "127.0.0.1:0"},
                              {"HEALTH_ADDR", "127.0.0.1:0"},
                              {"TRACKER_STORE", "memory"},
                              {"TRACKER_THREADS", "1"},
                              {"TRACKER_REQUEST_LINE_BYTES_MAX", "4KiB"},
                              {"TRACKER_HEAD_BYTES_MAX", "8192"},
                              {"TRACKER_HEAD_FIELDS_MAX", "50"},
                              {"TRACKER_HEAD_DEADLINE", "5s"},
                              {"TRACKER_IDLE_DEADLINE", "60s"},
                              {"TRACKER_WRITE_DEADLINE", "5000ms"},
                              {"TRACKER_LINGER_DEADLINE", "500ms"},
                              {"TRACKER_LINGER_BYTES_MAX", "32KiB"},
                              {"TRACKER_REQUEST_DEADLINE", "1s"},
                              {"TRACKER_PIPELINE_MAX", "64"},
                              {"TRACKER_CONNECTIONS_MAX", "100"},
                              {"TRACKER_CONNECTIONS_PER_ADDRESS_MAX", "100"},
                              {"TRACKER_HITS_MAX", "1000"},
                              {"TRACKER_AUTH", "open"},
                              {"TRACKER_MINT_RATE", "5"},
                              {"TRACKER_MINT_BURST", "50"},
                              {"TRACKER_TRUSTED_PROXIES", "192.0.2.1, 2001:db8::/32"},
                              {"TRACKER_PROXY_PROTOCOL", "on"},
                              {"TRACKER_DRAIN_DELAY", "0s"},
                              {"TRACKER_DRAIN_LIMIT", "5s"},
                              {"TRACKER_LOG_FORMAT", "text"},
                              {"TRACKER_LOG_LEVEL", "info"},
                              {"TRACKER_ACCESS_LOG", "-"},
                              {"TRACKER_ACCESS_LOG_SAMPLE", "1"}});
  const auto doors = program.wait_listening();
  Caller caller(doors.at("envoy"));
  EXPECT_EQ(caller.count("/p", caller.mint()), 1);
  EXPECT_TRUE(doors.contains("health"));
  program.send_signal(SIGTERM);
  EXPECT_EQ(program.wait_exit(), 0);
}

TEST(StartupTest, ListensOnIpv6) {
  if (!has_ipv6_loopback()) GTEST_SKIP() << "no IPv6 on this machine";
  Program program({"serve", "--store", "memory", "--envoy-addr", "[::1]:0", "--health-addr", "[::1]:0"});
  const auto doors = program.wait_listening();
  EXPECT_EQ(doors.at("envoy").host, "::1");
  Caller caller(doors.at("envoy"));
  caller.mint();
}

TEST(StartupTest, LocalhostIsBothItsAddresses) {
  Program program({"serve", "--store", "memory", "--envoy-addr", "localhost:0", "--counter-addr",
                   "localhost:0", "--health-addr", "localhost:0"});
  const auto doors = program.wait_listening();
  const std::string line = program.output();
  for (const char* door : {"envoy", "counter", "health"}) {
    const int port = doors.at(door).port;
    for (const char* host : {"127.0.0.1", "::1"}) {
      const bool is_v6 = std::string_view(host) == "::1";
      if (is_v6 && !has_ipv6_loopback()) continue;
      const RawClient connection(Endpoint{host, doors.at(door).port});  // throws if nobody listens
      EXPECT_TRUE(has(line, std::string(door) + "=" + (is_v6 ? "[::1]" : host) + ":" + std::to_string(port)))
          << line;
    }
  }
  Caller(Endpoint{"127.0.0.1", doors.at("envoy").port}).mint();
  if (has_ipv6_loopback()) Caller(Endpoint{"::1", doors.at("envoy").port}).mint();
  program.send_signal(SIGTERM);
  EXPECT_EQ(program.wait_exit(), 0);
}

// Users must know that the counts end with the process.
TEST(StartupTest, MemoryStoreIsMentionedInTheLog) {
  Program program(serve);
  program.wait_listening();
  EXPECT_TRUE(has(program.output(), "memory")) << program.output();
}

TEST(StartupTest, LogLinesNameTheServiceAndTheFirstOneTheVersionAndCommit) {
  Program program(serve);
  program.wait_listening();
  const std::string log = program.standard_error();
  const std::regex first(
      "[0-9TZ:.-]+ serve info tracker [0-9.]+ \\(commit ([0-9a-f]{7,}(-dirty)?|unknown)\\)\n");
  EXPECT_TRUE(std::regex_search(log, first, std::regex_constants::match_continuous)) << log;
  const std::regex line("[0-9TZ:.-]+ serve (info|warning) .*\n");
  EXPECT_EQ(std::regex_replace(log, line, ""), "");
}

struct DocumentedSetting {
  const char* flag;
  const char* environment;
  // A regular expression, because one size or time can be written in several ways.
  const char* default_value;
};

constexpr DocumentedSetting documented_settings[] = {
    {"--envoy-addr", "ENVOY_ADDR", "127\\.0\\.0\\.1:6380"},
    {"--health-addr", "HEALTH_ADDR", "10"},
    {"--admin-addr", "TRACKER_ADMIN_ADDR", "none"},
    {"--admin-keys", "TRACKER_ADMIN_KEYS", "none"},
    {"--self-addr", "SELF_ADDR", "none"},
    {"--self-origins", "TRACKER_SELF_ORIGINS", "none"},
    {"--self-rate", "TRACKER_SELF_RATE", "10"},
    {"--store", "TRACKER_STORE", "memory|rocksdb:\\./tracker-data"},
    {"--redis-addr", "REDIS_ADDR", "127\\.0\\.0\\.1:6379"},
    {"--redis-password-file", "TRACKER_REDIS_PASSWORD_FILE", "none"},
    {"--redis-replicas", "TRACKER_REDIS_REPLICAS", "0"},
    {"--redis-proxy", "TRACKER_REDIS_PROXY", "off"},
    {"--store-name", "TRACKER_STORE_NAME", "none"},
    {"--require-durability", "TRACKER_REQUIRE_DURABILITY", "off"},
    {"--threads", "TRACKER_THREADS", "cores|[0-9]+"},
    {"--request-line-bytes-max", "TRACKER_REQUEST_LINE_BYTES_MAX", "8 ?KiB|8192"},
    {"--head-bytes-max", "TRACKER_HEAD_BYTES_MAX", "16 ?KiB|16384"},
    {"--head-fields-max", "TRACKER_HEAD_FIELDS_MAX", "100"},
    {"--head-deadline", "TRACKER_HEAD_DEADLINE", "10 ?s|10000 ?ms"},
    {"--idle-deadline", "TRACKER_IDLE_DEADLINE", "75 ?s|75000 ?ms"},
    {"--write-deadline", "TRACKER_WRITE_DEADLINE", "10 ?s|10000 ?ms"},
    {"--linger-deadline", "TRACKER_LINGER_DEADLINE", "1 ?s|1000 ?ms"},
    {"--linger-bytes-max", "TRACKER_LINGER_BYTES_MAX", "64 ?KiB|65536"},
    {"--request-deadline", "TRACKER_REQUEST_DEADLINE", "2 ?s|2000 ?ms"},
    {"--pipeline-max", "TRACKER_PIPELINE_MAX", "128"},
    {"--connections-max", "TRACKER_CONNECTIONS_MAX", "10,?000"},
    {"--connections-per-address-max", "TRACKER_CONNECTIONS_PER_ADDRESS_MAX", "0"},
    {"--hits-max", "TRACKER_HITS_MAX", "65,?536"},
    {"--auth", "TRACKER_AUTH", "open"},
    {"--mint-rate", "TRACKER_MINT_RATE", "10"},
    {"--mint-burst", "TRACKER_MINT_BURST", "100"},
    {"--trusted-proxies", "TRACKER_TRUSTED_PROXIES", "none"},
    {"--proxy-protocol", "TRACKER_PROXY_PROTOCOL", "off"},
    {"--drain-delay", "TRACKER_DRAIN_DELAY", "0 ?m?s"},
    {"--drain-limit", "TRACKER_DRAIN_LIMIT", "10 ?s|10000 ?ms"},
    {"--log-format", "TRACKER_LOG_FORMAT", "text"},
    {"--log-level", "TRACKER_LOG_LEVEL", "info"},
    {"--access-log", "TRACKER_ACCESS_LOG", "none"},
    {"--access-log-sample", "TRACKER_ACCESS_LOG_SAMPLE", "1"},
};

// The help about one flag: from its name to the next flag at the beginning of a line.
std::string help_about(const std::string& help, const std::string& flag) {
  const std::regex entry("\\n *(-\\w, ?)?" + flag + "[ =,\\n]");
  std::smatch found;
  if (!std::regex_search(help, found, entry)) return {};
  const auto begin = static_cast<std::size_t>(found.position()) + 1;
  static const std::regex next("\\n *-");
  std::smatch end;
  const std::string tail = help.substr(begin);
  return std::regex_search(tail, end, next) ? tail.substr(0, static_cast<std::size_t>(end.position())) : tail;
}

TEST(StartupTest, HelpListsFlagEnvironmentAndDefaultOfEachSetting) {
  const Outcome outcome = run_to_end({"serve", "--help"});
  EXPECT_EQ(outcome.exit_code, 0);
  EXPECT_EQ(outcome.err, "");
  for (const DocumentedSetting& setting : documented_settings) {
    const std::string about = help_about(outcome.out, setting.flag);
    EXPECT_NE(about, "") << setting.flag;
    EXPECT_TRUE(std::regex_search(about, std::regex("\\b" + std::string(setting.environment) + "\\b")))
        << about;
    EXPECT_TRUE(
        std::regex_search(about, std::regex("(^|[^0-9])(" + std::string(setting.default_value) + ")\\b")))
        << about;
  }
}

TEST(StartupTest, ThreadsAreByDefaultAsManyAsThereAreCpusForThem) {
  cpu_set_t before;
  ASSERT_EQ(::sched_getaffinity(0, sizeof before, &before), 0);
  int cpu = 0;
  while (!CPU_ISSET(cpu, &before)) ++cpu;
  cpu_set_t one;
  CPU_ZERO(&one);
  CPU_SET(cpu, &one);
  ASSERT_EQ(::sched_setaffinity(0, sizeof one, &one), 0);  // programs inherit it
  const std::string about = help_about(run_to_end({"serve", "--help"}).out, "--threads");
  ASSERT_EQ(::sched_setaffinity(0, sizeof before, &before), 0);
  EXPECT_TRUE(has(about, "default: 1]")) << about;
}

const std::vector<std::string>& commands() {
  static const std::vector<std::string> all{"serve",   "envoy", "counter", "backup",
                                            "restore", "check", "slots"};
  return all;
}

std::vector<std::string> lines_of(const std::string& text) {
  std::istringstream stream(text);
  std::vector<std::string> lines;
  for (std::string line; std::getline(stream, line);) lines.push_back(line);
  return lines;
}

TEST(StartupTest, HelpIsNoWiderThan80Columns) {
  std::vector<Arguments> helps{{"--help"}, {"help"}};
  for (const std::string& command : commands()) helps.push_back({command, "--help"});
  for (const Arguments& help : helps) {
    for (const std::string& line : lines_of(run_to_end(help).out)) EXPECT_LE(line.size(), 80u) << line;
  }
}

TEST(StartupTest, EachSettingHasANameForItsValueAVariableAndADefault) {
  const std::regex flag_line("  (--[a-z-]+)( [A-Z]+)?");
  for (const std::string& command : commands()) {
    const std::string help = run_to_end({command, "--help"}).out;
    std::size_t settings = 0;
    std::smatch flag;
    for (const std::string& line : lines_of(help)) {
      if (!std::regex_match(line, flag, flag_line)) continue;
      ++settings;
      const std::string about = help_about(help, flag[1]);
      EXPECT_TRUE(std::regex_search(about, std::regex("\\[[A-Z_]+;\\s+default:\\s+\\S"))) << about;
      EXPECT_EQ(flag[2].matched, !has(about, "default: off")) << about;
    }
    EXPECT_GE(settings, 1u) << help;
    EXPECT_EQ(has(help, "\nLimits:\n"), command == "serve" || command == "envoy" || command == "counter");
  }
}

TEST(StartupTest, HelpIsACommandToo) {
  EXPECT_EQ(run_to_end({"help"}).out, run_to_end({"--help"}).out);
  for (const std::string& command : commands()) {
    const Outcome outcome = run_to_end({"help", command});
    EXPECT_EQ(outcome.exit_code, 0);
    EXPECT_EQ(outcome.err, "");
    EXPECT_EQ(outcome.out, run_to_end({command, "--help"}).out);
    EXPECT_TRUE(has(run_to_end({"help"}).out, "\n  " + command + " ")) << command;
  }
}

TEST(StartupTest, HelpOfTheProgramListsItsCommands) {
  for (const char* flag : {"--help", "-h"}) {
    const Outcome outcome = run_to_end({flag});
    EXPECT_EQ(outcome.exit_code, 0);
    EXPECT_TRUE(has(outcome.out, "serve")) << outcome.out;
    EXPECT_EQ(outcome.err, "");
  }
}

TEST(StartupTest, VersionIsOneLine) {
  for (const char* other : {"-V", "version"})
    EXPECT_EQ(run_to_end({other}).out, run_to_end({"--version"}).out);
  const Outcome outcome = run_to_end({"--version"});
  EXPECT_EQ(outcome.exit_code, 0);
  EXPECT_EQ(outcome.err, "");
  EXPECT_TRUE(std::regex_match(outcome.out, std::regex("[^\\n]*[0-9]+\\.[0-9]+\\.[0-9]+[^\\n]*\\n")))
      << outcome.out;
}

}  // namespace
}  // namespace tracker::tests
