#include "counter/read_queue.h"

#include <gtest/gtest.h>

#include <chrono>
#include <future>
#include <memory>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "counter/local_counter.h"
#include "domain/slot.h"
#include "domain/token_id.h"
#include "store/memory/memory_store.h"

namespace tracker::counter {
namespace {

using ReadKind = ReadFailure::Kind;
using store::StoredCount;
using Counts = std::vector<StoredCount>;
const store::CountsQuery everything{.limit = 1000};

/// The outcome of a read, when it comes.
class Awaited {
 public:
  OnRead on_read() {
    return [promise = promise_](ReadOutcome outcome) { promise->set_value(std::move(outcome)); };
  }
  ReadOutcome outcome() {
    auto outcome = promise_->get_future();
    if (outcome.wait_for(std::chrono::seconds(20)) != std::future_status::ready)
      throw std::runtime_error("no outcome");
    return outcome.get();
  }

 private:
  const std::shared_ptr<std::promise<ReadOutcome>> promise_ = std::make_shared<std::promise<ReadOutcome>>();
};

/// Nothing: the counts were read.
std::optional<ReadKind> failure(const ReadOutcome& outcome) {
  const auto* failure = std::get_if<ReadFailure>(&outcome);
  return failure == nullptr ? std::nullopt : std::optional(failure->kind);
}

class ReadQueueTest : public testing::Test {
 protected:
  struct Token final : MintReply {
    void on_minted(domain::Result<domain::Token> minted) override { token = *minted; }
    domain::Token token{};
  };
  struct Ignored final : TrackReply {
    void on_verdicts(std::span<const domain::HitVerdict> /*verdicts*/) override {}
  };

  domain::Token new_token() {
    Token minted;
    counter_->mint(domain::Deadline::max(), minted);
    return minted.token;
  }
  void hit(const domain::Token& token, std::string_view path) {
    domain::HitBatch hits;
    hits.push(domain::token_id(token), path);
    Ignored ignored;
    counter_->track(hits, ignored);
  }
  ReadOutcome read(const domain::Token& token, const store::CountsQuery& query = everything,
                   domain::Deadline deadline = domain::Deadline::max()) {
    Awaited awaited;
    counter_->read(token, query, deadline, awaited.on_read());
    return awaited.outcome();
  }
  Counts counts(const domain::Token& token, const store::CountsQuery& query = everything) {
    return std::get<store::TokenCounts>(read(token, query)).counts;
  }
  void mark(store::SlotMark::Kind kind, const domain::Token& token) {
    store_.contents()->set_mark({.kind = kind,
                                 .export_id = {1},
                                 .slots = domain::SlotSet().set(domain::slot_of(domain::token_id(token)))});
  }

  store::memory::MemoryStore store_;
  std::unique_ptr<LocalCounter> counter_ =
      std::make_unique<LocalCounter>(store_, std::make_unique<ReadQueue>([this] { return store_.reader(); }));
};

TEST_F(ReadQueueTest, ReadsTheCountsOfOneTokenAndCountsNothing) {
  const auto mine = new_token();
  const auto other = new_token();
  hit(mine, "/b");
  hit(mine, "/a");
  hit(mine, "/a");
  hit(other, "/secret");
  for (int i = 0; i < 3; ++i) EXPECT_EQ(counts(mine), (Counts{{"/a", 2}, {"/b", 1}}));
  EXPECT_EQ(counts(mine, {.prefix = "/b", .limit = 10}), (Counts{{"/b", 1}}));
  EXPECT_EQ(counts(mine, {.after = "/a", .limit = 10}), (Counts{{"/b", 1}}));
  EXPECT_TRUE(std::get<store::TokenCounts>(read(mine, {.limit = 1})).is_more);
  EXPECT_EQ(failure(read(domain::random_token())), ReadKind::unknown_token);
}

TEST_F(ReadQueueTest, WhereTokensMoveTheirCountsAreUnavailable) {
  using Mark = store::SlotMark::Kind;
  const auto token = new_token();
  mark(Mark::held, token);
  EXPECT_EQ(failure(read(token)), ReadKind::unavailable);
  mark(Mark::moved, token);
  EXPECT_EQ(failure(read(token)), ReadKind::unavailable);
  mark(Mark::importing, token);
  EXPECT_EQ(failure(read(token)), std::nullopt) << "it was counted here before the import";
  const auto coming = domain::random_token();
  EXPECT_EQ(failure(read(coming)), ReadKind::unknown_token);
  mark(Mark::importing, coming);
  EXPECT_EQ(failure(read(coming)), ReadKind::unavailable) << "it may still come";
}

TEST_F(ReadQueueTest, AReadWhoseTurnComesTooLateIsUnavailable) {
  EXPECT_EQ(failure(read(new_token(), everything, std::chrono::steady_clock::now())), ReadKind::unavailable);
}

TEST_F(ReadQueueTest, WithoutReadsAStoreIsUnsupported) {
  counter_ = std::make_unique<LocalCounter>(store_);
  EXPECT_EQ(failure(read(new_token())), ReadKind::unsupported);
}

/// A reader that waits for the test, and then fails.
class HeldReader final : public store::CountReader {
 public:
  store::SlotMarks marks() override { return {}; }
  explicit HeldReader(std::shared_future<void> go_on) : go_on_(std::move(go_on)) {}
  std::vector<store::TokenSummary> list(const domain::SlotSet& /*slots*/,
                                        const std::optional<domain::TokenId>& /*after*/,
                                        std::size_t /*limit*/) override {
    return {};
  }
  std::optional<store::TokenSummary> find(const domain::TokenId& /*id*/) override { return std::nullopt; }
  std::optional<store::TokenCounts> read(const domain::TokenId& id,
                                         const store::CountsQuery& /*query*/) override {
    go_on_.wait();
    if (id == domain::TokenId{}) throw store::UnsupportedError("never");
    throw store::StoreError("not now");
  }

 private:
  const std::shared_future<void> go_on_;
};

TEST(ReadQueue, RefusesWhatIsMoreThanMayWaitAndSaysWhatTheStoreSays) {
  std::promise<void> go_on;
  std::promise<void> reads;
  ReadQueue queue([&, held = go_on.get_future().share()] {
    reads.set_value();
    return std::make_unique<HeldReader>(held);
  });
  const auto read = [&](const domain::TokenId& id) {
    Awaited awaited;
    queue.read(id, everything, domain::Deadline::max(), awaited.on_read());
    return awaited;
  };
  auto first = read({});
  reads.get_future().wait();  // the first waits no longer
  std::vector<Awaited> waiting;
  for (std::size_t i = 0; i < ReadQueue::waiting_max; ++i) waiting.push_back(read({{1}}));
  EXPECT_EQ(failure(read({{1}}).outcome()), ReadKind::busy);
  go_on.set_value();
  EXPECT_EQ(failure(first.outcome()), ReadKind::unsupported);
  for (auto& its : waiting) EXPECT_EQ(failure(its.outcome()), ReadKind::unavailable);
}

TEST(ReadQueue, EndsWhileReadsWait) {
  std::promise<void> go_on;
  auto queue = std::make_unique<ReadQueue>(
      [held = go_on.get_future().share()] { return std::make_unique<HeldReader>(held); });
  for (int i = 0; i < 3; ++i) queue->read({}, everything, domain::Deadline::max(), [](auto) {});
  go_on.set_value();
  queue.reset();
}

}  // namespace
}  // namespace tracker::counter
