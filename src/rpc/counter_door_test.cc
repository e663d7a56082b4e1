#include "rpc/counter_door.h"

#include <gtest/gtest.h>

#include <atomic>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/post.hpp>
#include <functional>

#include "rpc/remote_counter.h"
#include "runtime/deadlines.h"
#include "runtime/workers.h"

namespace tracker::rpc {

using std::chrono_literals::operator""s;
using domain::Readiness;

/// A counter that only says whether it is ready.
class SayingCounter final : public counter::Counter {
 public:
  void track(const domain::HitBatch& /*hits*/, counter::TrackReply& /*reply*/) override {}
  void mint(domain::Deadline /*deadline*/, counter::MintReply& /*reply*/) override {}
  const counter::ReadinessSource& readiness() const override { return says; }

  counter::ReadinessSource says{Readiness::not_ready("the store is away", {})};
};

/// A door with an envoy connected to it.
class CounterDoorTest : public testing::Test {
 protected:
  CounterDoorTest() { workers_.start(); }
  ~CounterDoorTest() override { workers_.stop(); }

  bool control_runs_until(const std::function<bool()>& condition) {
    const auto deadline = runtime::Clock::now() + 10s;
    while (!condition() && runtime::Clock::now() < deadline) control_.run_for(std::chrono::milliseconds(1));
    return condition();
  }
  bool envoy_hears(const std::string& why_not) {
    return control_runs_until([&] {
      const auto heard = envoy_.readiness().value();
      return !heard.is_ready() && heard.why_not().find(why_not) != std::string::npos;
    });
  }

  boost::asio::io_context control_{1};
  const boost::asio::executor_work_guard<boost::asio::io_context::executor_type> work_{
      control_.get_executor()};
  runtime::Workers workers_{2};
  SayingCounter counter_;
  CounterDoor door_{control_, {&workers_.context(0)}, {"127.0.0.1", 0}, counter_, {}};
  runtime::ChangeLog changes_;
  rpc::RemoteCounter envoy_{
      workers_.context(1),
      {.address = {"127.0.0.1", door_.endpoints().front().port()}, .version = "1", .changes = &changes_}};
};

TEST_F(CounterDoorTest, TellsEachChangeOfTheCountersReadiness) {
  EXPECT_TRUE(envoy_hears("the store is away"));
  counter_.says.set(Readiness::ready({}));
  EXPECT_TRUE(control_runs_until([&] { return envoy_.readiness().value().is_ready(); }));
  counter_.says.set(Readiness::not_ready("the disk is full", {}));
  EXPECT_TRUE(envoy_hears("the disk is full"));
}

// Otherwise envoys would hear that it is ready after they heard that it is shutting down.
TEST_F(CounterDoorTest, AChangeThatWasUnderWayWhenTheDrainBeganIsNotTold) {
  EXPECT_TRUE(envoy_hears("the store is away"));
  std::atomic<bool> was_ready = false;
  const auto subscription = envoy_.readiness().subscribe([&](const Readiness& readiness) {
    if (readiness.is_ready()) was_ready = true;
  });
  counter_.says.set(Readiness::ready({}));  // `control_` has not run since then
  bool drained = false;
  door_.drain(1s, [&] { boost::asio::post(control_, [&] { drained = true; }); });
  EXPECT_TRUE(control_runs_until([&] { return drained; }));
  EXPECT_FALSE(was_ready);
}

}  // namespace tracker::rpc
