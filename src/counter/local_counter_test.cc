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
  void add_token(const domain::TokenId& /*id*/, domain::Deadline /*deadline*/,
                 store::AddReply& reply) override {
    reply.on_added(domain::Failure::perhaps_done);
  }
  const store::ReadinessSource& readiness() const override { return away; }
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

}  // namespace tracker::counter
