#include "counter/partition_member.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <boost/asio/executor_work_guard.hpp>
#include <chrono>
#include <deque>
#include <functional>
#include <future>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "domain/token_id.h"
#include "store/memory/memory_store.h"

namespace tracker::counter {
namespace {

using domain::Failure;
using domain::Verdict;
using store::StoreFacts;
using testing::HasSubstr;
using namespace std::chrono_literals;

CounterListPtr list_of(std::string_view text, std::uint64_t version) {
  return std::make_shared<const CounterList>(CounterList::parse(text, version));
}
const auto list_a = list_of("a=h:1", 0);
const auto list_ab = list_of("a=h:1,b=h:2", 1);

StoreFacts store_facts(char letter, std::string record = "") {
  StoreFacts facts;
  facts.id.fill(static_cast<std::uint8_t>(letter));
  facts.record = std::move(record);
  return facts;
}

/// A store in which the test decides what becomes of records, of the search for slots, and of hits.
class FakeStore final : public store::CounterStore {
 public:
  ~FakeStore() override {
    for (auto* search : searches) search->on_slots(domain::Failure::not_done);
  }

  void track(const domain::HitBatch& hits, TrackReply& reply) override {
    if (!holds_hits) return memory_.track(hits, reply);
    held_hits.push_back({&hits, &reply});
  }
  void add_token(const domain::TokenId& id, const domain::TokenRecord& record, domain::Deadline deadline,
                 store::AddReply& reply) override {
    {
      const std::lock_guard lock(mutex_);
      minted.push_back(id);
      slots.set(domain::slot_of(id));
    }
    memory_.add_token(id, record, deadline, reply);
  }
  const store::StoreFactsSource& facts() const override { return says; }
  void write_record(std::string record, domain::Deadline /*deadline*/, store::WriteReply& reply) override {
    ++writes;
    EXPECT_EQ(writing, nullptr) << "one record at a time";
    record_ = std::move(record);
    writing = &reply;
    if (writes_at_once) end_write();
  }
  void find_slots(store::SlotsReply& reply) override {
    searches.push_back(&reply);
    if (finds_at_once) end_search(slots);
  }
  const store::ReadinessSource& readiness() const override { return ready_; }

  PartitionRecord record_being_written() const { return PartitionRecord::parse(record_).value(); }
  void end_write(domain::Result<void> written = {}) {
    if (written) durable = PartitionRecord::parse(record_);
    std::exchange(writing, nullptr)->on_written(written);
  }
  void end_search(domain::Result<domain::SlotSet> found) {
    auto* reply = searches.front();
    searches.pop_front();
    reply->on_slots(found);
  }
  void end_hits() {
    for (const auto& [hits, reply] : std::exchange(held_hits, {})) memory_.track(*hits, *reply);
  }

  bool writes_at_once = true;
  bool finds_at_once = true;
  bool holds_hits = false;
  store::StoreFactsSource says{store_facts('s')};
  domain::SlotSet slots;
  std::optional<PartitionRecord> durable;
  std::vector<domain::TokenId> minted;
  int writes = 0;
  store::WriteReply* writing = nullptr;
  std::deque<store::SlotsReply*> searches;
  struct Held {
    const domain::HitBatch* hits;
    TrackReply* reply;
  };
  std::vector<Held> held_hits;

