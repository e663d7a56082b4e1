// What a power cut takes from programs that sync in different ways.

#include "support/power_cut.h"

#include <gtest/gtest.h>
#include <stdlib.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <stdexcept>
#include <string>

#include "support/preload.h"
#include "support/temporary_directory.h"

namespace tracker::tests {
namespace {

namespace fs = std::filesystem;

using Files = std::map<std::string, std::string>;

fs::path new_directory() {
  std::string name = (fs::temp_directory_path() / "tracker-power-XXXXXX").string();
  if (::mkdtemp(name.data()) == nullptr) throw std::runtime_error("no directory like " + name);
  return name;
}

class PowerCutTest : public testing::Test {
 protected:
  PowerCutTest() { fs::create_directory(data()); }
  ~PowerCutTest() override { fs::remove_all(directory_); }

  fs::path data() const { return directory_ / "data"; }

  // Runs it in the data directory, watched. `sync FILE` of coreutils calls fsync, and `sync -d FILE` calls fdatasync.
  // Both also work for directories.
  void run(const std::string& script) {
    Program shell({"-ec", "cd '" + data().string() + "'; " + script}, power_.environment(), "/bin/sh");
    ASSERT_EQ(shell.wait_exit(), 0) << shell.output();
  }

  Files files() const {
    Files found;
    for (const auto& entry : fs::directory_iterator(data())) {
      std::ifstream file(entry.path());
      found[entry.path().filename()] = {std::istreambuf_iterator<char>(file), {}};
    }
    return found;
  }

  Files after_cut() {
    power_.cut(data());
    return files();
  }

  const fs::path directory_ = new_directory();
  PowerCut power_{directory_ / "record"};
};

TEST_F(PowerCutTest, TakesWhatWasNotSynced) {
  run("printf one > a; sync a .; printf two >> a");
  EXPECT_EQ(files(), (Files{{"a", "onetwo"}}));
  EXPECT_EQ(power_.unsynced(data()).bytes, 3u);
  EXPECT_EQ(after_cut(), (Files{{"a", "one"}}));
  EXPECT_EQ(power_.unsynced(data()).bytes, 0u);
}

TEST_F(PowerCutTest, LeavesWhatWasSynced) {
  run("printf one > a; sync a .; printf two >> a; sync -d a");
  EXPECT_EQ(after_cut(), (Files{{"a", "onetwo"}}));
}

TEST_F(PowerCutTest, MayLeaveMoreThanWasSynced) {
  run("printf one > a; sync a .; printf two >> a");
  power_.cut(data(), [](std::uintmax_t synced, std::uintmax_t all) { return synced + (all - synced) / 2; });
  EXPECT_EQ(files(), (Files{{"a", "onet"}}));
  EXPECT_EQ(after_cut(), (Files{{"a", "onet"}})) << "it is on disk now";
}

TEST_F(PowerCutTest, TakesAFileWhoseNameWasNotSynced) {
  run("printf one > a; sync a");
  EXPECT_EQ(power_.unsynced(data()).files, 1u);
  EXPECT_EQ(after_cut(), Files{});
}

TEST_F(PowerCutTest, TakesTheBytesOfAFileThatOnlyHasItsName) {
  run("printf one > a; sync .");
  EXPECT_EQ(after_cut(), (Files{{"a", ""}}));
}

TEST_F(PowerCutTest, ADirectorysSyncNamesWhatWasThereBeforeAlone) {
  run("printf one > a; sync .; printf two > b; sync a b");
  EXPECT_EQ(after_cut(), (Files{{"a", "one"}}));
}

TEST_F(PowerCutTest, TakesWhatReplacedSyncedBytes) {
  run("printf one > a; sync a .; printf four > a");
  EXPECT_EQ(after_cut(), (Files{{"a", ""}}));
}

// 2048 zeros were synced, and 3000 bytes were written over them.
class PowerCutInZerosTest : public PowerCutTest {
 protected:
  static std::string x(std::size_t bytes) { return std::string(bytes, 'x'); }
  static std::string zeros(std::size_t bytes) { return std::string(bytes, '\0'); }

