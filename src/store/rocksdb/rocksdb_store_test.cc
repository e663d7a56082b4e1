#include "store/rocksdb/rocksdb_store.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <thread>

#include "store/rocksdb/store_copy.h"
#include "store/token_rules.h"
#include "support/blocking_store.h"
#include "support/captured_log.h"
#include "support/store_on_disk.h"
#include "support/temporary_directory.h"

namespace tracker::store::rocksdb {

using domain::HitBatch;
using domain::TokenId;
using domain::Verdict;
using testing::AllOf;
using testing::HasSubstr;
using tests::Added;
using tests::contents;
using tests::copy_store;
using tests::differences;
using tests::everything_in;
using tests::find_slots;
using tests::FoundSlots;
using tests::new_token;
using tests::small_settings;
using tests::track;
using tests::track_one;
using tests::Verdicts;
using tests::write_record;
namespace fs = std::filesystem;

StoreFacts facts_of(const RocksDbStore& store) {
  return store.facts().value().value();
}

std::vector<TokenId> new_tokens(RocksDbStore& store, std::size_t count) {
  std::vector<TokenId> ids;
  std::vector<Added> added(count);
  for (auto& reply : added) {
    ids.push_back(domain::token_id(domain::random_token()));
    store.add_token(ids.back(), {.minted_s = store::system_seconds()}, domain::Deadline::max(), reply);
  }
  for (auto& reply : added) EXPECT_TRUE(reply.wait());
  return ids;
}

class RocksDbStoreTest : public testing::Test {
 protected:
  fs::path path(const std::string& name = "store") const { return temporary_.path() / name; }

  /// The words of the refusal; nothing on disk may have changed.
  std::string refusal(const RocksDbSettings& settings) {
    const auto before = everything_in(temporary_.path());
    std::string words;
    try {
      const RocksDbStore store(settings);
      ADD_FAILURE() << "it opened";
    } catch (const StoreError& error) {
      words = error.what();
    }
    EXPECT_THAT(differences(before, everything_in(temporary_.path())), testing::IsEmpty()) << words;
    return words;
  }

