#include "doors/token_rates.h"

#include <gtest/gtest.h>

#include "domain/token.h"

namespace tracker::doors {
namespace {

using namespace std::chrono_literals;
constexpr auto now = TokenRates::Clock::time_point(1h);

domain::TokenId some_id() {
  return domain::token_id(domain::random_token());
}

TEST(TokenRates, ATokenMayAskSoOftenInASecond) {
  TokenRates rates(10);
  const auto id = some_id();
  for (int i = 0; i < 10; ++i) EXPECT_EQ(rates.ask(id, now), 0s);
  EXPECT_EQ(rates.ask(id, now), 100ms);
  EXPECT_EQ(rates.ask(id, now + 40ms), 60ms) << "a refused request costs nothing";
  EXPECT_EQ(rates.ask(id, now + 100ms), 0s);
  EXPECT_EQ(rates.ask(id, now + 100ms), 100ms);
  for (int i = 0; i < 10; ++i) EXPECT_EQ(rates.ask(id, now + 1h), 0s);
  EXPECT_EQ(rates.ask(id, now + 1h), 100ms) << "a pause saves up no more";
}

TEST(TokenRates, TokensDoNotHoldEachOtherUp) {
  TokenRates rates(1);
  const auto id = some_id();
  EXPECT_EQ(rates.ask(id, now), 0s);
  for (int i = 0; i < 1000; ++i) EXPECT_EQ(rates.ask(some_id(), now), 0s);
  EXPECT_EQ(rates.ask(id, now), 1s);
}

TEST(TokenRates, OfMoreTokensThanThereIsRoomForThoseThatHavePausedAreForgotten) {
  TokenRates rates(1);
  const auto id = some_id();
  for (std::size_t i = 0; i < 4 * TokenRates::tokens_max; ++i) {
    const auto later = now + i * 1ms;
    rates.ask(id, later);
    EXPECT_EQ(rates.ask(some_id(), later), 0s);
  }
  EXPECT_GT(rates.ask(id, now + 4 * TokenRates::tokens_max * 1ms), 0s) << "it has not paused";
}

}  // namespace
}  // namespace tracker::doors
