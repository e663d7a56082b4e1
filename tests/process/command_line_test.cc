// What the program tells about its command line besides --help: completion in bash, and manual pages.

#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <regex>
#include <sstream>
#include <string>
#include <vector>

#include "support/program.h"
#include "support/temporary_directory.h"

namespace tracker::tests {
namespace {

std::vector<std::string> found_in(const std::string& text, const std::string& pattern) {
  std::vector<std::string> all;
  const std::regex line(pattern);
  std::istringstream stream(text);
  std::smatch found;
  for (std::string each; std::getline(stream, each);) {
    if (std::regex_match(each, found, line)) all.push_back(found[1]);
  }
  return all;
}

std::string help_of(const std::string& command) {
  return run_to_end({command, "--help"}).out;
}

// All that `tracker help` lists.
std::vector<std::string> commands() {
  auto all = found_in(run_to_end({"help"}).out, "  ([a-z]+)( [A-Z\\[\\]a-z]+)? +[A-Z].*");
  EXPECT_GE(all.size(), 10u);
  return all;
}

std::vector<std::string> commands_with_settings() {
  auto all = commands();
  std::erase_if(all, [](const auto& command) {
    return command == "help" || command == "version" || command == "completion" || command == "manual";
  });
  return all;
}

std::vector<std::string> flags_of(const std::string& command) {
  return found_in(help_of(command), "  (--[a-z-]+)( [A-Z]+)?");
}

class CompletionTest : public testing::Test {
 protected:
  CompletionTest() {
    std::ofstream(script()) << run_to_end({"completion", "bash"}).out;
    for (const char* made : {"data", "dust"}) std::filesystem::create_directory(directory_.path() / made);
    std::ofstream(directory_.path() / "file") << "";
  }

  std::string script() const { return directory_.path() / "tracker.bash"; }

  // What bash would offer for these words, in the directory of the test. The last one is being written. They are
  // divided as bash divides them.
  std::vector<std::string> offered(const std::vector<std::string>& words) {
    const std::string run =
        "set -u; cd \"$1\"; source ./tracker.bash; shift; COMP_WORDS=(tracker \"$@\"); COMP_CWORD=$#; "
        "COMP_LINE=\"${COMP_WORDS[*]}\"; COMP_POINT=${#COMP_LINE}; "
        "complete -p tracker | grep -q -- '-F _tracker tracker' || exit 3; "
        "_tracker; ((${#COMPREPLY[@]} == 0)) || printf '%s\\n' \"${COMPREPLY[@]}\"";
    Arguments arguments{"bash", "--norc", "--noprofile", "-c", run, "bash", directory_.path()};
    arguments.insert(arguments.end(), words.begin(), words.end());
    Program bash(arguments, {}, "/usr/bin/env");
    EXPECT_EQ(bash.wait_exit(), 0);
    EXPECT_EQ(bash.standard_error(), "");
    std::vector<std::string> lines;
    std::istringstream stream(bash.standard_output());
    for (std::string line; std::getline(stream, line);) lines.push_back(line);
    std::ranges::sort(lines);
    return lines;
  }

