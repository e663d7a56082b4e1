#include "counter/partitioned_counter.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "domain/token_id.h"

namespace tracker::counter {
namespace {

using domain::Failure;
using domain::Readiness;
using domain::Verdict;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;
using namespace std::chrono_literals;

const auto list_abc = std::make_shared<const CounterList>(CounterList::parse("a=h:1,b=h:2,c=h:3", 1));

/// A counter whose verdicts the test gives.
struct FakeCounter final : Counter {
  struct Batch {
    const domain::HitBatch* hits;
    TrackReply* reply;
    std::size_t size = 0;
  };
  void track(const domain::HitBatch& hits, TrackReply& reply) override {
    batches.push_back({&hits, &reply, hits.size()});
    for (std::size_t hit = 0; hit < hits.size(); ++hit) paths.emplace_back(hits.path(hit));
    if (at_once) answer(*at_once);
  }
  void mint(domain::Deadline /*deadline*/, MintReply& reply) override {
    ++mints;
    reply.on_minted(minted);
  }
  void read(const domain::Token& /*token*/, const store::CountsQuery& /*query*/,
            domain::Deadline /*deadline*/, OnRead on_read) override {
    reads.push_back(std::move(on_read));
  }
  const CounterFactsSource& facts() const override { return says; }
  const ReadinessSource& readiness() const override { return ready; }

  /// Answers the oldest batch.
  void answer(const Verdict& verdict) {
    const auto batch = batches.front();
    batches.erase(batches.begin());
    batch.reply->on_one_verdict_for_all(batch.size, verdict);
  }
  void answer_hit(std::uint32_t hit, const Verdict& verdict) {
    const domain::HitVerdict its{hit, verdict};
    batches.front().reply->on_verdicts({&its, 1});
  }

  std::vector<Batch> batches;
  std::vector<std::string> paths;  // of all hits
  std::optional<Verdict> at_once;
  std::vector<OnRead> reads;
  int mints = 0;
  domain::Result<domain::Token> minted = domain::random_token();
  CounterFactsSource says{std::nullopt};
  ReadinessSource ready{Readiness::ready()};
};

struct Tracked final : TrackReply {
  void on_verdicts(std::span<const domain::HitVerdict> verdicts) override {
    for (const auto& [hit, verdict] : verdicts)
      EXPECT_TRUE(all.emplace(hit, verdict).second) << "hit " << hit;
    if (then) then();
  }
  std::map<std::uint32_t, Verdict> all;
  std::function<void()> then;
};

struct Minted final : MintReply {
  void on_minted(domain::Result<domain::Token> minted) override { outcomes.push_back(minted); }
  std::optional<Failure> failure(std::size_t mint) const {
    return outcomes.at(mint) ? std::nullopt : std::optional(outcomes.at(mint).error());
  }
  std::vector<domain::Result<domain::Token>> outcomes;
};

std::map<std::uint32_t, Verdict> all_of(std::uint32_t hits, const Verdict& verdict) {
  std::map<std::uint32_t, Verdict> all;
  for (std::uint32_t hit = 0; hit < hits; ++hit) all.emplace(hit, verdict);
  return all;
}

class PartitionedCounterTest : public testing::Test {
 protected:
  PartitionedCounterTest() {
    for (auto* counter : {&a_, &b_, &c_}) {
      CounterFacts facts{.owns_every_token = false, .name = name_of(*counter), .adopted = list_abc};
      counter->says.set(facts);
    }
    make();
  }
  void make() {
    whole_.reset();
    logged_.clear();
    whole_ =
        std::make_unique<PartitionedCounter>(list_abc, std::vector<Counter*>{&a_, &b_, &c_},
                                             [this](const std::string& words) { logged_.push_back(words); });
  }
  /// All count in this run of this store.
  void share(char store = 's', const std::string& run = "run") {
    for (auto* counter : {&a_, &b_, &c_}) own_everything(*counter, store, run);
    make();
  }
  static void own_everything(FakeCounter& counter, char store, const std::string& run) {
    CounterFacts facts;
    facts.store.emplace().id.fill(static_cast<std::uint8_t>(store));
    facts.store->server_run = run;
    counter.says.set(facts);
  }
  std::string name_of(const FakeCounter& counter) const {
    return &counter == &a_ ? "a" : &counter == &b_ ? "b" : "c";
  }
  FakeCounter& counter_of(const std::string& name) { return name == "a" ? a_ : name == "b" ? b_ : c_; }
  static void go_away(FakeCounter& counter) { counter.ready.set(Readiness::not_ready("away")); }

