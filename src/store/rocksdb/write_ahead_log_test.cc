#include "store/rocksdb/write_ahead_log.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <random>
#include <sstream>
#include <string>
#include <vector>

#include "store/rocksdb/crc32c.h"
#include "store/rocksdb/stored_values.h"

namespace tracker::store {

constexpr std::size_t block_bytes = 32768;
constexpr std::size_t header_bytes = 7;

std::string little_end_first(std::uint64_t number, std::size_t bytes) {
  const auto value = encode_value(number);
  return {value.data(), bytes};
}

/// The bytes of commit `number`, with one change of `padding` bytes more.
std::string commit(std::uint64_t number, std::size_t padding = 0) {
  std::string text = little_end_first(number * 2, 8) + little_end_first(2, 4);
  text += std::string("\x01\x06") + std::string(commit_key) + "\x10";
  text += little_end_first(number, 8) + little_end_first(0, 8);
  text += "\x01\x03";
  text += "key";
  text += static_cast<char>(0x80U | (padding & 0x7FU));
  text += static_cast<char>(0x80U | (padding >> 7U & 0x7FU));
  text += static_cast<char>(padding >> 14U);
  return text + std::string(padding, 'v');
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
  return read_write_ahead_log(stream);
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
  const auto found = read_write_ahead_log(directory);
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
  EXPECT_EQ(read(log.bytes.substr(0, end - 1)).torn_at, log.ends[log.ends.size() - 2]);
  EXPECT_EQ(read(log.bytes.substr(0, end) + "abc").torn_at, end);
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
    append(log, commit(2, random() % 5000));
    const auto end = log.size();
    log.append(10'000, '\0');
    auto written = log;
    std::size_t most_missing = 0;
    for (auto at = begin; at < end;) {
      const auto next = std::min(end, (at / sector + 1) * sector);
      if (random() % 3 == 0) {
        std::fill(written.begin() + static_cast<std::ptrdiff_t>(at),
                  written.begin() + static_cast<std::ptrdiff_t>(next), '\0');
        most_missing = std::max(most_missing, at == begin ? sector : next - at);
      }
      at = next;
    }
    const auto found = read(written);
    if (written == log) {
      ASSERT_EQ(found.next_commit, 3U) << round;
    } else if (most_missing >= 8) {
      ++torn;
      ASSERT_EQ(found.damage, "") << round;
      ASSERT_EQ(found.next_commit, 2U) << round;
      ASSERT_GE(found.torn_at.value_or(begin), begin) << round;  // none: all of it is missing
    } else {
      ASSERT_NE(found.next_commit, 3U) << round;  // so few bytes may also have become zeros
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
  EXPECT_NE(read(log + broken + fragment(1, commit(3))).damage, "");
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

}  // namespace tracker::store
