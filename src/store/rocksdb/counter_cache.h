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

/// What a counter is found by. An empty path, which no counter has, stands for the token itself.
struct CounterKey {
  const domain::TokenId& id;
  std::string_view path;
};

/// One counter in the cache. Its key stands right behind it: the 16 bytes of the id, then the path.
struct CachedCounter {
  std::int64_t count;  // of a token: when it was minted, in seconds since 1970
  std::uint32_t key_bytes;
  bool in_commit;  // for whoever commits: it is among what the next commit writes

  std::string_view key() const noexcept { return {reinterpret_cast<const char*>(this + 1), key_bytes}; }
};

/// The counters that were wanted lately, in bounded memory. Two generations: what is found in the older one
/// moves to the younger one, and when that has its half of the memory, the older one is dropped whole. Not
/// synchronised.
///
/// Invariant: what find() and insert() answered is current, and stays where it is, until the next turn(); it
/// is not forgotten before the turn() after that.
class CounterCache {
 public:
  explicit CounterCache(std::size_t bytes_max);

  /// Null: it is not here.
  CachedCounter* find(const CounterKey& key);

  /// Only after find() has answered null.
  CachedCounter* insert(const CounterKey& key, std::int64_t count);

  /// If the younger generation has its half, drops the older one and begins a new one.
  void turn();

  void clear() noexcept;

  /// How many counters it could give at once, of both generations.
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

  std::size_t counters_max_;  // of a generation: for so many its index has room from the start
  std::size_t bytes_max_;     // of a generation, without the index
  std::array<Generation, 2> generations_;
  std::size_t younger_ = 0;
};

}  // namespace tracker::store::rocksdb
