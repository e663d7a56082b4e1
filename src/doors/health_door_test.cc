#include "doors/health_door.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <chrono>
#include <future>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "support/deadline.h"
#include "support/endpoint.h"
#include "support/health.h"

namespace tracker::doors {
namespace {

using namespace std::chrono_literals;

/// A health door with a loop of its own.
class RunningDoor {
 public:
  explicit RunningDoor(HealthDoor::Report report)
      : door_(control_, {"127.0.0.1", 0}, "1.2.3", domain::Readiness::ready(), std::move(report)),
        endpoint_(tests::Endpoint::parse(runtime::to_string(door_.endpoints().front()))),
        thread_([this] { control_.run(); }) {}
  ~RunningDoor() {
    control_.stop();
    thread_.join();
  }
  RunningDoor(const RunningDoor&) = delete;
  RunningDoor& operator=(const RunningDoor&) = delete;

  tests::HttpAnswer ask(const std::string& path) const { return tests::ask_health(endpoint_, path); }

 private:
  boost::asio::io_context control_{1};
  const boost::asio::executor_work_guard<boost::asio::io_context::executor_type> work_{
      control_.get_executor()};
  HealthDoor door_;
  const tests::Endpoint endpoint_;
  std::thread thread_;
};

TEST(HealthDoor, AnswersAScrapeWithWhatIsReported) {
  const RunningDoor door([](metrics::Page& page) { page.gauge("a", "What a is.", {}, 3); });
  const auto answer = door.ask("/metrics");
  EXPECT_EQ(answer.status, 200);
  EXPECT_EQ(answer.body,
            "# HELP tracker_ready Whether the service is ready: 1, or 0 where /readyz says why not.\n"
            "# TYPE tracker_ready gauge\ntracker_ready 1\n# HELP a What a is.\n# TYPE a gauge\na 3\n");
}

TEST(HealthDoor, AScrapeThatHangsHoldsUpNothingElse) {
  std::promise<void> begins;
  std::promise<void> ends;
  bool is_first = true;
  const RunningDoor door([&](metrics::Page& /*page*/) {
    if (!std::exchange(is_first, false)) return;
    begins.set_value();
    ends.get_future().wait();
  });
  std::vector<std::future<tests::HttpAnswer>> scrapes;
  const auto scrape = [&] {
    scrapes.push_back(std::async(std::launch::async, [&door] { return door.ask("/metrics"); }));
  };
  scrape();
  begins.get_future().wait();
  EXPECT_EQ(door.ask("/healthz").status, 200);
  EXPECT_EQ(door.ask("/readyz").status, 200);

  // Four may wait, so one of five is refused at once.
  for (int i = 0; i < 4; ++i) scrape();
  const auto is_answered = [](const auto& its) { return its.wait_for(1ms) == std::future_status::ready; };
  auto refused = scrapes.end();
  for (const tests::Deadline deadline; refused == scrapes.end() && !deadline.passed();) {
    refused = std::ranges::find_if(scrapes, is_answered);
  }
  const bool one_is_refused = refused != scrapes.end();
  ends.set_value();
  ASSERT_TRUE(one_is_refused);
  EXPECT_EQ(refused->get().status, 503);
  scrapes.erase(refused);
  for (auto& its : scrapes) EXPECT_EQ(its.get().status, 200);
}

TEST(HealthDoor, AReportThatFailsIsAnAnswer) {
  const RunningDoor door([](metrics::Page& /*page*/) { throw std::runtime_error("no luck"); });
  const auto answer = door.ask("/metrics");
  EXPECT_EQ(answer.status, 500);
  EXPECT_EQ(answer.body, "no luck\n");
  EXPECT_EQ(door.ask("/metrics").status, 500) << "it answers again";
}

}  // namespace
}  // namespace tracker::doors
