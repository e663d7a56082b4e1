#include "store/rocksdb/write_ahead_log.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <ctime>
#include <fstream>
#include <random>
#include <sstream>
#include <string>
#include <vector>

#include "store/rocksdb/crc32c.h"
#include "store/rocksdb/stored_values.h"

namespace tracker::store::rocksdb {

constexpr std::size_t block_bytes = 32768;
constexpr std::size_t header_bytes = 7;

std::string little_end_first(std::uint64_t number, std::size_t bytes) {
  const auto value = encode_value(number);
  return {value.data(), bytes};
}

constexpr std::string_view secret_text = "a secret of ours";

StoreSecret secret() {
  return decode_drawn(secret_text).value();
}

std::string as_text(const std::string& bytes) {
  std::string text;
  text += static_cast<char>(0x80U | (bytes.size() & 0x7FU));
  text += static_cast<char>(0x80U | (bytes.size() >> 7U & 0x7FU));
  return text + static_cast<char>(bytes.size() >> 14U) + bytes;
}

/// Whether a tracker wrote it that gives each commit the store's secret, or an older one.
enum class Age { now, older };

/// The bytes of commit `number`, which counts a path.
std::string commit_of(std::uint64_t number, const std::string& path, std::uint64_t count = 1,
                      Age age = Age::now) {
  std::string bytes = little_end_first(number * 2, 8) + little_end_first(2, 4);
  bytes += std::string("\x01\x06") + std::string(commit_key) + "\x10";
  bytes += little_end_first(number, 8) + little_end_first(0, 8);
  if (age == Age::now) bytes += std::string("\x03\x10") + std::string(secret_text);
  bytes += "\x01" + as_text(std::string(16, 'i') + path) + "\x08" + little_end_first(count, 8);
  if (age == Age::now) bytes += "\x03\x01\xFF";
  return bytes;
}

/// With a path of so many bytes.
std::string commit(std::uint64_t number, std::size_t path_bytes = 0) {
  return commit_of(number, std::string(path_bytes, 'p'));
}

std::string fragment(char type, const std::string& bytes) {
  Crc32c crc;
  crc.add(static_cast<unsigned char>(type));
  crc.add(bytes);
  const std::uint32_t checksum = crc.value();
  return little_end_first((checksum >> 15U | checksum << 17U) + 0xA282EAD8U, 4) +
         little_end_first(bytes.size(), 2) + type + bytes;
}

/// Appends a record as RocksDB does.
void append(std::string& log, std::string record) {
  for (bool is_first = true, is_last = false; !is_last; is_first = false) {
    auto left = block_bytes - log.size() % block_bytes;
    if (left < header_bytes) {
      log.append(left, '\0');
      left = block_bytes;
    }
    const auto here = record.substr(0, left - header_bytes);
    record.erase(0, here.size());
    is_last = record.empty();
    log += fragment(is_first ? (is_last ? 1 : 2) : (is_last ? 4 : 3), here);
  }
}

LogFindings read(const std::string& log) {
  std::istringstream stream(log);
  return read_write_ahead_log(stream, secret());
}

LogFindings read_older(const std::string& log) {
  std::istringstream stream(log);
  return read_write_ahead_log(stream, std::nullopt);
}

/// Records of every kind: short, at the end of a block, over several blocks; and where each ends.
struct Log {
  std::string bytes;
  std::vector<std::size_t> ends;

