#include "runtime/printable.h"

#include <gtest/gtest.h>

namespace tracker::runtime {
namespace {

TEST(PrintableTest, OrdinaryTextStaysAsItIs) {
  for (const char* text : {"", "ERR unknown command", "größer, \xE2\x82\xAC 5, \xF0\x9F\x98\x80", "a\\x1b"}) {
    EXPECT_EQ(printable(text), text);
  }
}

TEST(PrintableTest, ControlCharactersAreEscaped) {
  EXPECT_EQ(printable("a\nb\r\tc"), "a\\x0ab\\x0d\\x09c");
  EXPECT_EQ(printable("\x1B[31mred\x7F"), "\\x1b[31mred\\x7f");
  EXPECT_EQ(printable(std::string_view("\0", 1)), "\\x00");
  EXPECT_EQ(printable("\xC2\x9B"), "\\xc2\\x9b");  // CSI in one character
}

TEST(PrintableTest, WhatWouldLookLikeAnotherLineOrTurnTheTextIsEscaped) {
  EXPECT_EQ(printable("a\xE2\x80\xA8"
                      "b"),
            "a\\xe2\\x80\\xa8b");
  EXPECT_EQ(printable("\xE2\x80\xAE"
                      "gnp.exe"),
            "\\xe2\\x80\\xaegnp.exe");
}

TEST(PrintableTest, BytesThatAreNotUtf8AreEscapedAlone) {
  EXPECT_EQ(printable("\xFFok"), "\\xffok");
  EXPECT_EQ(printable("\xC0\xAF"), "\\xc0\\xaf");                    // too long a form
  EXPECT_EQ(printable("\xED\xA0\x80"), "\\xed\\xa0\\x80");           // a surrogate
  EXPECT_EQ(printable("\xF4\x90\x80\x80"), "\\xf4\\x90\\x80\\x80");  // past the last character
  EXPECT_EQ(printable("\xE2\x82"), "\\xe2\\x82");                    // cut
  EXPECT_EQ(printable("\xE2(\xA1"), "\\xe2(\\xa1");
}

TEST(PrintableTest, ItsOwnResultStaysAsItIs) {
  const std::string once = printable("a\nb\xFF\xE2\x82\xAC");
  EXPECT_EQ(printable(once), once);
}

TEST(PrintableTest, Utf8StaysAndEachOtherByteIsReplaced) {
  const std::string text("a\n\xE2\x82\xAC\0", 6);
  EXPECT_EQ(as_utf8(text), text);
  EXPECT_EQ(as_utf8("\xFF/\xE2(\xC3"), "\xEF\xBF\xBD/\xEF\xBF\xBD(\xEF\xBF\xBD");
}

TEST(PrintableTest, LongTextIsCutBetweenCharacters) {
  EXPECT_EQ(printable("abcdef", 4), "abcd... (2 bytes more)");
  EXPECT_EQ(printable("abcd", 4), "abcd");
  EXPECT_EQ(printable("a\xE2\x82\xAC\xE2\x82\xAC", 2), "a\xE2\x82\xAC... (3 bytes more)");
  EXPECT_LT(printable(std::string(1'000'000, '\n')).size(), 2'100U);
}

TEST(PrintableTest, AStringOfJsonIsPrintableToo) {
  EXPECT_EQ(json_string("a"), R"("a")");
  EXPECT_EQ(json_string("say \"\\\"\n\xFF"), R"("say \"\\\"\\x0a\\xff")");
}

}  // namespace
}  // namespace tracker::runtime
