// Whatever happens to the files of a store: it refuses to open, or no count is wrong.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <random>

#include "store/rocksdb/rocksdb_store.h"
#include "store/rocksdb/run_mark.h"
#include "support/blocking_store.h"
#include "support/store_on_disk.h"
#include "support/temporary_directory.h"

namespace tracker::store::rocksdb {

using domain::HitBatch;
using domain::TokenId;
using domain::Verdict;
using tests::contents;
using tests::copy_store;
using tests::differences;
using tests::everything_in;
using tests::new_token;
using tests::small_settings;
using tests::track;
namespace fs = std::filesystem;

void overwrite(const fs::path& file, const std::string& bytes) {
  std::ofstream(file, std::ios::binary) << bytes;
}

/// Up to the zeros at its end, which a log may have.
std::size_t content_bytes(const std::string& bytes) {
  return bytes.find_last_not_of('\0') + 1;
}

/// A store as a crash left it, with tables, and with two logs that count; and what it must hold.
class DamageTest : public testing::Test {
 protected:
  static constexpr int counters = 60;

  DamageTest() {
    {
      RocksDbStore store(small_settings(original_));
      id_ = new_token(store);
      for (int i = 0; i < 400; ++i) count_some(store, i);
    }
    {
      RocksDbStore store(small_settings(original_));
      states_.push_back(counts_);
      for (int i = 400; i < 480; ++i) count_some(store, i);
      copy_store(original_, crashed_);
    }
    split_last_log();
  }

  /// Two logs count only while a table is made of the first one. That is hard to meet, so the later half of the
  /// records is moved to a log of its own.
  void split_last_log() const {
    const auto log = crashed_ / "db" / files(".log").back();
    const auto bytes = contents(log);
    std::size_t at = 0;
    while (at < content_bytes(bytes) / 2) {
      const auto size =
          static_cast<unsigned char>(bytes[at + 4]) + 256U * static_cast<unsigned char>(bytes[at + 5]);
      at += 7 + size;
    }
    overwrite(log, bytes.substr(0, at) + std::string(bytes.size() - at, '\0'));
    overwrite(crashed_ / "db" / "999999.log", bytes.substr(at) + std::string(at, '\0'));
    auto mark = find_mark(crashed_ / "db").mark.value();
    mark.last_log = 999999;
    write_mark(crashed_ / "db", mark);
  }

  std::string path_of(int counter) const {
    return "/" + std::to_string(counter) + std::string(static_cast<std::size_t>(counter) * 10, 'p');
  }

  /// From step 400 on, one commit; before, hits that must be read may come later than the others of their batch.
  void count_some(CounterStore& store, int step) {
    HitBatch hits;
    const int size = step < 400 ? 1 + step % 7 : 1;
    for (int i = 0; i < size; ++i) {
      const int counter = (step * 13 + i * 5) % counters;
      hits.push(id_, path_of(counter));
      ++counts_[static_cast<std::size_t>(counter)];
    }
    track(store, hits);
    if (step >= 400) states_.push_back(counts_);
  }

  std::vector<fs::path> files(const std::string& extension) const { return files(extension, crashed_); }
  static std::vector<fs::path> files(const std::string& extension, const fs::path& store) {
    std::vector<fs::path> found;
    for (const auto& entry : fs::directory_iterator(store / "db")) {
      if (entry.path().extension() == extension || entry.path().filename().string().starts_with(extension)) {
        found.push_back(entry.path().filename());
      }
    }
    std::sort(found.begin(), found.end());
    return found;
  }

