#include "settings/setting_table.h"

#include <gtest/gtest.h>

#include <CLI/CLI.hpp>
#include <string>
#include <vector>

#include "settings/startup_error.h"

namespace tracker::settings {
namespace {

// `tracker slots` with these arguments. Returns the name that is to be forgotten, or the error.
std::string forgotten(std::vector<std::string> arguments) {
  CLI::App program;
  auto& command = *program.add_subcommand("slots");
  SettingTable table(command);
  std::string name;
  std::string value;
  table.add_action("forget", "NAME", name, "Forgets it.");
  table.add({"--flag", "", "A flag.", "none", "anything",
             [&value](std::string_view text) {
               value = text;
               return true;
             },
             "VALUE", SettingTable::Condition{"forget NAME", [&name] { return !name.empty(); }}});
  arguments.insert(arguments.begin(), "slots");
  try {
    program.parse(std::vector<std::string>(arguments.rbegin(), arguments.rend()));
    table.read();
  } catch (const StartupError& error) {
    return error.what();
  }
  return name + value;
}

TEST(SettingTableTest, AnActionMayBeLeftOut) {
  EXPECT_EQ(forgotten({}), "");
}

TEST(SettingTableTest, AnActionStandsAnywhereAmongFlags) {
  EXPECT_EQ(forgotten({"forget", "b"}), "b");
  EXPECT_EQ(forgotten({"forget", "b", "--flag", "1"}), "b1");
  EXPECT_EQ(forgotten({"--flag", "1", "forget", "b"}), "b1");
  EXPECT_EQ(forgotten({"forget", "--flag", "1", "slots"}), "slots1");
}

TEST(SettingTableTest, AnActionThatIsNotWholeIsRefused) {
  EXPECT_EQ(forgotten({"forget"}), "forget: NAME is missing; write tracker slots forget NAME");
  EXPECT_EQ(forgotten({"forgt", "b"}),
            "\"forgt\": this is not an argument of tracker slots; did you mean tracker slots forget NAME?");
  EXPECT_EQ(forgotten({"b"}),
            "\"b\": this is not an argument of tracker slots; there is only tracker slots forget NAME");
  EXPECT_EQ(forgotten({"forget", "b", "c"}), "\"c\": there is no argument after tracker slots forget NAME");
}

TEST(SettingTableTest, AFlagMayNeedTheAction) {
  EXPECT_EQ(forgotten({"--flag", "1"}),
            "--flag: it takes effect only with forget NAME; give that, or leave this out");
}

TEST(SettingTableTest, HelpShowsBothForms) {
  CLI::App program;
  SettingTable table(*program.add_subcommand("slots"));
  std::string name;
  table.add_action("forget", "NAME", name, "Forgets it.");
  EXPECT_EQ(table.help(),
            "Usage: tracker slots\n       tracker slots forget NAME\n\nArguments:\n  forget NAME\n      "
            "Forgets it.\n");
}

}  // namespace
}  // namespace tracker::settings