  /// A token of a slot that goes to these counters in this order.
  static domain::TokenId token_of(const std::string& owner, const std::string& next = "") {
    const auto& table = list_abc->table();
    while (true) {
      const auto id = domain::token_id(domain::random_token());
      const auto order = table.order(domain::slot_of(id));
      if (table.names()[order[0]] == owner && (next.empty() || table.names()[order[1]] == next)) return id;
    }
  }
  static domain::Token own_token_of(const std::string& owner, const std::string& next = "") {
    const auto& table = list_abc->table();
    while (true) {
      const auto token = domain::random_token();
      const auto order = table.order(domain::slot_of(domain::token_id(token)));
      if (table.names()[order[0]] == owner && (next.empty() || table.names()[order[1]] == next)) return token;
    }
  }
  static domain::HitBatch hits_of(const std::vector<std::string>& owners, const std::string& next = "") {
    domain::HitBatch hits;
    for (const auto& owner : owners)
      hits.push(token_of(owner, next), "/" + owner + std::to_string(hits.size()));
    hits.set_deadline(std::chrono::steady_clock::now() + 60s);
    return hits;
  }
  bool is_refused() {
    const auto hits = hits_of({"a", "b", "c"});
    Tracked tracked;
    whole_->track(hits, tracked);
    return tracked.all == all_of(3, Verdict::not_counted()) && a_.batches.empty();
  }
  std::string why_not() const {
    const auto readiness = whole_->readiness().value();
    return readiness.is_ready() ? "" : readiness.why_not();
  }