 private:
  std::mutex mutex_;  // add_token() is called on several threads
  store::memory::MemoryStore memory_;
  std::string record_;
  store::ReadinessSource ready_{domain::Readiness::ready()};
};

/// A counter of the list that says what the test makes it say.
struct FakePeer final : Counter {
  void track(const domain::HitBatch& /*hits*/, TrackReply& /*reply*/) override { FAIL(); }
  void mint(domain::Deadline /*deadline*/, MintReply& /*reply*/) override { FAIL(); }
  const CounterFactsSource& facts() const override { return says; }
  const ReadinessSource& readiness() const override { return ready; }
  void retire() override { is_retired = true; }
  CounterFactsSource says{std::nullopt};
  ReadinessSource ready{domain::Readiness::ready()};
  bool is_retired = false;
};

/// A reader to which every token is known, without counts.
class FakeReader final : public store::CountReader {
 public:
  explicit FakeReader(const std::function<void()>& meanwhile) : meanwhile_(meanwhile) {}
  std::vector<store::TokenSummary> list(const domain::SlotSet& /*slots*/,
                                        const std::optional<domain::TokenId>& /*after*/,
                                        std::size_t /*limit*/) override {
    return {};
  }
  std::optional<store::TokenSummary> find(const domain::TokenId& /*id*/) override { return std::nullopt; }
  store::SlotMarks marks() override { return {}; }
  std::optional<store::TokenCounts> read(const domain::TokenId& /*id*/,
                                         const store::CountsQuery& /*query*/) override {
    if (meanwhile_) meanwhile_();
    return store::TokenCounts{};
  }

 private:
  const std::function<void()>& meanwhile_;
};

struct Minted final : MintReply {
  void on_minted(domain::Result<domain::Token> minted) override { outcome = minted; }
  std::optional<domain::Result<domain::Token>> outcome;
  bool is_done() const { return outcome && outcome->has_value(); }
  bool is_refused() const { return outcome && *outcome == domain::Result<domain::Token>(Failure::not_done); }
};

struct Tracked final : TrackReply {
  void on_verdicts(std::span<const domain::HitVerdict> verdicts) override {
    for (const auto& [hit, verdict] : verdicts) EXPECT_TRUE(all.emplace(hit, verdict).second);
  }
  std::map<std::uint32_t, Verdict> all;
};

domain::Deadline soon() {
  return std::chrono::steady_clock::now() + 60s;
}

class PartitionMemberTest : public testing::Test {
 protected:
  ~PartitionMemberTest() override { member_.reset(); }

  void start(const CounterListPtr& list = list_ab) {
    member_ = std::make_unique<PartitionMember>(
        control_, store_, "a", list,
        [this](const CounterList::Entry& entry) {
          auto peer = std::make_unique<FakePeer>();
          peers_[entry.name] = peer.get();
          made_.push_back(entry.name + " at " + to_string(entry.address));
          return peer;
        },
        std::make_unique<ReadQueue>([this] { return std::make_unique<FakeReader>(while_reading_); }));
    run();
  }
  /// Runs what is to be done now.
  void run() {
    control_.restart();
    control_.poll();
  }
  /// Runs also what the member waits for.
  void run_until(const std::function<bool()>& condition) {
    const auto deadline = soon();
    control_.restart();
    while (!condition() && std::chrono::steady_clock::now() < deadline)
      control_.run_one_for(10ms), control_.restart();
    EXPECT_TRUE(condition());
  }

  /// What a good counter of this name says.
  CounterFacts peer_facts(const std::string& name, const CounterListPtr& list) {
    CounterFacts facts{
        .owns_every_token = false, .store = store_facts(name.front()), .name = name, .adopted = list};
    facts.bound["a"] = store_facts('s').id;
    for (const auto& entry : list->entries())
      if (entry.name != name) facts.names.insert(entry.name);
    return facts;
  }
  void hear(const std::string& name, const CounterListPtr& list) {
    peers_.at(name)->says.set(peer_facts(name, list));
    run();
  }
  void start_settled() {
    start();
    hear("b", list_ab);
    ASSERT_TRUE(counts_in(Membership::own(*list_ab, "a")));
  }

