#include "store/rocksdb/damaged_tables.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace tracker::store::rocksdb {
namespace {

using namespace std::chrono_literals;
using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Optional;
constexpr DamagedTables::Clock::time_point start{};

TEST(DamagedTablesTest, NothingIsSaidOfNone) {
  DamagedTables tables;
  EXPECT_TRUE(tables.readiness().value().remarks().empty());
  EXPECT_EQ(tables.due(start + 100h), std::nullopt);
}

TEST(DamagedTablesTest, ATableIsLoggedAtOnceAndThenEveryHour) {
  DamagedTables tables;
  EXPECT_THAT(
      tables.found("/db/1.sst", "a bad block", start),
      Optional(AllOf(HasSubstr("/db/1.sst"), HasSubstr("a bad block"), HasSubstr("restore a backup"))));
  EXPECT_EQ(tables.found("/db/1.sst", "a bad block", start + 1s), std::nullopt) << "it is known";
  EXPECT_EQ(tables.due(start + 1h - 1ms), std::nullopt);
  EXPECT_THAT(tables.due(start + 1h), Optional(AllOf(HasSubstr("/db/1.sst"), HasSubstr("a bad block"))));
  EXPECT_EQ(tables.due(start + 2h - 1ms), std::nullopt);
  EXPECT_THAT(tables.due(start + 2h), Optional(HasSubstr("/db/1.sst")));
}

TEST(DamagedTablesTest, AnotherTableIsLoggedAtOnceToo) {
  DamagedTables tables;
  tables.found("/db/1.sst", "a bad block", start);
  EXPECT_THAT(tables.found("/db/2.sst", "another", start + 1s),
              Optional(AllOf(HasSubstr("/db/1.sst, /db/2.sst"), HasSubstr("another"))));
  EXPECT_EQ(tables.due(start + 1h), std::nullopt) << "an hour after the last line";
  EXPECT_THAT(tables.due(start + 1h + 1s), Optional(HasSubstr("/db/1.sst, /db/2.sst")));
}

TEST(DamagedTablesTest, TheRemarkNamesTheTablesAndTheRemedyInOneLine) {
  DamagedTables tables;
  tables.found("/db/1.sst", "a bad block", start);
  EXPECT_THAT(
      tables.readiness().value().remarks(),
      ElementsAre(AllOf(HasSubstr("damaged: /db/1.sst:"), HasSubstr("503"), HasSubstr("restore a backup"))));
  for (int i = 2; i <= 20; ++i) tables.found("/db/" + std::to_string(i) + ".sst", "a bad block", start);
  EXPECT_THAT(tables.readiness().value().remarks(), ElementsAre(HasSubstr("and 12 more")));
}

}  // namespace
}  // namespace tracker::store::rocksdb
