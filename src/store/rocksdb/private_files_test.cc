#include "store/rocksdb/private_files.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "store/rocksdb/data_directory.h"
#include "store/rocksdb/descriptor.h"
#include "support/store_on_disk.h"
#include "support/temporary_directory.h"

namespace tracker::store::rocksdb {
namespace {

using tests::contents;
namespace fs = std::filesystem;
using testing::HasSubstr;
constexpr uid_t nobody = 65534;

class PrivateFilesTest : public testing::Test {
 protected:
  std::string path(const std::string& name) const { return temporary_.path() / name; }

  static mode_t mode(const std::string& path) {
    struct stat status {};
    EXPECT_EQ(::lstat(path.c_str(), &status), 0) << path;
    return status.st_mode & 07777U;
  }
  static void make(const std::string& path, mode_t mode) {
    std::ofstream(path) << "text";
    ::chmod(path.c_str(), mode);
  }

  /// As an older version made a store under the umask 022.
  void make_open_store() const {
    fs::create_directories(path("store/db"));
    for (const auto* directory : {"store", "store/db"}) ::chmod(path(directory).c_str(), 0755);
    make(path("store/FORMAT"), 0644);
    make(path("store/db/000001.sst"), 0644);
  }

  const tests::TemporaryDirectory temporary_;
};

TEST_F(PrivateFilesTest, AFileIsMadeInTheStead) {
  make(path("victim"), 0644);
  fs::create_symlink(path("victim"), path("file"));
  EXPECT_TRUE(make_private_file(path("file")).is_open());
  EXPECT_EQ(contents(path("victim")), "text");
  EXPECT_EQ(contents(path("file")), "");
  EXPECT_EQ(mode(path("file")), 0600U);
}

TEST_F(PrivateFilesTest, AFormatIsNotWrittenWhereALinkLeads) {
  make(path("victim"), 0644);
  fs::create_symlink(path("victim"), path("FORMAT.new"));
  DataDirectory::write_format(temporary_.path(), StoreFormat::first);
  EXPECT_EQ(contents(path("victim")), "text");
  EXPECT_THAT(contents(path("FORMAT")), HasSubstr("tracker store"));
}

TEST_F(PrivateFilesTest, TheRightsOfOthersAreTaken) {
  make_open_store();
  make(path("elsewhere"), 0644);
  fs::create_symlink(path("elsewhere"), path("store/db/link"));
  fs::create_directory_symlink(path("store"), path("link-to-store"));
  EXPECT_EQ(take_rights_of_others(path("link-to-store")), std::nullopt);
  for (const auto* directory : {"store", "store/db"}) EXPECT_EQ(mode(path(directory)), 0700U) << directory;
  for (const auto* file : {"store/FORMAT", "store/db/000001.sst"}) EXPECT_EQ(mode(path(file)), 0600U) << file;
  EXPECT_EQ(mode(path("elsewhere")), 0644U);
}

TEST_F(PrivateFilesTest, WhatBelongsToAnotherUserIsWarnedOfOnceAndRefusedIfOthersMayWrite) {
  if (::geteuid() != 0) GTEST_SKIP() << "only root can give files away";
  make_open_store();
  for (const auto* file : {"store", "store/db", "store/db/000001.sst"}) {
    ASSERT_EQ(::chown(path(file).c_str(), nobody, nobody), 0);
  }
  const auto warning = take_rights_of_others(path("store"));
  ASSERT_TRUE(warning.has_value());
  EXPECT_THAT(*warning, testing::AllOf(HasSubstr("others may read"), HasSubstr(path("store")),
                                       HasSubstr("mode 0755"), HasSubstr("chmod -R go=")));
  EXPECT_EQ(mode(path("store/FORMAT")), 0600U) << "it is ours";
  for (const auto* file : {"store", "store/db", "store/db/000001.sst"}) {
    SCOPED_TRACE(file);
    const auto before = mode(path(file));
    ::chmod(path(file).c_str(), before | S_IWGRP);
    try {
      take_rights_of_others(path("store"));
      ADD_FAILURE() << "it is not refused";
    } catch (const StoreError& error) {
      EXPECT_THAT(error.what(), testing::AllOf(HasSubstr("others may write there"), HasSubstr(path(file))));
    }
    ::chmod(path(file).c_str(), before);
  }
}

TEST_F(PrivateFilesTest, MissingDirectoriesAreMadeForTheirOwner) {
  const auto before = ::umask(0);
  EXPECT_EQ(make_directories(path("a/b/c")), path("a"));
  ::umask(before);
  for (const auto* directory : {"a", "a/b", "a/b/c"}) EXPECT_EQ(mode(path(directory)), 0700U) << directory;
}

TEST_F(PrivateFilesTest, WhatIsWithinADirectoryIsSeenThroughLinks) {
  fs::create_directories(path("outer/inner"));
  fs::create_directory(path("other"));
  fs::create_directory_symlink(path("outer/inner"), path("other/link"));
  for (const auto* inside :
       {"outer", "outer/", "outer/new", "outer/inner/not/there", "other/link", "other/link/new"}) {
    EXPECT_TRUE(is_within(path(inside), path("outer"))) << inside;
  }
  for (const auto* outside : {"other", "other/new", "outer-too", "outer/../new", "nowhere/at/all"}) {
    EXPECT_FALSE(is_within(path(outside), path("outer"))) << outside;
  }
  EXPECT_FALSE(is_within(path("other"), path("nowhere")));
}

}  // namespace
}  // namespace tracker::store::rocksdb
