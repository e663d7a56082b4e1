#include "cli/top_table.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

namespace tracker::cli {
namespace {

using testing::ElementsAre;
using Over = TopTable::Over;

const std::string of_a =
    R"({"by":"path","capacity":512,"last_minute":{"seconds":55,"hits":9,"others_max":0,"top":[)"
    R"({"path":"/b","count":6,"error":0},{"path":"/a","count":3,"error":0}]},)"
    R"("since_start":{"seconds":70,"hits":100,"others_max":2,"top":[{"path":"/a","count":60,"error":1}]}})";
const std::string of_b =
    R"({"by":"path","capacity":256,"last_minute":{"seconds":58,"hits":4,"others_max":0,"top":[)"
    R"({"path":"/a","count":4,"error":0}]},)"
    R"("since_start":{"seconds":60,"hits":20,"others_max":3,"top":[{"path":"/c","count":7,"error":3}]}})";

TopTable table_of(std::initializer_list<std::string> answers) {
  TopTable table(TopTable::By::path);
  for (const auto& answer : answers) table.add(boost::json::parse(answer).as_object());
  return table;
}

TEST(TopTable, OneAnswerStaysAsItIs) {
  EXPECT_EQ(boost::json::serialize(table_of({of_a}).to_json(10)), of_a);
}

TEST(TopTable, CountsAddUp) {
  const auto merged = boost::json::serialize(table_of({of_a, of_b}).to_json(10));
  EXPECT_EQ(merged,
            R"({"by":"path","capacity":256,"last_minute":{"seconds":58,"hits":13,"others_max":0,"top":[)"
            R"({"path":"/a","count":7,"error":0},{"path":"/b","count":6,"error":0}]},)"
            R"("since_start":{"seconds":70,"hits":120,"others_max":5,"top":[)"
            R"({"path":"/a","count":63,"error":4},{"path":"/c","count":9,"error":5}]}})")
      << "one that does not name a path may have had some hits of it";
}

TEST(TopTable, ShowsTheBusiestFirst) {
  const auto table = table_of({of_a, of_b});
  EXPECT_THAT(table.lines(Over::last_minute, 10, 80),
              ElementsAre("last minute too high   since start too high  path",
                          "          7        0            63        4  /a",
                          "          6        0             5        5  /b",
                          "          0        0             9        5  /c"));
  EXPECT_THAT(table.lines(Over::since_start, 2, 80),
              ElementsAre("last minute too high   since start too high  path",
                          "          7        0            63        4  /a",
                          "          0        0             9        5  /c"));
  EXPECT_EQ(table.summary(), "13 requests counted in the last 58 s, 120 in the 70 s since the start");
}

TEST(TopTable, LinesFit) {
  const std::string answer =
      R"({"by":"path","capacity":512,"last_minute":{"seconds":1,"hits":1,"others_max":0,"top":[)"
      R"({"path":"/\u00e4\u00f6\u00fc\u001b[2J","count":1,"error":0}]},"since_start":{"top":[]}})";
  EXPECT_THAT(
      table_of({answer}).lines(Over::last_minute, 10, 31),
      ElementsAre("last minute   since start  path", "          1             0  /\u00e4\u00f6\u00fc"));
  EXPECT_EQ(table_of({answer}).lines(Over::last_minute, 10, 99).back(),
            "          1             0  /\u00e4\u00f6\u00fc\\x1b[2J");
  EXPECT_THAT(table_of({answer}).lines(Over::last_minute, 0, 4), ElementsAre("last"));
}

TEST(TopTable, WhatMakesNoSenseIsNothing) {
  EXPECT_THAT(
      table_of({R"({"last_minute":[],"since_start":{"top":[1,{}]}})"}).lines(Over::since_start, 1, 80),
      ElementsAre("last minute   since start  path", "          0             0  "));
}

}  // namespace
}  // namespace tracker::cli
