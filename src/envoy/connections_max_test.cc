#include <gtest/gtest.h>
#include <linux/sockios.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <functional>
#include <memory>
#include <string>
#include <system_error>
#include <vector>

#include "envoy/envoy_worker.h"
#include "runtime/descriptor.h"

namespace tracker::envoy {

using std::chrono_literals::operator""ms;
using std::chrono_literals::operator""s;

/// Mints nothing, and says so at once or never.
class MintingNothing final : public counter::Counter {
 public:
  void track(const domain::HitBatch& hits, counter::TrackReply& reply) override {
    reply.on_one_verdict_for_all(hits.size(), domain::Verdict::not_counted());
  }
  void mint(domain::Deadline /*deadline*/, counter::MintReply& reply) override {
    if (holds) {
      held.push_back(&reply);
    } else {
      reply.on_minted(domain::Failure::not_done);
    }
  }
  const counter::ReadinessSource& readiness() const override { return ready_; }

  bool holds = false;
  std::vector<counter::MintReply*> held;

 private:
  const counter::ReadinessSource ready_{domain::Readiness::ready({})};
};

class Client {
 public:
  explicit Client(const runtime::Endpoint& endpoint, int receive_buffer_bytes = 0) {
    if (receive_buffer_bytes > 0) {
      ::setsockopt(socket_.number(), SOL_SOCKET, SO_RCVBUF, &receive_buffer_bytes, sizeof(int));
    }
    EXPECT_EQ(::connect(socket_.number(), endpoint.data(), static_cast<socklen_t>(endpoint.size())), 0)
        << std::generic_category().message(errno);
  }

