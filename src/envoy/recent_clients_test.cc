#include "envoy/recent_clients.h"

#include <gtest/gtest.h>

namespace tracker::envoy {
namespace {

using namespace std::chrono_literals;

TEST(RecentClients, CountsEachClientOnceInAPeriod) {
  RecentClients clients;
  RecentClients::Mark a;
  RecentClients::Mark b;
  runtime::Clock::time_point now{1h};
  EXPECT_EQ(clients.count(now), 0U);
  clients.saw(a);
  clients.saw(b);
  clients.saw(a);
  EXPECT_EQ(clients.count(now + RecentClients::period - 1ms), 0U) << "the period is not over";
  now += RecentClients::period;
  EXPECT_EQ(clients.count(now), 2U);
  clients.saw(b);
  EXPECT_EQ(clients.count(now + 1ms), 2U);
  now += RecentClients::period;
  EXPECT_EQ(clients.count(now), 1U) << "a is no longer there";
  EXPECT_EQ(clients.count(now + 1h), 0U);
}

}  // namespace
}  // namespace tracker::envoy