  /// A token in one of these slots.
  static domain::TokenId token_in(const domain::SlotSet& slots) {
    while (true) {
      const auto id = domain::token_id(domain::random_token());
      if (slots[domain::slot_of(id)]) return id;
    }
  }
  domain::HitBatch hits_in(const domain::SlotSet& slots, std::size_t n = 1) {
    domain::HitBatch hits;
    for (std::size_t i = 0; i < n; ++i) hits.push(token_in(slots), "/");
    hits.set_deadline(soon());
    return hits;
  }
  bool counts_in(const domain::SlotSet& slots) {
    const auto hits = hits_in(slots);
    Tracked tracked;
    member_->track(hits, tracked);
    return tracked.all.at(0) != Verdict::not_counted();
  }
  /// Reads a token in these slots. Returns why it was not read, or nothing if it was.
  std::optional<ReadFailure> why_not_read(const domain::SlotSet& slots) {
    auto token = domain::random_token();
    while (!slots[domain::slot_of(domain::token_id(token))]) token = domain::random_token();
    std::promise<ReadOutcome> read;
    member_->read(token, {.limit = 1}, soon(), [&](const ReadOutcome& outcome) { read.set_value(outcome); });
    const auto outcome = read.get_future().get();
    const auto* failure = std::get_if<ReadFailure>(&outcome);
    return failure == nullptr ? std::nullopt : std::optional(*failure);
  }
  CounterFacts facts() const { return member_->facts().value().value(); }
  std::string why_not() const {
    const auto readiness = member_->readiness().value();
    return readiness.is_ready() ? "" : readiness.why_not();
  }
  std::string remarks() const { return testing::PrintToString(member_->readiness().value().remarks()); }

