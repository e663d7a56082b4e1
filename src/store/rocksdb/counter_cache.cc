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

/// What a token takes, with its place in its generation's table and what the allocator adds.
constexpr std::size_t token_bytes = sizeof(CachedToken) + 64;

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
  return insert(key.path, *(*found)->token, (*found)->count);
}

CachedToken* CounterCache::find_token(const domain::TokenId& id) {
  if (const auto found = younger().tokens.find(id); found != younger().tokens.end())
    return found->second.get();
  const auto found = older().tokens.find(id);
  if (found == older().tokens.end()) return nullptr;
  auto* token = found->second.get();
  make_young(*token);
  return token;
}

CachedCounter* CounterCache::insert(std::string_view path, CachedToken& token, std::int64_t count) {
  if (token.generation != younger_) make_young(token);
  const auto bytes = sizeof(CachedCounter) + id_bytes + path.size();
  auto* memory = static_cast<char*>(younger().memory.allocate(bytes, alignof(CachedCounter)));
  auto* counter =
      new (memory) CachedCounter{count, &token, static_cast<std::uint32_t>(id_bytes + path.size()), false};
  std::memcpy(memory + sizeof(CachedCounter), token.id.bytes.data(), id_bytes);
  path.copy(memory + sizeof(CachedCounter) + id_bytes, path.size());
  younger().index.insert(counter);
  younger().bytes += (bytes + alignof(CachedCounter) - 1) / alignof(CachedCounter) * alignof(CachedCounter);
  return counter;
}

CachedToken* CounterCache::insert_token(const domain::TokenId& id, const TokenValue& value) {
  auto token = std::make_unique<CachedToken>(
      CachedToken{id, CompactRecord(value.record), value.import, false, false, 0});
  auto* its = token.get();
  own(std::move(token));
  return its;
}

/// It stays where it is in memory, so that counters of either generation find it.
void CounterCache::make_young(CachedToken& token) {
  const auto found = older().tokens.find(token.id);
  auto its = std::move(found->second);
  older().tokens.erase(found);
  own(std::move(its));
}

void CounterCache::own(std::unique_ptr<CachedToken> token) {
  token->generation = static_cast<std::uint8_t>(younger_);
  younger().bytes += token_bytes + token->record.more_bytes();
  const auto id = token->id;
  younger().tokens.insert_or_assign(id, std::move(token));
}

void CounterCache::turn() {
  if (younger().bytes < bytes_max_ && younger().index.size() < counters_max_) return;
  older().clear();
  younger_ = 1 - younger_;
  ++turns_;
}

void CounterCache::clear() noexcept {
  for (auto& generation : generations_) generation.clear();
}

void CounterCache::Generation::clear() noexcept {
  index.clear();
  tokens.clear();
  memory.release();
  bytes = 0;
}

}  // namespace tracker::store::rocksdb