  void send(std::string_view bytes) const {
    ::send(socket_.number(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
  }

  /// All that came so far, without waiting.
  const std::string& received() {
    std::array<char, 4096> bytes{};
    for (;;) {
      const auto got = ::recv(socket_.number(), bytes.data(), bytes.size(), MSG_DONTWAIT);
      if (got > 0) received_.append(bytes.data(), static_cast<std::size_t>(got));
      if (got == 0) ended_ = true;
      if (got <= 0) return received_;
    }
  }
  bool ended() {
    received();
    return ended_;
  }
  std::size_t answers() {
    std::size_t number = 0;
    for (auto at = received().find("HTTP/1.1 "); at != received_.npos;
         at = received_.find("HTTP/1.1 ", at + 1)) {
      ++number;
    }
    return number;
  }
  bool has(std::string_view text) { return received().find(text) != std::string::npos; }

 private:
  runtime::Descriptor socket_{::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
  std::string received_;
  bool ended_ = false;
};

/// Two workers with two ports, so that a test knows which worker accepts. Both run on the test's thread.
class ConnectionsMaxTest : public testing::Test {
 protected:
  ConnectionsMaxTest() {
    settings_.connections_max = 2;
    settings_.active_for = 20ms;
    for (auto& context : contexts_) {
      auto acceptors = runtime::listen(context, {"127.0.0.1", 0});
      endpoints_.push_back(runtime::endpoints_of(acceptors).at(0));
      workers_.push_back(
          std::make_unique<EnvoyWorker>(context, std::move(acceptors), counter_, settings_, totals_));
      workers_.back()->start();
    }
  }

  /// Runs the workers until `condition` holds, or for too long.
  bool runs_until(const std::function<bool()>& condition) {
    for (const auto deadline = runtime::Clock::now() + 10s; runtime::Clock::now() < deadline;) {
      if (condition()) return true;
      for (auto& context : contexts_) context.run_one_for(1ms);
    }
    return condition();
  }

  bool run_for(runtime::Clock::duration time) {
    const auto end = runtime::Clock::now() + time;
    return runs_until([end] { return runtime::Clock::now() >= end; });
  }

  /// A client that has a place.
  std::unique_ptr<Client> connected_to(std::size_t worker, int receive_buffer_bytes = 0) {
    auto client = std::make_unique<Client>(endpoints_[worker], receive_buffer_bytes);
    EXPECT_TRUE(is_answered(*client));
    return client;
  }

  bool is_answered(Client& client) {
    const auto before = client.answers();
    client.send(request);
    return runs_until([&] { return client.answers() > before || client.ended(); }) && !client.ended();
  }

  static constexpr std::string_view request = "GET /auth HTTP/1.1\r\nHost: a\r\n\r\n";
  static constexpr std::string_view too_many = "Too many connections are open";

  std::array<boost::asio::io_context, 2> contexts_;
  MintingNothing counter_;
  EnvoySettings settings_;
  EnvoyTotals totals_;
  std::vector<runtime::Endpoint> endpoints_;
  std::vector<std::unique_ptr<EnvoyWorker>> workers_;
};

TEST_F(ConnectionsMaxTest, TheLongestIdleOfAnyWorkerGivesWay) {
  for (std::size_t first : {0U, 1U}) {
    for (std::size_t third : {0U, 1U}) {
      auto longest = connected_to(first);
      auto other = connected_to(1 - first);
      run_for(30ms);
      auto latest = connected_to(third);
      EXPECT_TRUE(runs_until([&] { return longest->ended(); }));
      EXPECT_EQ(longest->answers(), 1U) << "it ends without a word";
      EXPECT_TRUE(is_answered(*other));
      EXPECT_TRUE(is_answered(*latest));
      EXPECT_EQ(totals_.connections, 2U);
      other.reset();
      latest.reset();
      EXPECT_TRUE(runs_until([&] { return totals_.connections == 0 && totals_.beyond_limit == 0; }));
    }
  }
}

TEST_F(ConnectionsMaxTest, IdleOnesLockNobodyOut) {
  std::vector<std::unique_ptr<Client>> idle;
  for (std::size_t i = 0; i < 30; ++i) idle.push_back(connected_to(i % 2));
  EXPECT_EQ(totals_.connections, 2U);
  EXPECT_FALSE(idle[28]->ended() || idle[29]->ended());
  for (std::size_t i = 0; i < 28; ++i) EXPECT_TRUE(idle[i]->ended()) << i;
}

TEST_F(ConnectionsMaxTest, OneThatHasSentSomethingStays) {
  auto sender = connected_to(0);
  auto other = connected_to(0);
  run_for(30ms);
  sender->send(request);  // that its worker has not seen yet when the next one comes
  Client latest(endpoints_[0]);
  EXPECT_TRUE(runs_until([&] { return other->ended() && sender->answers() == 2; }));
  EXPECT_FALSE(sender->ended());
  EXPECT_TRUE(is_answered(latest));
}

TEST_F(ConnectionsMaxTest, OneThatHasNotAllItsAnswersStaysForItsTimeToTakeThem) {
  auto slow = connected_to(0, 1);
  for (int i = 0; i < 40; ++i) slow->send(request);
  ASSERT_TRUE(runs_until([&] { return totals_.hits_in_flight == 0; }));
  run_for(10ms);
  auto other = connected_to(1);
  run_for(30ms);
  auto third = connected_to(1);
  EXPECT_TRUE(runs_until([&] { return other->ended(); }));

  settings_.write_deadline = 0s;  // its time is over
  run_for(30ms);
  auto fourth = connected_to(1);
  EXPECT_TRUE(is_answered(*third)) << "not this one gave way";
  EXPECT_TRUE(is_answered(*fourth));
}

TEST_F(ConnectionsMaxTest, AHeadThatIsUnfinishedForASecondGivesWay) {
  Client late(endpoints_[0]);
  late.send("GET / HTTP/1.1\r\n");
  Client later(endpoints_[1]);
  later.send("GET / HTTP/1.1\r\n");
  ASSERT_TRUE(runs_until([&] { return totals_.connections == 2; }));
  run_for(30ms);
  Client too_early(endpoints_[1]);
  EXPECT_TRUE(runs_until([&] { return too_early.has(too_many); }));
  run_for(1s);
  auto latest = connected_to(1);
  EXPECT_TRUE(runs_until([&] { return late.has("HTTP/1.1 408 "); }));
  EXPECT_FALSE(later.ended());
  EXPECT_TRUE(is_answered(*latest));
}

TEST_F(ConnectionsMaxTest, WhereAllAreBusyANewOneIsRefusedAtOnce) {
  counter_.holds = true;
  Client first(endpoints_[0]);
  Client second(endpoints_[1]);
  first.send(request);
  second.send(request);
  ASSERT_TRUE(runs_until([&] { return counter_.held.size() == 2; }));
  for (const auto& endpoint : endpoints_) {
    Client refused(endpoint);
    EXPECT_TRUE(runs_until([&] { return refused.has(too_many); }));
    EXPECT_TRUE(refused.has("HTTP/1.1 503 "));
  }
  for (auto* reply : counter_.held) reply->on_minted(domain::Failure::not_done);
  EXPECT_TRUE(runs_until([&] { return first.answers() == 1 && second.answers() == 1; }));
}

/// Whatever comes: those who hold heads open are refused, or give way to each other.
TEST_F(ConnectionsMaxTest, AClientThatAsksEveryFewMillisecondsStays) {
  settings_.active_for = 10s;  // or a test that does not run for a while would be a client that does not ask
  settings_.refused_connections_max = 200;  // both ends take descriptors of this process
  auto honest = connected_to(0);
  std::vector<std::unique_ptr<Client>> flood;
  const auto end = runtime::Clock::now() + 1500ms;
  for (int i = 0; i < 2'000 && runtime::Clock::now() < end;
       ++i) {  // more could take all ports of the machine
    if (flood.size() > 200) flood.erase(flood.begin(), flood.begin() + 100);
    flood.push_back(std::make_unique<Client>(endpoints_[flood.size() % 2]));
    flood.back()->send("GET / HTTP/1.1\r\n");
    ASSERT_TRUE(is_answered(*honest));
  }
}

TEST_F(ConnectionsMaxTest, APlaceIsFreeAsSoonAsItsClientHasGone) {
  for (int i = 0; i < 50; ++i) {
    Client first(endpoints_[0]);
    Client second(endpoints_[0]);
    EXPECT_TRUE(is_answered(first) && is_answered(second)) << i;
    EXPECT_FALSE(first.has(too_many) || second.has(too_many)) << i;
  }
}

TEST_F(ConnectionsMaxTest, OneThatWaitsForAPlaceLetsADrainEnd) {
  auto first = connected_to(0);
  auto second = connected_to(0);
  Client waiting(endpoints_[0]);
  EXPECT_TRUE(is_answered(*first) && is_answered(*second));
  ASSERT_TRUE(runs_until([&] { return totals_.beyond_limit == 1; }));
  int drained = 0;
  for (auto& worker : workers_) worker->drain([&] { ++drained; });
  EXPECT_TRUE(runs_until([&] { return drained == 2; }));
  EXPECT_TRUE(waiting.has(too_many));
}

TEST_F(ConnectionsMaxTest, AnAddressHasNoMoreThanItsShare) {
  settings_.connections_max = 100;
  settings_.connections_per_address_max = 2;
  auto first = connected_to(0);
  auto second = connected_to(1);
  for (const auto& endpoint : endpoints_) {
    Client third(endpoint);
    EXPECT_TRUE(runs_until([&] { return third.has("Too many connections from this address"); }));
    EXPECT_TRUE(third.has("HTTP/1.1 503 "));
    EXPECT_TRUE(third.has("\r\nRetry-After: "));
  }
  first.reset();
  EXPECT_TRUE(runs_until([&] { return totals_.connections == 1; }));
  EXPECT_TRUE(is_answered(*connected_to(0)));
}

}  // namespace tracker::envoy
