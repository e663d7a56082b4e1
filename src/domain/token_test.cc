#include "domain/token.h"

#include <gtest/gtest.h>

#include <set>

namespace tracker::domain {

TEST(Token, ReadsTheCanonicalFormInEitherCase) {
  const auto lower = parse_token("c6f6fd4b-b347-4aa1-b22d-c2a786eb82fd");
  const auto upper = parse_token("C6F6FD4B-B347-4AA1-B22D-C2A786EB82FD");
  ASSERT_TRUE(lower.has_value());
  EXPECT_EQ(lower, upper);
  EXPECT_EQ(lower->bytes[0], 0xC6);
  EXPECT_EQ(lower->bytes[15], 0xFD);
  EXPECT_EQ(to_string(*upper), "c6f6fd4b-b347-4aa1-b22d-c2a786eb82fd");
}

TEST(Token, NothingElseIsAToken) {
  for (const auto* text :
       {"", "invalid", "c6f6fd4bb3474aa1b22dc2a786eb82fd", "c6f6fd4b-b347-4aa1-b22d-c2a786eb82f",
        "c6f6fd4b-b347-4aa1-b22d-c2a786eb82fdd", "{c6f6fd4b-b347-4aa1-b22d-c2a786eb82fd}",
        "c6f6fd4g-b347-4aa1-b22d-c2a786eb82fd", "c6f6fd4b_b347-4aa1-b22d-c2a786eb82fd",
        " c6f6fd4b-b347-4aa1-b22d-c2a786eb82f", "urn:uuid:c6f6fd4b-b347-4aa1-b22d-c2a786eb82fd",
        "c6f6fd4b-b347-4aa1-b22d-c2a786eb82-d", "------------------------------------"}) {
    EXPECT_FALSE(parse_token(text).has_value()) << text;
  }
}

TEST(Token, EveryPositionIsChecked) {
  const std::string good = "c6f6fd4b-b347-4aa1-b22d-c2a786eb82fd";
  for (std::size_t i = 0; i < good.size(); ++i) {
    for (char bad : {'g', '/', ':', '@', '`', '\0', '\x80', '+'}) {
      std::string text = good;
      text[i] = bad;
      EXPECT_FALSE(parse_token(text).has_value()) << text;
    }
  }
}

TEST(Token, RandomTokensAreDistinctVersion4AndReadable) {
  std::set<std::string> seen;
  for (int i = 0; i < 1000; ++i) {
    const auto text = to_string(random_token());
    EXPECT_EQ(text[14], '4');
    EXPECT_NE(std::string("89ab").find(text[19]), std::string::npos);
    EXPECT_EQ(to_string(parse_token(text).value()), text);
    EXPECT_TRUE(seen.insert(text).second);
  }
}

}  // namespace tracker::domain
