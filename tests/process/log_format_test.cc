// --log-format and --log-level. log_test.cc has what holds for every log.

#include <gtest/gtest.h>
#include <signal.h>

#include <algorithm>
#include <fstream>
#include <stdexcept>
#include <string>
#include <system_error>
#include <thread>

#include "support/caller.h"
#include "support/deadline.h"
#include "support/program.h"
#include "support/temporary_directory.h"

namespace tracker::tests {
namespace {

using std::chrono_literals::operator""ms;

const Arguments in_memory{"serve",       "--store",           "memory",      "--envoy-addr",
                          "127.0.0.1:0", "--health-addr",     "127.0.0.1:0", "--threads",
                          "1",           "--connections-max", "100"};

Arguments in_memory_with(const Arguments& more) {
  Arguments arguments = in_memory;
  arguments.insert(arguments.end(), more.begin(), more.end());
  return arguments;
}

// Names that are nearly TRACKER_DRAIN_LIMIT. The log repeats them in a warning.
const Environment strange_names{{"TRACKER_DRAIN_LIMIT\"", "1"},
                                {"TRACKER_DRAIN_LIMIT\\", "1"},
                                {"TRACKER_DRAIN_LIMI\n", "1"},
                                {"TRACKER_DRAIN_LIMI\xC3", "1"}};

// Runs a script of Python on a text. Returns what it says against it.
std::string python_says(const std::string& script, const std::string& text) {
  const TemporaryDirectory directory;
  const std::string file = directory.path() / "text";
  std::ofstream(file) << text;
  Program python({"python3", "-c", script, file}, {}, "/usr/bin/env");
  const auto exit_code = python.wait_exit();
  return exit_code == 0 ? "" : python.output() + "\n" + text;
}

constexpr const char* log_lines_are_objects = R"(
import json, re, sys
messages = []
for line in open(sys.argv[1], encoding='utf-8', newline='\n'):
    entry = json.loads(line)
    assert list(entry)[:4] == ['time', 'level', 'service', 'message'], line
    assert re.fullmatch(r'\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z', entry['time']), line
    assert entry['level'] in ('info', 'warning', 'error') and entry['service'] == 'serve', line
    assert all(isinstance(value, str) for value in entry.values()), line
    messages.append(entry['message'])
    if entry['message'].startswith('listening '):
        assert entry['message'] == 'listening envoy=%s health=%s' % (entry['envoy'], entry['health']), line
assert messages[0].startswith('tracker ') and messages[-1] == 'drained', messages
warnings = [message for message in messages if message.startswith('TRACKER_DRAIN_LIMI')]
assert len(warnings) == 4, messages
assert any('\\x0a' in message for message in warnings) and any('\\xc3' in message for message in warnings), warnings
)";

TEST(LogFormatTest, EachLineOfJsonIsAnObjectWhateverItHolds) {
  Program program(in_memory_with({"--log-format", "json"}), strange_names);
  program.wait_listening();
  program.send_signal(SIGTERM);
  EXPECT_EQ(program.wait_exit(), 0);
  EXPECT_EQ(python_says(log_lines_are_objects, program.standard_error()), "");
}

TEST(LogFormatTest, AMistakeInASettingIsPlainTextAndWhatTheMachineRefusesIsNot) {
  const Outcome mistake = run_to_end(in_memory_with({"--log-format", "json", "--hits-max", "none"}));
  EXPECT_EQ(mistake.exit_code, 2);
  EXPECT_TRUE(mistake.err.starts_with("tracker: --hits-max: \"none\"")) << mistake.err;
  const Outcome refused =
      run_to_end({"serve", "--store", "memory", "--envoy-addr", "192.0.2.1:0", "--log-format", "json"});
  EXPECT_EQ(refused.exit_code, 1);
  EXPECT_EQ(
      python_says("import json, sys; lines = open(sys.argv[1]).readlines(); entry = json.loads(lines[0])\n"
                  "assert len(lines) == 1 and entry['level'] == 'error', lines\n"
                  "assert entry['message'].startswith('--envoy-addr: '), lines\n",
                  refused.err),
      "");
}

// The service must be asked whether it listens, where its log does not say so.
Endpoint wait_for(const Endpoint& envoy) {
  for (const Deadline deadline; !deadline.passed(); std::this_thread::sleep_for(1ms)) {
    try {
      RawClient client(envoy);
      return envoy;
    } catch (const std::system_error&) {
    }
  }
  throw std::runtime_error("nobody listens on " + envoy.to_string());
}

struct Levels {
  const char* level;
  bool shows_info;
  bool shows_warnings;
};

TEST(LogFormatTest, ALevelLeavesOutWhatIsBelowIt) {
  for (const auto& [level, shows_info, shows_warnings] :
       {Levels{"info", true, true}, Levels{"warning", false, true}, Levels{"error", false, false}}) {
    SCOPED_TRACE(level);
    const Endpoint envoy{"127.0.0.1", lasting_port()};
    Program program({"serve", "--store", "memory", "--envoy-addr", envoy.to_string(), "--health-addr",
                     "127.0.0.1:0", "--connections-max", "100"},
                    {{"TRACKER_LOG_LEVEL", level}, {"TRACKER_DRAIN_LIMT", "1"}});
    Caller(wait_for(envoy)).mint();
    program.send_signal(SIGTERM);
    EXPECT_EQ(program.wait_exit(), 0);
    const auto log = program.standard_error();
    EXPECT_EQ(log.find(" info ") != log.npos, shows_info) << log;
    EXPECT_EQ(log.find(" warning TRACKER_DRAIN_LIMT") != log.npos, shows_warnings) << log;
    EXPECT_EQ(log.empty(), !shows_info && !shows_warnings) << log;
  }
}

TEST(LogFormatTest, NoLevelHidesWhyAServiceWasCutOff) {
  const Endpoint envoy{"127.0.0.1", lasting_port()};
  Program program({"serve", "--store", "memory", "--envoy-addr", envoy.to_string(), "--health-addr",
                   "127.0.0.1:0", "--log-level", "error", "--drain-limit", "10ms", "--linger-deadline",
                   "1h"});
  Caller(wait_for(envoy)).mint();
  RawClient idle(envoy);
  EXPECT_TRUE(idle.send("GET / HTTP/1.1\r\n"));
  program.send_signal(SIGTERM);
  EXPECT_EQ(program.wait_exit(), 0);
  const auto log = program.standard_error();
  EXPECT_TRUE(log.ends_with(" serve warning --drain-limit has passed; what is left is cut off\n")) << log;
  EXPECT_EQ(std::ranges::count(log, '\n'), 1) << log;
}

}  // namespace
}  // namespace tracker::tests
