#include "store/rocksdb/no_room.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cerrno>

namespace tracker::store::rocksdb {

TEST(NoRoom, HasManyNamesAndEachItsRemedy) {
  for (const int error : {ENOSPC, EDQUOT, EFBIG, EMFILE, ENFILE}) {
    const auto lacking = shortage(error);
    ASSERT_TRUE(lacking) << error;
    EXPECT_THAT(NoRoom(*lacking, "writing db/7.log").what(),
                testing::AllOf(testing::HasSubstr(lacking->what), testing::HasSubstr("(writing db/7.log); "),
                               testing::HasSubstr(lacking->remedy)));
  }
}

TEST(NoRoom, WhatIsBrokenIsNoShortage) {
  for (const int error : {0, EIO, EROFS, EACCES, ENOENT, EBADF}) EXPECT_FALSE(shortage(error)) << error;
}

}  // namespace tracker::store::rocksdb
