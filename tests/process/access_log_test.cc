// --access-log: its lines, its file, and a file that takes nothing.

#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <regex>
#include <string>
#include <thread>
#include <vector>

#include "support/caller.h"
#include "support/deadline.h"
#include "support/health.h"
#include "support/program.h"
#include "support/temporary_directory.h"

namespace tracker::tests {
namespace {

using std::chrono_literals::operator""ms;

std::string text_of(const std::filesystem::path& path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), {}};
}

std::vector<std::string> lines_of(const std::string& text) {
  std::istringstream stream(text);
  std::vector<std::string> lines;
  for (std::string line; std::getline(stream, line);) lines.push_back(line);
  return lines;
}

// tracker serve with an access log, on one thread.
class AccessLogTest : public testing::Test {
 protected:
  std::string path() const { return directory_.path() / "access.log"; }

  Program start(const Arguments& more) {
    Arguments arguments{"serve",       "--store",   "memory", "--envoy-addr", "127.0.0.1:0", "--health-addr",
                        "127.0.0.1:0", "--threads", "1"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return Program(arguments);
  }

  static void drain(Program& program) {
    program.send_signal(SIGTERM);
    EXPECT_EQ(program.wait_exit(), 0);
  }

  static bool comes_to_say(Program& program, const std::string& part) {
    for (const Deadline deadline; program.output().find(part) == std::string::npos;
         std::this_thread::sleep_for(1ms)) {
      if (deadline.passed()) return false;
    }
    return true;
  }

  TemporaryDirectory directory_;
};

// What each request leaves in the log, after the time and before the client: method, path, status, outcome, token.
struct Logged {
  std::string request;
  std::string columns;
};

constexpr const char* unknown = "c6f6fd4b-b347-4aa1-b22d-c2a786eb82fd";

std::vector<Logged> requests_with(const std::string& token) {
  const std::string with = "Host: a\r\nAuthorization: " + token + "\r\n\r\n";
  return {
      {"GET /a HTTP/1.1\r\n" + with, "GET /a 200 1 ID"},
      {"GET /b/..//%61?secret=" + token + " HTTP/1.1\r\n" + with, "GET /a 200 2 ID"},
      {"GET /%0a%22%20x\" HTTP/1.1\r\n" + with, "GET /%0A%22%20x%22 200 1 ID"},
      {"GET /a HTTP/1.1\r\nHost: a\r\n\r\n", "GET /a 401 no_token -"},
      {"GET /a HTTP/1.1\r\nHost: a\r\nAuthorization: Basic " + token + "\r\n\r\n",
       "GET /a 401 malformed_token -"},
      {"GET /a HTTP/1.1\r\nHost: a\r\nAuthorization: " + std::string(unknown) + "\r\n\r\n",
       "GET /a 401 unknown_token [0-9a-f]{32}"},
      {"HEAD /a?b HTTP/1.1\r\n" + with, "HEAD /a 405 method_not_allowed -"},
      {"GET /a HTTP/1.1\r\nExpect: more\r\n" + with, "GET /a 417 expectation -"},
      {"GET /%zz HTTP/1.1\r\n" + with, "GET - 400 percent_encoding -"},
      {token + " /a HTTP/1.1\r\n" + with, "- /a 501 method_unregistered -"},
      {token + "\r\n\r\n", "- - 400 malformed -"},
      {"GET /a\n2026-01-01T00:00:00.000Z GET /forged 200 1 - - 1 1 HTTP/1.1\r\n" + with,
       "GET - 400 control_character -"},
      {"PRI * HTTP/2.0\r\n\r\n", "PRI - 505 http_version -"},
  };
}

TEST_F(AccessLogTest, EachAnswerHasALine) {
  Program program = start({"--access-log", path()});
  const Endpoint envoy = program.wait_listening().at("envoy");
  const std::string token = Caller(envoy).mint();
  std::vector<std::string> wanted{"GET /auth 200 - ID"};
  for (const auto& [request, columns] : requests_with(token)) {
    RawClient client(envoy);
    ASSERT_TRUE(client.send(request));
    const auto asked = request.starts_with("HEAD") ? AnswerTo::head : AnswerTo::get;
    client.read_answer(asked);
    wanted.push_back(columns);
  }
  drain(program);

  const std::string log = text_of(path());
  const auto lines = lines_of(log);
  ASSERT_EQ(lines.size(), wanted.size()) << log;
  std::smatch id;
  ASSERT_TRUE(std::regex_search(lines[1], id, std::regex("[0-9a-f]{32}"))) << log;
  for (std::size_t i = 0; i < lines.size(); ++i) {
    auto columns = wanted[i];
    if (columns.ends_with("ID")) columns.replace(columns.size() - 2, 2, id[0]);
    const std::regex line("\\d{4}-\\d\\d-\\d\\dT\\d\\d:\\d\\d:\\d\\d\\.\\d{3}Z " + columns +
                          " 127\\.0\\.0\\.1:[0-9]+ [0-9]{2,3} [0-9]+");
    EXPECT_TRUE(std::regex_match(lines[i], line)) << lines[i] << "\nis not\n" << wanted[i];
  }
  EXPECT_EQ(log.find(token), std::string::npos) << log;
}

TEST_F(AccessLogTest, TheClientIsTheOneForWhomATrustedProxyAsks) {
  Program program = start({"--access-log", path(), "--trusted-proxies", "127.0.0.1"});
  const Endpoint envoy = program.wait_listening().at("envoy");
  RawClient proxy(envoy);
  const std::vector<std::string> fields{"X-Forwarded-For: 192.0.2.7\r\n",
                                        "Forwarded: for=\"[2001:db8::7]:80\"\r\n", ""};
  for (const auto& field : fields) {
    proxy.send(get_without_token("/a", field));
    proxy.read_answer();
  }
  drain(program);
  const auto log = text_of(path());
  const auto lines = lines_of(log);
  ASSERT_EQ(lines.size(), 3U) << log;
  for (std::size_t i = 0; i < lines.size(); ++i) {
    const std::vector<std::string> wanted{" - 192.0.2.7 ", " - 2001:db8::7 ", " - 127.0.0.1:"};
    EXPECT_NE(lines[i].find(wanted[i]), std::string::npos) << lines[i];
  }
}

TEST_F(AccessLogTest, ByTheProxyProtocolTheClientIsKnownOfEachRequest) {
  Program program = start({"--access-log", path(), "--trusted-proxies", "127.0.0.1", "--proxy-protocol"});
  RawClient proxy(program.wait_listening().at("envoy"));
  proxy.send(proxy_header("\xC0\x01\x02\x03") + get_without_token("/a", "X-Forwarded-For: 192.0.2.9\r\n") +
             "nonsense\r\n\r\n");
  EXPECT_EQ(proxy.read_answer().status, 401);
  EXPECT_EQ(proxy.read_answer().status, 400);
  drain(program);
  const auto log = text_of(path());
  const auto lines = lines_of(log);
  ASSERT_EQ(lines.size(), 2U) << log;
  EXPECT_NE(lines[0].find(" - 192.1.2.3 "), std::string::npos) << "it is not trusted itself\n" << log;
  EXPECT_NE(lines[1].find(" - 192.1.2.3 "), std::string::npos) << log;
}

TEST_F(AccessLogTest, NothingIsWrittenWithoutIt) {
  Program program = start({});
  Caller caller(program.wait_listening().at("envoy"));
  caller.count("/a", caller.mint());
  drain(program);
  EXPECT_EQ(program.standard_output(), "");
  EXPECT_EQ(program.standard_error().find("/a"), std::string::npos) << program.standard_error();
}

TEST_F(AccessLogTest, AHyphenIsTheStandardOutput) {
  Program program = start({"--access-log", "-"});
  Caller caller(program.wait_listening().at("envoy"));
  caller.count("/a", caller.mint());
  program.send_signal(SIGHUP);
  EXPECT_TRUE(comes_to_say(program, "SIGHUP: this service reads no files"));
  drain(program);
  EXPECT_EQ(lines_of(program.standard_output()).size(), 2u) << program.standard_output();
}

constexpr const char* answers_are_objects = R"(
import json, sys
entries = [json.loads(line) for line in open(sys.argv[1], encoding='ascii', newline='\n')]
assert [entry['status'] for entry in entries] == STATUS, entries
for entry in entries:
    assert ('count' in entry) + ('refusal' in entry) == (entry.get('path') != '/auth'), entry
    assert entry['client'].startswith('127.0.0.1:') and entry['bytes'] > 0 and entry['duration_us'] >= 0, entry
assert 'path' not in entries[-1] and entries[2]['path'] == '/a' and entries[2]['count'] == 2, entries
)";

