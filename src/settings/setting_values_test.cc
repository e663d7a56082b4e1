#include "settings/setting_values.h"

#include <gtest/gtest.h>

namespace tracker::settings {

using std::chrono::milliseconds;

TEST(SettingValues, Durations) {
  EXPECT_EQ(parse_duration("250ms"), milliseconds(250));
  EXPECT_EQ(parse_duration("2s"), milliseconds(2000));
  EXPECT_EQ(parse_duration("2"), milliseconds(2000));
  EXPECT_EQ(parse_duration("0"), milliseconds(0));
  EXPECT_EQ(parse_duration("0.2"), milliseconds(200));
  EXPECT_EQ(parse_duration("1.5s"), milliseconds(1500));
  EXPECT_EQ(parse_duration("5m"), milliseconds(300'000));
  EXPECT_EQ(parse_duration("1h"), milliseconds(3'600'000));
  EXPECT_EQ(parse_duration("1d"), milliseconds(86'400'000));
  for (const auto* text : {"", "s", "-1s", "+1s", "2 s", "2x", "1e300", "inf", "nan", "9000h", "2ss", ".5"}) {
    EXPECT_FALSE(parse_duration(text).has_value()) << text;
  }
}

TEST(SettingValues, Bytes) {
  EXPECT_EQ(parse_bytes("4096"), 4096U);
  EXPECT_EQ(parse_bytes("8KiB"), 8192U);
  EXPECT_EQ(parse_bytes("8K"), 8192U);
  EXPECT_EQ(parse_bytes("1MiB"), 1048576U);
  EXPECT_EQ(parse_bytes("2G"), 2147483648U);
  for (const auto* text : {"8KB", "8kb", "8k", "8kib", "8Kib", "8192b", "8192B"})
    EXPECT_EQ(parse_bytes(text), 8192U) << text;
  EXPECT_EQ(parse_bytes("1TiB"), std::size_t{1} << 40U);
  for (const auto* text : {"", "-1", "1.5M", "8kbit", "8i", "8bb", "8 KB", "K", "99999999999999999999",
                           "18446744073709551615K"}) {
    EXPECT_FALSE(parse_bytes(text).has_value()) << text;
  }
}

TEST(SettingValues, Counts) {
  EXPECT_EQ(parse_count("10000"), 10000U);
  for (const auto* text : {"", "-1", "1s", "0x10", " 1", "1 "})
    EXPECT_FALSE(parse_count(text).has_value()) << text;
}

TEST(SettingValues, Switches) {
  for (const auto* text : {"yes", "on", "true", "1", "YES", "On", "True"})
    EXPECT_EQ(parse_switch(text), true) << text;
  for (const auto* text : {"no", "off", "false", "0", "NO", "Off", "False"})
    EXPECT_EQ(parse_switch(text), false) << text;
  for (const auto* text : {"", "y", "n", "2", "enabled", "onn"})
    EXPECT_FALSE(parse_switch(text).has_value()) << text;
}

TEST(SettingValues, WhiteSpaceAroundIsTakenOff) {
  EXPECT_EQ(trimmed(" \t2s\r\n"), "2s");
  EXPECT_EQ(trimmed("a b"), "a b");
  EXPECT_EQ(trimmed(" \n"), "");
  EXPECT_EQ(trimmed(""), "");
}

TEST(SettingValues, AreWrittenAsTheyAreRead) {
  for (const auto* text : {"2s", "300ms", "75s", "0s", "10m", "24h"})
    EXPECT_EQ(duration_text(*parse_duration(text)), text);
  for (const auto* text : {"8KiB", "1MiB", "2GiB", "1000", "0"})
    EXPECT_EQ(bytes_text(*parse_bytes(text)), text);
}

}  // namespace tracker::settings
