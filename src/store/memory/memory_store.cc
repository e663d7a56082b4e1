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

namespace tracker::store::memory {

namespace {

constexpr std::size_t page_bytes = std::size_t{1} << 20U;

std::size_t bytes_of(const StoredToken& token) {
  std::size_t bytes = sizeof token;
  for (const auto& count : token.counts) bytes += sizeof count + count.path.size();
  return bytes;
}

}  // namespace

MemoryStore::MemoryStore()
    : facts_(StoreFacts{.id = domain::random_token().bytes, .is_lasting = false}),
      shards_(std::make_unique<MemoryShard[]>(shard_count)),
      marks_(std::make_unique<Marks>()) {}
MemoryStore::~MemoryStore() = default;

void MemoryStore::track(const domain::HitBatch& hits, TrackReply& reply) {
  if (hits.deadline() < std::chrono::steady_clock::now()) {
    return reply.on_one_verdict_for_all(hits.size(), domain::Verdict::not_counted());
  }
  const auto size =
      static_cast<std::uint32_t>(hits.size());  // the batch belongs to its owner after the last verdict
  std::array<domain::HitVerdict, 256> verdicts;
  for (std::uint32_t hit = 0; hit < size;) {
    std::size_t judged = 0;
    for (; judged < verdicts.size() && hit < size; ++judged, ++hit) {
      const auto& id = hits.id(hit);
      verdicts[judged] = {hit, shards_[MemoryShard::index_of(id)].count(id, hits.path(hit), *marks_)};
    }
    reply.on_verdicts({verdicts.data(), judged});
  }
}

void MemoryStore::add_token(const domain::TokenId& id, domain::Deadline /*deadline*/, AddReply& reply) {
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  const auto now_s =
      static_cast<std::uint32_t>(std::chrono::duration_cast<std::chrono::seconds>(now).count());
  if (!shards_[MemoryShard::index_of(id)].add_token(id, now_s, *marks_))
    return reply.on_added(domain::Failure::not_done);
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

std::vector<std::unique_lock<ShardMutex>> MemoryStore::lock_all() {
  std::vector<std::unique_lock<ShardMutex>> locks;
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
      if (found[i] == Presence::absent) shard_of(tokens[i]).put(export_id, tokens[i]);
    }
  }
  void remove(const domain::SlotSet& slots) override {
    for (std::size_t i = 0; i < shard_count; ++i) store_.shards_[i].remove(slots, *store_.marks_);
  }

 private:
  MemoryShard& shard_of(const StoredToken& token) { return store_.shards_[MemoryShard::index_of(token.id)]; }

  MemoryStore& store_;
};

std::unique_ptr<StoreContents> MemoryStore::contents() {
  return std::make_unique<Contents>(*this);
}

}  // namespace tracker::store::memory