TEST_F(AccessLogTest, InJsonEachLineIsAnObject) {
  Program program = start({"--access-log", path(), "--log-format", "json"});
  const Endpoint envoy = program.wait_listening().at("envoy");
  const std::string token = Caller(envoy).mint();
  std::string statuses = "200";
  for (const auto& [request, columns] : requests_with(token)) {
    RawClient client(envoy);
    ASSERT_TRUE(client.send(request));
    const auto asked = request.starts_with("HEAD") ? AnswerTo::head : AnswerTo::get;
    statuses += ", " + std::to_string(client.read_answer(asked).status);
  }
  drain(program);
  std::string script = answers_are_objects;
  script.replace(script.find("STATUS"), 6, "[" + statuses + "]");
  Program python({"python3", "-c", script, path()}, {}, "/usr/bin/env");
  EXPECT_EQ(python.wait_exit(), 0) << python.output();
  EXPECT_EQ(text_of(path()).find(token), std::string::npos);
}

TEST_F(AccessLogTest, ASampleIsOneInSoMany) {
  Program program = start({"--access-log", path(), "--access-log-sample", "10"});
  Caller caller(program.wait_listening().at("envoy"));
  const std::string token = caller.mint();
  for (int i = 1; i < 100; ++i) caller.count("/a", token);
  drain(program);
  EXPECT_EQ(lines_of(text_of(path())).size(), 10u);
}