  const domain::SlotSet own_ = Membership::own(*list_ab, "a");
  boost::asio::io_context control_{1};
  FakeStore store_;
  std::map<std::string, FakePeer*> peers_;
  std::vector<std::string> made_;
  std::function<void()> while_reading_;
  std::unique_ptr<PartitionMember> member_;
};

// Counting.

TEST_F(PartitionMemberTest, CountsOnceItsSlotsAreSettled) {
  start();
  EXPECT_FALSE(counts_in(own_));
  EXPECT_THAT(why_not(), HasSubstr("counter b at h:2 has not been reached"));
  EXPECT_EQ(*facts().adopted, *list_ab);
  EXPECT_EQ(facts().name, "a");
  EXPECT_FALSE(facts().owns_every_token);
  hear("b", list_ab);
  EXPECT_TRUE(counts_in(own_));
  EXPECT_EQ(why_not(), "");
  EXPECT_FALSE(counts_in(~own_));
}

TEST_F(PartitionMemberTest, RefusesTheHitsOfOthersInABatch) {
  start_settled();
  Minted minted;
  member_->mint(soon(), minted);
  run();
  ASSERT_TRUE(minted.is_done());
  const auto id = domain::token_id(**minted.outcome);
  domain::HitBatch hits;
  hits.push(token_in(~own_), "/other");
  hits.push(id, "/a");
  hits.push(token_in(~own_), "/other");
  hits.push(id, "/a");
  hits.push(token_in(own_), "/unknown");
  Tracked tracked;
  member_->track(hits, tracked);
  EXPECT_EQ(tracked.all, (std::map<std::uint32_t, Verdict>{{0, Verdict::not_counted()},
                                                           {1, Verdict::counted(1)},
                                                           {2, Verdict::not_counted()},
                                                           {3, Verdict::counted(2)},
                                                           {4, Verdict::unknown_token()}}));
}

TEST_F(PartitionMemberTest, ReadsTokensOfSettledSlotsAlone) {
  start();
  ASSERT_TRUE(why_not_read(own_));
  EXPECT_EQ(why_not_read(own_)->kind, ReadFailure::Kind::unavailable);
  hear("b", list_ab);
  EXPECT_FALSE(why_not_read(own_));
  ASSERT_TRUE(why_not_read(~own_));
  EXPECT_EQ(why_not_read(~own_)->kind, ReadFailure::Kind::unavailable);
  EXPECT_EQ(why_not_read(~own_)->why, "the token is counted by counter b at h:2");
}

TEST_F(PartitionMemberTest, DoesNotAnswerForASlotThatLeftWhileItWasRead) {
  start_settled();
  while_reading_ = [this] { store_.says.set(store_facts('t')); };
  ASSERT_TRUE(why_not_read(own_));
  EXPECT_EQ(why_not_read(own_)->kind, ReadFailure::Kind::unavailable);
}

TEST_F(PartitionMemberTest, SaysWhoOwnsAToken) {
  start();
  EXPECT_EQ(member_->owner_elsewhere(token_in(own_)), std::nullopt);
  EXPECT_EQ(member_->owner_elsewhere(token_in(~own_)), "counter b at h:2");
}

TEST_F(PartitionMemberTest, NothingIsCountedOrMintedBeforeTheRecordIsDurable) {
  store_.writes_at_once = false;
  start(list_a);
  Minted minted;
  member_->mint(soon(), minted);
  EXPECT_TRUE(minted.is_refused());
  EXPECT_FALSE(counts_in(~domain::SlotSet{}));
  EXPECT_EQ(facts().adopted, nullptr);
  EXPECT_TRUE(store_.record_being_written().settled.all());
  store_.end_write();
  run();
  EXPECT_TRUE(counts_in(~domain::SlotSet{}));
  EXPECT_EQ(*facts().adopted, *list_a);
}

TEST_F(PartitionMemberTest, ASlotIsNotCountedInBeforeItIsSettledDurably) {
  start();
  store_.writes_at_once = false;
  hear("b", list_ab);
  EXPECT_EQ(store_.record_being_written().settled, own_);
  EXPECT_FALSE(counts_in(own_));
  EXPECT_EQ(facts().settled, 0U);
  store_.end_write();
  run();
  EXPECT_TRUE(counts_in(own_));
  EXPECT_EQ(facts().settled, own_.count());
}

TEST_F(PartitionMemberTest, NothingIsSaidToBeWellBeforeItIsDurable) {
  start_settled();
  const auto b_leaves = list_of("a=h:1,b=h:2,leaving", 2);
  member_->adopt(b_leaves);
  run();
  EXPECT_THAT(remarks(), HasSubstr("are refused"));
  store_.writes_at_once = false;
  hear("b", b_leaves);
  EXPECT_FALSE(counts_in(~own_));
  EXPECT_THAT(remarks(), HasSubstr("refused until it is durable"));
  store_.end_write();
  run();
  EXPECT_TRUE(counts_in(~own_));
  EXPECT_EQ(remarks(), "{}");
}

// Whoever hears that a counter is ready may send a hit at once.
TEST_F(PartitionMemberTest, CountsAlreadyWhenItIsSaidToBeReady) {
  start();
  bool counted = false;
  const auto subscription = member_->readiness().subscribe([&](const domain::Readiness& readiness) {
    if (readiness.is_ready()) counted = counts_in(own_);
  });
  hear("b", list_ab);
  EXPECT_TRUE(counted);
}

TEST_F(PartitionMemberTest, ARecordThatIsNotWrittenIsTriedAgain) {
  store_.writes_at_once = false;
  start(list_a);
  for (const auto failure : {Failure::not_done, Failure::perhaps_done}) {
    const int writes = store_.writes;
    store_.end_write(failure);
    run_until([&] { return store_.writes > writes; });
    EXPECT_FALSE(counts_in(~domain::SlotSet{}));
  }
  store_.end_write();
  run();
  EXPECT_TRUE(counts_in(~domain::SlotSet{}));
}

TEST_F(PartitionMemberTest, ARestartUnderTheSameListAsksNobody) {
  start_settled();
  member_.reset();
  store_.says.set(store_facts('s', store_.durable->to_string()));
  const int writes = store_.writes;
  peers_.clear();
  start();
  EXPECT_TRUE(counts_in(own_));
  EXPECT_EQ(store_.writes, writes + 1) << "it tells processes that had the store before";
  EXPECT_EQ(*facts().adopted, *list_ab);
}

// Minting.

TEST_F(PartitionMemberTest, MintsTokensOfItsOwnThatAreKnown) {
  start_settled();
  for (int i = 0; i < 100; ++i) {
    Minted minted;
    member_->mint(soon(), minted);
    run();
    ASSERT_TRUE(minted.is_done());
    EXPECT_TRUE(own_[domain::slot_of(domain::token_id(**minted.outcome))]);
  }
  EXPECT_EQ(store_.durable->held, store_.slots);
  EXPECT_TRUE(facts().held.none()) << "they are its own";
}

TEST_F(PartitionMemberTest, AMintWaitsUntilItsSlotIsHeldDurably) {
  start_settled();
  store_.writes_at_once = false;
  Minted first;
  Minted second;
  member_->mint(soon(), first);
  run();
  member_->mint(soon(), second);
  run();
  EXPECT_FALSE(first.outcome || second.outcome);
  EXPECT_EQ(store_.record_being_written().held.count(), 1U);
  store_.end_write();
  run();
  EXPECT_TRUE(first.is_done());
  EXPECT_FALSE(second.outcome);
  store_.end_write();
  run();
  EXPECT_TRUE(second.is_done());
  EXPECT_EQ(store_.durable->held, store_.slots);
}

TEST_F(PartitionMemberTest, AMintInASlotThatIsHeldWaitsForNothing) {
  start_settled();
  store_.slots = own_;
  member_.reset();
  store_.says.set(std::nullopt);
  store_.says.set(store_facts('s'));
  start_settled();
  store_.writes_at_once = false;
  Minted minted;
  member_->mint(soon(), minted);
  EXPECT_TRUE(minted.is_done());
}

TEST_F(PartitionMemberTest, AMintThatIsTooLateIsRefused) {
  start_settled();
  store_.writes_at_once = false;
  Minted minted;
  member_->mint(std::chrono::steady_clock::now(), minted);
  run();
  store_.end_write();
  run();
  EXPECT_TRUE(minted.is_refused());
  EXPECT_TRUE(store_.minted.empty());
}

TEST_F(PartitionMemberTest, AMintWhoseSlotIsLostMeanwhileIsRefused) {
  start_settled();
  store_.writes_at_once = false;
  std::vector<Minted> minted(200);
  for (auto& each : minted) member_->mint(soon(), each);
  run();
  const auto list_abc = list_of("a=h:1,b=h:2,c=h:3", 2);
  member_->adopt(list_abc);
  run();
  store_.end_write();
  run();
  store_.end_write();
  run();
  const auto its_own = Membership::own(*list_abc, "a");
  for (const auto& id : store_.minted) EXPECT_TRUE(its_own[domain::slot_of(id)]);
  std::size_t done = 0;
  for (const auto& each : minted) {
    EXPECT_TRUE(each.outcome);
    done += each.is_done() ? 1 : 0;
  }
  EXPECT_EQ(done, store_.minted.size());
  EXPECT_LT(done, minted.size());
}

TEST_F(PartitionMemberTest, NoMintIsForgotten) {
  start_settled();
  auto work = boost::asio::make_work_guard(control_);
  control_.restart();
  std::thread control([this] { control_.run(); });
  std::vector<std::thread> callers;
  std::atomic<int> refused = 0;
  for (int i = 0; i < 3; ++i) {
    callers.emplace_back([&] {
      struct Waiting final : MintReply {
        void on_minted(domain::Result<domain::Token> minted) override {
          outcome.set_value(minted.has_value());
        }
        std::promise<bool> outcome;
      };
      for (int mint = 0; mint < 1'000; ++mint) {
        auto waiting = std::make_unique<Waiting>();
        auto outcome = waiting->outcome.get_future();
        member_->mint(soon(), *waiting);
        if (outcome.wait_for(20s) != std::future_status::ready) {
          ADD_FAILURE() << "no reply";
          static_cast<void>(waiting.release());
          return;
        }
        if (!outcome.get()) ++refused;
      }
    });
  }
  for (auto& caller : callers) caller.join();
  EXPECT_EQ(refused, 0);
  work.reset();
  control_.stop();
  control.join();
}

// Changes of the list.

TEST_F(PartitionMemberTest, AListIsToldAfterTheHitsInSlotsThatItTakesAway) {
  start_settled();
  const auto list_abc = list_of("a=h:1,b=h:2,c=h:3", 2);
  const auto lost = own_ & ~Membership::own(*list_abc, "a");
  store_.holds_hits = true;
  const auto hits = hits_in(lost);
  Tracked tracked;
  member_->track(hits, tracked);
  const int writes = store_.writes;
  member_->adopt(list_abc);
  run();
  EXPECT_FALSE(counts_in(lost));
  EXPECT_EQ(store_.writes, writes) << "it is not durable either";
  EXPECT_EQ(*facts().adopted, *list_ab);
  store_.end_hits();
  EXPECT_TRUE(tracked.all.contains(0));
  run_until([&] { return *facts().adopted == *list_abc; });
}

TEST_F(PartitionMemberTest, HitsInSlotsThatStayHoldUpNothing) {
  start_settled();
  const auto list_abc = list_of("a=h:1,b=h:2,c=h:3", 2);
  store_.holds_hits = true;
  member_->adopt(list_abc);
  run();
  EXPECT_EQ(*facts().adopted, *list_abc);
  const auto hits = hits_in(Membership::own(*list_abc, "a"));
  Tracked tracked;
  member_->track(hits, tracked);
  member_->adopt(list_of("a=h:1,b=h:2,c=h:3", 3));
  run();
  EXPECT_EQ(facts().adopted->version(), 3U);
  store_.end_hits();
}

// A view that was replaced by a wider one may still be in use when a narrower one comes.
TEST_F(PartitionMemberTest, HitsOfLongAgoAreWaitedForToo) {
  const auto list_abc = list_of("a=h:1,b=h:2,c=h:3", 1);
  start(list_abc);
  auto b = peer_facts("b", list_abc);
  auto c = peer_facts("c", list_abc);
  const auto own = Membership::own(*list_abc, "a");
  const auto list_abcd = list_of("a=h:1,b=h:2,c=h:3,d=h:4", 2);
  const auto lost = own & ~Membership::own(*list_abcd, "a");
  b.held = own & ~lost;
  peers_["b"]->says.set(b);
  peers_["c"]->says.set(c);
  run();
  ASSERT_TRUE(counts_in(lost));
  store_.holds_hits = true;
  const auto hits = hits_in(lost);
  Tracked tracked;
  member_->track(hits, tracked);
  hear("b", list_abc);  // b's tokens were moved
  store_.holds_hits = false;
  ASSERT_TRUE(counts_in(own & ~lost));
  member_->adopt(list_abcd);
  run();
  EXPECT_EQ(*facts().adopted, *list_abc);
  store_.end_hits();
  run_until([&] { return *facts().adopted == *list_abcd; });
}

TEST_F(PartitionMemberTest, AListThatIsRefusedLeavesTheOneSoFar) {
  start_settled();
  member_->adopt(list_of("a=h:1,c=h:3", 2));
  run();
  EXPECT_TRUE(counts_in(own_));
  EXPECT_EQ(why_not(), "");
  EXPECT_THAT(remarks(), HasSubstr("it lacks b, which may hold tokens"));
  EXPECT_EQ(*facts().adopted, *list_ab);
  member_->adopt(list_of("a=h:1,b=h:2", 2));
  run();
  EXPECT_EQ(remarks(), "{}");
}

TEST_F(PartitionMemberTest, AListThatIsRefusedAtTheStartMakesItUnready) {
  start_settled();
  member_.reset();
  store_.says.set(store_facts('s', store_.durable->to_string()));
  start(list_of("a=h:1,c=h:3", 2));
  EXPECT_FALSE(counts_in(own_));
  EXPECT_THAT(why_not(), HasSubstr("it lacks b, which may hold tokens"));
  EXPECT_EQ(made_.back(), "b at h:2") << "the list so far";
  member_->adopt(list_ab);
  run();
  EXPECT_TRUE(counts_in(own_));
  EXPECT_EQ(why_not(), "");
}

TEST_F(PartitionMemberTest, ForgettingMayMakeTheListOfTheStartFit) {
  start_settled();
  const auto c_leaves = list_of("a=h:1,b=h:2,c=h:3,leaving", 2);
  member_->adopt(c_leaves);
  run();
  member_.reset();
  store_.says.set(store_facts('s', store_.durable->to_string()));
  start(list_of("a=h:1,b=h:2", 3));
  EXPECT_THAT(why_not(), HasSubstr("it lacks c"));
  std::string words;
  member_->forget("c", {}, [&](bool /*is_forgotten*/, const std::string& its) { words = its; });
  run();
  EXPECT_THAT(words, HasSubstr("c"));
  EXPECT_EQ(facts().adopted->version(), 3U);
  EXPECT_TRUE(counts_in(own_));
}

TEST_F(PartitionMemberTest, ACounterThatIsNotInTheListAnyMoreIsNotAsked) {
  start();
  auto* b = peers_.at("b");
  member_->adopt(list_of("a=h:1,b=h:7", 1));
  run();
  EXPECT_TRUE(b->is_retired);
  EXPECT_EQ(made_, (std::vector<std::string>{"b at h:2", "b at h:7"}));
  b->says.set(peer_facts("b", list_ab));
  run();
  EXPECT_FALSE(counts_in(own_)) << "it is somebody else by now";
  hear("b", list_ab);
  EXPECT_TRUE(counts_in(own_));
}

TEST_F(PartitionMemberTest, SharingAStoreWithAPeerEndsWithIt) {
  start_settled();
  auto b = peer_facts("b", list_ab);
  b.store = store_facts('s');
  peers_["b"]->says.set(b);
  run();
  EXPECT_THAT(why_not(), HasSubstr("counts in the same store"));
  EXPECT_FALSE(counts_in(own_));
  Minted minted;
  member_->mint(soon(), minted);
  EXPECT_TRUE(minted.is_refused());
  hear("b", list_ab);
  EXPECT_EQ(why_not(), "");
  EXPECT_TRUE(counts_in(own_));
}

// The store.

TEST_F(PartitionMemberTest, AnOlderStoreIsSearchedForItsTokens) {
  store_.slots.set(7).set(8);
  store_.finds_at_once = false;
  start();
  EXPECT_EQ(store_.writes, 0);
  store_.end_search(Failure::not_done);
  run_until([&] { return !store_.searches.empty(); });
  store_.end_search(store_.slots);
  run();
  EXPECT_EQ(store_.durable->held, store_.slots);
  EXPECT_EQ(facts().held, store_.slots & ~own_);
}

TEST_F(PartitionMemberTest, AStoreThatIsNotKnownIsNotCountedIn) {
  store_.says.set(std::nullopt);
  start(list_a);
  EXPECT_FALSE(counts_in(~domain::SlotSet{}));
  EXPECT_THAT(why_not(), HasSubstr("leave --peers away"));
  Minted minted;
  member_->mint(soon(), minted);
  EXPECT_TRUE(minted.is_refused());
  store_.says.set(store_facts('s'));
  run();
  EXPECT_TRUE(counts_in(~domain::SlotSet{}));
}

TEST_F(PartitionMemberTest, AListWithoutItsNameIsRefusedAlsoBeforeTheStoreIsKnown) {
  store_.says.set(std::nullopt);
  start();
  member_->adopt(list_of("b=h:2,c=h:3", 2));
  run();
  store_.says.set(store_facts('s'));
  run();
  EXPECT_EQ(*facts().adopted, *list_ab);
}

TEST_F(PartitionMemberTest, TheStoreOfAnotherNameIsNotCountedIn) {
  PartitionRecord record;
  record.name = "b";
  record.list = list_ab;
  record.settled = ~own_;
  store_.says.set(store_facts('s', record.to_string()));
  start();
  EXPECT_FALSE(counts_in(own_));
  EXPECT_FALSE(counts_in(~own_));
  EXPECT_THAT(why_not(), HasSubstr("the store has counted as b; give --name b, or another store"));
  EXPECT_EQ(store_.writes, 0);
}

TEST_F(PartitionMemberTest, ARecordOfALaterVersionIsLeftAlone) {
  store_.says.set(store_facts('s', "tracker partition 2\n"));
  start();
  EXPECT_FALSE(counts_in(own_));
  EXPECT_THAT(why_not(), HasSubstr("of a later version of tracker"));
  EXPECT_EQ(store_.writes, 0);
}

TEST_F(PartitionMemberTest, AnotherStoreIsNotCountedInByWhatWasSettledBefore) {
  start_settled();
  store_.says.set(store_facts('t'));
  EXPECT_FALSE(counts_in(own_)) << "at once";
  Minted minted;
  member_->mint(soon(), minted);
  EXPECT_TRUE(minted.is_refused());
  run();
  EXPECT_FALSE(counts_in(own_)) << "b knows this name by the other store";
  EXPECT_THAT(why_not(), HasSubstr("counter b knows another store by the name of a"));
}

// Decisions that were under way when the other store came are not about it.
TEST_F(PartitionMemberTest, NothingThatWasDecidedBeforeConcernsAnotherStore) {
  start_settled();
  auto b = peer_facts("b", list_ab);
  b.names.insert("z");
  b.empty_names.insert("z");
  peers_["b"]->says.set(b);
  Minted minted;
  member_->mint(soon(), minted);
  const int writes = store_.writes;
  store_.finds_at_once = false;
  store_.says.set(store_facts('t'));
  run();
  EXPECT_FALSE(counts_in(own_));
  EXPECT_TRUE(minted.is_refused());
  EXPECT_EQ(store_.writes, writes);
}

TEST_F(PartitionMemberTest, AnotherStoreMayComeInTheMiddleOfADecision) {
  start();
  bool has_come = false;
  const auto subscription = member_->readiness().subscribe([&](const domain::Readiness& readiness) {
    if (!readiness.is_ready() || std::exchange(has_come, true)) return;
    store_.says.set(store_facts('t'));
  });
  peers_["b"]->says.set(peer_facts("b", list_ab));
  control_.restart();
  while (control_.poll_one() > 0) EXPECT_FALSE(has_come && counts_in(own_));
  EXPECT_TRUE(has_come);
}

TEST_F(PartitionMemberTest, OneRecordIsWrittenAtATimeAlsoIntoAnotherStore) {
  store_.writes_at_once = false;
  start(list_a);
  store_.says.set(store_facts('t'));
  run();
  EXPECT_EQ(store_.writes, 1);
  store_.end_write();
  run();
  EXPECT_EQ(store_.writes, 2);
  EXPECT_FALSE(counts_in(~domain::SlotSet{})) << "the first record was that of the other store";
  store_.end_write();
  run();
  EXPECT_TRUE(counts_in(~domain::SlotSet{}));
}

TEST_F(PartitionMemberTest, AStoreIsSearchedOnceAlthoughAnotherSearchHasFailed) {
  store_.finds_at_once = false;
  start(list_a);
  store_.end_search(Failure::not_done);
  run();
  store_.says.set(store_facts('t'));
  run();
  EXPECT_EQ(store_.searches.size(), 1U);
  store_.end_search(domain::SlotSet{});
  run();
  EXPECT_TRUE(counts_in(~domain::SlotSet{}));
}

TEST_F(PartitionMemberTest, HitsAreWaitedForAlsoIfTheStoreWasConnectedAgain) {
  start_settled();
  const auto list_abc = list_of("a=h:1,b=h:2,c=h:3", 2);
  store_.holds_hits = true;
  const auto hits = hits_in(own_ & ~Membership::own(*list_abc, "a"));
  Tracked tracked;
  member_->track(hits, tracked);
  store_.says.set(store_facts('s', store_.durable->to_string()));
  member_->adopt(list_abc);
  run();
  EXPECT_EQ(facts().adopted, nullptr);
  store_.end_hits();
  run_until([&] { return facts().adopted && *facts().adopted == *list_abc; });
}

TEST(PartitionMember, CountsInAStoreInMemory) {
  boost::asio::io_context control{1};
  store::memory::MemoryStore store;
  PartitionMember member(control, store, "a", list_a, nullptr);
  control.poll();
  EXPECT_TRUE(member.readiness().value().is_ready());
  Minted minted;
  member.mint(soon(), minted);
  control.restart();
  control.poll();
  ASSERT_TRUE(minted.is_done());
  domain::HitBatch hits;
  hits.push(domain::token_id(**minted.outcome), "/");
  Tracked tracked;
  member.track(hits, tracked);
  EXPECT_EQ(tracked.all.at(0), Verdict::counted(1));
}

}  // namespace
}  // namespace tracker::counter