  std::string left(
      std::uintmax_t kept, const PowerCut::LoseSector& lose_sector = [] { return false; }) {
    run("head -c 2048 /dev/zero > a; sync a .; "
        "head -c 3000 /dev/zero | tr '\\0' x | dd of=a conv=notrunc iflag=fullblock status=none");
    const auto keep = [kept](std::uintmax_t synced, std::uintmax_t all) {
      EXPECT_EQ(synced, 0u);
      EXPECT_EQ(all, 3000u);
      return kept;
    };
    power_.cut(data(), keep, lose_sector);
    auto bytes = files().at("a");
    EXPECT_EQ(after_cut().at("a"), bytes) << "it is on disk now";
    return bytes;
  }
};

TEST_F(PowerCutInZerosTest, TheyAreZerosAgain) {
  EXPECT_EQ(left(0), zeros(2048));
}

TEST_F(PowerCutInZerosTest, WholeSectorsAreKept) {
  EXPECT_EQ(left(1200), x(1024) + zeros(1024));
}

TEST_F(PowerCutInZerosTest, WhatIsBehindThemMayBeKeptInPart) {
  EXPECT_EQ(left(2500), x(2500));
}

TEST_F(PowerCutInZerosTest, SectorsOfThemMayBeMissing) {
  int sector = 0;
  EXPECT_EQ(left(2500, [&] { return sector++ == 1; }), x(512) + zeros(512) + x(1476));
  EXPECT_EQ(sector, 4);
}

TEST_F(PowerCutTest, ARenameStays) {
  run("printf one > a; sync a; perl -e 'rename \"a\", \"b\" or die'");
  EXPECT_EQ(after_cut(), (Files{{"b", "one"}}));
}

// The order of the journal.
TEST_F(PowerCutTest, ARenameNamesWhatWasMadeBefore) {
  run("printf one > a; printf two > b; sync a b; perl -e 'rename \"a\", \"c\" or die'; printf x > d; sync d");
  EXPECT_EQ(after_cut(), (Files{{"b", "two"}, {"c", "one"}}));
}

TEST_F(PowerCutTest, ARenameSyncsNoBytes) {
  run("printf one > a; perl -e 'rename \"a\", \"b\" or die'");
  EXPECT_EQ(after_cut(), (Files{{"b", ""}}));
}

TEST_F(PowerCutTest, RemembersOverRunsAndCuts) {
  run("printf one > a; sync a .");
  run("printf two >> a");
  EXPECT_EQ(after_cut(), (Files{{"a", "one"}}));
  run("printf three >> a; sync a");
  EXPECT_EQ(after_cut(), (Files{{"a", "onethree"}}));
  EXPECT_EQ(after_cut(), (Files{{"a", "onethree"}}));
}

// Everything would seem to be lost, which would be a false alarm.
TEST_F(PowerCutTest, AProgramThatIsNotWatchedIsNotJudged) {
  Program shell({"-ec", "cd '" + data().string() + "'; printf one > a; sync a ."}, {}, "/bin/sh");
  ASSERT_EQ(shell.wait_exit(), 0) << shell.output();
  EXPECT_THROW(power_.cut(data()), std::runtime_error);
  EXPECT_THROW(power_.unsynced(data()), std::runtime_error);
  EXPECT_EQ(files(), (Files{{"a", "one"}}));
}

TEST(PreloadTest, ALibraryIsLoadedFromAPathWithSpacesAndColons) {
  const TemporaryDirectory directory;
  const auto odd = directory.path() / "a path: with all that splits";
  fs::create_directory(odd);
  fs::copy_file(SYNC_RECORDER, odd / "library.so");
  const auto record = directory.path() / "record";
  Program program({},
                  {{"LD_PRELOAD", preload_name(odd / "library.so")},
                   {"SYNC_RECORD", record.string()},
                   {"ASAN_OPTIONS", "verify_asan_link_order=0"}},
                  "/bin/true");
  ASSERT_EQ(program.wait_exit(), 0) << program.output();
  EXPECT_EQ(program.standard_error(), "");
  EXPECT_TRUE(fs::exists(record));
  EXPECT_THROW(preload_name(odd / "none.so"), std::runtime_error);
}

// A file system may give a new file the inode number of a removed one.
TEST_F(PowerCutTest, ANewFileInheritsNothing) {
  run("printf 'a long one' > a; sync a .; rm a; for i in 1 2 3 4 5; do printf x > b$i; done; sync .");
  for (const auto& [name, bytes] : after_cut()) EXPECT_EQ(bytes, "") << name;
}

}  // namespace
}  // namespace tracker::tests
