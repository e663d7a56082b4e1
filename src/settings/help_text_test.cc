#include "settings/help_text.h"

#include <gtest/gtest.h>

namespace tracker::settings {

TEST(HelpText, ParagraphsAreBrokenBetweenWords) {
  const std::string word(30, 'x');
  EXPECT_EQ(wrapped(word + " " + word + " " + word), word + " " + word + "\n" + word + "\n");
  EXPECT_EQ(wrapped(word + " " + word, 20),
            std::string(20, ' ') + word + "\n" + std::string(20, ' ') + word + "\n");
  EXPECT_EQ(wrapped("one\ntwo\n\nthree"), "one\ntwo\n\nthree\n");
}

TEST(HelpText, LinesThatBeginWithASpaceStay) {
  EXPECT_EQ(wrapped("  a   b"), "  a   b\n");
}

// A line that begins with a hyphen is a setting.
TEST(HelpText, AFlagStaysBehindTheWordBeforeIt) {
  const std::string words(73, 'x');
  EXPECT_EQ(wrapped(words + " with --store"), words + "\nwith --store\n");
}

}  // namespace tracker::settings
