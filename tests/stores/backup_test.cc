// tracker backup and tracker restore, of a store that is served under load and of one that is not. The contents of a
// backup are compared with the answers. Also tests what the commands refuse.

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "support/caller.h"
#include "support/fleet.h"
#include "support/health.h"
#include "support/steady_load.h"
#include "support/temporary_directory.h"

namespace tracker::tests {
namespace {

namespace fs = std::filesystem;
using namespace std::chrono_literals;
using testing::HasSubstr;
using testing::Not;
using Clock = std::chrono::steady_clock;
using Kind = SteadyLoad::Kind;

class BackupTest : public testing::Test {
 protected:
  std::string path(const std::string& name) const { return directory_.path() / name; }
  std::string store(const std::string& name) const { return "rocksdb:" + path(name); }

  Service serve(const std::string& name, const Arguments& more = {}) const {
    Arguments arguments{"serve",       "--store",       store(name),  "--envoy-addr",
                        "127.0.0.1:0", "--health-addr", "127.0.0.1:0"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return Service::start(arguments, "envoy");
  }

  Outcome backup(const std::string& of, const std::string& to) const {
    return run_to_end({"backup", path(to), "--store", store(of)});
  }
  Outcome restore(const std::string& from, const std::string& to) const {
    return run_to_end({"restore", path(from), "--store", store(to)});
  }

  // Makes a store that nobody serves, and its token, which was counted three times at /.
  std::string make_store(const std::string& name) const {
    Service service = serve(name);
    Caller caller(service.door);
    std::string token = caller.mint();
    for (std::int64_t count = 1; count <= 3; ++count) EXPECT_EQ(caller.count("/", token), count);
    end(service);
    return token;
  }

  static void end(Service& service) {
    service.program->send_signal(SIGTERM);
    EXPECT_EQ(service.program->wait_exit(), 0) << service.program->output();
  }

  void expect_counts_on(const std::string& name, const std::string& token) const {
    Service service = serve(name);
    Caller caller(service.door);
    EXPECT_EQ(caller.count("/", token), 4);
    EXPECT_EQ(caller.count("/other", caller.mint()), 1);
    end(service);
  }

  TemporaryDirectory directory_;
};

void expect_success(const Outcome& outcome, const std::vector<std::string>& parts) {
  EXPECT_EQ(outcome.exit_code, 0) << outcome.out << outcome.err;
  EXPECT_EQ(outcome.err, "");
  for (const std::string& part : parts) EXPECT_THAT(outcome.out, HasSubstr(part));
}

void expect_refusal(const Outcome& outcome, const std::vector<std::string>& parts, int exit_code = 1) {
  EXPECT_EQ(outcome.exit_code, exit_code) << outcome.out << outcome.err;
  EXPECT_EQ(std::count(outcome.err.begin(), outcome.err.end(), '\n'), 1) << outcome.err;
  for (const std::string& part : parts) EXPECT_THAT(outcome.err, HasSubstr(part));
}

// For every key: the count answered before the backup began <= the count in it <= the requests sent before it was done.
TEST_F(BackupTest, WhileItServesABackupHoldsWhatWasAnsweredBefore) {
  Service service = serve("data");
  Caller caller(service.door);
  std::vector<std::string> tokens;
  for (int i = 0; i < 3; ++i) tokens.push_back(caller.mint());
  const std::vector<std::string> paths{"/", "/a", "/a/b"};
  SteadyLoad load(service.door, tokens, paths);

  struct Backup {
    std::string name;
    Clock::time_point begun;
    Clock::time_point done;
    std::vector<std::string> minted;
  };
  std::vector<Backup> backups;
  for (int i = 0; i < 4; ++i) {
    load.wait_for_more(Kind::counted, 200);
    Backup its{"backup" + std::to_string(i), {}, {}, {caller.mint(), caller.mint()}};
    its.begun = Clock::now();
    expect_success(backup("data", its.name),
                   {path("data"), "which a process serves", path(its.name), "tokens=", "bytes="});
    its.done = Clock::now();
    backups.push_back(its);
  }
  load.wait_for_more(Kind::counted, 200);
  const std::vector<Observation> observations = load.stop();
  EXPECT_THAT(exactness_violations(observations, load.read_stored()), testing::IsEmpty());
  EXPECT_THAT(load.complaints(), testing::IsEmpty());
  EXPECT_EQ(load.seen(Kind::refused) + load.seen(Kind::perhaps), 0u);

  for (const Backup& its : backups) {
    SCOPED_TRACE(its.name);
    expect_success(restore(its.name, "restored-" + its.name), {path("restored-" + its.name), "tokens="});
    Service restored = serve("restored-" + its.name);
    Caller asker(restored.door);
    for (std::size_t key = 0; key < tokens.size() * paths.size(); ++key) {
      std::int64_t answered = 0;
      std::int64_t sent = 0;
      for (const Observation& observation : observations) {
        if (observation.key != key) continue;
        if (observation.answered < its.begun) answered = std::max(answered, observation.count);
        if (observation.sent < its.done) ++sent;
      }
      const std::string& token = tokens[key / paths.size()];
      const std::int64_t stored = asker.count(paths[key % paths.size()], token) - 1;
      EXPECT_LE(answered, stored) << "key " << key;
      EXPECT_LE(stored, sent) << "key " << key;
      EXPECT_GT(stored, 0) << "key " << key;
      EXPECT_EQ(asker.count(paths[key % paths.size()], token), stored + 2) << "it goes on counting";
    }
    for (const std::string& token : its.minted) EXPECT_EQ(asker.count("/minted", token), 1);
    EXPECT_EQ(asker.count("/", asker.mint()), 1);
    end(restored);
  }
}

// The counts of a backup do not change with the store that it was made of, although they share files.
TEST_F(BackupTest, ABackupIsOfItsMoment) {
  const std::string token = make_store("data");
  Service service = serve("data");
  expect_success(backup("data", "backup"), {"tokens=1 "});
  Caller caller(service.door);
  for (std::int64_t count = 4; count <= 50; ++count) EXPECT_EQ(caller.count("/", token), count);
  end(service);
  expect_success(backup("data", "later"), {});
  fs::remove_all(path("data"));
  expect_success(restore("backup", "data"), {"tokens=1 "});
  expect_counts_on("data", token);
}

TEST_F(BackupTest, OfAStoreThatNobodyServes) {
  const std::string token = make_store("data");
  expect_success(backup("data", "backup"), {"which no process serves", "tokens=1 "});
  expect_success(restore("backup", "new/deep/data"), {"tokens=1 "});
  expect_counts_on("new/deep/data", token);
  expect_counts_on("data", token);
}

// A backup that was copied elsewhere restores the same, and so does a store that was copied while nobody served it.
TEST_F(BackupTest, CopiesOfABackupRestoreTheSame) {
  const std::string token = make_store("data");
  expect_success(backup("data", "backup"), {});
  fs::copy(path("backup"), path("copied"), fs::copy_options::recursive);
  fs::remove_all(path("backup"));
  expect_success(restore("copied", "restored"), {"tokens=1 "});
  expect_counts_on("restored", token);
  expect_success(restore("data", "restored-of-data"), {"tokens=1 "});
  expect_counts_on("restored-of-data", token);
}

TEST_F(BackupTest, OfACounter) {
  Service counter = Service::start(
      {"counter", "--store", store("data"), "--counter-addr", "127.0.0.1:0", "--health-addr", "127.0.0.1:0"},
      "counter");
  expect_success(backup("data", "backup"), {"which a process serves", "tokens=0 "});
  end(counter);
}

TEST_F(BackupTest, RelativePathsAreThoseOfTheCaller) {
  make_store("data");
  const Service service = serve("data");
  const fs::path before = fs::current_path();
  fs::create_directory(path("elsewhere"));
  fs::current_path(path("elsewhere"));
  const Outcome outcome = run_to_end({"backup", "backup/", "--store", "rocksdb:../data"});
  fs::current_path(before);
  expect_success(outcome, {path("elsewhere/backup") + ": tokens=1"});
  EXPECT_TRUE(fs::exists(path("elsewhere/backup/FORMAT")));
}

TEST_F(BackupTest, TheDirectoryMayHaveALongName) {
  const std::string name(150, 'd');
  const Service service = serve(name);
  expect_success(backup(name, "backup"), {"which a process serves"});
}

// If the socket cannot be made, it serves nevertheless, and says what does not work.
TEST_F(BackupTest, WithoutItsSocketItServes) {
  const std::string token = make_store("data");
  fs::create_directory(path("data/admin.sock"));
  {
    const Service service = serve("data");
    EXPECT_THAT(service.program->standard_error(), HasSubstr("no admin.sock in " + path("data")));
    EXPECT_EQ(Caller(service.door).count("/other", token), 1);
    expect_refusal(backup("data", "backup"), {path("data")});
  }
  fs::remove(path("data/admin.sock"));
  expect_success(backup("data", "backup"), {"which no process serves", "tokens=1 "});
}

TEST_F(BackupTest, TheSocketIsPrivateAndGoesWithTheProcess) {
  Service service = serve("data");
  const auto status = fs::status(path("data/admin.sock"));
  EXPECT_EQ(status.type(), fs::file_type::socket);
  EXPECT_EQ(status.permissions(), fs::perms::owner_read | fs::perms::owner_write);
  end(service);
  EXPECT_FALSE(fs::exists(path("data/admin.sock")));
}

TEST_F(BackupTest, AStaleSocketIsReplaced) {
  const std::string token = make_store("data");
  Service killed = serve("data");
  killed.program->send_signal(SIGKILL);
  killed.program->wait_exit();
  ASSERT_TRUE(fs::exists(path("data/admin.sock")));
  expect_success(backup("data", "backup0"), {"which no process serves", "tokens=1 "});
  const Service service = serve("data");
  expect_success(backup("data", "backup1"), {"which a process serves", "tokens=1 "});
}

TEST_F(BackupTest, WhatCannotBeBackedUpIsRefused) {
  make_store("data");
  fs::create_directory(path("there"));
  fs::create_directory(path("empty"));
  for (const bool is_served : {false, true}) {
    SCOPED_TRACE(is_served);
    Service service;
    if (is_served) service = serve("data");
    expect_refusal(backup("data", "there"), {path("there"), "exists"});
    expect_refusal(backup("data", "none/backup"), {path("none/backup"), "No such file or directory"});
    expect_refusal(backup("data", "data"), {"inside the store"});
    expect_refusal(backup("none", "backup"), {path("none"), "no directory"});
    expect_refusal(backup("empty", "backup"), {path("empty"), "not a tracker store"});
    EXPECT_FALSE(fs::exists(path("backup")));
    EXPECT_TRUE(fs::is_empty(path("empty")));
  }
  expect_refusal(run_to_end({"backup", "--store", store("data")}), {"TO is required"}, 2);
  expect_refusal(run_to_end({"backup", path("backup"), "--store", "memory"}), {"--store", "memory"}, 2);
  expect_refusal(run_to_end({"backup", path("backup")}, {{"TRACKER_STORE", "redis"}}),
                 {"TRACKER_STORE", "redis"}, 2);
  expect_refusal(run_to_end({"backup", path("a"), path("b"), "--store", store("data")}), {path("b")}, 2);
}

// The store is locked, but nobody answers: the process has just been started, or its socket was removed.
TEST_F(BackupTest, AStoreWhoseProcessCannotBeAskedIsRefused) {
  const Service service = serve("data");
  fs::remove(path("data/admin.sock"));
  expect_refusal(backup("data", "backup"), {path("data"), "locked by another process"});
  EXPECT_FALSE(fs::exists(path("backup")));
}

TEST_F(BackupTest, WhatIsInTheWayOfARestoreIsNotTouched) {
  const std::string token = make_store("data");
  expect_success(backup("data", "backup"), {});
  expect_refusal(restore("backup", "data"), {path("data"), "not empty"});
  expect_refusal(restore("backup", "backup"), {path("backup"), "the backup itself"});
  {
    const Service service = serve("data");
    expect_refusal(restore("backup", "data"), {path("data"), "a process uses it"});
    expect_refusal(restore("data", "new"), {path("data"), "a process uses it"});
  }
  std::ofstream(path("file")) << "x";
  expect_refusal(restore("backup", "file"), {path("file")});
  fs::create_directory(path("other"));
  std::ofstream(path("other/file")) << "x";
  expect_refusal(restore("backup", "other"), {path("other"), "not empty", "file"});
  EXPECT_TRUE(fs::exists(path("other/file")));
  EXPECT_FALSE(fs::exists(path("new")));
  fs::create_directory(path("empty"));
  expect_success(restore("backup", "empty"), {});
  expect_counts_on("empty", token);
  expect_counts_on("data", token);
}

TEST_F(BackupTest, WhatIsNoBackupIsNotRestored) {
  make_store("data");
  expect_success(backup("data", "backup"), {});
  fs::create_directory(path("empty"));
  expect_refusal(restore("none", "new"), {path("none")});
  expect_refusal(restore("empty", "new"), {path("empty"), "not a tracker store"});
  // Looks like an interrupted backup.
  fs::copy(path("backup"), path("half"), fs::copy_options::recursive);
  fs::remove(path("half/FORMAT"));
  expect_refusal(restore("half", "new"), {path("half"), "not a tracker store"});
  fs::copy(path("backup"), path("newer"), fs::copy_options::recursive);
  std::ofstream(path("newer/FORMAT")) << "tracker store, format 999\n";
  expect_refusal(restore("newer", "new"), {path("newer"), "newer format 999"});
  EXPECT_FALSE(fs::exists(path("new")));
}

// Damages every file that holds counts in its middle.
TEST_F(BackupTest, ADamagedBackupIsNotRestored) {
  {
    Service service = serve("data");
    Caller caller(service.door);
    const std::string token = caller.mint();
    for (int i = 0; i < 500; ++i) caller.count("/path/" + std::to_string(i), token);
    expect_success(backup("data", "backup"), {});
  }
  std::size_t damaged = 0;
  for (const auto& entry : fs::directory_iterator(path("backup/db"))) {
    const std::string name = entry.path().filename();
    const bool counts = name.ends_with(".sst") || name.starts_with("MANIFEST") || name == "CURRENT";
    if (!counts || entry.file_size() == 0) continue;
    SCOPED_TRACE(name);
    fs::copy(path("backup"), path("damaged"), fs::copy_options::recursive);
    std::fstream file(path("damaged/db/" + name), std::ios::in | std::ios::out | std::ios::binary);
    const auto middle = static_cast<std::streamoff>(entry.file_size() / 2);
    file.seekg(middle);
    const char byte = static_cast<char>(file.get() ^ 0x55);
    file.seekp(middle);
    file.put(byte);
    file.close();
    expect_refusal(restore("damaged", "new"), {path("damaged") + ": the backup is damaged"});
    EXPECT_FALSE(fs::exists(path("new")));
    fs::remove_all(path("damaged"));
    ++damaged;
  }
  EXPECT_GE(damaged, 3u);
}

// A restore killed at any moment leaves no store or a whole one. The next restore makes it.
TEST_F(BackupTest, AnInterruptedRestoreIsNeverTakenForAStore) {
  const std::string token = make_store("data");
  expect_success(backup("data", "backup"), {});
  // Large enough that a kill also hits the copying.
  std::ofstream filler(path("backup/db/filler"), std::ios::binary);
  filler << std::string(std::size_t{32} << 20U, 'x');
  filler.close();
  std::mt19937 random(20251124);
  std::size_t interrupted = 0;
  for (int round = 0; round < 12; ++round) {
    Program program({"restore", path("backup"), "--store", store("new")});
    const Deadline deadline;
    while (program.running() && !fs::exists(path("new/RESTORING")) && !deadline.passed()) {
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
    if (round >= 4) {
      std::this_thread::sleep_for(
          std::chrono::microseconds(random() % 100'000));  // not a wait, but the moment
    }
    program.send_signal(SIGKILL);
    program.wait_exit();
    if (fs::exists(path("new/FORMAT"))) {
      expect_counts_on("new", token);
      fs::remove_all(path("new"));
    } else if (!fs::is_empty(path("new"))) {
      ++interrupted;
      expect_refusal(run_to_end({"serve", "--store", store("new"), "--envoy-addr", "127.0.0.1:0"}),
                     {path("new"), "an interrupted restore"});
      expect_refusal(backup("new", "no-backup"), {path("new"), "an interrupted restore"});
    }
  }
  EXPECT_GT(interrupted, 0u);
  if (fs::exists(path("new/FORMAT"))) fs::remove_all(path("new"));
  expect_success(restore("backup", "new"), {});
  EXPECT_FALSE(fs::exists(path("new/RESTORING")));
  expect_counts_on("new", token);
}

}  // namespace
}  // namespace tracker::tests