  TemporaryDirectory directory_;
};

using Words = std::vector<std::string>;

TEST_F(CompletionTest, OffersEveryCommandAndEverySettingOfIt) {
  auto all = commands();
  all.insert(all.end(), {"--help", "--version"});
  std::ranges::sort(all);
  EXPECT_EQ(offered({""}), all);
  EXPECT_EQ(offered({"ser"}), Words{"serve"});
  for (const auto& command : commands_with_settings()) {
    auto flags = flags_of(command);
    EXPECT_FALSE(flags.empty()) << command;
    flags.emplace_back("--help");
    std::ranges::sort(flags);
    EXPECT_EQ(offered({command, "--"}), flags) << command;
  }
}

TEST_F(CompletionTest, OffersTheWordsThatAValueMayBe) {
  EXPECT_EQ(offered({"serve", "--log-format", ""}), (Words{"json", "text"}));
  EXPECT_EQ(offered({"serve", "--threads", "1", "--log-level", "w"}), Words{"warning"});
  EXPECT_EQ(offered({"counter", "--log-level", "=", "e"}), Words{"error"});
  EXPECT_EQ(offered({"counter", "--log-level", "="}), (Words{"error", "info", "warning"}));
  EXPECT_EQ(offered({"balancer", "--slots", "r"}), Words{"redis-cluster"});
  EXPECT_EQ(offered({"serve", "--durability", ""}), (Words{"commit", "interval:", "none"}));
  EXPECT_EQ(offered({"serve", "--threads", ""}), Words{});
  EXPECT_EQ(offered({"serve", "--insecure", "--log-fo"}), Words{"--log-format"});
  EXPECT_EQ(offered({"help", "bal"}), Words{"balancer"});
  EXPECT_EQ(offered({"completion", ""}), Words{"bash"});
  EXPECT_EQ(offered({"slots", ""}), Words{"forget"});
}

TEST_F(CompletionTest, OffersPaths) {
  EXPECT_EQ(offered({"serve", "--access-log", "f"}), Words{"file"});
  EXPECT_EQ(offered({"serve", "--access-log", "=", "./f"}), Words{"./file"});
  EXPECT_EQ(offered({"restore", "d"}), (Words{"data", "dust"}));
  EXPECT_EQ(offered({"restore", "f"}), Words{});
  EXPECT_EQ(offered({"import", "f"}), Words{"file"});
  EXPECT_EQ(offered({"manual", "da"}), Words{"data"});
}

// bash divides words at colons and replaces only the last part.
TEST_F(CompletionTest, OffersTheDirectoryOfAStore) {
  EXPECT_EQ(offered({"serve", "--store", "ro"}), Words{"rocksdb:"});
  EXPECT_EQ(offered({"serve", "--store", "rocksdb", ":"}), (Words{"data", "dust"}));
  EXPECT_EQ(offered({"serve", "--store", "rocksdb", ":", "./da"}), Words{"./data"});
  EXPECT_EQ(offered({"serve", "--store", "=", "rocksdb", ":", "da"}), Words{"data"});
  EXPECT_EQ(offered({"serve", "--store", "rocksdb:da"}), Words{"rocksdb:data"}) << "where it does not";
  EXPECT_EQ(offered({"serve", "--envoy-addr", ":", "80", "--thr"}), Words{"--threads"});
}

class ManualTest : public testing::Test {
 protected:
  ManualTest() {
    const Outcome outcome = run_to_end({"manual", directory()});
    EXPECT_EQ(outcome.exit_code, 0);
    EXPECT_EQ(outcome.out + outcome.err, "");
  }

  std::string directory() const { return directory_.path() / "man1"; }

  // The page as a reader sees it, without bold letters.
  std::string page(const std::string& name) const {
    Program groff(
        {"groff", "-man", "-Tascii", "-P-c", "-P-b", "-P-u", "-rLL=200n", "-ww", directory() + "/" + name},
        {}, "/usr/bin/env");
    EXPECT_EQ(groff.wait_exit(), 0);
    EXPECT_EQ(groff.standard_error(), "") << name;
    return groff.standard_output();
  }

 private:
  TemporaryDirectory directory_;
};

TEST_F(ManualTest, EachCommandHasAPageWithAllItsSettings) {
  const auto names = commands_with_settings();
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(directory()), {}),
            static_cast<std::ptrdiff_t>(names.size() + 1));
  for (const auto& name : names) {
    const auto text = page("tracker-" + name + ".1");
    EXPECT_NE(text.find("tracker-" + name + " - "), std::string::npos) << text;
    const auto help = help_of(name);
    for (const auto& flag : flags_of(name)) {
      EXPECT_TRUE(std::regex_search(text, std::regex("\n +" + flag + "( [A-Z]+)?( |\n)"))) << flag << text;
    }
    for (const auto& variable : found_in(help, " +\\[([A-Z_]+);.*")) {
      EXPECT_NE(text.find("[" + variable + "; default: "), std::string::npos) << variable << text;
    }
  }
}

TEST_F(ManualTest, ThePageOfTheProgramNamesItsCommandsAndTheirPages) {
  const auto text = page("tracker.1");
  for (const auto& name : commands())
    EXPECT_TRUE(std::regex_search(text, std::regex("\n +" + name + "( |\n)"))) << name << text;
  for (const auto& name : commands_with_settings())
    EXPECT_NE(text.find("tracker-" + name + "(1)"), std::string::npos) << name << text;
}

// A package has one manual for all machines.
TEST_F(ManualTest, NothingInItDependsOnTheMachine) {
  EXPECT_NE(page("tracker-serve.1").find("[TRACKER_THREADS; default: the number of these CPUs]"),
            std::string::npos)
      << page("tracker-serve.1");
}

TEST_F(ManualTest, WhatCannotBeWrittenIsSaid) {
  const Outcome outcome = run_to_end({"manual", "/dev/null/man1"});
  EXPECT_EQ(outcome.exit_code, 1);
  EXPECT_TRUE(outcome.err.starts_with("tracker: \"/dev/null/man1\": cannot make this directory: "))
      << outcome.err;
}

}  // namespace
}  // namespace tracker::tests
