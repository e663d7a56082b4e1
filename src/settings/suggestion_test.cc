#include "settings/suggestion.h"

#include <gtest/gtest.h>

namespace tracker::settings {

namespace {
const std::vector<std::string> flags{"--drain-delay", "--drain-limit", "--store", "--threads",
                                     "--connections-max"};
}

TEST(Suggestion, OneOrTwoSlipsAreNear) {
  const struct {
    const char* wrong;
    const char* meant;
  } cases[] = {
      {"--drain-limt", "--drain-limit"},
      {"--drain_limit", "--drain-limit"},
      {"--Drain-Limit", "--drain-limit"},
      {"--darin-limti", "--drain-limit"},
      {"--stroe", "--store"},
      {"--stores", "--store"},
      {"--thread", "--threads"},
      {"--conections-max", "--connections-max"},
  };
  for (const auto& c : cases) EXPECT_EQ(nearest(c.wrong, flags), c.meant) << c.wrong;
}

TEST(Suggestion, OtherWordsAreNot) {
  for (const auto* wrong : {"", "--", "-s", "--port", "--bogus", "--drain", "--max"}) {
    EXPECT_FALSE(nearest(wrong, flags).has_value()) << wrong;
  }
  EXPECT_FALSE(nearest(std::string(100'000, 'x'), flags).has_value());
}

TEST(Suggestion, ABeginningIsCompleted) {
  EXPECT_EQ(completed("--connections", flags), "--connections-max");
  EXPECT_EQ(completed("--drain", flags), "--drain-delay");
  EXPECT_FALSE(completed("--", flags).has_value());
  EXPECT_FALSE(completed("--max", flags).has_value());
}

}  // namespace tracker::settings