  /// Opens the damaged store and looks at every counter: which may be refused, but not wrong. Answers whether it
  /// opened; if not, nothing may have changed.
  bool opens_without_a_wrong_count() {
    const auto before = everything_in(damaged_);
    try {
      RocksDbStore store(small_settings(damaged_));
      HitBatch hits;
      for (int i = 0; i < counters; ++i) hits.push(id_, path_of(i));
      const auto verdicts = track(store, hits);
      for (std::size_t i = 0; i < counters; ++i) {
        if (verdicts[i] == Verdict::not_counted()) continue;  // its table is damaged
        EXPECT_EQ(verdicts[i], Verdict::counted(counts_[i] + 1)) << "counter " << i;
      }
      return true;
    } catch (const StoreError& error) {
      EXPECT_THAT(differences(before, everything_in(damaged_)), testing::IsEmpty()) << error.what();
      return false;
    }
  }

  /// Opens the damaged store: it must hold what it held before or after some commit of the last log.
  void opens_with_the_counts_of_a_moment() {
    RocksDbStore store(small_settings(damaged_));
    HitBatch hits;
    for (int i = 0; i < counters; ++i) hits.push(id_, path_of(i));
    std::vector<std::int64_t> found;
    for (const auto& verdict : track(store, hits)) found.push_back(verdict.count - 1);
    EXPECT_THAT(states_, testing::Contains(found)) << "these are the counts of no moment";
  }

