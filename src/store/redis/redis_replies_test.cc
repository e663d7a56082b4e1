#include "store/redis/redis_replies.h"

#include <gtest/gtest.h>
#include <hiredis/hiredis.h>

#include <string>

namespace tracker::store::redis {
namespace {

bool is_broken_by(const std::string& bytes) {
  RedisReplies replies;
  replies.feed(bytes);
  while (replies.next() != nullptr) {
  }
  return replies.broken();
}

TEST(RedisRepliesTest, ComeInPieces) {
  RedisReplies replies;
  for (const char byte : std::string_view(":12\r\n*2\r\n:3\r\n$1\r\nx\r\n")) {
    replies.feed({&byte, 1});
    const auto* reply = replies.next();
    if (reply == nullptr) continue;
    if (reply->type == REDIS_REPLY_INTEGER) {
      EXPECT_EQ(reply->integer, 12);
    } else {
      ASSERT_EQ(reply->elements, 2U);
      EXPECT_EQ(reply->element[0]->integer, 3);
    }
  }
  EXPECT_FALSE(replies.broken());
}

TEST(RedisRepliesTest, WhatNoReplyToTrackerCanBeIsBroken) {
  EXPECT_FALSE(is_broken_by("*1\r\n:1\r\n"));
  EXPECT_FALSE(is_broken_by("*2\r\n$1\r\n0\r\n*1\r\n$1\r\nx\r\n")) << "of SCAN";
  for (const char* reply : {"*1\r\n*1\r\n:1\r\n", "*2\r\n*1\r\n:1\r\n:1\r\n",
                            "*3\r\n:1\r\n*1\r\n:1\r\n:1\r\n", "*2\r\n:1\r\n*2\r\n:1\r\n*1\r\n:1\r\n"}) {
    EXPECT_TRUE(is_broken_by(reply)) << "another array in an array: " << reply;
  }
  EXPECT_TRUE(is_broken_by("*2000000\r\n"));
  EXPECT_TRUE(is_broken_by("*4294967295\r\n"));
  EXPECT_TRUE(is_broken_by("HTTP/1.1 400 Bad Request\r\n"));
}

TEST(RedisRepliesTest, AReplyThatDoesNotEndIsBroken) {
  RedisReplies replies;
  replies.feed("$500000000\r\n");
  const std::string piece(1024 * 1024, 'x');
  int pieces = 0;
  for (; replies.next() == nullptr && !replies.broken(); ++pieces) {
    ASSERT_LT(pieces, 100);
    replies.feed(piece);
  }
  EXPECT_TRUE(replies.broken());
}

}  // namespace
}  // namespace tracker::store::redis
