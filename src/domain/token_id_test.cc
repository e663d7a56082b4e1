#include "domain/token_id.h"

#include <gtest/gtest.h>

#include <thread>
#include <vector>

namespace tracker::domain {

TEST(TokenId, IsTheFirstHalfOfTheSha256OfTheTokensBytes) {
  const auto token = parse_token("c6f6fd4b-b347-4aa1-b22d-c2a786eb82fd").value();
  // printf 'c6f6fd4bb3474aa1b22dc2a786eb82fd' | xxd -r -p | sha256sum | cut -c1-32
  EXPECT_EQ(to_string(token_id(token)), "4ea5f010e8fe312f5a7fe438cfb4664a");
}

TEST(TokenId, IsTheSameInEveryThread) {
  const auto token = random_token();
  const auto expected = token_id(token);
  std::vector<std::jthread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&] {
      for (int n = 0; n < 1000; ++n) EXPECT_EQ(token_id(token), expected);
    });
  }
}

}  // namespace tracker::domain
