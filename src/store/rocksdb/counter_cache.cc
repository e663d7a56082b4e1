#include "store/rocksdb/counter_cache.h"

#include <algorithm>
#include <cstring>
#include <new>

namespace tracker::store::rocksdb {

namespace {

constexpr std::size_t id_bytes = sizeof(domain::TokenId);
/// The most that a counter takes in the index of its generation.
constexpr std::size_t index_bytes = 20;
/// What a counter with a short path takes beside that.
constexpr std::size_t counter_bytes = sizeof(CachedCounter) + id_bytes + 24;

/// A token id is a hash already.
std::uint64_t number_in(const void* id) noexcept {
  std::uint64_t number = 0;
  std::memcpy(&number, id, sizeof number);
  return number;
}

}  // namespace

std::size_t CounterCache::Hash::operator()(const CounterKey& key) const noexcept {
  return hash(key.path, number_in(key.id.bytes.data()));
}

std::size_t CounterCache::Hash::operator()(const CachedCounter* counter) const noexcept {
  return hash(counter->key().substr(id_bytes), number_in(counter->key().data()));
}

bool CounterCache::Equal::operator()(const CounterKey& key, const CachedCounter* counter) const noexcept {
  const auto other = counter->key();
  return std::memcmp(other.data(), key.id.bytes.data(), id_bytes) == 0 && other.substr(id_bytes) == key.path;
}

CounterCache::CounterCache(std::size_t bytes_max)
    : counters_max_(bytes_max / 2 / (index_bytes + counter_bytes)),
      bytes_max_(bytes_max / 2 - counters_max_ * index_bytes) {
  for (auto& generation : generations_) generation.index.reserve(counters_max_);
}

CachedCounter* CounterCache::find(const CounterKey& key) {
  if (const auto found = younger().index.find(key); found != younger().index.end()) return *found;
  const auto found = older().index.find(key);
  if (found == older().index.end()) return nullptr;
  return insert(key, (*found)->count);
}

CachedCounter* CounterCache::insert(const CounterKey& key, std::int64_t count) {
  const auto bytes = sizeof(CachedCounter) + id_bytes + key.path.size();
  auto* memory = static_cast<char*>(younger().memory.allocate(bytes, alignof(CachedCounter)));
  auto* counter =
      new (memory) CachedCounter{count, static_cast<std::uint32_t>(id_bytes + key.path.size()), false};
  std::memcpy(memory + sizeof(CachedCounter), key.id.bytes.data(), id_bytes);
  key.path.copy(memory + sizeof(CachedCounter) + id_bytes, key.path.size());
  younger().index.insert(counter);
  younger().bytes += (bytes + alignof(CachedCounter) - 1) / alignof(CachedCounter) * alignof(CachedCounter);
  return counter;
}

void CounterCache::turn() {
  if (younger().bytes < bytes_max_ && younger().index.size() < counters_max_) return;
  older().clear();
  younger_ = 1 - younger_;
}

void CounterCache::clear() noexcept {
  for (auto& generation : generations_) generation.clear();
}

void CounterCache::Generation::clear() noexcept {
  index.clear();
  memory.release();
  bytes = 0;
}

}  // namespace tracker::store::rocksdb
