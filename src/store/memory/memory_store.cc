#include "store/memory/memory_store.h"

#include <array>
#include <boost/unordered/unordered_flat_map.hpp>
#include <chrono>
#include <cstring>
#include <memory_resource>
#include <mutex>
#include <string_view>

#include "domain/seeded_hash.h"
#include "domain/token.h"

namespace tracker::store::memory {

namespace {

constexpr std::size_t shard_count = 64;

/// Small, because there is one for each counter. It holds the token by its number in the shard.
struct CounterKey {
  const char* path;
  std::uint32_t path_bytes;
  std::uint32_t token;

  bool operator==(const CounterKey& other) const noexcept {
    return token == other.token && path_bytes == other.path_bytes &&
           std::memcmp(path, other.path, path_bytes) == 0;
  }
};

struct CounterKeyHash {
  using is_avalanching = void;
  std::size_t operator()(const CounterKey& key) const noexcept {
    return hash({key.path, key.path_bytes}, key.token);
  }
  domain::SeededHash hash;
};

}  // namespace

struct alignas(64) MemoryStore::Shard {
  std::mutex mutex;  // protects everything below
  boost::unordered_flat_map<domain::TokenId, std::uint32_t, domain::TokenIdHash> tokens;
  boost::unordered_flat_map<CounterKey, std::int64_t, CounterKeyHash> counts;
  std::pmr::monotonic_buffer_resource paths;
  domain::SlotSet slots;  // of the tokens

  domain::Verdict count(const domain::TokenId& id, std::string_view path) {
    const std::lock_guard lock(mutex);
    const auto token = tokens.find(id);
    if (token == tokens.end()) return domain::Verdict::unknown_token();
    CounterKey key{path.data(), static_cast<std::uint32_t>(path.size()), token->second};
    auto counter = counts.find(key);
    if (counter == counts.end()) {
      auto* own_path = static_cast<char*>(paths.allocate(path.size(), 1));
      std::memcpy(own_path, path.data(), path.size());
      key.path = own_path;
      counter = counts.emplace(key, 0).first;
    }
    return domain::Verdict::counted(++counter->second);
  }
};

MemoryStore::MemoryStore()
    : facts_(StoreFacts{.id = domain::random_token().bytes, .is_lasting = false}),
      shards_(std::make_unique<Shard[]>(shard_count)) {}
MemoryStore::~MemoryStore() = default;

MemoryStore::Shard& MemoryStore::shard_of(const domain::TokenId& id) const noexcept {
  return shards_[id.bytes[0] % shard_count];
}

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
      verdicts[judged] = {hit, shard_of(id).count(id, hits.path(hit))};
    }
    reply.on_verdicts({verdicts.data(), judged});
  }
}

void MemoryStore::add_token(const domain::TokenId& id, domain::Deadline /*deadline*/, AddReply& reply) {
  auto& shard = shard_of(id);
  {
    const std::lock_guard lock(shard.mutex);
    shard.tokens.emplace(id, static_cast<std::uint32_t>(shard.tokens.size()));
    shard.slots.set(domain::slot_of(id));
  }
  reply.on_added({});
}

void MemoryStore::write_record(std::string /*record*/, domain::Deadline /*deadline*/, WriteReply& reply) {
  reply.on_written({});
}

void MemoryStore::find_slots(SlotsReply& reply) {
  domain::SlotSet slots;
  for (std::size_t i = 0; i < shard_count; ++i) {
    const std::lock_guard lock(shards_[i].mutex);
    slots |= shards_[i].slots;
  }
  reply.on_slots(slots);
}

}  // namespace tracker::store::memory
