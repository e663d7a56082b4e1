// The self door from outside: bad requests, bounds, pages of other origins, and what it does to counting.

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <atomic>
#include <deque>
#include <fstream>
#include <map>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include <grpcpp/server.h>
#include <grpcpp/server_builder.h>
#include <tracker/v1/counting.grpc.pb.h>
#include "self/self_reader.h"
#include "support/caller.h"
#include "support/health.h"
#include "support/partition.h"
#include "support/redis_server.h"
#include "support/steady_load.h"
#include "support/temporary_directory.h"

namespace tracker::tests {
namespace {

using testing::HasSubstr;

constexpr const char* own_counts = "/v1/self/counts";

class SelfDoorTest : public testing::Test {
 protected:
  void start(const Arguments& flags = {}) {
    Arguments all{"serve",   "--envoy-addr", "127.0.0.1:0", "--health-addr", "127.0.0.1:0",
                  "--store", "memory",       "--self-addr", "127.0.0.1:0"};
    all.insert(all.end(), flags.begin(), flags.end());
    program_ = std::make_unique<Program>(all);
    doors_ = program_->wait_listening();
    caller_ = std::make_unique<Caller>(envoy());
    token_ = caller_->mint();
    caller_->count("/a", token_);
  }
  const Endpoint& envoy() const { return doors_.at("envoy"); }
  const Endpoint& door() const { return doors_.at("self"); }
  SelfReader reader() const { return {door(), token_}; }

  // The answer to a request on a connection of its own.
  HttpAnswer ask(std::string_view request, AnswerTo to = AnswerTo::get) const {
    RawClient client(door());
    client.send(with_token(request, token_));
    return client.read_answer(to);
  }
  // The answer to `OPTIONS`, which has no body and no length. The head alone.
  std::string options(const std::string& fields) const {
    RawClient client(door());
    client.send("OPTIONS /v1/self/counts HTTP/1.1\r\nHost: h\r\nConnection: close\r\n" + fields + "\r\n");
    client.read_to_end();
    return std::string(client.unread());
  }

