#include "store/memory/memory_store.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <iterator>
#include <mutex>
#include <utility>

#include "domain/token.h"
#include "store/memory/memory_shard.h"
#include "store/store_error.h"
#include "store/store_metrics.h"

namespace tracker::store::memory {

namespace {

constexpr std::size_t page_bytes = std::size_t{64} << 10U;

std::size_t bytes_of(const StoredToken& token) {
  std::size_t bytes = sizeof token;
  for (const auto& count : token.counts) bytes += sizeof count + count.path.size();
  return bytes;
}

}  // namespace

MemoryStore::MemoryStore(TokenRules rules)
    : rules_(std::move(rules)),
      tokens_(rules_.tokens_max),
      joint_({&readiness_, &tokens_.readiness()}),
      facts_(StoreFacts{.id = domain::random_token().bytes, .is_lasting = false}),
      shards_(std::make_unique<MemoryShard[]>(shard_count)),
      marks_(std::make_unique<Marks>()) {}
MemoryStore::~MemoryStore() = default;

void MemoryStore::track(const domain::HitBatch& hits, TrackReply& reply) {
  if (hits.deadline() < std::chrono::steady_clock::now()) {
    return reply.on_one_verdict_for_all(hits.size(), domain::Verdict::not_counted());
  }
  const auto size =
      static_cast<std::uint32_t>(hits.size());  // the batch belongs to its owner after the last verdict
  const auto now_s = rules_.now_s();
  std::array<domain::HitVerdict, 256> verdicts;
  for (std::uint32_t hit = 0; hit < size;) {
    std::size_t judged = 0;
    for (; judged < verdicts.size() && hit < size; ++judged, ++hit) {
      const auto& id = hits.id(hit);
      auto& shard = shards_[MemoryShard::index_of(id)];
      verdicts[judged] = {hit, shard.count(id, hits.path(hit), *marks_, rules_, now_s)};
    }
    reply.on_verdicts({verdicts.data(), judged});
  }
}

void MemoryStore::add_token(const domain::TokenId& id, const domain::TokenRecord& record,
                            domain::Deadline /*deadline*/, AddReply& reply) {
  if (!tokens_.add_one()) return reply.on_added(domain::Failure::not_done);
  const auto added = shards_[MemoryShard::index_of(id)].add_token(id, record, *marks_);
  if (added != MemoryShard::Added::added) tokens_.add(-1);
  if (added == MemoryShard::Added::refused) return reply.on_added(domain::Failure::not_done);
  reply.on_added({});
}

void MemoryStore::write_record(std::string /*record*/, domain::Deadline /*deadline*/, WriteReply& reply) {
  reply.on_written({});
}

void MemoryStore::find_slots(SlotsReply& reply) {
  domain::SlotSet slots;
  for (std::size_t i = 0; i < shard_count; ++i) slots |= shards_[i].slots();
  reply.on_slots(slots);
}

void MemoryStore::report(metrics::Page& page) const {
  MemoryShard::Size all{};
  for (std::size_t i = 0; i < shard_count; ++i) {
    const auto its = shards_[i].size();
    all.tokens += its.tokens;
    all.counters += its.counters;
  }
  report_tokens(page, all.tokens, rules_.tokens_max);
  page.gauge("tracker_store_counters", "Counters in the store: pairs of token and path.", {},
             static_cast<double>(all.counters));
}

std::vector<std::unique_lock<std::mutex>> MemoryStore::lock_all() {
  std::vector<std::unique_lock<std::mutex>> locks;
  for (std::size_t i = 0; i < shard_count; ++i) locks.emplace_back(shards_[i].mutex());
  return locks;
}

void MemoryStore::set_marks(SlotMarks marks) {
  readiness_.set(marks.readiness(std::chrono::system_clock::now()));
  const auto locks = lock_all();
  using Kind = SlotMark::Kind;
  for (const auto& mark : marks.all()) {
    if (mark.kind == Kind::importing) marks_->imports.insert(mark.export_id);
  }
  marks_->stopped = marks.stopped();
  marks_->importing = marks.of(Kind::importing);
  marks_->all = std::move(marks);
}

/// Reads one shard after the other, as of the moment when it was made.
class MemoryStore::Reader final : public TokenReader {
 public:
  Reader(MemoryStore& store, const domain::SlotSet& slots) : store_(store), slots_(slots) {
    const auto locks = store_.lock_all();
    for (std::size_t i = 0; i < shard_count; ++i) store_.shards_[i].keep_moment();
  }
  ~Reader() override {
    for (; shard_ < shard_count; ++shard_) store_.shards_[shard_].forget_moment();
  }
  Reader(const Reader&) = delete;
  Reader& operator=(const Reader&) = delete;

  std::vector<StoredToken> next() override {
    while (given_ == tokens_.size() && shard_ < shard_count) {
      tokens_ = store_.shards_[shard_++].read(slots_, *store_.marks_);
      given_ = 0;
    }
    std::vector<StoredToken> page;
    for (std::size_t bytes = 0; given_ < tokens_.size() && bytes < page_bytes; ++given_) {
      bytes += bytes_of(tokens_[given_]);
      page.push_back(std::move(tokens_[given_]));
    }
    return page;
  }

 private:
  MemoryStore& store_;
  const domain::SlotSet slots_;
  std::size_t shard_ = 0;            // that is read next
  std::vector<StoredToken> tokens_;  // of the one before
  std::size_t given_ = 0;
};

class MemoryStore::Contents final : public StoreContents {
 public:
  explicit Contents(MemoryStore& store) : store_(store) {}

