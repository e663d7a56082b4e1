#pragma once

#include <array>
#include <boost/unordered/unordered_flat_map.hpp>
#include <boost/unordered/unordered_flat_set.hpp>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <memory_resource>
#include <string_view>

#include "domain/seeded_hash.h"
#include "domain/token_id.h"
#include "store/compact_record.h"
#include "store/rocksdb/stored_values.h"

namespace tracker::store::rocksdb {

/// The key of a counter. No counter has an empty path.
struct CounterKey {
  const domain::TokenId& id;
  std::string_view path;
};

/// A token in the cache.
struct CachedToken {
  domain::TokenId id;
  CompactRecord record;
  std::uint16_t import;     // TokenValue::import
  bool in_commit;           // for the committer: the next commit writes it
  bool is_removed;          // for the committer: from the store. It is revoked, too
  std::uint8_t generation;  // for the cache
};

/// A counter in the cache. Its key follows it in memory: the 16 bytes of the id, and then the path.
struct CachedCounter {
  std::int64_t count;
  CachedToken* token;  // in the cache as long as the counter
  std::uint32_t key_bytes;
  bool in_commit;  // for the committer: the next commit writes it

  std::string_view key() const noexcept { return {reinterpret_cast<const char*>(this + 1), key_bytes}; }
};

/// The recently used counters and their tokens, in bounded memory. There are two generations. A counter or token that is
/// found in the older one moves to the younger one, and a counter takes its token along. When the younger one has used its half of the memory, the older one is dropped as a whole.
/// Not synchronised.
///
/// Invariant: a counter or token that one of the calls returned is current and stays in place until the next turn(). It is not
/// forgotten before the turn() after that.
class CounterCache {
 public:
  explicit CounterCache(std::size_t bytes_max);

  // Null: it is not here.
  CachedCounter* find(const CounterKey& key);
  CachedToken* find_token(const domain::TokenId& id);

  // Call these only after the above have returned null.
  CachedCounter* insert(std::string_view path, CachedToken& token, std::int64_t count);
  CachedToken* insert_token(const domain::TokenId& id, const TokenValue& value);

  /// Drops the older generation and begins a new one, if the younger one has used its half of the memory.
  void turn();

  void clear() noexcept;

  /// How often an older generation was dropped. What is put into the cache now is there until this has grown by two.
  std::uint64_t turns() const noexcept { return turns_; }

  /// How many counters both generations hold.
  std::size_t counters() const noexcept {
    return generations_[0].index.size() + generations_[1].index.size();
  }

 private:
  struct Hash {
    using is_transparent = void;
    using is_avalanching = void;
    std::size_t operator()(const CounterKey& key) const noexcept;
    std::size_t operator()(const CachedCounter* counter) const noexcept;
    domain::SeededHash hash;
  };
  struct Equal {
    using is_transparent = void;
    bool operator()(const CachedCounter* a, const CachedCounter* b) const noexcept {
      return a->key() == b->key();
    }
    bool operator()(const CounterKey& key, const CachedCounter* counter) const noexcept;
    bool operator()(const CachedCounter* counter, const CounterKey& key) const noexcept {
      return (*this)(key, counter);
    }
  };
  struct Generation {
    boost::unordered_flat_set<CachedCounter*, Hash, Equal> index;
    boost::unordered_flat_map<domain::TokenId, std::unique_ptr<CachedToken>, domain::TokenIdHash> tokens;
    std::pmr::monotonic_buffer_resource memory;
    std::size_t bytes = 0;

    void clear() noexcept;
  };

  void make_young(CachedToken& token);
  void own(std::unique_ptr<CachedToken> token);
  Generation& younger() noexcept { return generations_[younger_]; }
  Generation& older() noexcept { return generations_[1 - younger_]; }

  std::size_t counters_max_;  // of a generation; its index has room for them from the start
  std::size_t bytes_max_;     // of a generation, without the index
  std::array<Generation, 2> generations_;
  std::size_t younger_ = 0;
  std::uint64_t turns_ = 0;
};

}  // namespace tracker::store::rocksdb