  std::unique_ptr<Program> program_;
  std::map<std::string, Endpoint> doors_;
  std::unique_ptr<Caller> caller_;
  std::string token_;
};

TEST_F(SelfDoorTest, BadRequestsAreProblemsAndCountNothing) {
  start({"--self-rate", "1000000"});
  const auto with = [](const std::string& target, const std::string& more = "") {
    return "GET " + target + " HTTP/1.1\r\nHost: h\r\nAuthorization: $TOKEN\r\n" + more + "\r\n";
  };
  const auto without = [](const std::string& fields) {
    return "GET /v1/self/counts HTTP/1.1\r\nHost: h\r\n" + fields + "\r\n";
  };
  for (const auto* target : {"/", "/a", "/v1/self", "/v1/self/counts/", "/v1/tokens", "/V1/self/counts", "*"})
    EXPECT_THAT(check_problem(ask(with(target)), 404), HasSubstr("GET /v1/self/counts")) << target;
  for (const auto* query : {"limit=0", "limit=10001", "limit=x", "limit=1&limit=2", "prefix=a", "prefix=/%x0",
                            "cursor=x", "token=$TOKEN"})
    check_problem(ask(with(std::string(own_counts) + "?" + query)), 400);
  check_problem(ask(with(own_counts, "Authorization: $TOKEN\r\n")), 400);
  check_problem(ask(with(own_counts, "Transfer-Encoding: chunked\r\n") + "0\r\n\r\n"), 400);
  check_problem(ask(with(own_counts, "Transfer-Encoding: gzip\r\n")), 400);
  check_problem(ask(with("/a", "Transfer-Encoding: gzip\r\n")), 400);
  check_problem(ask(with(own_counts, "Content-Length: 5\r\n") + "hello"), 400);
  check_problem(ask("nonsense\r\n\r\n"), 400);
  for (const auto* field :
       {"", "Authorization: \r\n", "Authorization: Bearer\r\n", "Authorization: Basic $TOKEN\r\n",
        "Authorization: $TOKEN$TOKEN\r\n", "Authorization: {$TOKEN}\r\n"})
    check_problem(ask(without(field)), 401);
  for (const auto* method : {"POST", "PUT", "DELETE", "PATCH"})
    check_problem(ask(method + with(own_counts).substr(3)), 405);
  for (const auto* field : {"Authorization: Bearer $TOKEN\r\n", "Authorization: bearer  $UPPER_TOKEN\r\n",
                            "Authorization: $UPPER_TOKEN\r\n"})
    EXPECT_EQ(page_in(ask(without(field))).counts, (PathCounts{{"/a", 1}}));
  const auto head = ask("HEAD" + with(own_counts).substr(3), AnswerTo::head);
  EXPECT_EQ(head.status, 200);
  EXPECT_EQ(head.field("Content-Length"), std::to_string(ask(with(own_counts)).body.size()));
  // Those of the envoy are not here, and this one is not there: it counts that path.
  check_problem(ask(with("/auth")), 404);
  EXPECT_EQ(caller_->count(own_counts, token_), 1);
  EXPECT_EQ(caller_->count("/a", token_), 2);
  EXPECT_EQ(program_->output().find(token_), std::string::npos);
}

// Connections at the door are bounded. They take nothing from those that are counted.
TEST_F(SelfDoorTest, TheConnectionThatAskedNothingForLongestMakesWay) {
  constexpr std::size_t connections_max = 64;
  start({"--self-rate", "1000000"});
  SteadyLoad load(envoy(), {token_}, {"/b"});
  const auto ask_on = [&](RawClient& client) {
    client.send(get(own_counts, token_));
    EXPECT_EQ(client.read_answer().status, 200);
  };
  std::deque<RawClient> clients;
  while (clients.size() < connections_max) ask_on(clients.emplace_back(door()));
  RawClient another(door());
  ask_on(another);
  EXPECT_EQ(clients.front().read_to_end(), RawClient::End::closed);
  clients.pop_front();
  for (auto& client : clients) ask_on(client);
  load.wait_for_more(SteadyLoad::Kind::counted, 100);
  load.stop();
  EXPECT_THAT(load.complaints(), testing::IsEmpty());
  EXPECT_EQ(load.seen(SteadyLoad::Kind::refused) + load.seen(SteadyLoad::Kind::perhaps), 0U);
}

TEST_F(SelfDoorTest, OneConnectionTakesManyRequests) {
  start();
  RawClient client(door());
  client.send(get(own_counts, token_) + get("/nothing", token_) + get(own_counts, token_));
  EXPECT_EQ(page_in(client.read_answer()).counts, (PathCounts{{"/a", 1}}));
  check_problem(client.read_answer(), 404);
  EXPECT_EQ(page_in(client.read_answer()).counts, (PathCounts{{"/a", 1}}));
}

TEST_F(SelfDoorTest, ATokenMayAskSoOftenAndHoldsNoOtherUp) {
  start({"--self-rate", "1"});
  const auto other = caller_->mint();
  // The clock of the door goes on between two answers, so the second one is not always too early.
  HttpAnswer refused;
  for (const Deadline deadline; refused.status != 429 && !deadline.passed();) refused = reader().ask();
  EXPECT_THAT(check_problem(refused, 429), HasSubstr("1 times a second"));
  EXPECT_EQ(refused.field("Retry-After"), "1");
  EXPECT_EQ(SelfReader(door(), other).ask().status, 200);
  for (const Deadline deadline; !deadline.passed();) {
    if (reader().ask().status == 200) return;
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  FAIL() << "it never may again";
}

TEST_F(SelfDoorTest, PagesOfListedOriginsMayAskAndNoOthers) {
  start({"--self-origins", "https://a.example,http://b.example:8080"});
  const auto preflight = options(
      "Origin: https://a.example\r\nAccess-Control-Request-Method: GET\r\n"
      "Access-Control-Request-Headers: authorization\r\n");
  EXPECT_THAT(preflight, testing::StartsWith("HTTP/1.1 204 "));
  for (const auto* field :
       {"Access-Control-Allow-Origin: https://a.example\r\n",
        "Access-Control-Allow-Headers: Authorization\r\n", "Access-Control-Allow-Methods: GET\r\n",
        "Access-Control-Max-Age: 600\r\n", "Vary: Origin\r\n"})
    EXPECT_THAT(preflight, HasSubstr(field));
  EXPECT_THAT(preflight, testing::Not(HasSubstr("Content-Length")));
  EXPECT_THAT(preflight, testing::Not(HasSubstr("Credentials")));
  for (const auto* origin : {"https://evil.example", "https://a.example.evil", "http://a.example", "null", "",
                             "https://a.example,http://b.example:8080"}) {
    const auto field = "Origin: " + std::string(origin) + "\r\n";
    EXPECT_THAT(options(field), testing::Not(HasSubstr("Access-Control"))) << origin;
    const auto answer = ask(get(own_counts, token_, field));
    EXPECT_EQ(answer.status, 200);
    EXPECT_EQ(answer.field("Access-Control-Allow-Origin"), std::nullopt) << origin;
    EXPECT_EQ(answer.field("Vary"), "Origin");
  }
  const std::string own = "Origin: http://b.example:8080\r\n";
  for (const auto& answer : {ask(get(own_counts, token_, own)), ask(get_without_token(own_counts, own)),
                             ask(get("/nothing", token_, own))}) {
    EXPECT_EQ(answer.field("Access-Control-Allow-Origin"), "http://b.example:8080") << answer.to_string();
    EXPECT_EQ(answer.field("Access-Control-Expose-Headers"), "Retry-After");
    EXPECT_EQ(answer.field_count("Access-Control-Allow-Credentials"), 0U);
  }
}

TEST_F(SelfDoorTest, PagesOfAllOriginsMayAskIfThatIsSet) {
  start({"--self-origins", "*"});
  EXPECT_EQ(ask(get(own_counts, token_, "Origin: null\r\n")).field("Access-Control-Allow-Origin"), "*");
  EXPECT_THAT(options("Origin: https://c.example\r\n"), HasSubstr("Access-Control-Allow-Origin: *\r\n"));
}

TEST_F(SelfDoorTest, WithoutOriginsNoPageMayAsk) {
  start();
  const auto answer = ask(get(own_counts, token_, "Origin: https://a.example\r\n"));
  EXPECT_EQ(answer.status, 200);
  EXPECT_EQ(answer.field_count("Access-Control-Allow-Origin"), 0U);
  EXPECT_EQ(answer.field_count("Vary"), 0U);
}

TEST_F(SelfDoorTest, SlowClientsHoldNobodyUp) {
  start({"--self-rate", "1000000"});
  for (int i = 0; i < 2'000; ++i) caller_->count("/" + repeated("long", 100) + std::to_string(i), token_);
  std::vector<RawClient> slow;
  for (int i = 0; i < 200; ++i) {
    slow.emplace_back(door(), 4096);
    const auto request = get(std::string(own_counts) + "?limit=10000", token_);
    if (i % 3 == 0) slow.back().send_some(request, patience);                // and reads nothing
    if (i % 3 == 1) slow.back().send_some(request.substr(0, 20), patience);  // and no more
    if (i % 10 == 0) {
      EXPECT_EQ(reader().page("?limit=1").counts.size(), 1U) << i;
    }
  }
  EXPECT_EQ(reader().all("?limit=500").size(), 2'001U);
}

TEST_F(SelfDoorTest, ReadingDoesNotDisturbCounting) {
  start({"--self-rate", "1000000", "--paths-max", "0"});
  constexpr std::size_t paths = 20'000;
  std::string requests;
  std::vector<std::string> sent;
  for (std::size_t i = 0; i < paths; ++i) {
    requests += get("/many/" + std::to_string(i), token_);
    if ((i + 1) % 100 != 0) continue;
    caller_->client().send(requests);
    for (int answer = 0; answer < 100; ++answer) ASSERT_EQ(count_in(caller_->client().read_answer()), 1);
    requests.clear();
  }
  SteadyLoad load(envoy(), {token_, caller_->mint()}, {"/x", "/y"});
  for (int round = 0; round < 5; ++round) EXPECT_EQ(reader().all("?limit=10000&prefix=/many/").size(), paths);
  load.wait_for_more(SteadyLoad::Kind::counted, 50);
  const auto observed = load.stop();
  EXPECT_EQ(load.seen(SteadyLoad::Kind::refused), 0U);
  EXPECT_EQ(load.seen(SteadyLoad::Kind::perhaps), 0U);
  EXPECT_THAT(load.complaints(), testing::IsEmpty());
  EXPECT_THAT(exactness_violations(observed, load.read_stored()), testing::IsEmpty());
}

TEST_F(SelfDoorTest, PathsThatAreNotUtf8AreStillJson) {
  start();
  EXPECT_EQ(caller_->count("/%ff%C3%A4\"", token_), 1);  // of HTTP, paths are ASCII
  EXPECT_EQ(reader().page("?prefix=/%25").counts, (PathCounts{{"/%FF%C3%A4%22", 1}}));
}

// Envoys.

TEST(SelfDoorOfAnEnvoyTest, TokensOfACounterThatIsAwayAreUnavailableAndNoOthers) {
  Partition partition(3);
  partition.start_all();
  auto& envoy = partition.start_envoy(
      "abc", {"--self-addr", "127.0.0.1:0", "--self-rate", "1000000", "--request-deadline", "1s"});
  wait_all_ready(envoy.health);
  const auto door = self_door_of(*envoy.program);
  Caller caller(envoy.door);
  std::vector<std::string> tokens;
  for (int i = 0; i < 40; ++i) tokens.push_back(caller.mint());
  for (const auto& token : tokens) {
    caller.count("/p", token);
    EXPECT_EQ(SelfReader(door, token).page().counts, (PathCounts{{"/p", 1}}));
  }
  partition.kill_counter('b');
  wait_readyz(envoy.health, 200, "counter b at " + partition.address('b'));
  std::map<int, std::vector<std::string>> by_status;
  for (const auto& token : tokens) by_status[SelfReader(door, token).ask().status].push_back(token);
  EXPECT_EQ(by_status.size(), 2U);
  EXPECT_GE(by_status[503].size(), 3U);
  EXPECT_GE(by_status[200].size(), 10U);
  check_problem(SelfReader(door, by_status[503].front()).ask(), 503);
  partition.start_counter('b', "abc");
  for (const auto& token : by_status[503])
    EXPECT_EQ(SelfReader(door, token).page().counts, (PathCounts{{"/p", 1}}));
}

TEST(SelfDoorOfAnEnvoyTest, CountersOfOneRedisReadForEachOther) {
  RedisServer redis;
  Partition partition(2);
  for (const char name : {'a', 'b'}) partition.start_counter_on(name, redis.address(), {"--store", "redis"});
  auto& envoy = partition.start_envoy("ab", {"--self-addr", "127.0.0.1:0", "--self-rate", "1000000"});
  wait_all_ready(envoy.health);
  Caller caller(envoy.door);
  std::vector<SelfReader> readers;
  for (int i = 0; i < 20; ++i) {
    const auto token = caller.mint();
    caller.count("/p", token);
    readers.emplace_back(self_door_of(*envoy.program), token);
  }
  for (const auto& reader : readers) EXPECT_EQ(reader.page().counts, (PathCounts{{"/p", 1}}));
  partition.kill_counter('a');
  for (const auto& reader : readers) EXPECT_EQ(reader.page().counts, (PathCounts{{"/p", 1}}));
}

TEST(SelfDoorOfAnEnvoyTest, ACounterThatHangsIsAnsweredForInTime) {
  Program counter(
      {"counter", "--counter-addr", "127.0.0.1:0", "--health-addr", "127.0.0.1:0", "--store", "memory"});
  Program envoy({"envoy", "--envoy-addr", "127.0.0.1:0", "--health-addr", "127.0.0.1:0", "--self-addr",
                 "127.0.0.1:0", "--self-rate", "1000000", "--request-deadline", "100ms", "--counter-addr",
                 counter.wait_listening().at("counter").to_string()});
  const auto doors = envoy.wait_listening();
  wait_all_ready(doors.at("health"));
  const SelfReader reader(doors.at("self"), Caller(doors.at("envoy")).mint());
  reader.page();
  counter.send_signal(SIGSTOP);
  EXPECT_THAT(check_problem(reader.ask(), 503), HasSubstr("did not come in time"));
  counter.send_signal(SIGCONT);
  EXPECT_EQ(reader.page().counts, PathCounts());
}

TEST(SelfDoorOfAnEnvoyTest, FollowsTheListOfCounters) {
  Program counter(
      {"counter", "--counter-addr", "127.0.0.1:0", "--health-addr", "127.0.0.1:0", "--store", "memory"});
  const TemporaryDirectory directory;
  const auto file = (directory.path() / "counters").string();
  std::ofstream(file) << "version 1\na=127.0.0.1:" << lasting_port() << "\n";
  Program envoy({"envoy", "--envoy-addr", "127.0.0.1:0", "--health-addr", "127.0.0.1:0", "--self-addr",
                 "127.0.0.1:0", "--self-rate", "1000000", "--counters-file", file});
  const auto doors = envoy.wait_listening();
  const SelfReader unknown(doors.at("self"), "c6f6fd4b-b347-4aa1-b22d-c2a786eb82fd");
  check_problem(unknown.ask(), 503);
  std::ofstream(file) << "version 2\na=" << counter.wait_listening().at("counter").to_string() << "\n";
  envoy.send_signal(SIGHUP);
  wait_all_ready(doors.at("health"));
  const auto token = Caller(doors.at("envoy")).mint();
  EXPECT_EQ(SelfReader(doors.at("self"), token).page().counts, PathCounts());
}

// A counter of before ReadOwnCounts.
class OlderCounter final : public v1::Counting::Service {
 public:
  OlderCounter() {
    grpc::ServerBuilder builder;
    builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(), &port_);
    builder.RegisterService(this);
    server_ = builder.BuildAndStart();
  }
  ~OlderCounter() override { server_->Shutdown(std::chrono::system_clock::now()); }
  std::string address() const { return "127.0.0.1:" + std::to_string(port_); }

 private:
  grpc::Status Track(grpc::ServerContext* /*context*/,
                     grpc::ServerReaderWriter<v1::TrackResponse, v1::TrackRequest>* stream) override {
    for (v1::TrackRequest request; stream->Read(&request);) {
      v1::TrackResponse response;
      if (request.has_opening()) {
        response.mutable_opening()->set_version("older");
        response.mutable_readiness();
      }
      stream->Write(response);
    }
    return grpc::Status::OK;
  }

  int port_ = 0;
  std::unique_ptr<grpc::Server> server_;
};

TEST(SelfDoorOfAnEnvoyTest, ACounterThatCannotReadIsNotImplemented) {
  const OlderCounter counter;
  Program envoy({"envoy", "--envoy-addr", "127.0.0.1:0", "--health-addr", "127.0.0.1:0", "--self-addr",
                 "127.0.0.1:0", "--self-rate", "1000000", "--counter-addr", counter.address()});
  const auto doors = envoy.wait_listening();
  wait_all_ready(doors.at("health"));
  const SelfReader reader(doors.at("self"), "c6f6fd4b-b347-4aa1-b22d-c2a786eb82fd");
  auto answer = reader.ask();
  for (const Deadline deadline; answer.status == 503 && !deadline.passed();) answer = reader.ask();
  EXPECT_THAT(check_problem(answer, 501), HasSubstr("the counter does not read counts"));
}

// Settings.

void expect_mistake(const Arguments& flags, const std::string& words) {
  Arguments all{"serve", "--store", "memory", "--envoy-addr", "127.0.0.1:0"};
  all.insert(all.end(), flags.begin(), flags.end());
  const auto outcome = run_to_end(all);
  EXPECT_EQ(outcome.exit_code, 2) << outcome.err;
  EXPECT_THAT(outcome.err, HasSubstr(words));
}

TEST(SelfDoorSettingsTest, MistakesAreSaid) {
  expect_mistake({"--self-rate", "5"}, "--self-addr");
  expect_mistake({"--self-origins", "*"}, "--self-addr");
  for (const auto* origins : {"a.example", "https://a.example/", "https://a.example,", "https://A.example",
                              "*,*", "ftp://a", "https://", "https://u@a.example"})
    expect_mistake({"--self-addr", "127.0.0.1:0", "--self-origins", origins}, "--self-origins");
  expect_mistake({"--self-addr", "127.0.0.1:0", "--self-rate", "0"}, "--self-rate");
  expect_mistake({"--self-addr", "nowhere"}, "--self-addr");
  const auto port = ":" + std::to_string(free_port(10));
  const auto outcome = run_to_end({"serve", "--store", "memory", "--envoy-addr", port, "--self-addr", port});
  EXPECT_EQ(outcome.exit_code, 2) << outcome.err;
  EXPECT_THAT(outcome.err, testing::AllOf(HasSubstr("--self-addr"), HasSubstr("--envoy-addr")));
}

}  // namespace
}  // namespace tracker::tests
