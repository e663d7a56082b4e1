#include "counter/local_counter.h"

#include <chrono>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "counter/busiest.h"
#include "domain/token_id.h"

namespace tracker::counter {

namespace {

/// A token on its way into the store. It is handed out when it is stored. Deletes itself then.
class Minting final : public store::AddReply {
 public:
  Minting(const domain::Token& token, MintReply& reply, std::shared_ptr<const void> held)
      : token_(token), reply_(reply), held_(std::move(held)) {}

  void on_added(domain::Result<void> added) override {
    const std::unique_ptr<Minting> self(this);
    if (added) {
      reply_.on_minted(token_);
    } else {
      reply_.on_minted(added.error());
    }
  }

 private:
  const domain::Token token_;
  MintReply& reply_;
  const std::shared_ptr<const void> held_;
};

constexpr std::string_view counted_partitioned =
    "the store has counted some of the tokens only, as one of several counters; give --peers and --name as "
    "before";

}  // namespace

const CounterFactsSource& Counter::facts() const {
  static const CounterFactsSource nothing{std::nullopt};
  return nothing;
}

void Counter::feed_busiest(const domain::HitBatch& hits, std::span<const domain::HitVerdict> verdicts) {
  busiest_->add(hits, verdicts);
}

void Counter::mint(const domain::TokenRecord& /*record*/, domain::Deadline /*deadline*/, MintReply& reply) {
  reply.on_minted(domain::Failure::not_done);
}

void Counter::read(const domain::Token& /*token*/, const store::CountsQuery& /*query*/,
                   domain::Deadline /*deadline*/,
                   OnRead on_read) {  // NOLINT(performance-unnecessary-value-param): others keep it
  on_read(ReadFailure{ReadFailure::Kind::unsupported, "this store cannot be read"});
}

void mint_token(store::CounterStore& store, const domain::Token& token, const domain::TokenRecord& record,
                domain::Deadline deadline, MintReply& reply, std::shared_ptr<const void> held) {
  store.add_token(domain::token_id(token), record, deadline,
                  *std::make_unique<Minting>(token, reply, std::move(held)).release());
}

LocalCounter::LocalCounter(store::CounterStore& store, std::unique_ptr<ReadQueue> reads, TokenTerms terms)
    : store_(store),
      store_to_this_(store.facts().subscribe([this](const auto& facts) { on_store(facts); })),
      joint_({&store.readiness(), &fitness_}),
      reads_(std::move(reads)),
      terms_(std::move(terms)) {}

void LocalCounter::on_store(const std::optional<store::StoreFacts>& facts) {
  CounterFacts its;
  its.store = facts;
  if (its.store) its.store->record.clear();
  facts_.set(its);
  fits_ = !facts || facts->record.empty();
  const auto now = std::chrono::system_clock::now();
  fitness_.set(fits_ ? domain::Readiness::ready(now)
                     : domain::Readiness::not_ready(std::string(counted_partitioned), now));
}

void LocalCounter::track(const domain::HitBatch& hits, TrackReply& reply) {
  if (!fits_) return reply.on_one_verdict_for_all(hits.size(), domain::Verdict::not_counted());
  store_.track(hits, reply);
}

void LocalCounter::mint(domain::Deadline deadline, MintReply& reply) {
  mint(terms_.for_client(), deadline, reply);
}

void LocalCounter::mint(const domain::TokenRecord& record, domain::Deadline deadline, MintReply& reply) {
  if (!fits_) return reply.on_minted(domain::Failure::not_done);
  mint_token(store_, domain::random_token(), record, deadline, reply);
}

void LocalCounter::read(const domain::Token& token, const store::CountsQuery& query,
                        domain::Deadline deadline, OnRead on_read) {
  if (!reads_) return Counter::read(token, query, deadline, std::move(on_read));
  if (!fits_) return on_read(ReadFailure{ReadFailure::Kind::unavailable, std::string(counted_partitioned)});
  reads_->read(domain::token_id(token), query, deadline, on_read);
}

}  // namespace tracker::counter
