#include "rpc/batch_message.h"

#include <gtest/gtest.h>

#include <tracker/v1/counting.pb.h>
#include "domain/token.h"

namespace tracker::rpc {

using domain::HitVerdict;
using domain::Verdict;

TEST(BatchMessage, HitsComeBackAsTheyWere) {
  const auto first = domain::token_id(domain::random_token());
  const auto second = domain::token_id(domain::random_token());
  domain::HitBatch a;
  a.push(first, "/");
  a.push(second, std::string("/b\0c", 4));
  domain::HitBatch b;
  b.push(first, std::string(10000, 'x'));

  v1::HitBatch message;
  append_hits(a, message);
  append_hits(b, message);
  v1::HitBatch received;
  ASSERT_TRUE(received.ParseFromString(message.SerializeAsString()));
  domain::HitBatch hits;
  ASSERT_TRUE(read_hits(received, hits));
  ASSERT_EQ(hits.size(), 3U);
  EXPECT_EQ(hits.id(0), first);
  EXPECT_EQ(hits.id(1), second);
  EXPECT_EQ(hits.path(1), a.path(1));
  EXPECT_EQ(hits.path(2), b.path(0));
}

TEST(BatchMessage, HitsWhoseColumnsDoNotFitAreRefused) {
  domain::HitBatch batch;
  batch.push(domain::TokenId{}, "/a");
  batch.push(domain::TokenId{}, "/bc");
  v1::HitBatch good;
  append_hits(batch, good);
  const auto refused = [&good](auto change) {
    v1::HitBatch bad = good;
    change(bad);
    domain::HitBatch hits;
    return !read_hits(bad, hits);
  };
  EXPECT_FALSE(refused([](auto&) {}));
  EXPECT_TRUE(refused([](auto& bad) { bad.mutable_ids()->pop_back(); }));
  EXPECT_TRUE(refused([](auto& bad) { bad.mutable_paths()->pop_back(); }));
  EXPECT_TRUE(refused([](auto& bad) { bad.mutable_paths()->push_back('x'); }));
  EXPECT_TRUE(refused([](auto& bad) { bad.add_path_bytes(1); }));
  EXPECT_TRUE(refused([](auto& bad) { bad.set_path_bytes(1, 0xFFFFFFFF); }));
  EXPECT_TRUE(refused([](auto& bad) {
    bad.set_path_bytes(0, 5);
    bad.set_path_bytes(1, 0);
  }));
}

std::vector<HitVerdict> there_and_back(const std::vector<HitVerdict>& verdicts, std::size_t batch_size) {
  v1::Verdicts message;
  write_verdicts(verdicts, batch_size, message);
  v1::Verdicts received;
  EXPECT_TRUE(received.ParseFromString(message.SerializeAsString()));
  std::vector<HitVerdict> back;
  EXPECT_TRUE(read_verdicts(received, batch_size, back));
  return back;
}

void expect_same(const std::vector<HitVerdict>& a, const std::vector<HitVerdict>& b) {
  ASSERT_EQ(a.size(), b.size());
  for (std::size_t i = 0; i < a.size(); ++i) {
    EXPECT_EQ(a[i].hit, b[i].hit);
    EXPECT_EQ(a[i].verdict, b[i].verdict);
  }
}

TEST(BatchMessage, VerdictsComeBackAsTheyWere) {
  const std::vector<HitVerdict> all_counted = {{0, Verdict::counted(1)}, {1, Verdict::counted(1LL << 60)}};
  const std::vector<HitVerdict> mixed = {{0, Verdict::counted(7)},
                                         {1, Verdict::unknown_token()},
                                         {2, Verdict::not_counted()},
                                         {3, Verdict::perhaps_counted()}};
  const std::vector<HitVerdict> some = {{5, Verdict::counted(7)}, {2, Verdict::counted(8)}};
  expect_same(there_and_back(all_counted, 2), all_counted);
  expect_same(there_and_back(mixed, 4), mixed);
  expect_same(there_and_back(some, 6), some);
}

TEST(BatchMessage, VerdictsThatDoNotFitAreRefused) {
  v1::Verdicts message;
  std::vector<HitVerdict> verdicts;
  message.add_counts(1);
  EXPECT_FALSE(read_verdicts(message, 2, verdicts)) << "one of two, without saying which";
  message.add_hits(2);
  EXPECT_FALSE(read_verdicts(message, 2, verdicts)) << "a hit that the batch does not have";
  message.set_hits(0, 1);
  EXPECT_TRUE(read_verdicts(message, 2, verdicts));
  message.set_kinds("ab");
  EXPECT_FALSE(read_verdicts(message, 2, verdicts)) << "more kinds than counts";
}

TEST(BatchMessage, TimeLeft) {
  using std::chrono::microseconds;
  const std::chrono::steady_clock::time_point now{};
  EXPECT_EQ(milliseconds_left(now, now), 0U);
  EXPECT_EQ(milliseconds_left(now - microseconds(1), now), 0U);
  EXPECT_EQ(milliseconds_left(now + microseconds(1), now), 1U);
  EXPECT_EQ(milliseconds_left(now + microseconds(1500), now), 2U);
  EXPECT_EQ(milliseconds_left(domain::Deadline::max(), now), 0xFFFFFFFFU);
}

}  // namespace tracker::rpc