  FakeCounter a_;
  FakeCounter b_;
  FakeCounter c_;
  std::vector<std::string> logged_;
  std::unique_ptr<PartitionedCounter> whole_;
};

// Dividing.

TEST_F(PartitionedCounterTest, EachHitGoesToItsOwnerAndItsVerdictComesBack) {
  const auto hits = hits_of({"b", "a", "b", "c", "a"});
  Tracked tracked;
  whole_->track(hits, tracked);
  EXPECT_THAT(a_.paths, ElementsAre("/a1", "/a4"));
  EXPECT_THAT(b_.paths, ElementsAre("/b0", "/b2"));
  EXPECT_THAT(c_.paths, ElementsAre("/c3"));
  EXPECT_EQ(a_.batches.front().hits->deadline(), hits.deadline());
  c_.answer(Verdict::perhaps_counted());
  a_.answer_hit(1, Verdict::counted(4));
  b_.answer(Verdict::counted(2));
  a_.answer_hit(0, Verdict::unknown_token());
  EXPECT_EQ(tracked.all, (std::map<std::uint32_t, Verdict>{{0, Verdict::counted(2)},
                                                           {1, Verdict::unknown_token()},
                                                           {2, Verdict::counted(2)},
                                                           {3, Verdict::perhaps_counted()},
                                                           {4, Verdict::counted(4)}}));
}

TEST_F(PartitionedCounterTest, EachCounterIsToldItsShareOfTheClientsAsFollowers) {
  auto hits = hits_of({"a", "b"});
  hits.set_clients(100);
  Tracked tracked;
  whole_->track(hits, tracked);
  EXPECT_EQ(a_.batches.front().hits->followers(), 33U);
  EXPECT_EQ(b_.batches.front().hits->followers(), 33U);
  a_.answer(Verdict::counted(1));
  b_.answer(Verdict::counted(1));
  hits.set_clients(0);
  Tracked others;
  whole_->track(hits, others);
  EXPECT_EQ(a_.batches.back().hits->followers(), 0U) << "also of a batch that is used again";
}

TEST_F(PartitionedCounterTest, ABatchOfOneOwnerIsPassedOnAsItIs) {
  const auto hits = hits_of({"a", "a"});
  Tracked tracked;
  whole_->track(hits, tracked);
  EXPECT_EQ(a_.batches.front().hits, &hits);
  a_.answer(Verdict::counted(1));
  EXPECT_EQ(tracked.all, all_of(2, Verdict::counted(1)));
}

TEST_F(PartitionedCounterTest, ACounterThatHangsHoldsUpItsOwnHitsOnly) {
  const auto first = hits_of({"a", "b"});
  Tracked tracked;
  whole_->track(first, tracked);
  b_.answer(Verdict::counted(1));
  EXPECT_THAT(tracked.all, SizeIs(1));
  for (int i = 0; i < 10; ++i) {
    const auto more = hits_of({"b", "c"});
    Tracked others;
    whole_->track(more, others);
    c_.answer(Verdict::counted(2));
    b_.answer(Verdict::counted(2));
    EXPECT_EQ(others.all, all_of(2, Verdict::counted(2)));
  }
  a_.answer(Verdict::counted(1));
  EXPECT_EQ(tracked.all, all_of(2, Verdict::counted(1)));
}

TEST_F(PartitionedCounterTest, ManyBatchesAreUnderWayAtOnce) {
  std::vector<domain::HitBatch> batches;
  std::vector<Tracked> tracked(20);
  for (std::size_t i = 0; i < tracked.size(); ++i) batches.push_back(hits_of({"a", "b", "c", "a"}));
  for (int round = 0; round < 2; ++round) {
    for (std::size_t i = 0; i < tracked.size(); ++i) whole_->track(batches[i], tracked[i]);
    for (auto* counter : {&c_, &a_, &b_})
      for (std::size_t i = 0; i < tracked.size(); ++i) counter->answer(Verdict::counted(static_cast<int>(i)));
    for (std::size_t i = 0; i < tracked.size(); ++i)
      EXPECT_EQ(std::exchange(tracked[i].all, {}), all_of(4, Verdict::counted(static_cast<int>(i))));
  }
}

TEST_F(PartitionedCounterTest, ABatchThatIsAnsweredInPartIsNotReused) {
  const auto first = hits_of({"a", "a", "b"});
  Tracked tracked;
  whole_->track(first, tracked);
  a_.answer_hit(0, Verdict::counted(1));
  const auto second = hits_of({"b", "a", "c"});
  Tracked others;
  whole_->track(second, others);
  EXPECT_EQ(a_.batches[0].hits->size(), 2U);
  a_.answer_hit(1, Verdict::counted(7));
  b_.answer(Verdict::counted(7));
  EXPECT_EQ(tracked.all.size(), 3U);
  EXPECT_TRUE(others.all.empty());
}

TEST_F(PartitionedCounterTest, CountersMayReplyAtOnce) {
  for (auto* counter : {&a_, &b_, &c_}) counter->at_once = Verdict::counted(1);
  const auto hits = hits_of({"a", "b", "c", "a"});
  Tracked tracked;
  whole_->track(hits, tracked);
  EXPECT_EQ(tracked.all, all_of(4, Verdict::counted(1)));
}

TEST_F(PartitionedCounterTest, AReplyMayTrackMore) {
  for (const bool shares : {false, true}) {
    if (shares) share();
    for (auto* counter : {&a_, &b_, &c_}) counter->at_once = Verdict::counted(1);
    std::vector<domain::HitBatch> batches;
    std::vector<Tracked> tracked(8);
    for (std::size_t i = 0; i < tracked.size(); ++i) batches.push_back(hits_of({"c", "a", "b", "a"}));
    std::size_t next = 1;
    for (auto& its : tracked)
      its.then = [&] {
        if (next == tracked.size()) return;
        const auto now = next++;
        whole_->track(batches[now], tracked[now]);
      };
    whole_->track(batches[0], tracked[0]);
    for (const auto& its : tracked) EXPECT_EQ(its.all, all_of(4, Verdict::counted(1)));
  }
}

// Reading.

using ReadKind = ReadFailure::Kind;

struct ReadOutcomes {
  OnRead on_read() {
    return [this](ReadOutcome outcome) { all.push_back(std::move(outcome)); };
  }
  ReadKind last_failure() const { return std::get<ReadFailure>(all.back()).kind; }
  std::vector<ReadOutcome> all;
};

TEST_F(PartitionedCounterTest, AReadIsOfTheOwnerAndUnderWayUntilItsOutcome) {
  ReadOutcomes outcomes;
  whole_->read(own_token_of("b"), {}, {}, outcomes.on_read());
  ASSERT_THAT(b_.reads, SizeIs(1));
  EXPECT_TRUE(a_.reads.empty() && c_.reads.empty());
  whole_->retire();
  EXPECT_FALSE(whole_->is_idle());
  const store::TokenCounts counts{.counts = {{"/a", 1}}};
  b_.reads[0](counts);
  EXPECT_TRUE(whole_->is_idle());
  EXPECT_EQ(std::get<store::TokenCounts>(outcomes.all.at(0)), counts);
}

TEST_F(PartitionedCounterTest, AReadOfACounterThatIsAwayGoesToOneThatSharesItsStore) {
  ReadOutcomes outcomes;
  go_away(a_);
  whole_->read(own_token_of("a", "c"), {}, {}, outcomes.on_read());
  EXPECT_THAT(a_.reads, SizeIs(1)) << "nobody else has the token";
  share();
  whole_->read(own_token_of("a", "c"), {}, {}, outcomes.on_read());
  EXPECT_THAT(c_.reads, SizeIs(1));
  own_everything(c_, 's', "another run");
  whole_->read(own_token_of("a", "c"), {}, {}, outcomes.on_read());
  EXPECT_THAT(c_.reads, SizeIs(1));
}

TEST_F(PartitionedCounterTest, ATokenIsUnknownOnlyToACounterThatWouldKnowIt) {
  ReadOutcomes outcomes;
  const auto answer_unknown = [&] {
    whole_->read(own_token_of("b"), {}, {}, outcomes.on_read());
    b_.reads.back()(ReadFailure{ReadKind::unknown_token});
    return outcomes.last_failure();
  };
  EXPECT_EQ(answer_unknown(), ReadKind::unknown_token);
  auto facts = *b_.says.value();
  facts.adopted = std::make_shared<const CounterList>(CounterList::parse("a=h:1,b=h:2", 2));
  b_.says.set(facts);
  EXPECT_EQ(answer_unknown(), ReadKind::unavailable);
  share();
  EXPECT_EQ(answer_unknown(), ReadKind::unknown_token);
  own_everything(c_, 's', "another run");
  EXPECT_EQ(answer_unknown(), ReadKind::unavailable);
}

TEST_F(PartitionedCounterTest, CountersThatDoNotFitTogetherAreNotRead) {
  own_everything(b_, 's', "run");
  ReadOutcomes outcomes;
  whole_->read(own_token_of("a"), {}, {}, outcomes.on_read());
  EXPECT_EQ(outcomes.last_failure(), ReadKind::unavailable);
  EXPECT_TRUE(a_.reads.empty());
}

// Who fits together.

TEST_F(PartitionedCounterTest, AMixtureIsRefused) {
  own_everything(b_, 's', "run");
  EXPECT_TRUE(is_refused());
  EXPECT_THAT(why_not(), HasSubstr("counter b owns every token, and counter c is one of several"));
  EXPECT_THAT(logged_, SizeIs(1));
  Minted minted;
  whole_->mint({}, minted);
  EXPECT_EQ(minted.failure(0), Failure::not_done);
}

TEST_F(PartitionedCounterTest, CountersOfDifferentStoresAreRefused) {
  share();
  EXPECT_EQ(why_not(), "");
  own_everything(c_, 't', "run");
  EXPECT_TRUE(is_refused());
  EXPECT_THAT(why_not(), HasSubstr("count in different stores"));
  own_everything(c_, 's', "another run");
  EXPECT_EQ(why_not(), "") << "it ends standing in only";
}

TEST_F(PartitionedCounterTest, CountersThatAreNotKnownToShareAStoreAreRefused) {
  for (const bool knows_store : {false, true}) {
    share();
    CounterFacts facts;
    if (knows_store) facts.store = a_.says.value()->store;
    if (knows_store) facts.store->server_run = "";
    b_.says.set(facts);
    EXPECT_TRUE(is_refused());
    EXPECT_THAT(why_not(), HasSubstr("are not known to share one Redis"));
  }
}

// A counter that has just started does not know a store that it cannot reach. That is an outage of this one.
TEST_F(PartitionedCounterTest, ACounterThatIsCutOffFromItsStoreDisturbsNobody) {
  share();
  go_away(b_);
  b_.says.set(CounterFacts{});
  EXPECT_EQ(why_not(), "");
  const auto hits = hits_of({"a", "b"});
  Tracked tracked;
  whole_->track(hits, tracked);
  a_.answer(Verdict::counted(1));
  b_.answer(Verdict::not_counted());
  EXPECT_EQ(tracked.all,
            (std::map<std::uint32_t, Verdict>{{0, Verdict::counted(1)}, {1, Verdict::not_counted()}}));
  b_.ready.set(Readiness::ready());
  EXPECT_TRUE(is_refused()) << "it counts, and nobody knows where";
}

TEST_F(PartitionedCounterTest, AnotherListIsLoggedOnceAndRemarked) {
  auto facts = *b_.says.value();
  facts.adopted = std::make_shared<const CounterList>(CounterList::parse("a=h:1,b=h:2", 2));
  b_.says.set(facts);
  facts.empty_names = {"z"};
  b_.says.set(facts);
  ASSERT_THAT(logged_, SizeIs(1));
  EXPECT_THAT(logged_[0], HasSubstr("counter b has another list, a=h:1,b=h:2 (version 2), than this envoy, "
                                    "a=h:1,b=h:2,c=h:3 (version 1)"));
  EXPECT_THAT(whole_->readiness().value().remarks(), ElementsAre(logged_[0]));
}

TEST_F(PartitionedCounterTest, IsReadyAsLongAsOneCounts) {
  go_away(a_);
  go_away(b_);
  EXPECT_EQ(why_not(), "");
  EXPECT_THAT(whole_->readiness().value().remarks(), ElementsAre("away", "away"));
  go_away(c_);
  EXPECT_EQ(why_not(), "away; away; away");
}

// Unknown tokens.

// Another counter of this envoy's list may know it, one that has not been heard yet.
TEST_F(PartitionedCounterTest, ThatATokenIsUnknownIsNotBelievedOfACounterWithAnotherList) {
  auto facts = *b_.says.value();
  const auto list = facts.adopted;
  facts.adopted = std::make_shared<const CounterList>(CounterList::parse("a=h:1,b=h:2"));
  b_.says.set(facts);
  b_.at_once = Verdict::unknown_token();
  a_.at_once = Verdict::unknown_token();
  const auto answers = [&](const std::vector<std::string>& owners) {
    const auto hits = hits_of(owners);
    Tracked tracked;
    whole_->track(hits, tracked);
    return tracked.all;
  };
  using Answers = std::map<std::uint32_t, Verdict>;
  EXPECT_EQ(answers({"b"}), (Answers{{0, Verdict::not_counted()}}));
  EXPECT_EQ(answers({"a", "b"}), (Answers{{0, Verdict::unknown_token()}, {1, Verdict::not_counted()}}));
  b_.at_once = Verdict::counted(7);
  EXPECT_EQ(answers({"b"}), (Answers{{0, Verdict::counted(7)}}));
  b_.at_once = Verdict::unknown_token();
  facts.adopted = list;
  b_.says.set(facts);
  EXPECT_EQ(answers({"b"}), (Answers{{0, Verdict::unknown_token()}}));
}

TEST_F(PartitionedCounterTest, ThatATokenIsUnknownIsBelievedOnceAllShareOneStore) {
  share();
  for (auto* counter : {&a_, &b_, &c_}) counter->at_once = Verdict::unknown_token();
  const auto answers = [&] {
    const auto hits = hits_of({"a", "b", "c"});
    Tracked tracked;
    whole_->track(hits, tracked);
    return tracked.all;
  };
  EXPECT_EQ(answers(), all_of(3, Verdict::unknown_token()));
  own_everything(c_, 's', "another run");
  EXPECT_EQ(answers(), all_of(3, Verdict::not_counted()));
  c_.says.set(std::nullopt);
  make();
  EXPECT_EQ(answers()[0], Verdict::not_counted()) << "c has never been reached";
}

// Standing in.

TEST_F(PartitionedCounterTest, TheNextInOrderStandsInWhileTheOwnerIsAway) {
  share();
  go_away(a_);
  const auto hits = hits_of({"a"}, "c");
  Tracked tracked;
  whole_->track(hits, tracked);
  EXPECT_THAT(a_.batches, IsEmpty());
  c_.answer(Verdict::counted(1));
  EXPECT_EQ(tracked.all, all_of(1, Verdict::counted(1)));
}

TEST_F(PartitionedCounterTest, AHitThatWasRefusedByOneThatIsAwayGoesToTheNext) {
  share();
  const auto hits = hits_of({"a", "b", "a"}, "");
  Tracked tracked;
  whole_->track(hits, tracked);
  go_away(a_);
  a_.answer(Verdict::not_counted());
  EXPECT_THAT(tracked.all, IsEmpty());
  for (auto* counter : {&b_, &c_})
    while (!counter->batches.empty()) counter->answer(Verdict::counted(1));
  EXPECT_EQ(tracked.all, all_of(3, Verdict::counted(1)));
  EXPECT_EQ(a_.paths.size() + b_.paths.size() + c_.paths.size(), 5U);
}

TEST_F(PartitionedCounterTest, NobodyStandsInForWhatWasPerhapsCounted) {
  share();
  for (const auto& verdict : {Verdict::perhaps_counted(), Verdict::counted(3), Verdict::unknown_token()}) {
    a_.ready.set(Readiness::ready());
    const auto hits = hits_of({"a"});
    Tracked tracked;
    whole_->track(hits, tracked);
    go_away(a_);
    a_.answer(verdict);
    EXPECT_EQ(tracked.all, all_of(1, verdict));
  }
  EXPECT_TRUE(b_.paths.empty() && c_.paths.empty());
}

TEST_F(PartitionedCounterTest, NobodyStandsInForOneThatCanCount) {
  share();
  const auto hits = hits_of({"a"});
  Tracked tracked;
  whole_->track(hits, tracked);
  a_.answer(Verdict::not_counted());
  EXPECT_EQ(tracked.all, all_of(1, Verdict::not_counted())) << "it has too much to do";
}

TEST_F(PartitionedCounterTest, NobodyStandsInAfterTheDeadline) {
  share();
  auto hits = hits_of({"a"});
  hits.set_deadline(std::chrono::steady_clock::now());
  Tracked tracked;
  whole_->track(hits, tracked);
  go_away(a_);
  a_.answer(Verdict::not_counted());
  EXPECT_EQ(tracked.all, all_of(1, Verdict::not_counted()));
}

TEST_F(PartitionedCounterTest, NobodyStandsInInAnotherRunOfTheServer) {
  share();
  own_everything(b_, 's', "another run");
  own_everything(c_, 's', "another run");
  const auto hits = hits_of({"a"});
  Tracked tracked;
  whole_->track(hits, tracked);
  go_away(a_);
  a_.answer(Verdict::not_counted());
  EXPECT_EQ(tracked.all, all_of(1, Verdict::not_counted()));
  Tracked again;
  whole_->track(hits, again);
  a_.answer(Verdict::not_counted());
  EXPECT_EQ(again.all, all_of(1, Verdict::not_counted()));
}

TEST_F(PartitionedCounterTest, NobodyStandsInForOneOfSeveral) {
  const auto hits = hits_of({"a"});
  Tracked tracked;
  go_away(a_);
  whole_->track(hits, tracked);
  a_.answer(Verdict::not_counted());
  EXPECT_EQ(tracked.all, all_of(1, Verdict::not_counted()));
}

TEST_F(PartitionedCounterTest, AHitIsHandedToTwoCountersAtMost) {
  share();
  const auto hits = hits_of({"a"}, "b");
  Tracked tracked;
  whole_->track(hits, tracked);
  go_away(a_);
  a_.answer(Verdict::not_counted());
  go_away(b_);
  b_.answer(Verdict::not_counted());
  EXPECT_EQ(tracked.all, all_of(1, Verdict::not_counted()));
  EXPECT_THAT(c_.paths, IsEmpty());
}

// Minting.

TEST_F(PartitionedCounterTest, MintsAreSpreadOverThoseThatCount) {
  const auto mint = [&](int times) {
    Minted minted;
    for (auto* counter : {&a_, &b_, &c_}) counter->mints = 0;
    for (int i = 0; i < times; ++i) whole_->mint(domain::Deadline::max(), minted);
    for (const auto& outcome : minted.outcomes) EXPECT_TRUE(outcome.has_value());
    return std::vector{a_.mints, b_.mints, c_.mints};
  };
  EXPECT_THAT(mint(30), ElementsAre(10, 10, 10));
  go_away(b_);
  EXPECT_THAT(mint(30), ElementsAre(15, 0, 15));
}

TEST_F(PartitionedCounterTest, AMintIsAskedOfEachOnce) {
  for (auto* counter : {&a_, &b_, &c_}) counter->minted = Failure::not_done;
  Minted minted;
  whole_->mint(domain::Deadline::max(), minted);
  EXPECT_EQ(minted.failure(0), Failure::not_done);
  go_away(b_);
  c_.minted = Failure::perhaps_done;
  whole_->mint(domain::Deadline::max(), minted);
  EXPECT_EQ(minted.failure(1), Failure::perhaps_done);
  EXPECT_EQ(a_.mints, 2);
  EXPECT_EQ(b_.mints, 1);
  EXPECT_EQ(c_.mints, 2);
  a_.minted = domain::random_token();
  for (int i = 0; i < 4; ++i) whole_->mint(domain::Deadline::max(), minted);
  for (std::size_t i = 2; i < 6; ++i) EXPECT_EQ(minted.failure(i), std::nullopt);
}

TEST_F(PartitionedCounterTest, AMintThatIsTooLateIsNotAskedAgain) {
  for (auto* counter : {&a_, &b_, &c_}) counter->minted = Failure::not_done;
  Minted minted;
  whole_->mint(std::chrono::steady_clock::now(), minted);
  EXPECT_EQ(a_.mints + b_.mints + c_.mints, 1);
  EXPECT_EQ(minted.outcomes.size(), 1U);
}

TEST_F(PartitionedCounterTest, AnswersWhatIsUnderWayAfterItsEnd) {
  const auto hits = hits_of({"a", "b"});
  Tracked tracked;
  whole_->track(hits, tracked);
  whole_->retire();
  go_away(a_);
  EXPECT_EQ(why_not(), "");
  a_.answer(Verdict::counted(1));
  b_.answer(Verdict::counted(1));
  EXPECT_EQ(tracked.all, all_of(2, Verdict::counted(1)));
}

}  // namespace
}  // namespace tracker::counter