  const tests::TemporaryDirectory temporary_;
  const fs::path original_ = temporary_.path() / "original";
  const fs::path crashed_ = temporary_.path() / "crashed";
  const fs::path damaged_ = temporary_.path() / "damaged";
  TokenId id_{};
  std::vector<std::int64_t> counts_ = std::vector<std::int64_t>(counters);
  std::vector<std::vector<std::int64_t>> states_;  // before and after each commit of the last log
};

/// One of the ways in which bytes go wrong. Never a cut at the end, nor zeros there, which are no damage to a log.
std::string damaged(std::string bytes, std::mt19937& random) {
  constexpr std::size_t last_commit_bytes_max = 1024;
  const auto draw = [&](std::size_t below) {
    return std::uniform_int_distribution<std::size_t>(0, below - 1)(random);
  };
  const auto begin = draw(content_bytes(bytes));
  const auto size = std::min(std::size_t{1} << draw(13), content_bytes(bytes) - begin);
  const auto place = bytes.begin() + static_cast<std::ptrdiff_t>(begin);
  const auto end = place + static_cast<std::ptrdiff_t>(size);
  switch (draw(4)) {
    case 0:
      *place = static_cast<char>(static_cast<unsigned char>(*place) ^ (1U << draw(8)));
      break;
    case 1:
      if (begin + size + last_commit_bytes_max < content_bytes(bytes)) std::fill(place, end, '\0');
      break;
    case 2:
      std::generate(place, end, [&] { return static_cast<char>(draw(256)); });
      break;
    default:
      if (begin + size < content_bytes(bytes)) bytes.erase(place, end);
  }
  return bytes;
}

TEST_F(DamageTest, NoDamageIsNoneAndTheFilesAreThoseToDamage) {
  EXPECT_GE(files(".log").size(), 2U);
  EXPECT_GE(files(".sst").size(), 1U);
  EXPECT_EQ(files("MANIFEST").size(), 1U);
  copy_store(crashed_, damaged_);
  EXPECT_TRUE(opens_without_a_wrong_count());
}

TEST_F(DamageTest, RandomDamageIsSeenOrHarmless) {
  constexpr unsigned rounds = 300;
  int refused = 0;
  for (unsigned seed = 1; seed <= rounds; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    std::mt19937 random(seed);
    // Logs most often.
    const auto* kind = std::array{".log", ".log", ".log", ".sst", "MANIFEST", "CURRENT"}[seed % 6];
    const auto candidates = files(kind);
    const auto& file = candidates[seed / 6 % candidates.size()];
    copy_store(crashed_, damaged_);
    const auto bytes = contents(damaged_ / "db" / file);
    if (content_bytes(bytes) == 0) continue;
    overwrite(damaged_ / "db" / file, damaged(bytes, random));
    SCOPED_TRACE(file.string());
    refused += opens_without_a_wrong_count() ? 0 : 1;
    if (HasFailure()) return;
  }
  EXPECT_GT(refused, static_cast<int>(rounds) / 2);
}

TEST_F(DamageTest, AMissingFileIsSeen) {
  for (const auto* kind : {".log", ".sst", "MANIFEST", "CURRENT"}) {
    for (const auto& file : files(kind)) {
      SCOPED_TRACE(file.string());
      copy_store(crashed_, damaged_);
      if (fs::file_size(damaged_ / "db" / file) == 0) continue;
      fs::remove(damaged_ / "db" / file);
      EXPECT_FALSE(opens_without_a_wrong_count());
    }
  }
}

TEST_F(DamageTest, AManifestThatEndsTooEarlyIsSeenOrHarmless) {
  // Also if all is in tables, as in a backup, so that no log tells what is missing.
  const auto backup = temporary_.path() / "backup";
  RocksDbStore(small_settings(original_)).backup(backup);
  // Or in a store that was opened after a crash, and has counted nothing since.
  const auto opened = temporary_.path() / "opened";
  copy_store(crashed_, opened);
  { const RocksDbStore store(small_settings(opened)); }
  for (const auto& from : {crashed_, backup, opened}) {
    SCOPED_TRACE(from);
    const auto manifest = files("MANIFEST", from).front();
    const auto bytes = contents(from / "db" / manifest);
    int refused = 0;
    for (std::size_t cut = 0; cut < bytes.size(); cut += 1 + bytes.size() / 50) {
      SCOPED_TRACE(cut);
      copy_store(from, damaged_);
      overwrite(damaged_ / "db" / manifest, bytes.substr(0, cut));
      refused += opens_without_a_wrong_count() ? 0 : 1;
    }
    EXPECT_GT(refused, 10);
  }
}

// After an fsync that failed, a start makes a table of what the kernel shows of the log; a power cut may leave that
// and not the end of the log, which was never answered.
TEST_F(DamageTest, ATableThatHasMoreThanTheLogItWasMadeOfIsNoDamage) {
  const auto opened = temporary_.path() / "opened";
  copy_store(crashed_, opened);
  { const RocksDbStore store(small_settings(opened)); }
  copy_store(crashed_, damaged_);
  const auto log = damaged_ / "db" / files(".log").back();
  overwrite(log, std::string(contents(log).size(), '\0'));  // the end of it, here
  for (const auto& file : files(".sst", opened)) {
    if (!fs::exists(damaged_ / "db" / file)) fs::copy(opened / "db" / file, damaged_ / "db" / file);
  }
  opens_with_the_counts_of_a_moment();
}

TEST_F(DamageTest, AllLogsMissingIsSeen) {
  copy_store(crashed_, damaged_);
  for (const auto& file : files(".log")) fs::remove(damaged_ / "db" / file);
  EXPECT_FALSE(opens_without_a_wrong_count());
}

TEST_F(DamageTest, ALogThatEndsTooEarlyIsSeenIfAnotherFollows) {
  const auto logs = files(".log");
  for (std::size_t i = 0; i + 1 < logs.size(); ++i) {
    const auto bytes = contents(crashed_ / "db" / logs[i]);
    const auto size = content_bytes(bytes);
    for (const std::size_t cut : {std::size_t{1}, std::size_t{40}, size / 2}) {
      if (cut > size || size == 0) continue;
      copy_store(crashed_, damaged_);
      overwrite(damaged_ / "db" / logs[i], bytes.substr(0, size - cut));
      EXPECT_FALSE(opens_without_a_wrong_count()) << logs[i] << " " << cut;
    }
  }
}

TEST_F(DamageTest, ZerosBehindTheManifestAreNoDamage) {
  copy_store(crashed_, damaged_);
  const auto manifest = damaged_ / "db" / files("MANIFEST").front();
  overwrite(manifest, contents(manifest) + std::string(3000, '\0'));
  EXPECT_TRUE(opens_without_a_wrong_count());
}

// A torn tail: what a crash leaves of a commit that was not answered.
TEST_F(DamageTest, OfALastLogWhoseLastSectorsAreMissingTheWholeCommitsAreThere) {
  const auto log = files(".log").back();
  const auto bytes = contents(crashed_ / "db" / log);
  const auto size = content_bytes(bytes);
  ASSERT_LT(size, bytes.size()) << "it was written into zeros";
  for (std::size_t cut = 0; cut < size; cut += 512) {
    SCOPED_TRACE(cut);
    copy_store(crashed_, damaged_);
    overwrite(damaged_ / "db" / log, bytes.substr(0, cut) + std::string(bytes.size() - cut, '\0'));
    opens_with_the_counts_of_a_moment();
  }
}

// Where a log is not laid out on disk, it is as long as what of it is there.
TEST_F(DamageTest, OfALastLogThatIsCutOffTheWholeCommitsAreThereWithoutAnFsyncForEach) {
  auto settings = small_settings(temporary_.path() / "unsynced");
  settings.durability.kind = Durability::Kind::none;
  {
    RocksDbStore store(settings);
    id_ = new_token(store);
    counts_.assign(counters, 0);
    states_ = {counts_};
    for (int i = 400; i < 440; ++i) count_some(store, i);
    copy_store(settings.directory, crashed_);
  }
  const auto log = files(".log").back();
  const auto bytes = contents(crashed_ / "db" / log);
  const auto token =
      bytes.find(path_of(400 * 13 % counters));  // the token is in the log before its first hit
  for (auto cut = token + 40; cut < bytes.size(); cut += bytes.size() / 40) {
    SCOPED_TRACE(cut);
    copy_store(crashed_, damaged_);
    overwrite(damaged_ / "db" / log, bytes.substr(0, cut));
    opens_with_the_counts_of_a_moment();
  }
}

// A log that was laid out has not become shorter by a crash, whatever is in it.
TEST_F(DamageTest, ALogThatIsShorterThanItWasLaidOutIsSeen) {
  for (const auto& log : files(".log")) {
    const auto bytes = contents(crashed_ / "db" / log);
    const auto size = content_bytes(bytes);
    for (const std::size_t left :
         {std::size_t{0}, std::size_t{1}, size / 2, size, size + 1, bytes.size() / 2, bytes.size() - 1}) {
      SCOPED_TRACE(log.string() + " " + std::to_string(left));
      copy_store(crashed_, damaged_);
      overwrite(damaged_ / "db" / log, bytes.substr(0, left));
      EXPECT_FALSE(opens_without_a_wrong_count());
    }
  }
}

// It is no torn tail, although a record may be zeros, as what a disk did not write is.
TEST_F(DamageTest, DamageToALastCommitWithARecordIsSeen) {
  const auto store_path = temporary_.path() / "with record";
  RocksDbStore store(small_settings(store_path));
  ASSERT_TRUE(tests::write_record(store, std::string(std::size_t{64} << 10U, '\0')));
  copy_store(store_path, crashed_);
  const auto log = files(".log").back();
  const auto bytes = contents(crashed_ / "db" / log);
  const auto size = content_bytes(bytes);
  ASSERT_GT(size, std::size_t{64} << 10U);
  for (std::size_t at = 0; at < size; at += 1 + size / 40) {
    SCOPED_TRACE(at);
    copy_store(crashed_, damaged_);
    auto with_damage = bytes;
    with_damage[at] = static_cast<char>(with_damage[at] ^ 1);
    overwrite(damaged_ / "db" / log, with_damage);
    EXPECT_THROW(RocksDbStore(small_settings(damaged_)), StoreError);
  }
  for (std::size_t cut = 0; cut < size; cut += 512 * 9) {
    SCOPED_TRACE(cut);
    copy_store(crashed_, damaged_);
    overwrite(damaged_ / "db" / log, bytes.substr(0, cut) + std::string(bytes.size() - cut, '\0'));
    const RocksDbStore torn(small_settings(damaged_));
    EXPECT_EQ(torn.facts().value()->record, "");
  }
}

/// A store that came to its end, with one log; and what it must hold.
class EndedStoreTest : public DamageTest {
 protected:
  /// Counts some more in the store there, and ends it.
  void run(const fs::path& directory, Durability::Kind durability, int from, int to) {
    auto settings = small_settings(directory);
    settings.durability = {durability, std::chrono::milliseconds(60'000)};
    RocksDbStore store(settings);
    for (int i = from; i < to; ++i) count_some(store, i);
  }

  static fs::path last_log(const fs::path& store) { return store / "db" / files(".log", store).back(); }
};

TEST_F(EndedStoreTest, OpensWhereverItIsCopied) {
  run(original_, Durability::Kind::commit, 480, 500);
  fs::copy(original_, damaged_, fs::copy_options::recursive);
  EXPECT_TRUE(opens_without_a_wrong_count());
}

TEST_F(EndedStoreTest, ALogThatIsShorterIsSeen) {
  for (const auto durability :
       {Durability::Kind::commit, Durability::Kind::interval, Durability::Kind::none}) {
    run(original_, durability, 480, 500);
    const auto bytes = contents(last_log(original_));
    const auto size = content_bytes(bytes);
    ASSERT_GT(size, 1000U);
    for (const std::size_t left :
         {std::size_t{0}, std::size_t{100}, size / 3, size / 2, size - 100, size - 1}) {
      for (const bool zeros : {false, true}) {
        SCOPED_TRACE(std::to_string(static_cast<int>(durability)) + " " + std::to_string(left));
        copy_store(original_, damaged_);
        overwrite(last_log(damaged_),
                  bytes.substr(0, left) + std::string(zeros ? bytes.size() - left : 0, '\0'));
        EXPECT_FALSE(opens_without_a_wrong_count()) << zeros;
      }
    }
    copy_store(original_, damaged_);
    fs::remove(last_log(damaged_));
    EXPECT_FALSE(opens_without_a_wrong_count());
  }
}

// What the run before said of its end is taken back before a commit can be.
TEST_F(EndedStoreTest, ACrashAfterItIsNoDamage) {
  for (const auto durability : {Durability::Kind::commit, Durability::Kind::none}) {
    run(original_, durability, 480, 500);
    auto settings = small_settings(original_);
    settings.durability.kind = durability;
    const RocksDbStore store(settings);
    EXPECT_FALSE(find_mark(original_ / "db").mark.value().ended_with);
    copy_store(original_, damaged_);
    EXPECT_TRUE(opens_without_a_wrong_count());
  }
}

// An older copy of the store was put back beside it, or an older tracker ran, or it is half of one.
TEST_F(EndedStoreTest, AMarkOfOtherFilesIsIgnored) {
  copy_store(original_, damaged_);
  const auto counts = counts_;
  run(original_, Durability::Kind::commit, 480, 500);
  counts_ = counts;
  const auto later = contents(original_ / "db" / "MARK");
  for (const auto& mark :
       {later, later.substr(0, 20), std::string(), std::string(512, 'x'), std::string(9999, '\0')}) {
    const auto copy = temporary_.path() / "copy";
    copy_store(damaged_, copy);
    overwrite(damaged_ / "db" / "MARK", mark);
    EXPECT_TRUE(opens_without_a_wrong_count()) << mark;
    copy_store(copy, damaged_);
  }
}

TEST_F(EndedStoreTest, ItsBackupOpensAndHasNoMarkOfAnotherRun) {
  const auto backup = temporary_.path() / "backup";
  RocksDbStore(small_settings(original_)).backup(backup);
  EXPECT_EQ(find_mark(backup / "db").ignored, std::nullopt);
  copy_store(backup, damaged_);
  EXPECT_TRUE(opens_without_a_wrong_count());
}

}  // namespace tracker::store::rocksdb
