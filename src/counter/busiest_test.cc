#include "counter/busiest.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <thread>
#include <vector>

namespace tracker::counter {
namespace {

using By = Busiest::By;
using Entry = domain::FrequentKeys::Entry;
using std::chrono_literals::operator""s;
using testing::ElementsAre;
using testing::IsEmpty;

domain::TokenId token(std::uint8_t number) {
  domain::TokenId id{};
  id.bytes[15] = number;
  return id;
}

std::string bytes(const domain::TokenId& id) {
  return {id.bytes.begin(), id.bytes.end()};
}

class BusiestTest : public testing::Test {
 protected:
  void count(const std::string& path, std::size_t times = 1, const domain::TokenId& id = token(1)) {
    hits_.clear();
    std::vector<domain::HitVerdict> verdicts;
    for (std::uint32_t hit = 0; hit < times; ++hit) {
      hits_.push(id, path);
      verdicts.push_back({hit, domain::Verdict::counted(1)});
    }
    busiest_.add(hits_, verdicts);
  }
  Busiest::Periods paths() { return busiest_.read(By::path, start_ + passed_); }

  const Busiest::Clock::time_point start_{};
  Busiest::Clock::duration passed_ = 0s;
  Busiest busiest_{2, start_};
  domain::HitBatch hits_;
};

TEST_F(BusiestTest, TellsTokensAndPaths) {
  count("/a", 2);
  count("/b", 1, token(2));
  EXPECT_THAT(paths().since_start.keys.entries, ElementsAre(Entry{"/a", 2, 0}, Entry{"/b", 1, 0}));
  const auto tokens = busiest_.read(By::token, start_).since_start.keys;
  EXPECT_THAT(tokens.entries, ElementsAre(Entry{bytes(token(1)), 2, 0}, Entry{bytes(token(2)), 1, 0}));
  EXPECT_EQ(tokens.hits, 3U);
}

TEST_F(BusiestTest, OnlyWhatWasCounted) {
  for (const char* path : {"/unknown", "/refused", "/perhaps", "/counted"}) hits_.push(token(1), path);
  busiest_.add(hits_, std::vector<domain::HitVerdict>{{0, domain::Verdict::unknown_token()},
                                                      {1, domain::Verdict::not_counted()},
                                                      {2, domain::Verdict::perhaps_counted()}});
  EXPECT_THAT(paths().since_start.keys.entries, IsEmpty());
  busiest_.add(hits_, std::vector<domain::HitVerdict>{{3, domain::Verdict::counted(7)}});
  EXPECT_THAT(paths().since_start.keys.entries, ElementsAre(Entry{"/counted", 1, 0}));
}

TEST_F(BusiestTest, TheLastMinuteForgets) {
  count("/a", 5);
  for (passed_ = 0s; passed_ < 30s; passed_ += 5s) busiest_.collect(start_ + passed_);
  count("/b", 3);
  passed_ = 60s;
  auto periods = paths();
  EXPECT_THAT(periods.last_minute.keys.entries, ElementsAre(Entry{"/a", 5, 0}, Entry{"/b", 3, 0}));
  EXPECT_EQ(periods.last_minute.length, 60s);
  passed_ = 61s;
  periods = paths();
  EXPECT_THAT(periods.last_minute.keys.entries, ElementsAre(Entry{"/b", 3, 0}));
  EXPECT_LE(periods.last_minute.length, 60s);
  EXPECT_EQ(periods.last_minute.keys.hits, 3U);
  EXPECT_THAT(periods.since_start.keys.entries, ElementsAre(Entry{"/a", 5, 0}, Entry{"/b", 3, 0}));
  EXPECT_EQ(periods.since_start.length, 61s);
  passed_ = 600s;
  EXPECT_THAT(paths().last_minute.keys.entries, IsEmpty());
  EXPECT_EQ(paths().since_start.keys.hits, 8U);
}

// Whoever reads often does not make the minute longer, shorter or less exact.
TEST_F(BusiestTest, TheLastMinuteIsTheSameHoweverOftenItIsRead) {
  for (; passed_ < 300s; passed_ += 1s) {
    count("/a");
    const auto minute = paths().last_minute;
    const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(minute.length).count();
    EXPECT_GE(minute.length, std::min<Busiest::Clock::duration>(passed_, 53s));
    EXPECT_LE(minute.length, 60s);
    EXPECT_EQ(minute.keys.hits, static_cast<std::uint64_t>(seconds) + 1 - (passed_ > 60s ? 1 : 0)) << seconds;
  }
}

TEST_F(BusiestTest, LongPathsThatBeginAlikeAreOne) {
  const std::string begin(Busiest::path_bytes, 'x');
  count(begin + "a");
  count(begin + "b", 2);
  count(begin.substr(1), 4);
  EXPECT_THAT(paths().since_start.keys.entries,
              ElementsAre(Entry{begin.substr(1), 4, 0}, Entry{begin, 3, 0}));
}

TEST_F(BusiestTest, ManyKeysTakeNoMoreRoomAndTheBoundIsTold) {
  constexpr int others = 20'000;
  for (int i = 0; i < others; ++i) {
    count("/" + std::to_string(i));
    if (i % 4 == 0) count("/often");
    if (i % 5'000 == 0) busiest_.collect(start_ + (passed_ += 5s));
  }
  const auto keys = paths().since_start.keys;
  EXPECT_EQ(keys.entries.size(), Busiest::capacity);
  EXPECT_LE(keys.others_max, keys.hits / Busiest::capacity);
  const auto first = keys.top(1).entries.front();
  EXPECT_EQ(first.key, "/often");
  EXPECT_GE(first.count, others / 4U);
  EXPECT_LE(first.count - first.error, others / 4U);
}

TEST_F(BusiestTest, ThreadsAddWhileOthersRead) {
  constexpr std::size_t threads = 4;  // more than shares
  constexpr std::size_t batches = 2'000;
  std::vector<std::thread> counting;
  for (std::size_t i = 0; i < threads; ++i) {
    counting.emplace_back([this, i] {
      domain::HitBatch hits;
      hits.push(token(static_cast<std::uint8_t>(i)), "/a");
      const std::vector<domain::HitVerdict> verdicts{{0, domain::Verdict::counted(1)}};
      for (std::size_t batch = 0; batch < batches; ++batch) busiest_.add(hits, verdicts);
    });
  }
  std::uint64_t before = 0;
  for (int i = 0; i < 100; ++i) {
    const auto hits = paths().since_start.keys.hits;
    EXPECT_GE(hits, before);
    before = hits;
  }
  for (auto& thread : counting) thread.join();
  EXPECT_THAT(paths().since_start.keys.entries, ElementsAre(Entry{"/a", threads * batches, 0}));
  EXPECT_EQ(busiest_.read(By::token, start_).since_start.keys.entries.size(), threads);
}

}  // namespace
}  // namespace tracker::counter
