#include "rpc/counter_door.h"

#include <gtest/gtest.h>

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/post.hpp>
#include <thread>

#include "runtime/deadlines.h"
#include "runtime/workers.h"

namespace tracker::rpc {

using std::chrono_literals::operator""ms;
using std::chrono_literals::operator""s;

/// A counter that counts only how often it is asked whether it is ready.
class AskedCounter final : public counter::Counter {
 public:
  void track(const domain::HitBatch& /*hits*/, counter::TrackReply& /*reply*/) override {}
  void mint(domain::Deadline /*deadline*/, counter::MintReply& /*reply*/) override {}
  std::optional<std::string> why_not_ready() const override {
    ++asked;
    return std::nullopt;
  }
  mutable int asked = 0;
};

// Its envoys would hear that it is ready after they heard that it is shutting down.
TEST(CounterDoorTest, ReadinessThatWasDueWhenTheDrainBeganIsNotTold) {
  boost::asio::io_context control(1);
  runtime::Workers workers(1);
  AskedCounter counter;
  boost::asio::steady_timer before_the_doors(control, 0ms);
  CounterDoor door(control, workers.context(0), {"127.0.0.1", 0}, counter, {});
  workers.start();
  const int asked_before = counter.asked;

  bool drained = false;
  before_the_doors.async_wait([&](boost::system::error_code) {
    door.drain(1s, [&] { boost::asio::post(control, [&] { drained = true; }); });
  });
  // The loop finds both timers due at once.
  const auto both_due = runtime::Clock::now() + 100ms;
  while (runtime::Clock::now() < both_due) std::this_thread::yield();
  const auto work = boost::asio::make_work_guard(control);
  for (const auto deadline = runtime::Clock::now() + 10s; !drained && runtime::Clock::now() < deadline;) {
    control.run_one_until(deadline);
  }
  EXPECT_TRUE(drained);
  EXPECT_EQ(counter.asked, asked_before);
  workers.stop();
}

}  // namespace tracker::rpc
