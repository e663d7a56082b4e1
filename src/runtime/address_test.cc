#include "runtime/address.h"

#include <gtest/gtest.h>

namespace tracker::runtime {

TEST(Address, ReadsTheThreeForms) {
  EXPECT_EQ(parse_address("127.0.0.1:6380"), (Address{"127.0.0.1", 6380}));
  EXPECT_EQ(parse_address("localhost:0"), (Address{"localhost", 0}));
  EXPECT_EQ(parse_address("[::1]:65535"), (Address{"::1", 65535}));
  EXPECT_EQ(parse_address(":6380"), (Address{"", 6380}));
}

TEST(Address, RefusesTheRest) {
  for (const auto* text :
       {"", "6380", "localhost", "host:", "host:65536", "host:-1", "host:+1", "host:6380x", "::1:80", "[::1]",
        "[::1]80", "[host]:80", "host: 80", "http://host:80", "user@host:80", "[]:80"}) {
    EXPECT_FALSE(parse_address(text).has_value()) << text;
  }
}

TEST(Address, IsWrittenAsItIsRead) {
  for (const auto* text : {"127.0.0.1:6380", "[::1]:1", ":0"}) {
    EXPECT_EQ(to_string(parse_address(text).value()), text);
  }
}

}  // namespace tracker::runtime