  Log() {
    for (std::uint64_t number = 5; number < 60; ++number) add(commit(number, number * 5));
    add(commit(60, 70'000));
    // Up to 7 bytes before the end of a block: a header fits, and nothing behind it.
    add(commit(61, block_bytes - bytes.size() % block_bytes - 2 * header_bytes - commit(61).size()));
    add(commit(62, 10));
    add(commit(63, block_bytes - bytes.size() % block_bytes - header_bytes - 3 - commit(63).size()));
    for (std::uint64_t number = 64; number < 70; ++number) add(commit(number, 30));
  }
  void add(const std::string& record) {
    append(bytes, record);
    ends.push_back(bytes.size());
  }
};

TEST(Crc32c, IsTheOneOfItsRfc) {
  const auto crc = [](std::string_view bytes) {
    Crc32c result;
    result.add(bytes);
    return result.value();
  };
  EXPECT_EQ(crc("123456789"), 0xE3069283U);
  EXPECT_EQ(crc(std::string(32, '\0')), 0x8A9136AAU);
  EXPECT_EQ(crc(std::string(32, '\xFF')), 0x62A8AB43U);
}

TEST(WriteAheadLog, ReadsWhatIsWhole) {
  const Log log;
  const auto found = read(log.bytes);
  EXPECT_EQ(found.damage, "");
  EXPECT_EQ(found.first_commit, 5U);
  EXPECT_EQ(found.next_commit, 70U);
  EXPECT_EQ(found.torn_at, std::nullopt);
}

TEST(WriteAheadLog, AnEmptyLogIsWhole) {
  const auto found = read("");
  EXPECT_TRUE(found.empty());
  EXPECT_EQ(found.damage, "");
}

TEST(WriteAheadLog, WhatCannotBeReadIsNotCalledDamaged) {
  std::ifstream directory("/");  // can be opened, and not be read
  const auto found = read_write_ahead_log(directory, secret());
  EXPECT_TRUE(found.unreadable);
  EXPECT_EQ(found.damage, "");
}

TEST(WriteAheadLog, OfALogThatIsCutOffTheWholeRecordsAreThere) {
  const Log log;
  for (std::size_t cut = 0; cut <= log.bytes.size(); cut += cut % 5000 < 100 ? 1 : 47) {
    const auto found = read(log.bytes.substr(0, cut));
    const auto whole = std::upper_bound(log.ends.begin(), log.ends.end(), cut) - log.ends.begin();
    ASSERT_EQ(found.damage, "") << cut;
    ASSERT_EQ(found.next_commit, whole == 0 ? 0 : 5 + static_cast<std::uint64_t>(whole)) << cut;
  }
}

TEST(WriteAheadLog, TellsWhereTheTornTailBegins) {
  const Log log;
  const auto end = log.ends.back();
  const auto last_begin = log.ends[log.ends.size() - 2];
  EXPECT_EQ(read(log.bytes.substr(0, end - 1)).torn_at, last_begin);
  EXPECT_EQ(read(log.bytes.substr(0, end - 1)).torn_bytes, end - 1 - last_begin);
  EXPECT_EQ(read(log.bytes.substr(0, end) + "abc").torn_at, end);
  EXPECT_EQ(read(log.bytes).torn_bytes, 0U);
}

TEST(WriteAheadLog, TellsWhichCommitWasSyncedForSure) {
  const Log log;
  const auto [before, last] = std::pair(log.ends[log.ends.size() - 2], log.ends.back());
  EXPECT_EQ(read(log.bytes).synced_end, before);
  EXPECT_EQ(read(log.bytes + std::string(100, '\0')).synced_end, before);
  EXPECT_EQ(read(log.bytes + "a").synced_end, last);
  EXPECT_EQ(read(log.bytes.substr(0, log.ends.front())).synced_end, 0U);
}

TEST(WriteAheadLog, EveryChangedByteIsSeen) {
  const Log log;
  for (std::size_t at = 0; at < log.bytes.size(); at += at % 10'000 < 100 ? 1 : 183) {
    for (const unsigned change : {0x01U, 0x80U, 0xFFU}) {
      auto damaged = log.bytes;
      damaged[at] = static_cast<char>(static_cast<unsigned char>(damaged[at]) ^ change);
      ASSERT_NE(read(damaged).damage, "") << at << " " << change;
    }
  }
}

TEST(WriteAheadLog, EveryChangedByteOfTheLastRecordIsSeen) {
  std::string log;
  append(log, commit(1));
  append(log, commit(2));
  const auto begin = log.size();
  append(log, commit(3, 20));
  for (auto at = begin; at < log.size(); ++at) {
    for (unsigned change = 1; change < 256; ++change) {
      auto damaged = log;
      damaged[at] = static_cast<char>(static_cast<unsigned char>(damaged[at]) ^ change);
      ASSERT_NE(read(damaged).damage, "") << at << " " << change;
    }
  }
}

TEST(WriteAheadLog, ZerosAreDamageUnlessALastRecordLacksSectors) {
  const Log log;
  const auto last_begin = log.ends[log.ends.size() - 2];
  for (std::size_t begin = 0; begin < last_begin; begin += 391) {
    for (const std::size_t size : {16U, 512U, 4096U, 40'000U}) {
      auto damaged = log.bytes;
      std::fill_n(damaged.begin() + static_cast<std::ptrdiff_t>(begin), std::min(size, last_begin - begin),
                  '\0');
      if (damaged == log.bytes) continue;
      ASSERT_NE(read(damaged).damage, "") << begin << " " << size;
    }
  }
}

TEST(WriteAheadLog, ZerosMayFollowIt) {
  const Log log;
  for (const std::size_t zeros : {1U, 6U, 7U, 8U, 100U, 100'000U}) {
    const auto found = read(log.bytes + std::string(zeros, '\0'));
    EXPECT_EQ(found.damage, "");
    EXPECT_EQ(found.next_commit, 70U);
    EXPECT_EQ(found.torn_at, std::nullopt);
  }
  EXPECT_EQ(read(std::string(5000, '\0')).damage, "");
}

TEST(WriteAheadLog, EveryChangedByteIsSeenAlsoBeforeZeros) {
  std::string log;
  for (std::uint64_t number = 1; number <= 4; ++number) append(log, commit(number, 170));
  const auto begin = log.size();
  append(log, commit(5, 300));
  const auto end = log.size();
  log.append(4096, '\0');
  for (auto at = begin; at < end; ++at) {
    for (unsigned change = 1; change < 256; ++change) {
      auto damaged = log;
      damaged[at] = static_cast<char>(static_cast<unsigned char>(damaged[at]) ^ change);
      ASSERT_NE(read(damaged).damage, "") << at << " " << change;
    }
  }
}

/// Of a record that was written into zeros, any sectors may be missing, and no others.
TEST(WriteAheadLog, ALastRecordThatLacksSectorsIsTorn) {
  constexpr std::size_t sector = 512;
  std::mt19937 random(1);
  int torn = 0;
  for (int round = 0; round < 3000; ++round) {
    std::string log;
    // Also over the end of a block.
    append(log, commit(1, round % 2 == 0 ? 32'000 + random() % 800 : random() % 1000));
    const auto begin = log.size();
    append(log, commit_of(2, std::string(random() % 5000, 'p'), ~std::uint64_t{0}));
    const auto end = log.size();
    log.append(10'000, '\0');
    auto written = log;
    for (auto at = begin; at < end;) {
      const auto next = std::min(end, (at / sector + 1) * sector);
      if (random() % 3 == 0) {
        std::fill(written.begin() + static_cast<std::ptrdiff_t>(at),
                  written.begin() + static_cast<std::ptrdiff_t>(next), '\0');
      }
      at = next;
    }
    const auto found = read(written);
    if (written == log) {
      ASSERT_EQ(found.next_commit, 3U) << round;
    } else {
      ++torn;
      ASSERT_EQ(found.damage, "") << round;
      ASSERT_EQ(found.next_commit, 2U) << round;
      ASSERT_GE(found.torn_at.value_or(begin), begin) << round;  // none: all of it is missing
    }
    // Nor is it torn if another one follows.
    auto followed = log.substr(0, end);
    append(followed, commit(3, 20));
    std::copy(written.begin() + static_cast<std::ptrdiff_t>(begin),
              written.begin() + static_cast<std::ptrdiff_t>(end),
              followed.begin() + static_cast<std::ptrdiff_t>(begin));
    if (written != log) {
      ASSERT_NE(read(followed).damage, "") << round;
    }
  }
  EXPECT_GT(torn, 1000);
}

/// The record went over the end of the zeros, and the file did not get as long as it.
TEST(WriteAheadLog, ALastRecordThatLacksItsFirstSectorAndItsEndIsTorn) {
  constexpr std::size_t sector = 512;
  for (std::size_t before = 0; before < sector; ++before) {
    std::string log;
    append(log, commit(1, before));
    const auto begin = log.size();
    append(log, commit(2, 2000));
    log.resize(begin + 1500);
    const auto lost = (begin / sector + 1) * sector;
    std::fill(log.begin() + static_cast<std::ptrdiff_t>(lost),
              log.begin() + static_cast<std::ptrdiff_t>(lost + sector), '\0');
    const auto found = read(log);
    ASSERT_EQ(found.damage, "") << before;
    ASSERT_EQ(found.next_commit, 2U) << before;
    ASSERT_EQ(found.torn_at, begin) << before;
  }
}

TEST(WriteAheadLog, AMissingRecordIsSeen) {
  std::string log;
  append(log, commit(1));
  append(log, commit(3));
  EXPECT_NE(read(log).damage, "");
  std::string repeated;
  append(repeated, commit(1));
  append(repeated, commit(1));
  EXPECT_NE(read(repeated).damage, "");
}

TEST(WriteAheadLog, AWholeRecordBehindABrokenOneIsNoTornTail) {
  // The header says more than there is, with a checksum of nothing; a record follows.
  std::string log;
  append(log, commit(1));
  auto broken = fragment(1, commit(2, 200));
  broken[0] = 'x';
  broken[5] = 0x40;
  broken.resize(broken.size() - 20);
  EXPECT_NE(read(log + broken + fragment(1, commit(3))).damage, "");
  EXPECT_EQ(read(log + broken).damage, "") << "that one is torn";
}

TEST(WriteAheadLog, AWholeBatchIsNoTornTailWhateverItsHeaderSays) {
  std::string log;
  append(log, commit(1));
  auto broken = fragment(1, commit(2, 200));
  broken[0] = 'x';
  broken[5] = 0x40;
  EXPECT_NE(read(log + broken).damage, "");
  EXPECT_EQ(read(log + broken.substr(0, broken.size() - 1)).damage, "") << "that one is torn";
}

TEST(WriteAheadLog, FragmentsOutOfPlaceAreDamage) {
  for (const auto& log :
       {fragment(3, "middle"), fragment(4, "last"), fragment(2, commit(1)) + fragment(1, commit(1)),
        fragment(2, commit(1)) + fragment(2, commit(1)), fragment(1, "short"), fragment(5, commit(1)),
        fragment(0, "")}) {
    EXPECT_NE(read(log).damage, "");
  }
}

// What clients write, in the path of a commit that a crash cuts off.

/// Paths that look like what RocksDB writes: whole records, commits that are due, and headers of long records.
std::vector<std::string> paths_like_records() {
  const auto without_secret = [](std::uint64_t number) {
    return fragment(1, commit_of(number, "/forged", 1, Age::older));
  };
  std::string many;
  for (std::uint64_t number = 2; number < 30; ++number) many += without_secret(number);
  std::string filler;
  for (int i = 0; i < 300; ++i) filler += "\x01\x7f";
  return {fragment(1, "text"),
          fragment(2, "text"),
          fragment(4, "text"),
          fragment(1, ""),
          without_secret(2),
          without_secret(3),
          many,
          fragment(1, commit(3)).substr(0, 40),  // up to the secret
          "\x03\x10" + std::string(16, 's'),
          filler};
}

/// The log that ends with this one is never damaged, wherever it is cut off: every so many bytes, or with any sector
/// missing.
void expect_torn_wherever_it_is_cut(const std::string& whole, std::size_t begin, std::size_t step,
                                    LogFindings (*read_log)(const std::string&)) {
  constexpr std::size_t sector = 512;
  for (auto cut = begin; cut < whole.size(); cut += step) {
    const auto found = read_log(whole.substr(0, cut));
    ASSERT_EQ(found.damage, "") << "cut at " << cut;
    ASSERT_EQ(found.next_commit, 2U) << "cut at " << cut;
  }
  for (auto cut = begin / sector * sector; cut < whole.size(); cut += sector) {
    const auto from = std::max(cut, begin);
    const auto end = std::min(cut + sector, whole.size());
    for (const bool all_behind : {false, true}) {
      auto written = whole;
      std::fill(written.begin() + static_cast<std::ptrdiff_t>(from),
                all_behind ? written.end() : written.begin() + static_cast<std::ptrdiff_t>(end), '\0');
      written.append(5000, '\0');
      const auto found = read_log(written);
      ASSERT_EQ(found.damage, "") << "without the sector at " << cut << (all_behind ? " and all behind" : "");
      ASSERT_EQ(found.next_commit, 2U) << cut;
    }
  }
}

TEST(WriteAheadLog, NoPathOfAClientMakesATornTailDamage) {
  for (const auto age : {Age::now, Age::older}) {
    for (const auto& path : paths_like_records()) {
      for (std::size_t before = 0; before < 512; before += before < 16 ? 1 : 7) {
        std::string log;
        append(log, commit_of(1, std::string(300, 'p'), 1, age));
        const auto begin = log.size();
        append(log, commit_of(2, "/" + std::string(before, 'p') + path, 0x0101010101010101, age));
        // Older commits end with no mark: so few zeros as they may end with tell nothing of the last sector.
        if (age == Age::older && log.size() % 512 < 8) continue;
        expect_torn_wherever_it_is_cut(log, begin, before < 2 ? 1 : 53, age == Age::now ? read : read_older);
        if (HasFatalFailure()) return;
      }
    }
  }
}

TEST(WriteAheadLog, NoPathOfAClientMakesATornTailDamageOverTheEndsOfBlocks) {
  for (const auto& path : paths_like_records()) {
    for (std::size_t left = 1; left < 800; left += 41) {
      std::string log;
      append(log, commit(1));
      append(log, commit(2, block_bytes - log.size() - 2 * header_bytes - commit(2).size() - left));
      std::string paths = "/";
      while (paths.size() < block_bytes + 2000) paths += path;
      const auto begin = log.size();
      append(log, commit_of(3, paths));
      for (auto cut = begin; cut < log.size(); cut += cut % block_bytes < 100 ? 1 : 211) {
        ASSERT_EQ(read(log.substr(0, cut)).damage, "") << "cut at " << cut;
        auto lost = log;
        lost.replace(cut / 512 * 512, 512, std::string(512, '\0'));
        lost.append(1000, '\0');
        if (cut / 512 * 512 >= begin) {
          ASSERT_EQ(read(lost).damage, "") << "without the sector of byte " << cut;
        }
      }
    }
  }
}

/// A whole commit behind a gap is seen: in the same block, divided by the end of a block, and in later blocks.
TEST(WriteAheadLog, ACommitBehindAGapIsSeenWhereverItStands) {
  for (std::size_t left = 0; left < 1300; left += 7) {
    std::string log;
    append(log, commit(1));
    append(log, commit(2, block_bytes - log.size() - 2 * header_bytes - commit(2).size() - left - 600));
    const auto begin = (log.size() + 511) / 512 * 512;
    append(log, commit(3, begin - log.size() + 600));
    append(log, commit(4, 10));
    log.replace(begin, 512, std::string(512, '\0'));
    log.append(1000, '\0');
    ASSERT_NE(read(log).damage, "") << left;
  }
}

/// An older commit has no secret: another one is known by where it stands.
TEST(WriteAheadLog, AnOlderCommitBehindAGapIsSeenWhereItMustStand) {
  const auto older = [](std::uint64_t number, std::size_t bytes) {
    return commit_of(number, std::string(bytes, 'p'), 1, Age::older);
  };
  std::string log;
  append(log, older(1, 300));
  const auto begin = log.size();
  append(log, older(2, 1500));
  append(log, older(3, 10));
  auto in_the_middle = log;
  in_the_middle.replace(1024, 512, std::string(512, '\0'));
  EXPECT_NE(read_older(in_the_middle + std::string(1000, '\0')).damage, "")
      << "its header tells where the next is";
  append(log, older(4, 40'000));
  append(log, older(5, 10));
  log.replace(begin, 512, std::string(512, '\0'));
  EXPECT_NE(read_older(log + std::string(1000, '\0')).damage, "") << "the next block tells it";
}

// Compared with the same log when it is whole, of which each byte is looked at once.
TEST(WriteAheadLog, ATornTailTakesNoMoreThanItsShareOfTimeWhateverIsInIt) {
  const auto cpu_time = [](const std::string& log) {
    const auto begin = std::clock();
    EXPECT_EQ(read(log).damage, "");
    return static_cast<double>(std::clock() - begin);
  };
  for (const std::string filler : {"\x01\x7f", "\x03\x10", "a"}) {
    std::string path;
    while (path.size() < 2'000'000) path += filler;
    std::string whole;
    append(whole, commit(1, 600));
    append(whole, commit_of(2, path));
    auto without_a_sector = whole;
    without_a_sector.replace(1024, 512, std::string(512, '\0'));
    const auto limit = 50 * cpu_time(whole) + 20'000;
    EXPECT_LT(cpu_time(without_a_sector), limit);
    EXPECT_LT(cpu_time(whole.substr(0, whole.size() - 1)), limit);
  }
}

}  // namespace tracker::store::rocksdb