  const tests::TemporaryDirectory temporary_;
};

TEST_F(RocksDbStoreTest, CountsAndTokensSurviveItsEnd) {
  TokenId id{};
  for (int run = 0; run < 5; ++run) {
    RocksDbStore store(small_settings(path()));
    EXPECT_EQ(store.tokens_at_open(), run);
    if (run == 0) id = new_token(store);
    EXPECT_EQ(track_one(store, id, "/a"), Verdict::counted(2 * run + 1));
    EXPECT_EQ(track_one(store, id, "/a"), Verdict::counted(2 * run + 2));
    EXPECT_EQ(track_one(store, id, "/" + std::to_string(run)), Verdict::counted(1));
    if (run > 0) new_token(store);
  }
}

TEST_F(RocksDbStoreTest, AddingAKnownTokenIsNotCountedAsOne) {
  TokenId id{};
  for (int run = 0; run < 3; ++run) {
    RocksDbStore store(small_settings(path()));
    EXPECT_EQ(store.tokens_at_open(), run == 0 ? 0 : 1);
    if (run == 0) id = new_token(store);
    Added added;
    store.add_token(id, {.minted_s = store::system_seconds()}, domain::Deadline::max(), added);
    EXPECT_TRUE(added.wait());
  }
}

TEST_F(RocksDbStoreTest, WhatWasAnsweredSurvivesACrashAtAnyMoment) {
  RocksDbStore store(small_settings(path()));
  const auto id = new_token(store);
  for (int count = 1; count <= 30; ++count) {
    EXPECT_EQ(track_one(store, id, "/a"), Verdict::counted(count));
    HitBatch hits;
    for (int i = 0; i < 100; ++i) hits.push(id, "/" + std::to_string(i) + std::string(200, 'x'));
    for (const auto& verdict : track(store, hits)) ASSERT_EQ(verdict, Verdict::counted(count));
    copy_store(path(), path("copy"));
    RocksDbStore copy(small_settings(path("copy")));
    for (const auto& verdict : track(copy, hits)) ASSERT_EQ(verdict, Verdict::counted(count + 1));
    EXPECT_EQ(track_one(copy, id, "/a"), Verdict::counted(count + 1));
  }
}

// Far more counters than the cache holds, from threads that meet at the same ones.
TEST_F(RocksDbStoreTest, CountsStayExactWhileCountersAreEvictedAndReadAgain) {
  constexpr int threads = 4;
  constexpr int rounds = 40;
  constexpr int counters = 300;
  RocksDbStore store(small_settings(path(), 40'000));
  const auto id = new_token(store);
  {
    std::vector<std::jthread> clients;
    for (int thread = 0; thread < threads; ++thread) {
      clients.emplace_back([&] {
        for (int round = 0; round < rounds; ++round) {
          HitBatch hits;
          for (int i = 0; i < counters; ++i) hits.push(id, "/a/longer/path/" + std::to_string(i));
          track(store, hits);
        }
      });
    }
  }
  for (int i = 0; i < counters; ++i) {
    EXPECT_EQ(track_one(store, id, "/a/longer/path/" + std::to_string(i)),
              Verdict::counted(threads * rounds + 1));
  }
}

// Of many tables RocksDB opens a few at the start, and the others when they are wanted.
TEST_F(RocksDbStoreTest, ManyTablesAreAllReadAfterAStart) {
  constexpr int batches = 24;
  constexpr int counters = 500;
  auto settings = small_settings(path());
  settings.table_bytes = 64 << 10U;
  const auto hits_of = [](const TokenId& id, int batch) {
    HitBatch hits;
    for (int i = 0; i < counters; ++i) {
      hits.push(id, "/" + std::to_string(i * batches + batch) + std::string(300, 'p'));
    }
    return hits;
  };
  TokenId id{};
  {
    RocksDbStore store(settings);
    id = new_token(store);
    for (int batch = 0; batch < batches; ++batch) track(store, hits_of(id, batch));
  }
  RocksDbStore store(settings);
  const auto tables = std::count_if(fs::directory_iterator(path() / "db"), fs::directory_iterator(),
                                    [](const auto& entry) { return entry.path().extension() == ".sst"; });
  ASSERT_GT(tables, 30);
  for (int batch = 0; batch < batches; ++batch) {
    EXPECT_THAT(track(store, hits_of(id, batch)), testing::Each(Verdict::counted(2))) << batch;
  }
}

TEST_F(RocksDbStoreTest, WhatWaitsWhenItEndsIsAnswered) {
  HitBatch hits;
  Verdicts first(100);
  Verdicts second(100);
  TokenId id{};
  {
    RocksDbStore store(small_settings(path()));
    id = new_token(store);
    for (int i = 0; i < 100; ++i) hits.push(id, "/" + std::to_string(i));
    store.track(hits, first);
    store.track(hits, second);
  }
  for (const auto& verdict : first.wait()) EXPECT_EQ(verdict, Verdict::counted(1));
  for (const auto& verdict : second.wait()) EXPECT_EQ(verdict, Verdict::counted(2));
  RocksDbStore store(small_settings(path()));
  for (const auto& verdict : track(store, hits)) EXPECT_EQ(verdict, Verdict::counted(3));
}

// An earlier tracker opens it until there is something that it does not know.
TEST_F(RocksDbStoreTest, ItsFormatSaysWhatItMayHave) {
  {
    const RocksDbStore store(small_settings(path()));
    EXPECT_EQ(contents(path() / "FORMAT"), "tracker store, format 1\n");
  }
  for (const auto* record : {"one", "another"}) {
    RocksDbStore store(small_settings(path()));
    EXPECT_TRUE(write_record(store, record));
    EXPECT_EQ(contents(path() / "FORMAT"), "tracker store, format 2\n");
  }
  for (int run = 0; run < 2; ++run) {
    RocksDbStore store(small_settings(path()));
    track_one(store, new_token(store), "/a");
    EXPECT_EQ(contents(path() / "FORMAT"), "tracker store, format 4\n");
  }
}

TEST_F(RocksDbStoreTest, NothingIsWrittenWhileTheFormatCannotBe) {
  const auto obstacle = path() / "FORMAT.new";
  {
    RocksDbStore store(small_settings(path()));
    fs::create_directories(obstacle / "full");
    for (int i = 0; i < 2; ++i) {
      EXPECT_FALSE(write_record(store, "refused"));
      const auto id = domain::token_id(domain::random_token());
      Added added;
      store.add_token(id, {.minted_s = 1}, domain::Deadline::max(), added);
      EXPECT_FALSE(added.wait());
      EXPECT_EQ(track_one(store, id, "/a"), Verdict::not_counted());
      EXPECT_THROW(store.keeper()->change(id, {.revokes = true}), StoreError);
      EXPECT_THAT(store.readiness().value().why_not(), HasSubstr("nothing is counted"));
    }
  }
  EXPECT_EQ(contents(path() / "FORMAT"), "tracker store, format 1\n");
  RocksDbStore store(small_settings(path()));
  EXPECT_EQ(facts_of(store).record, "");
  fs::remove_all(obstacle);
  EXPECT_TRUE(write_record(store, "written"));
}

TEST_F(RocksDbStoreTest, ARecordThatWasWrittenSurvivesACrashAtAnyMoment) {
  RocksDbStore store(small_settings(path()));
  for (int i = 0; i < 10; ++i) {
    const auto record = std::to_string(i) + std::string(std::size_t{60} << 10U, '\0');
    EXPECT_TRUE(write_record(store, record));
    copy_store(path(), path("copy"));
    const RocksDbStore copy(small_settings(path("copy")));
    EXPECT_TRUE(facts_of(copy).record == record) << i;
    EXPECT_EQ(facts_of(copy).id, facts_of(store).id);
  }
}

TEST_F(RocksDbStoreTest, ARestoredStoreHasItsIdAndItsRecord) {
  RocksDbStore store(small_settings(path()));
  for (const auto* record : {"", "record"}) {
    SCOPED_TRACE(record);
    if (*record != '\0') {
      EXPECT_TRUE(write_record(store, record));
    }
    store.backup(path("backup"));
    EXPECT_TRUE(write_record(store, "after the backup"));
    restore_store(path("backup"), path("restored"));
    EXPECT_EQ(contents(path("restored") / "FORMAT"), contents(path("backup") / "FORMAT"));
    EXPECT_EQ(contents(path("restored") / "FORMAT"),
              *record == '\0' ? "tracker store, format 1\n" : "tracker store, format 2\n");
    const RocksDbStore restored(small_settings(path("restored")));
    EXPECT_EQ(facts_of(restored).id, facts_of(store).id);
    EXPECT_EQ(facts_of(restored).record, record);
    for (const auto* copy : {"backup", "restored"}) fs::remove_all(path(copy));
  }
}

// More tokens than a step of the search has, with more counters than the cache holds.
TEST_F(RocksDbStoreTest, SlotsAreFoundInTablesAndInMemory) {
  domain::SlotSet expected;
  for (int run = 0; run < 3; ++run) {
    RocksDbStore store(small_settings(path(), 40'000));
    EXPECT_TRUE(find_slots(store) == expected);
    const auto ids = new_tokens(store, 500);
    HitBatch hits;
    for (const auto& id : ids) {
      expected.set(domain::slot_of(id));
      for (int i = 0; i < 5; ++i) hits.push(id, "/" + std::to_string(i) + std::string(50, 'p'));
    }
    track(store, hits);
    EXPECT_TRUE(find_slots(store) == expected);
  }
}

TEST_F(RocksDbStoreTest, ASearchForSlotsThatIsNotFinishedFailsWhenItEnds) {
  std::vector<FoundSlots> found(3);
  {
    RocksDbStore store(small_settings(path()));
    new_tokens(store, 3000);
    for (auto& reply : found) store.find_slots(reply);
  }
  for (auto& reply : found) static_cast<void>(reply.wait());  // each has a reply
}

TEST_F(RocksDbStoreTest, ASearchForSlotsThatMeetsDamageFails) {
  {
    RocksDbStore store(small_settings(path()));
    new_tokens(store, 3000);
  }
  { const RocksDbStore with_table(small_settings(path())); }
  fs::path largest;
  for (const auto& entry : fs::directory_iterator(path() / "db")) {
    if (entry.path().extension() != ".sst") continue;
    if (largest.empty() || entry.file_size() > fs::file_size(largest)) largest = entry.path();
  }
  auto bytes = contents(largest);
  ASSERT_GT(bytes.size(), std::size_t{64} << 10U);
  bytes[bytes.size() / 2] = static_cast<char>(~bytes[bytes.size() / 2]);
  std::ofstream(largest, std::ios::binary) << bytes;

  const tests::CapturedLog log;
  RocksDbStore store(small_settings(path()));
  EXPECT_FALSE(find_slots(store).has_value());
  EXPECT_THAT(log.text(), AllOf(HasSubstr("damaged: "), HasSubstr(largest.filename().string())));
  EXPECT_EQ(track_one(store, new_token(store), "/a"), Verdict::counted(1));
}

TEST_F(RocksDbStoreTest, ABackupHasWhatWasAnsweredAndNothingAfter) {
  RocksDbStore store(small_settings(path()));
  const auto id = new_token(store);
  for (int count = 1; count <= 5; ++count) track_one(store, id, "/a");
  store.backup(path("backup"));
  EXPECT_EQ(track_one(store, id, "/a"), Verdict::counted(6));
  RocksDbStore::check(path("backup"));
  for (int opened = 0; opened < 2; ++opened) {
    RocksDbStore copy(small_settings(path("backup")));
    EXPECT_EQ(copy.tokens_at_open(), 1U);
    EXPECT_EQ(track_one(copy, id, "/a"), Verdict::counted(6 + opened));
  }
}

// Their records would be of different moments.
TEST_F(RocksDbStoreTest, ABackupHasNoLogsThatWereWrittenMeanwhile) {
  RocksDbStore store(small_settings(path()));
  const auto id = new_token(store);
  std::atomic<bool> done = false;
  std::jthread client([&] {
    while (!done) track_one(store, id, "/a");
  });
  for (int backup = 0; backup < 20; ++backup) {
    const auto copy = path("backup" + std::to_string(backup));
    store.backup(copy);
    for (const auto& entry : fs::directory_iterator(copy / "db")) {
      EXPECT_TRUE(entry.path().extension() != ".log" || entry.file_size() == 0) << entry.path();
    }
    EXPECT_EQ(look_through_store(copy).tokens, 1U);
  }
  done = true;
}

TEST_F(RocksDbStoreTest, ACopyThatIsLikeACrashIsRestored) {
  RocksDbStore store(small_settings(path()));
  const auto id = new_token(store);
  for (int count = 1; count <= 5; ++count) track_one(store, id, "/a");
  copy_store(path(), path("copy"));
  EXPECT_EQ(restore_store(path("copy"), path("restored")).tokens, 1U);
  RocksDbStore restored(small_settings(path("restored")));
  EXPECT_EQ(track_one(restored, id, "/a"), Verdict::counted(6));
}

TEST_F(RocksDbStoreTest, ABackupOverSomethingIsRefused) {
  RocksDbStore store(small_settings(path()));
  fs::create_directory(path("there"));
  EXPECT_THROW(store.backup(path("there")), StoreError);
  EXPECT_THROW(store.backup(path("no/such/parent")), StoreError);
  EXPECT_TRUE(fs::is_empty(path("there")));
}

TEST_F(RocksDbStoreTest, ADirectoryIsForOneStore) {
  const RocksDbStore store(small_settings(path()));
  EXPECT_THAT(refusal(small_settings(path())), HasSubstr("locked by another process"));
}

TEST_F(RocksDbStoreTest, ANewerFormatIsRefused) {
  { const RocksDbStore store(small_settings(path())); }
  std::ofstream(path() / "FORMAT") << "tracker store, format 5\n";
  EXPECT_THAT(refusal(small_settings(path())), AllOf(HasSubstr("newer format 5"), HasSubstr("up to 4")));
  EXPECT_THROW(RocksDbStore::check(path()), StoreError);
}

TEST_F(RocksDbStoreTest, AnUnreadableFormatIsRefused) {
  { const RocksDbStore store(small_settings(path())); }
  for (const auto* format : {"", "x", "tracker store, format", "tracker store, format x",
                             "tracker store, format 0", "tracker store, format 1x"}) {
    std::ofstream(path() / "FORMAT") << format;
    EXPECT_THAT(refusal(small_settings(path())), HasSubstr("damaged")) << format;
  }
}

/// Without the rights of root, for as long as it lives.
class WithoutPrivileges {
 public:
  WithoutPrivileges() {
    if (::geteuid() == 0) {
      EXPECT_EQ(::seteuid(nobody), 0);
    }
  }
  ~WithoutPrivileges() { EXPECT_EQ(::seteuid(::getuid()), 0); }
  WithoutPrivileges(const WithoutPrivileges&) = delete;
  WithoutPrivileges& operator=(const WithoutPrivileges&) = delete;

  static void own(const fs::path& path) {
    if (::geteuid() == 0) {
      EXPECT_EQ(::chown(path.c_str(), nobody, nobody), 0) << path;
    }
  }

 private:
  static constexpr uid_t nobody = 65534;
};

// It may be whole: a backup would be older for nothing.
TEST_F(RocksDbStoreTest, WhatCannotBeReadOrWrittenIsNotCalledDamaged) {
  {
    RocksDbStore store(small_settings(path()));
    const auto id = new_token(store);
    for (int i = 0; i < 5; ++i) track_one(store, id, "/a");
  }
  { const RocksDbStore with_table(small_settings(path())); }
  WithoutPrivileges::own(temporary_.path());
  WithoutPrivileges::own(path());
  for (const auto& entry : fs::recursive_directory_iterator(path())) WithoutPrivileges::own(entry.path());
  std::vector<fs::path> files;
  for (const auto& entry : fs::recursive_directory_iterator(path())) {
    const auto name = entry.path().filename().string();
    for (const auto* kind : {"FORMAT", "CURRENT", "MANIFEST", ".sst", ".log"}) {
      if (entry.is_regular_file() && name.find(kind) != name.npos) files.push_back(entry.path());
    }
  }
  ASSERT_GE(files.size(), 5U);
  const auto refusal_of_nobody = [&]() -> std::string {
    const WithoutPrivileges none;
    try {
      const RocksDbStore store(small_settings(path()));
    } catch (const StoreError& error) {
      return error.what();
    }
    return "it opened";
  };
  for (const auto& file : files) {
    SCOPED_TRACE(file);
    fs::permissions(file, fs::perms::none);
    EXPECT_THAT(refusal_of_nobody(), AllOf(HasSubstr("cannot read"), HasSubstr("check its permissions"),
                                           HasSubstr("denied"), testing::Not(HasSubstr("damaged"))));
    fs::permissions(file, fs::perms::owner_read | fs::perms::owner_write);
  }
  for (const auto& file : files) {
    SCOPED_TRACE(file);
    if (file.filename() != "CURRENT" && !file.filename().string().starts_with("MANIFEST")) continue;
    fs::rename(file, temporary_.path() / "aside");
    fs::create_directory(file);  // can be opened, and not be read
    EXPECT_THAT(refusal_of_nobody(), AllOf(HasSubstr("cannot read"), testing::Not(HasSubstr("damaged"))));
    fs::remove(file);
    fs::rename(temporary_.path() / "aside", file);
  }
  for (const auto& directory : {path(), path() / "db"}) {
    SCOPED_TRACE(directory);
    fs::permissions(directory, fs::perms::owner_read | fs::perms::owner_exec);
    EXPECT_THAT(refusal_of_nobody(), AllOf(HasSubstr("is not writable"), HasSubstr("check its permissions")));
    fs::permissions(directory, fs::perms::owner_all);
  }
  EXPECT_EQ(refusal_of_nobody(), "it opened");
}

TEST_F(RocksDbStoreTest, WhatIsNoStoreIsLeftAlone) {
  fs::create_directory(path("full"));
  std::ofstream(path("full") / "thesis.txt") << "text";
  EXPECT_THAT(refusal(small_settings(path("full"))), HasSubstr("not a tracker store"));
  std::ofstream(path("file")) << "text";
  EXPECT_THAT(refusal(small_settings(path("file"))), HasSubstr("Not a directory"));
  EXPECT_THAT(refusal(small_settings(path("file") / "below")), HasSubstr("cannot make"));
  EXPECT_THROW(RocksDbStore::check(path("full")), StoreError);
  EXPECT_THROW(RocksDbStore::check(path("nowhere")), StoreError);
}

TEST_F(RocksDbStoreTest, ADirectoryThatMustBeMadeIsMade) {
  { const RocksDbStore store(small_settings(path("a/b/c/"))); }
  EXPECT_TRUE(fs::exists(path("a/b/c/FORMAT")));
}

TEST_F(RocksDbStoreTest, AFirstStartThatWasCutOffIsMadeGood) {
  for (const bool with_format : {true, false}) {
    SCOPED_TRACE(with_format);
    { const RocksDbStore store(small_settings(path())); }
    fs::rename(path() / "db", path() / "db.new");
    if (!with_format) {
      fs::remove(path() / "FORMAT");
      fs::remove(path() / "db.new" / "CURRENT");
    }
    {
      RocksDbStore store(small_settings(path()));
      EXPECT_EQ(store.tokens_at_open(), 0U);
      new_token(store);
    }
    EXPECT_FALSE(fs::exists(path() / "db.new"));
    fs::remove_all(path());
  }
}

TEST_F(RocksDbStoreTest, AStoreWithoutItsDatabaseIsRefused) {
  { const RocksDbStore store(small_settings(path())); }
  fs::remove_all(path() / "db");
  EXPECT_THAT(refusal(small_settings(path())), HasSubstr("db is missing"));
}

TEST_F(RocksDbStoreTest, AFirstStartThatFailsLeavesNothing) {
  // A name so long that the directory can be made, and the database in it cannot.
  constexpr std::size_t longest = 4085;
  constexpr std::size_t step = 201;
  auto name = path().string();
  while (name.size() + step < longest) name += "/" + std::string(step - 1, 'd');
  name += "/" + std::string(longest - name.size() - 1, 'd');
  EXPECT_THAT(refusal(small_settings(name)), HasSubstr("cannot make the database"));
}

}  // namespace tracker::store::rocksdb
