// The disk of the durable store fails while it serves: full, or broken.

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/resource.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "support/answer_checks.h"
#include "support/caller.h"
#include "support/deadline.h"
#include "support/health.h"
#include "support/preload.h"
#include "support/program.h"
#include "support/request.h"
#include "support/temporary_directory.h"

namespace tracker::tests {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;
using namespace std::chrono_literals;

// A tracker with a store that outlives it, on a disk that fails on command.
class DiskTroubleTest : public testing::Test {
 protected:
  void start(const Arguments& more = {}) {
    program_.reset();
    program_ = start_program(more);
    doors_ = program_->wait_listening();
  }

  std::unique_ptr<Program> start_program(const Arguments& more = {}) {
    Arguments arguments{"serve",        "--store",       "rocksdb:" + store().string(),
                        "--envoy-addr", "127.0.0.1:0",   "--health-addr",
                        "127.0.0.1:0",  "--cache-bytes", "1MiB"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return std::make_unique<Program>(arguments,
                                     Environment{{"LD_PRELOAD", preload_name(FAILING_DISK_LIBRARY)},
                                                 {"FAILING_DISK", control().string()},
                                                 {"ASAN_OPTIONS", "verify_asan_link_order=0"}});
  }

  // `how` is a line such as "sync broken .log". It takes effect at once.
  void fail(const std::string& how) {
    const auto next = temporary_.path() / "next";
    std::ofstream(next) << how;
    fs::rename(next, control());
  }
  void recover() { fs::remove(control()); }

  fs::path store() const { return temporary_.path() / "store"; }
  fs::path control() const { return temporary_.path() / "control"; }
  const Endpoint& envoy() const { return doors_.at("envoy"); }
  const Endpoint& health() const { return doors_.at("health"); }

  // Mints a token and counts it `times` times at /p.
  std::string mint_and_count(int times) {
    std::string token = Caller(envoy()).mint();
    for (int count = 1; count <= times; ++count) EXPECT_EQ(Caller(envoy()).count("/p", token), count);
    return token;
  }

  void hit_and_expect_its_end(const std::string& token) {
    RawClient client(envoy());
    client.send(get("/p", token));
    expect_end_with_one_line();
  }

  // Expects second counts for some of those that count_until_it_fails() has counted.
  static void expect_second_counts(Caller& caller, const std::string& token, int counted) {
    for (int i = 0; i < counted; i += 1 + counted / 100) {
      EXPECT_EQ(caller.count("/" + std::to_string(i) + std::string(300, 'x'), token), 2) << i;
    }
  }

  // Counts until the answer is not a count, or there is none. Each time it uses a new path, so that much is written.
  // Returns the number of counts.
  int count_until_it_fails(const std::string& token, int most = 200'000) {
    RawClient client(envoy());
    for (int sent = 0; sent < most; sent += 50) {
      std::string requests;
      for (int i = 0; i < 50; ++i) {
        requests += get("/" + std::to_string(sent + i) + std::string(300, 'x'), token);
      }
      if (!client.send(requests)) return sent;
      for (int i = 0; i < 50; ++i) {
        HttpAnswer answer;
        try {
          answer = client.read_answer();
        } catch (const std::exception&) {
          return sent + i;
        }
        if (answer.status != 200) return sent + i;
      }
    }
    ADD_FAILURE() << "it did not fail";
    return most;
  }

  void expect_end_with_one_line() {
    EXPECT_EQ(program_->wait_exit(), 1) << program_->output();
    const auto output = program_->standard_error();
    const auto line = output.find("warning ending, since it is not known what is on disk");
    ASSERT_NE(line, output.npos) << output;
    EXPECT_EQ(output.find("warning ending", line + 1), output.npos) << output;
    EXPECT_EQ(std::count(output.begin() + static_cast<std::ptrdiff_t>(line), output.end(), '\n'), 1)
        << output;
  }

  const TemporaryDirectory temporary_;
  std::unique_ptr<Program> program_;
  std::map<std::string, Endpoint> doors_;
};

// No client is told a count of a commit whose sync failed. Counts that were answered before are there.
TEST_F(DiskTroubleTest, AFailedSyncOfTheLogEndsItWithoutAnAnswer) {
  start();
  const std::string token = mint_and_count(10);
  fail("sync broken .log");
  RawClient client(envoy());
  client.send(get("/p", token));
  EXPECT_TRUE(ends_without_more(client));
  expect_end_with_one_line();
  recover();
  start();
  const auto next = Caller(envoy()).count("/p", token);
  EXPECT_TRUE(next == 11 || next == 12) << next;
}

TEST_F(DiskTroubleTest, AFailedWriteOfTheLogEndsIt) {
  start();
  const std::string token = mint_and_count(10);
  fail("write broken .log");
  hit_and_expect_its_end(token);
  recover();
  start();
  EXPECT_EQ(Caller(envoy()).count("/p", token), 11) << "half of that commit is a torn tail";
}

TEST_F(DiskTroubleTest, ASyncThatFailsForAFullDiskIsAFailedSync) {
  start();
  const std::string token = mint_and_count(1);
  fail("sync full .log");
  hit_and_expect_its_end(token);
}

// With interval durability, the answer has been sent already. No later answer may be.
TEST_F(DiskTroubleTest, AFailedSyncOfAnIntervalEndsIt) {
  start({"--durability", "interval:20"});
  const std::string token = mint_and_count(1);
  fail("sync broken .log");
  hit_and_expect_its_end(token);
}

// RocksDB writes tables and its manifest on its own threads.
TEST_F(DiskTroubleTest, AFailureInTheBackgroundEndsItAndNothingAnsweredIsLost) {
  for (const auto* how :
       {"write broken .sst", "sync broken .sst", "sync broken MANIFEST", "write broken MANIFEST"}) {
    SCOPED_TRACE(how);
    start();
    Caller caller(envoy());
    const std::string token = caller.mint();
    EXPECT_EQ(caller.count("/p", token), 1);
    fail(how);
    const int counted = count_until_it_fails(token);
    expect_end_with_one_line();
    recover();
    start();
    Caller again(envoy());
    EXPECT_EQ(again.count("/p", token), 2);
    expect_second_counts(again, token, counted);
    program_->send_signal(SIGTERM);
    EXPECT_EQ(program_->wait_exit(), 0);
  }
}

TEST_F(DiskTroubleTest, AFullDiskRefusesAndServesAgainByItself) {
  start();
  const std::string token = Caller(envoy()).mint();
  int counted = 0;
  for (int round = 0; round < 3; ++round) {
    for (int i = 0; i < 10; ++i) EXPECT_EQ(Caller(envoy()).count("/p", token), ++counted);
    fail("write full .log");
    Caller caller(envoy());
    for (int i = 0; i < 10; ++i) EXPECT_TRUE(is_refusal(caller.ask(get("/p", token)), 503));
    EXPECT_TRUE(is_refusal(caller.ask(get_without_token("/auth")), 503));
    EXPECT_THAT(wait_readyz(health(), 503), HasSubstr("is full"));
    recover();
    wait_readyz(health(), 200);
  }
  EXPECT_EQ(Caller(envoy()).count("/p", token), counted + 1) << "no refused one was counted";
  program_->send_signal(SIGTERM);
  EXPECT_EQ(program_->wait_exit(), 0);
  start();
  EXPECT_EQ(Caller(envoy()).count("/p", token), counted + 2);
}

// Each kind of shortage is refused, named with its remedy, and outlasted.
TEST_F(DiskTroubleTest, WhateverIsLackingRefusesAndServesAgainByItself) {
  start();
  const std::string token = Caller(envoy()).mint();
  int counted = 0;
  for (const auto& [how, reason] :
       {std::pair("write quota /db/", "raise the quota"), std::pair("write large /db/", "ulimit -f"),
        std::pair("write full /db/", "is full")}) {
    SCOPED_TRACE(how);
    EXPECT_EQ(Caller(envoy()).count("/p", token), ++counted);
    fail(how);
    Caller caller(envoy());
    for (int i = 0; i < 10; ++i) EXPECT_TRUE(is_refusal(caller.ask(get("/p", token)), 503));
    EXPECT_THAT(wait_readyz(health(), 503), HasSubstr(reason));
    recover();
    wait_readyz(health(), 200);
  }
  EXPECT_EQ(Caller(envoy()).count("/p", token), counted + 1) << "no refused one was counted";
}

// The store opens logs, tables and manifests while it counts, and may get no descriptor for one.
TEST_F(DiskTroubleTest, FilesThatCannotBeOpenedForWantOfDescriptorsAreTriedAgain) {
  for (const auto& [how, reason] :
       {std::pair("open few .log", "ulimit -n"), std::pair("open few .sst", "ulimit -n"),
        std::pair("open few-in-all .log", "fs.file-max"), std::pair("open full .log", "is full")}) {
    SCOPED_TRACE(how);
    start();
    Caller caller(envoy());
    const std::string token = caller.mint();
    EXPECT_EQ(caller.count("/p", token), 1);
    fail(how);
    const int counted = count_until_it_fails(token);
    EXPECT_THAT(wait_readyz(health(), 503), HasSubstr(reason));
    recover();
    wait_readyz(health(), 200);
    EXPECT_EQ(caller.count("/p", token), 2);
    expect_second_counts(caller, token, counted);
  }
}

TEST_F(DiskTroubleTest, AStartWithoutRoomSaysWhatIsLackingAndALaterOneServes) {
  start();
  const std::string token = mint_and_count(10);
  program_->send_signal(SIGTERM);
  EXPECT_EQ(program_->wait_exit(), 0);
  for (const auto& [how, reason] :
       {std::pair("write quota /db/", "raise the quota"), std::pair("write full /db/", "make room"),
        std::pair("write large /db/", "ulimit -f"), std::pair("open few .sst", "ulimit -n"),
        std::pair("open few .log", "ulimit -n"), std::pair("open few MARK", "ulimit -n")}) {
    SCOPED_TRACE(how);
    fail(how);
    program_ = start_program();
    EXPECT_EQ(program_->wait_exit(), 1);
    const auto output = program_->standard_error();
    EXPECT_THAT(output, testing::AllOf(HasSubstr(store().string()), HasSubstr(reason),
                                       testing::Not(HasSubstr("damaged"))));
    EXPECT_EQ(std::count(output.begin(), output.end(), '\n'), 1) << output;
  }
  recover();
  start();
  EXPECT_EQ(Caller(envoy()).count("/p", token), 11);
}

// A real limit: the kernel also sends SIGXFSZ.
TEST_F(DiskTroubleTest, ALimitOfFileSizesRefusesAndServesAgainWhenItIsRaised) {
  Program program(
      {"-c", "ulimit -Sf 600; exec '" + tracker_binary() + "' serve --store 'rocksdb:" + store().string() +
                 "' --envoy-addr 127.0.0.1:0 --health-addr 127.0.0.1:0 --threads 1"},
      Environment{}, "/bin/bash");
  doors_ = program.wait_listening();
  Caller caller(envoy());
  const std::string token = caller.mint();
  const int counted = count_until_it_fails(token);
  EXPECT_GT(counted, 100);
  EXPECT_THAT(wait_readyz(health(), 503), HasSubstr("ulimit -f"));
  const rlimit none{RLIM_INFINITY, RLIM_INFINITY};
  ASSERT_EQ(::prlimit(program.pid(), RLIMIT_FSIZE, &none, nullptr), 0);
  wait_readyz(health(), 200);
  expect_second_counts(caller, token, counted);
  program.send_signal(SIGTERM);
  EXPECT_EQ(program.wait_exit(), 0) << program.output();
}

TEST_F(DiskTroubleTest, AFullDiskInTheBackgroundRefusesAndServesAgain) {
  for (const auto* how : {"write full .sst", "write full MANIFEST"}) {
    SCOPED_TRACE(how);
    start();
    Caller caller(envoy());
    const std::string token = caller.mint();
    EXPECT_EQ(caller.count("/p", token), 1);
    fail(how);
    const int counted = count_until_it_fails(token);
    EXPECT_THAT(wait_readyz(health(), 503), HasSubstr("is full"));
    recover();
    wait_readyz(health(), 200);
    EXPECT_EQ(caller.count("/p", token), 2);
    expect_second_counts(caller, token, counted);
  }
}

// A backup makes a table of what is in memory.
TEST_F(DiskTroubleTest, ADiskThatIsFoundFullWhileNobodyCountsIsNoticedAndOutlasted) {
  start();
  const std::string token = mint_and_count(1);
  fail("write full .sst");
  const auto backup = temporary_.path() / "backup";
  const auto outcome = run_to_end({"backup", backup.string(), "--store", "rocksdb:" + store().string()});
  EXPECT_EQ(outcome.exit_code, 1) << outcome.err;
  EXPECT_THAT(wait_readyz(health(), 503), HasSubstr("is full"));
  recover();
  wait_readyz(health(), 200);
  EXPECT_EQ(Caller(envoy()).count("/p", token), 2);
}

// Damages a block that only a compaction reads.
TEST_F(DiskTroubleTest, ADamagedTableThatACompactionMeetsIsCalledDamaged) {
  start();
  Caller first(envoy());
  const std::string token = first.mint();
  for (int i = 0; i < 200; ++i) first.count("/" + std::to_string(i) + std::string(300, 'x'), token);
  for (int end = 0; end < 2; ++end) {
    program_->send_signal(SIGTERM);
    EXPECT_EQ(program_->wait_exit(), 0);
    if (end == 0) start();  // makes a table from the log
  }
  int damaged = 0;
  for (const auto& entry : fs::directory_iterator(store() / "db")) {
    // The small table has only the store's secret, which a start reads.
    if (entry.path().extension() != ".sst" || entry.file_size() < 4096) continue;
    std::fstream table(entry.path(), std::ios::binary | std::ios::in | std::ios::out);
    table.seekp(static_cast<std::streamoff>(entry.file_size() / 2));
    table << "damage";
    ++damaged;
  }
  ASSERT_GT(damaged, 0);
  start();
  count_until_it_fails(Caller(envoy()).mint());
  expect_end_with_one_line();
  EXPECT_THAT(program_->standard_error(),
              testing::AllOf(HasSubstr("damaged"), HasSubstr("restore a backup")));
}

TEST_F(DiskTroubleTest, DrainsWhileTheDiskIsFull) {
  start();
  const std::string token = mint_and_count(1);
  fail("write full .log");
  EXPECT_TRUE(is_refusal(Caller(envoy()).ask(get("/p", token)), 503));
  program_->send_signal(SIGTERM);
  EXPECT_EQ(program_->wait_exit(), 0) << program_->output();
  recover();
  start();
  EXPECT_EQ(Caller(envoy()).count("/p", token), 2);
}

// Clients open all connections that they can get, and the store can still open its next logs and tables.
TEST(FewDescriptorsTest, FewerConnectionsAreTakenSoThatTheStoreCanOpenItsFiles) {
  const TemporaryDirectory temporary;
  Program program(
      {"-c", "ulimit -n 1000; exec '" + tracker_binary() +
                 "' serve --store 'rocksdb:" + (temporary.path() / "store").string() +
                 "' --envoy-addr 127.0.0.1:0 --health-addr 127.0.0.1:0 --cache-bytes 1MiB --threads 1"},
      Environment{}, "/bin/sh");
  const Endpoint envoy = program.wait_listening().at("envoy");
  EXPECT_THAT(program.standard_error(),
              testing::AllOf(HasSubstr("--connections-max 10000 needs"),
                             HasSubstr("it takes 120 connections; raise the limit")));
  const std::string token = Caller(envoy).mint();
  std::vector<std::unique_ptr<RawClient>> others;
  for (int i = 0; i < 900; ++i) others.push_back(std::make_unique<RawClient>(envoy));
  const auto have_no_place = [&] {  // refused, or ended for a later one
    return std::count_if(others.begin(), others.end(), [](const auto& one) { return one->readable(0ms); });
  };
  for (const Deadline deadline; have_no_place() < 900 - 120;) ASSERT_FALSE(deadline.passed());
  Caller caller(envoy);
  for (int i = 0; i < 2000; ++i) {
    ASSERT_EQ(caller.count("/" + std::to_string(i) + std::string(300, 'x'), token), 1) << program.output();
  }
  program.send_signal(SIGTERM);
  others.clear();
  EXPECT_EQ(program.wait_exit(), 0) << program.output();
}

// A real, small file system that only the program sees.
class FullFileSystemTest : public testing::Test {
 protected:
  static bool may_mount() { return std::system("unshare --mount true 2>/dev/null") == 0; }