  StoreFacts facts() override { return store_.facts_.value().value(); }
  std::string what_can_be_lost() override { return "all of it ends with the process"; }
  std::unique_ptr<TokenReader> read(const domain::SlotSet& slots) override {
    return std::make_unique<Reader>(store_, slots & ~marks().of(SlotMark::Kind::moved));
  }
  SlotMarks marks() override { return store_.marks_->all; }
  void set_mark(const SlotMark& mark) override {
    auto all = marks();
    all.set(mark);
    store_.set_marks(std::move(all));
  }
  void clear_marks(const domain::SlotSet& slots) override {
    auto all = marks();
    all.clear(slots);
    store_.set_marks(std::move(all));
  }
  bool has_imported(const ExportId& export_id) override {
    return store_.marks_->imports.contains(export_id) && !marks().is_importing(export_id);
  }
  std::vector<Presence> find(const ExportId& export_id, std::span<const StoredToken> tokens) override {
    std::vector<Presence> found;
    for (const auto& token : tokens) {
      const auto origin = shard_of(token).origin_of(token.id);
      found.push_back(!origin                ? Presence::absent
                      : *origin == export_id ? Presence::of_export
                                             : Presence::stranger);
    }
    return found;
  }
  void put(const ExportId& export_id, std::span<const StoredToken> tokens) override {
    const auto found = find(export_id, tokens);
    if (std::ranges::find(found, Presence::stranger) != found.end())
      throw StoreError("a token is there already");
    for (std::size_t i = 0; i < tokens.size(); ++i) {
      if (found[i] != Presence::absent) continue;
      shard_of(tokens[i]).put(export_id, tokens[i]);
      store_.tokens_.add(1);
    }
  }
  void remove(const domain::SlotSet& slots) override {
    for (std::size_t i = 0; i < shard_count; ++i)
      store_.tokens_.add(-static_cast<std::int64_t>(store_.shards_[i].remove(slots, *store_.marks_)));
  }

 private:
  MemoryShard& shard_of(const StoredToken& token) { return store_.shards_[MemoryShard::index_of(token.id)]; }

  MemoryStore& store_;
};

/// One shard after the other: their order is that of the ids.
class MemoryStore::Counts final : public CountReader {
 public:
  explicit Counts(MemoryStore& store) : store_(store) {}

  std::vector<TokenSummary> list(const domain::SlotSet& slots, const std::optional<domain::TokenId>& after,
                                 std::size_t limit) override {
    for (auto shard = after ? MemoryShard::index_of(*after) : 0; shard < shard_count; ++shard) {
      auto tokens = store_.shards_[shard].list(slots, after, *store_.marks_);
      if (tokens.empty()) continue;
      if (tokens.size() > limit) tokens.resize(limit);
      return tokens;
    }
    return {};
  }
  std::optional<TokenSummary> find(const domain::TokenId& id) override {
    return shard_of(id).find(id, *store_.marks_);
  }
  std::optional<TokenCounts> read(const domain::TokenId& id, const CountsQuery& query) override {
    return shard_of(id).read(id, query, *store_.marks_);
  }
  SlotMarks marks() override {
    const std::lock_guard lock(store_.shards_[0].mutex());
    return store_.marks_->all;
  }

 private:
  const MemoryShard& shard_of(const domain::TokenId& id) const {
    return store_.shards_[MemoryShard::index_of(id)];
  }

  MemoryStore& store_;
};

/// A step of the sweep is a shard.
class MemoryStore::Keeper final : public TokenKeeper {
 public:
  explicit Keeper(MemoryStore& store) : store_(store) {}

  std::optional<domain::TokenRecord> change(const domain::TokenId& id, const TokenChange& change) override {
    return shard_of(id).change(id, change, *store_.marks_, store_.rules_.now_s());
  }
  bool purge(const domain::TokenId& id, domain::Seconds retain_s) override {
    const auto slot = domain::slot_of(id);
    {
      const std::lock_guard lock(shard_of(id).mutex());
      if (store_.marks_->stopped[slot] || store_.marks_->importing[slot]) throw HeldError();
    }
    remove(shard_of(id), domain::SlotSet{}.set(slot), id, retain_s);
    return !shard_of(id).has(id);
  }
  Swept sweep(const domain::SlotSet& slots, domain::Seconds retain_s) override {
    const auto removed = remove(store_.shards_[shard_], slots, std::nullopt, retain_s);
    shard_ = (shard_ + 1) % shard_count;
    return {removed, shard_ == 0};
  }

 private:
  MemoryShard& shard_of(const domain::TokenId& id) { return store_.shards_[MemoryShard::index_of(id)]; }
  std::size_t remove(MemoryShard& shard, const domain::SlotSet& slots,
                     const std::optional<domain::TokenId>& only, domain::Seconds retain_s) {
    const auto removed = shard.purge(slots, only, *store_.marks_, store_.rules_.now_s(), retain_s);
    store_.tokens_.add(-static_cast<std::int64_t>(removed));
    return removed;
  }

  MemoryStore& store_;
  std::size_t shard_ = 0;  // that is swept next
};

std::unique_ptr<TokenKeeper> MemoryStore::keeper() {
  return std::make_unique<Keeper>(*this);
}

std::unique_ptr<CountReader> MemoryStore::reader() {
  return std::make_unique<Counts>(*this);
}

std::unique_ptr<StoreContents> MemoryStore::contents() {
  return std::make_unique<Contents>(*this);
}

}  // namespace tracker::store::memory
