#include "domain/authorization.h"

#include <gtest/gtest.h>

#include <string>

namespace tracker::domain {

TEST(Authorization, HoldsTheTokenBareOrBehindBearer) {
  const std::string text = "c6f6fd4b-b347-4aa1-b22d-c2a786eb82fd";
  const auto token = parse_token(text);
  for (const auto& value : {text, "Bearer " + text, "bearer " + text, "BEARER   " + text}) {
    EXPECT_EQ(parse_authorization(value), token) << value;
  }
  for (const auto& value :
       {std::string(), std::string("Bearer"), "Bearer" + text, "Basic " + text, "Bearer\t" + text,
        "Bearer " + text + " x", "Bearer Bearer " + text, text + " ", "Token " + text}) {
    EXPECT_FALSE(parse_authorization(value).has_value()) << value;
  }
}

}  // namespace tracker::domain