  void start(const fs::path& directory) {
    const std::string script =
        "mount -t tmpfs -o size=24m tmpfs '" + directory.string() + "' && exec '" + tracker_binary() +
        "' serve --store 'rocksdb:" + directory.string() +
        "/store' --envoy-addr 127.0.0.1:0 --health-addr 127.0.0.1:0 --cache-bytes 8MiB";
    program_ = std::make_unique<Program>(Arguments{"--mount", "bash", "-c", "echo \"pid $$\"; " + script},
                                         Environment{}, "/usr/bin/unshare");
    doors_ = program_->wait_listening();
    const auto output = program_->standard_output();
    seen_from_outside_ = "/proc/" + output.substr(4, output.find('\n') - 4) + "/root" + directory.string();
  }

  std::unique_ptr<Program> program_;
  std::map<std::string, Endpoint> doors_;
  fs::path seen_from_outside_;
};

TEST_F(FullFileSystemTest, RefusesWhileItIsFullAndServesAgainByItself) {
  if (!may_mount()) GTEST_SKIP() << "only root may mount";
  const TemporaryDirectory temporary;
  start(temporary.path());
  const Endpoint envoy = doors_.at("envoy");
  const Endpoint health = doors_.at("health");
  Caller caller(envoy);
  const std::string token = caller.mint();
  for (int count = 1; count <= 10; ++count) EXPECT_EQ(caller.count("/p", token), count);
  std::int64_t counted = 10;
  for (int round = 0; round < 3; ++round) {
    const auto ballast = seen_from_outside_ / "ballast";
    {
      std::ofstream file(ballast, std::ios::binary);
      const std::string block(64 << 10U, 'b');
      while (file.write(block.data(), static_cast<std::streamsize>(block.size())) && file.flush()) {
      }
    }
    // The space that was preallocated for the log is used up first.
    HttpAnswer answer;
    const Deadline deadline;
    do {
      answer = caller.ask(get("/p", token));
      if (answer.status == 200) ++counted;
    } while (answer.status == 200 && !deadline.passed());
    EXPECT_TRUE(is_refusal(answer, 503));
    EXPECT_THAT(wait_readyz(health, 503), HasSubstr("is full"));
    fs::remove(ballast);
    wait_readyz(health, 200);
    EXPECT_EQ(caller.count("/p", token), ++counted);
  }
  EXPECT_TRUE(program_->running());
}

}  // namespace
}  // namespace tracker::tests
