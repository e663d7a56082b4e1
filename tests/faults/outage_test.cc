// Counter and Redis are killed, stopped and brought back under a steady load. Tests what clients and operators see,
// judged by the rules of exactness.

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <algorithm>
#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include "support/caller.h"
#include "support/fleet.h"
#include "support/health.h"
#include "support/steady_load.h"

namespace tracker::tests {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;
using testing::IsEmpty;
using Kind = SteadyLoad::Kind;
using Clock = std::chrono::steady_clock;

// The required 5 s from the return of what was away to being ready again, plus a margin for a busy machine. It is a
// requirement, so these tests, unlike all others, measure time.
constexpr auto recovery_max = 5s + 1s;
// "At once": far below the request deadline.
constexpr auto at_once = 1s;
// An outage is a few changes (silent, lost, back). Each program logs each change once.
constexpr std::ptrdiff_t lines_of_an_outage_max = 8;

// Leaves out the line about few open files, which depends on the user who runs the tests.
std::ptrdiff_t lines(Program& program) {
  const std::string text = program.standard_error();
  const bool has_few_files = text.find("raise the limit (ulimit -n)") != text.npos;
  return std::count(text.begin(), text.end(), '\n') - (has_few_files ? 1 : 0);
}

class OutageTest : public testing::Test {
 protected:
  void SetUp() override {
    fleet_ = Fleet::start(1, RedisServer::Keeps::everything);
    Caller caller(envoy().door);
    const std::vector<std::string> tokens{caller.mint(), caller.mint()};
    load_ = std::make_unique<SteadyLoad>(envoy().door, tokens, std::vector<std::string>{"/", "/a/b"});
    load_->wait_for_more(Kind::counted, 200);
  }

  Service& envoy() { return fleet_->envoy(); }
  Service& counter() { return fleet_->counter(); }

  // Waits until the envoy knows of the outage. From then on it refuses at once, and the reason names what is missing.
  void expect_known_outage(const std::string& missing) {
    wait_readyz(envoy().health, 503, missing, recovery_max);
    Caller caller(envoy().door);
    for (const std::string& request :
         {get("/p", "00000000-0000-4000-8000-000000000000"), get("/auth", "x")}) {
      const auto asked = Clock::now();
      EXPECT_TRUE(is_refusal(caller.ask(request), 503));
      EXPECT_LT(Clock::now() - asked, at_once);
    }
    // The load's clients may still wait for requests that were passed on before. Then they are refused, too.
    load_->wait_for_more(Kind::refused, 100);
    EXPECT_EQ(ask_health(envoy().health, "/readyz").status, 503) << "while it still lasts";
    EXPECT_EQ(ask_health(envoy().health, "/healthz").status, 200);
  }

  // Not a wait for a state, but the outage itself, long enough that attempts to reconnect fail.
  void stay_away(std::chrono::milliseconds time) {
    for (const Deadline absence(time); !absence.passed();) wait_readyz(envoy().health, 503);
  }

  // What was away is back. It counts again in time, and so does the load.
  void expect_recovery() {
    wait_readyz(envoy().health, 200, recovery_max);
    load_->wait_for_more(Kind::counted, 200);
    EXPECT_EQ(Caller(envoy().door).mint().size(), 36u);
  }

  // The end of every test. `programs` have been running all the time.
  void expect_exact(const std::vector<Program*>& programs, std::ptrdiff_t outages = 1) {
    const std::vector<Observation> observations = load_->stop();
    EXPECT_THAT(exactness_violations(observations, load_->read_stored()), IsEmpty());
    EXPECT_THAT(load_->complaints(), IsEmpty());
    for (const Observation& observation : observations) {
      EXPECT_NE(observation.status, 0) << "a connection broke";
    }
    EXPECT_THAT(load_->lost_tokens(), IsEmpty());
    EXPECT_TRUE(fleet_->all_running());
    for (Program* program : programs) {
      EXPECT_LE(lines(*program), 5 + outages * lines_of_an_outage_max) << program->standard_error();
    }
  }

  // The bound on requests perhaps counted: all that the clients of the load can have in flight at a time.
  static constexpr std::size_t under_way_max = 4 * 1 + 4 * 4;

