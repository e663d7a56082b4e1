#include "envoy/envoy_worker.h"

#include <gtest/gtest.h>
#include <linux/sockios.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <array>
#include <boost/asio/post.hpp>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "runtime/descriptor.h"

namespace tracker::envoy {

using std::chrono_literals::operator""s;

/// Counts nothing, mints nothing, and says so at once.
class RefusingCounter final : public counter::Counter {
 public:
  void track(const domain::HitBatch& hits, counter::TrackReply& reply) override {
    tracked += hits.size();
    reply.on_one_verdict_for_all(hits.size(), domain::Verdict::not_counted());
  }
  void mint(domain::Deadline /*deadline*/, counter::MintReply& reply) override {
    ++mints;
    on_mint();
    reply.on_minted(domain::Failure::not_done);
  }
  const counter::ReadinessSource& readiness() const override { return ready_; }

  std::size_t tracked = 0;
  std::size_t mints = 0;
  std::function<void()> on_mint = [] {};

 private:
  const counter::ReadinessSource ready_{domain::Readiness::ready({})};
};

class EnvoyWorkerTest : public testing::Test {
 protected:
  EnvoyWorkerTest() {
    worker_.start();
    const auto endpoint = endpoint_;
    EXPECT_EQ(::connect(client_->number(), endpoint.data(), static_cast<socklen_t>(endpoint.size())), 0);
  }

  /// Runs the worker until `condition` holds, or for too long.
  bool runs_until(const std::function<bool()>& condition) {
    const auto deadline = runtime::Clock::now() + 10s;
    while (!condition() && runtime::Clock::now() < deadline) context_.run_one_until(deadline);
    return condition();
  }

  void send(std::string_view bytes) const {
    EXPECT_EQ(::send(client_->number(), bytes.data(), bytes.size(), MSG_NOSIGNAL),
              static_cast<ssize_t>(bytes.size()));
  }

  /// Whether all that the client sent is where the worker can read it.
  bool has_arrived() const {
    const auto deadline = runtime::Clock::now() + 10s;
    int unacknowledged = 1;
    while (unacknowledged > 0 && runtime::Clock::now() < deadline)
      ::ioctl(client_->number(), SIOCOUTQ, &unacknowledged);
    return unacknowledged == 0;
  }

  /// From now on the client reads its answers, and sends one more request for each that the worker has read:
  /// whenever the worker looks, there is more to read. It stops by itself after `requests_max`.
  void begin_to_pipeline_without_pause() {
    counter_.on_mint = [this] {
      std::array<char, 64 * 1024> answers{};
      while (::recv(client_->number(), answers.data(), answers.size(), MSG_DONTWAIT) > 0) {
      }
      if (counter_.mints < requests_max) send(request);
    };
    std::string many;
    for (int i = 0; i < 2'000; ++i) many += request;
    send(many);
  }

  static constexpr std::string_view request = "GET /auth HTTP/1.1\r\nHost: a\r\n\r\n";
  static constexpr std::string_view hit =
      "GET /a HTTP/1.1\r\nHost: a\r\nAuthorization: c6f6fd4b-b347-4aa1-b22d-c2a786eb82fd\r\n\r\n";
  static constexpr std::size_t requests_max = 200'000;

  boost::asio::io_context context_{1};
  RefusingCounter counter_;
  EnvoySettings settings_;
  EnvoyTotals totals_;
  std::vector<runtime::Acceptor> acceptors_ = runtime::listen(context_, {"127.0.0.1", 0});
  const boost::asio::ip::tcp::endpoint endpoint_ = acceptors_.front().local_endpoint();
  EnvoyWorker worker_{context_, std::move(acceptors_), counter_, settings_, totals_};
  std::optional<runtime::Descriptor> client_{::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
};

TEST_F(EnvoyWorkerTest, AClientThatPipelinesWithoutPauseLeavesRoomForOthers) {
  begin_to_pipeline_without_pause();
  ASSERT_TRUE(runs_until([this] { return counter_.mints > 0; }));
  bool others_had_their_turn = false;
  boost::asio::post(context_, [&] { others_had_their_turn = true; });
  EXPECT_TRUE(runs_until([&] { return others_had_their_turn; }));
  EXPECT_LT(counter_.mints, requests_max) << "it was served to its end first";
}

TEST_F(EnvoyWorkerTest, AClientThatPipelinesWithoutPauseHasOneTurnAtATime) {
  begin_to_pipeline_without_pause();
  for (int pass = 0; pass < 300; ++pass) {
    bool passed = false;
    boost::asio::post(context_, [&] { passed = true; });
    int handlers = 0;
    for (; !passed && handlers < 1000; ++handlers) context_.run_one();
    ASSERT_LE(handlers, 10) << pass;
  }
  EXPECT_LT(counter_.mints, requests_max);
}

TEST_F(EnvoyWorkerTest, ManyThatConnectAtOnceLeaveRoomForOthers) {
  std::vector<runtime::Socket> clients;
  for (int i = 0; i < 300; ++i) clients.emplace_back(context_.get_executor()).connect(endpoint_);
  ASSERT_TRUE(runs_until([this] { return totals_.connections > 0; }));
  EXPECT_LE(totals_.connections, 128U);
  EXPECT_TRUE(runs_until([this] { return totals_.connections == 301; }));
}

TEST_F(EnvoyWorkerTest, AClientThatPipelinesWithoutPauseLetsADrainEnd) {
  begin_to_pipeline_without_pause();
  ASSERT_TRUE(runs_until([this] { return counter_.mints > 0; }));
  bool drained = false;
  worker_.drain([&] { drained = true; });
  EXPECT_TRUE(runs_until([&] { return drained; }));
  EXPECT_LT(counter_.mints, requests_max) << "what it sent after the drain began was still served";
}

TEST_F(EnvoyWorkerTest, WhatArrivedBeforeADrainIsServedBehindAMintToo) {
  ASSERT_TRUE(runs_until([this] { return totals_.connections == 1; }));
  bool drained = false;
  boost::asio::post(context_, [&] {
    send(std::string(request) + std::string(hit));
    ASSERT_TRUE(has_arrived());
    worker_.drain([&] { drained = true; });
  });
  EXPECT_TRUE(runs_until([&] { return drained; }));
  EXPECT_EQ(counter_.mints, 1U);
  EXPECT_EQ(counter_.tracked, 1U);
}

TEST_F(EnvoyWorkerTest, AClientThatResetItsConnectionBeforeItsHitWasHandedOnIsNotCounted) {
  ASSERT_TRUE(runs_until([this] { return totals_.connections == 1; }));
  send(hit);
  const linger at_once{.l_onoff = 1, .l_linger = 0};
  EXPECT_EQ(::setsockopt(client_->number(), SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once), 0);
  client_.reset();
  ASSERT_TRUE(runs_until([this] { return totals_.connections == 0; }));
  EXPECT_EQ(counter_.tracked, 0U);
}

}  // namespace tracker::envoy