TEST_F(AccessLogTest, AConnectionThatIsRefusedHasALine) {
  Program program = start({"--access-log", path(), "--connections-per-address-max", "1"});
  const Endpoint envoy = program.wait_listening().at("envoy");
  Caller caller(envoy);
  caller.mint();
  for (int i = 0; i < 2; ++i) EXPECT_EQ(RawClient(envoy).read_answer().status, 503);
  drain(program);
  const auto log = program.standard_error();
  const std::string told = " warning --connections-per-address-max 1 is reached by an address: ";
  EXPECT_NE(log.find(told), std::string::npos) << log;
  EXPECT_EQ(log.find(told), log.rfind(told)) << log;
  EXPECT_NE(text_of(path()).find("Z - - 503 too_many_of_this_address - 127.0.0.1:"), std::string::npos)
      << text_of(path());
}

TEST_F(AccessLogTest, SighupOpensTheFileAnewAndLosesNothing) {
  Program program = start({"--access-log", path()});
  Caller caller(program.wait_listening().at("envoy"));
  const std::string token = caller.mint();
  constexpr int moves = 5;
  constexpr int hits = 200;
  for (int move = 1; move <= moves; ++move) {
    for (int i = 0; i < hits; ++i) caller.count("/a", token);
    std::filesystem::rename(path(), path() + "." + std::to_string(move));
    program.send_signal(SIGHUP);
    caller.count("/a", token);
    for (const Deadline deadline; !std::filesystem::exists(path());) ASSERT_FALSE(deadline.passed());
  }
  drain(program);
  std::string all;
  for (int move = 1; move <= moves; ++move) {
    const auto part = text_of(path() + "." + std::to_string(move));
    EXPECT_NE(part, "") << move;
    all += part;
  }
  all += text_of(path());
  const auto lines = lines_of(all);
  ASSERT_EQ(lines.size(), 1u + moves * (hits + 1));
  for (std::size_t i = 1; i < lines.size(); ++i) {
    EXPECT_NE(lines[i].find(" /a 200 " + std::to_string(i) + " "), std::string::npos) << lines[i];
  }
}

TEST_F(AccessLogTest, AFileThatCannotBeOpenedAnewGoesOn) {
  Program program = start({"--access-log", path()});
  Caller caller(program.wait_listening().at("envoy"));
  std::filesystem::rename(path(), path() + ".1");
  std::filesystem::create_directory(path());
  program.send_signal(SIGHUP);
  EXPECT_TRUE(comes_to_say(program, "warning SIGHUP: --access-log stays open as it was: " + path()));
  caller.mint();
  drain(program);
  EXPECT_EQ(lines_of(text_of(path() + ".1")).size(), 1u);
}

TEST_F(AccessLogTest, AFileThatCannotBeOpenedEndsTheStart) {
  const std::string nowhere = directory_.path() / "none" / "access.log";
  Program program = start({"--access-log", nowhere});
  EXPECT_EQ(program.wait_exit(), 1);
  EXPECT_EQ(program.standard_error(),
            "tracker: --access-log: \"" + nowhere +
                "\": No such file or directory; name a file that this user may write\n");
}

// So many bytes of lines that neither the pipe nor the queue holds them.
void fill_the_log(Caller& caller, const std::string& token) {
  const std::string path = "/" + std::string(7'000, 'x');
  for (int i = 1; i <= 2'000; ++i) ASSERT_EQ(caller.count(path, token), i);
}

TEST_F(AccessLogTest, APipeWhoseReaderHasStoppedStopsNothing) {
  ASSERT_EQ(::mkfifo(path().c_str(), 0600), 0);
  const int reader = ::open(path().c_str(), O_RDWR | O_CLOEXEC);
  Program program = start({"--access-log", path()});
  const auto doors = program.wait_listening();
  Caller caller(doors.at("envoy"));
  fill_the_log(caller, caller.mint());
  EXPECT_TRUE(comes_to_say(program, " of --access-log "));
  wait_readyz(doors.at("health"), 200);
  drain(program);
  const auto log = program.standard_error();
  EXPECT_NE(log.find("dropped, since it takes them too slowly\n"), std::string::npos) << log;
  EXPECT_LE(lines_of(log).size(), 10u) << log;
  ::close(reader);
}

TEST_F(AccessLogTest, AFullDiskStopsNothing) {
  Program program = start({"--access-log", "/dev/full"});
  Caller caller(program.wait_listening().at("envoy"));
  const std::string token = caller.mint();
  for (int i = 1; i <= 500; ++i) EXPECT_EQ(caller.count("/a", token), i);
  drain(program);
  const auto log = program.standard_error();
  std::size_t dropped = 0;
  const std::regex line(
      " warning ([0-9]+) lines? of --access-log (was|were) dropped, since it could not be written: ");
  for (std::sregex_iterator found(log.begin(), log.end(), line), end; found != end; ++found)
    dropped += std::stoul((*found)[1]);
  EXPECT_EQ(dropped, 501u) << log;
  EXPECT_LE(lines_of(log).size(), 10u) << log;
}

}  // namespace
}  // namespace tracker::tests