  std::unique_ptr<Fleet> fleet_;
  std::unique_ptr<SteadyLoad> load_;
};

TEST_F(OutageTest, CounterIsKilledAndComesBack) {
  for (int round = 0; round < 3; ++round) {
    const std::size_t perhaps_before = load_->seen(Kind::perhaps);
    fleet_->kill_counter();
    expect_known_outage("counter");
    EXPECT_LE(load_->seen(Kind::perhaps) - perhaps_before, under_way_max);
    fleet_->start_counter();
    expect_recovery();
  }
  expect_exact({envoy().program.get()}, 3);
}

TEST_F(OutageTest, CounterIsStoppedAndGoesOn) {
  counter().program->send_signal(SIGSTOP);
  expect_known_outage("counter");
  EXPECT_GT(load_->seen(Kind::perhaps), 0u);
  EXPECT_LE(load_->seen(Kind::perhaps), under_way_max);
  counter().program->send_signal(SIGCONT);
  expect_recovery();
  expect_exact({envoy().program.get(), counter().program.get()});
}

// So short that nobody needs to notice it.
TEST_F(OutageTest, CounterIsStoppedForAMoment) {
  for (int round = 0; round < 5; ++round) {
    counter().program->send_signal(SIGSTOP);
    EXPECT_EQ(ask_health(envoy().health, "/healthz").status, 200);
    counter().program->send_signal(SIGCONT);
    load_->wait_for_more(Kind::counted, 100);
  }
  EXPECT_EQ(ask_health(envoy().health, "/readyz").status, 200);
  expect_exact({envoy().program.get(), counter().program.get()});
}

// So long that the envoy gives it up, and fails to reach it again and again.
TEST_F(OutageTest, CounterIsStoppedForLong) {
  counter().program->send_signal(SIGSTOP);
  expect_known_outage("counter");
  stay_away(8s);
  counter().program->send_signal(SIGCONT);
  expect_recovery();
  expect_exact({envoy().program.get(), counter().program.get()});
}

// Restarted as by an operator. It answers everything that it had received.
TEST_F(OutageTest, CounterIsEndedAndStartedAgain) {
  for (int round = 0; round < 3; ++round) {
    counter().program->send_signal(SIGTERM);
    EXPECT_EQ(counter().program->wait_exit(), 0) << counter().program->output();
    expect_known_outage("counter");
    fleet_->start_counter();
    expect_recovery();
  }
  expect_exact({envoy().program.get()}, 3);
  EXPECT_LE(load_->seen(Kind::perhaps), 3 * under_way_max);
  RecordProperty("perhaps", static_cast<int>(load_->seen(Kind::perhaps)));
}

// Requests that it had received got too old while it was stopped. Then the counter is gone for good.
TEST_F(OutageTest, CounterIsKilledWhileItIsStopped) {
  counter().program->send_signal(SIGSTOP);
  load_->wait_for_more(Kind::perhaps, 1);
  fleet_->kill_counter();
  expect_known_outage("counter");
  fleet_->start_counter();
  expect_recovery();
  expect_exact({envoy().program.get()});
}

TEST_F(OutageTest, RedisIsKilledAndComesBack) {
  for (int round = 0; round < 3; ++round) {
    const std::size_t perhaps_before = load_->seen(Kind::perhaps);
    fleet_->redis().kill();
    expect_known_outage("Redis");
    EXPECT_THAT(wait_readyz(counter().health, 503), HasSubstr("Redis"));
    EXPECT_LE(load_->seen(Kind::perhaps) - perhaps_before, under_way_max);
    fleet_->redis().start_again();
    expect_recovery();
    EXPECT_EQ(ask_health(counter().health, "/readyz").status, 200);
  }
  expect_exact({envoy().program.get(), counter().program.get()}, 3);
}

TEST_F(OutageTest, RedisIsStoppedAndGoesOn) {
  fleet_->redis().send_signal(SIGSTOP);
  expect_known_outage("Redis");
  EXPECT_THAT(wait_readyz(counter().health, 503), HasSubstr("Redis"));
  EXPECT_GT(load_->seen(Kind::perhaps), 0u);
  EXPECT_LE(load_->seen(Kind::perhaps), under_way_max);
  fleet_->redis().send_signal(SIGCONT);
  expect_recovery();
  expect_exact({envoy().program.get(), counter().program.get()});
}

TEST_F(OutageTest, RedisIsStoppedForLong) {
  fleet_->redis().send_signal(SIGSTOP);
  expect_known_outage("Redis");
  stay_away(8s);
  fleet_->redis().send_signal(SIGCONT);
  expect_recovery();
  expect_exact({envoy().program.get(), counter().program.get()});
}

// Slow but in time: everything is counted, and nobody calls it an outage.
TEST_F(OutageTest, RedisIsSlow) {
  for (int round = 0; round < 3; ++round) {
    fleet_->redis().command({"CLIENT", "PAUSE", "700", "ALL"});
    load_->wait_for_more(Kind::counted, 100);
  }
  expect_exact({envoy().program.get(), counter().program.get()}, 0);
  EXPECT_EQ(load_->seen(Kind::refused), 0u);
  EXPECT_EQ(load_->seen(Kind::perhaps), 0u);
}

// A Redis that takes no writes (a replica after a failover, a full disk) cannot count. The hits are certainly not
// counted, it is logged once, and counting goes on when the trouble is over.
TEST_F(OutageTest, RedisBecomesAReplica) {
  const std::string nobody = std::to_string(lasting_port());
  EXPECT_EQ(fleet_->redis().command({"REPLICAOF", "127.0.0.1", nobody}).text, "OK");
  expect_known_outage("Redis");
  stay_away(1s);
  EXPECT_EQ(fleet_->redis().command({"REPLICAOF", "NO", "ONE"}).text, "OK");
  expect_recovery();
  expect_exact({envoy().program.get(), counter().program.get()});
}

TEST_F(OutageTest, RedisIsStoppedForAMoment) {
  for (int round = 0; round < 5; ++round) {
    fleet_->redis().send_signal(SIGSTOP);
    EXPECT_EQ(ask_health(counter().health, "/healthz").status, 200);
    fleet_->redis().send_signal(SIGCONT);
    load_->wait_for_more(Kind::counted, 100);
  }
  EXPECT_EQ(ask_health(envoy().health, "/readyz").status, 200);
  expect_exact({envoy().program.get(), counter().program.get()});
}

TEST_F(OutageTest, RedisCutsConnections) {
  constexpr int rounds = 10;
  for (int round = 0; round < rounds; ++round) {
    fleet_->redis().command({"CLIENT", "KILL", "TYPE", "normal"});
    load_->wait_for_more(Kind::counted, 100);
  }
  wait_readyz(envoy().health, 200, recovery_max);
  expect_exact({envoy().program.get(), counter().program.get()}, rounds);
}

TEST_F(OutageTest, BothGoAndTheCounterComesBackFirst) {
  fleet_->redis().kill();
  fleet_->kill_counter();
  expect_known_outage("counter");
  fleet_->start_counter();
  EXPECT_THAT(wait_readyz(envoy().health, 503, "Redis", recovery_max), HasSubstr("Redis"));
  fleet_->redis().start_again();
  expect_recovery();
  expect_exact({envoy().program.get()}, 2);
}

// Commands that got NOSCRIPT are sent again by text, and counted once.
TEST_F(OutageTest, RedisForgetsItsScripts) {
  for (int round = 0; round < 20; ++round) {
    fleet_->redis().command({"SCRIPT", "FLUSH"});
    load_->wait_for_more(Kind::counted, 50);
  }
  expect_exact({envoy().program.get(), counter().program.get()}, 0);
  EXPECT_EQ(load_->seen(Kind::refused), 0u);
  EXPECT_EQ(load_->seen(Kind::perhaps), 0u);
}

void expect_refused_at_once(const Service& envoy, const std::string& token) {
  Caller caller(envoy.door);
  const auto asked = Clock::now();
  for (int i = 0; i < 20; ++i) EXPECT_TRUE(is_refusal(caller.ask(get("/p", token)), 503));
  EXPECT_TRUE(is_refusal(caller.ask(get_without_token("/auth")), 503));
  EXPECT_LT(Clock::now() - asked, at_once);
}

// The envoy before its counter, the counter before its Redis: this is no error at start-up and needs no restart.
TEST(StartOrderTest, AnyOrderComesUp) {
  auto fleet = Fleet::start(1, RedisServer::Keeps::everything);
  const std::string token = Caller(fleet->envoy().door).mint();
  EXPECT_EQ(Caller(fleet->envoy().door).count("/p", token), 1);
  fleet->kill_counter();
  fleet->redis().kill();

  Service& envoy = fleet->start_envoy();
  EXPECT_THAT(wait_readyz(envoy.health, 503), HasSubstr("counter"));
  EXPECT_EQ(ask_health(envoy.health, "/healthz").status, 200);
  expect_refused_at_once(envoy, token);

  fleet->start_counter();
  EXPECT_THAT(wait_readyz(fleet->counter().health, 503), HasSubstr("Redis"));
  EXPECT_THAT(wait_readyz(envoy.health, 503, "Redis", recovery_max), HasSubstr("Redis"));
  expect_refused_at_once(envoy, token);

  fleet->redis().start_again();
  wait_readyz(envoy.health, 200, recovery_max);
  EXPECT_EQ(ask_health(fleet->counter().health, "/readyz").status, 200);
  EXPECT_EQ(Caller(envoy.door).count("/p", token), 2) << "a refused request was counted";
  EXPECT_TRUE(fleet->all_running());
  EXPECT_LE(lines(*envoy.program), 8) << envoy.program->standard_error();
  EXPECT_LE(lines(*fleet->counter().program), 8) << fleet->counter().program->standard_error();
}

// After an absence of any length.
TEST(StartOrderTest, RecoversInTimeFromALongAbsence) {
  auto fleet = Fleet::start(1, RedisServer::Keeps::everything);
  fleet->kill_counter();
  // Not a wait for a state, but the absence itself, so that the pauses between attempts are at their longest.
  const Deadline absence(8s);
  while (!absence.passed()) wait_readyz(fleet->envoy().health, 503);
  fleet->start_counter();
  wait_readyz(fleet->envoy().health, 200, recovery_max);
  EXPECT_LE(lines(*fleet->envoy().program), 8) << fleet->envoy().program->standard_error();
}

}  // namespace
}  // namespace tracker::tests
