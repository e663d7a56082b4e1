#pragma once

#include <array>
#include <boost/unordered/unordered_flat_set.hpp>
#include <cstddef>
#include <cstdint>
#include <memory_resource>
#include <string_view>

#include "domain/seeded_hash.h"
#include "domain/token_id.h"

namespace tracker::store::rocksdb {

/// The key of a counter. No counter has an empty path; it stands for the token itself.
struct CounterKey {
  const domain::TokenId& id;
  std::string_view path;
};

/// A counter in the cache. Its key follows it in memory: the 16 bytes of the id, and then the path.
struct CachedCounter {
  std::int64_t count;  // of a token: when it was minted, in seconds since 1970
  std::uint32_t key_bytes;
  bool in_commit;  // for the committer: the next commit writes it

  std::string_view key() const noexcept { return {reinterpret_cast<const char*>(this + 1), key_bytes}; }
};

/// The recently used counters, in bounded memory. There are two generations. A counter that is found in the older one
/// moves to the younger one. When the younger one has used its half of the memory, the older one is dropped as a whole.
/// Not synchronised.
///
/// Invariant: a counter that find() or insert() returned is current and stays in place until the next turn(). It is not
/// forgotten before the turn() after that.
class CounterCache {
 public:
  explicit CounterCache(std::size_t bytes_max);

  /// Returns null if the counter is not here.
  CachedCounter* find(const CounterKey& key);

  /// Call it only after find() has returned null.
  CachedCounter* insert(const CounterKey& key, std::int64_t count);

  /// Drops the older generation and begins a new one, if the younger one has used its half of the memory.
  void turn();

  void clear() noexcept;

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
    std::pmr::monotonic_buffer_resource memory;
    std::size_t bytes = 0;

    void clear() noexcept;
  };

  Generation& younger() noexcept { return generations_[younger_]; }
  Generation& older() noexcept { return generations_[1 - younger_]; }

  std::size_t counters_max_;  // of a generation; its index has room for them from the start
  std::size_t bytes_max_;     // of a generation, without the index
  std::array<Generation, 2> generations_;
  std::size_t younger_ = 0;
};

}  // namespace tracker::store::rocksdb
