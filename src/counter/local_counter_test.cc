#include "counter/local_counter.h"

#include <gtest/gtest.h>

#include <vector>

#include "store/memory/memory_store.h"

namespace tracker::counter {

struct Minted final : MintReply {
  void on_minted(domain::Result<domain::Token> minted) override { results.push_back(minted); }
  std::vector<domain::Result<domain::Token>> results;
};

struct Tracked final : TrackReply {
  void on_verdicts(std::span<const domain::HitVerdict> verdicts) override {
    for (const auto& verdict : verdicts) all.push_back(verdict.verdict);
  }
  std::vector<domain::Verdict> all;
};

TEST(LocalCounter, AMintedTokenIsKnownAndNoOther) {
  store::memory::MemoryStore store;
  LocalCounter counter(store);
  Minted minted;
  counter.mint(domain::Deadline::max(), minted);
  counter.mint(domain::Deadline::max(), minted);
  ASSERT_EQ(minted.results.size(), 2U);
  ASSERT_TRUE(minted.results[0].has_value() && minted.results[1].has_value());
  EXPECT_NE(*minted.results[0], *minted.results[1]);

  domain::HitBatch hits;
  hits.push(domain::token_id(*minted.results[0]), "/");
  hits.push(domain::token_id(domain::random_token()), "/");
  hits.push(domain::token_id(*minted.results[0]), "/");
  Tracked tracked;
  counter.track(hits, tracked);
  EXPECT_EQ(tracked.all, (std::vector{domain::Verdict::counted(1), domain::Verdict::unknown_token(),
                                      domain::Verdict::counted(2)}));
}

/// A store that is away.
struct AwayStore final : store::CounterStore {
  void track(const domain::HitBatch& /*hits*/, TrackReply& /*reply*/) override {}
  void add_token(const domain::TokenId& /*id*/, const domain::TokenRecord& /*record*/,
                 domain::Deadline /*deadline*/, store::AddReply& reply) override {
    reply.on_added(domain::Failure::perhaps_done);
  }
  const store::StoreFactsSource& facts() const override { return unknown; }
  void write_record(std::string /*record*/, domain::Deadline /*deadline*/,
                    store::WriteReply& reply) override {
    reply.on_written(domain::Failure::perhaps_done);
  }
  void find_slots(store::SlotsReply& reply) override { reply.on_slots(domain::Failure::not_done); }
  const store::ReadinessSource& readiness() const override { return away; }
  const store::StoreFactsSource unknown{std::nullopt};
  const store::ReadinessSource away{domain::Readiness::not_ready("away", {})};
};

TEST(LocalCounter, ATokenThatIsNotStoredIsNotHandedOut) {
  AwayStore store;
  LocalCounter counter(store);
  Minted minted;
  counter.mint(domain::Deadline::max(), minted);
  ASSERT_EQ(minted.results.size(), 1U);
  ASSERT_TRUE(minted.results[0].has_error());
  EXPECT_EQ(minted.results[0].error(), domain::Failure::perhaps_done);
  EXPECT_EQ(counter.readiness().value().why_not(), "away");
}

/// A store in memory that says of itself what the test makes it say.
struct SayingStore final : store::CounterStore {
  void track(const domain::HitBatch& hits, TrackReply& reply) override { memory.track(hits, reply); }
  void add_token(const domain::TokenId& id, const domain::TokenRecord& record, domain::Deadline deadline,
                 store::AddReply& reply) override {
    memory.add_token(id, record, deadline, reply);
  }
  const store::StoreFactsSource& facts() const override { return says; }
  void write_record(std::string record, domain::Deadline deadline, store::WriteReply& reply) override {
    memory.write_record(std::move(record), deadline, reply);
  }
  void find_slots(store::SlotsReply& reply) override { memory.find_slots(reply); }
  const store::ReadinessSource& readiness() const override { return memory.readiness(); }
  store::memory::MemoryStore memory;
  store::StoreFactsSource says{std::nullopt};
};

TEST(LocalCounter, DoesNotCountInAStoreThatHasCountedSomeOfTheTokens) {
  SayingStore store;
  LocalCounter counter(store);
  const auto counts = [&] {
    domain::HitBatch hits;
    hits.push(domain::token_id(domain::random_token()), "/");
    Tracked tracked;
    counter.track(hits, tracked);
    Minted minted;
    counter.mint(domain::Deadline::max(), minted);
    EXPECT_EQ(minted.results.at(0).has_value(), tracked.all.at(0) != domain::Verdict::not_counted());
    EXPECT_EQ(minted.results.at(0).has_value(), counter.readiness().value().is_ready());
    return minted.results.at(0).has_value();
  };
  EXPECT_TRUE(counts()) << "a store that cannot say which it is counts, too";
  store.says.set(store::StoreFacts{.id = {1}, .record = "a record"});
  EXPECT_FALSE(counts());
  EXPECT_NE(counter.readiness().value().why_not().find("give --peers and --name as before"),
            std::string::npos);
  store.says.set(store::StoreFacts{.id = {2}});
  EXPECT_TRUE(counts());
}

TEST(LocalCounter, SaysThatItOwnsEveryTokenAndInWhichStore) {
  SayingStore store;
  LocalCounter counter(store);
  EXPECT_EQ(counter.facts().value(), CounterFacts{});
  store.says.set(store::StoreFacts{.id = {1}, .server_run = "run", .record = "a record"});
  EXPECT_EQ(counter.facts().value(),
            CounterFacts{.store = (store::StoreFacts{.id = {1}, .server_run = "run"})});
}

}  // namespace tracker::counter
