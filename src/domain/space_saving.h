#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace tracker::domain {

/// What is known of the most frequent keys of a stream of hits. For each key that is listed, its true number of hits is at
/// most `count`, and at least `count - error`. A key that is not listed has at most `others_max` hits. That is at most
/// `hits / capacity`, where `capacity` is that of the sketches, also after they were merged.
struct FrequentKeys {
  struct Entry {
    std::string key;
    std::uint64_t count = 0;
    std::uint64_t error = 0;
    bool operator==(const Entry&) const = default;
  };
  std::uint64_t hits = 0;  // of all keys
  std::uint64_t others_max = 0;
  std::vector<Entry> entries = {};  // in the order of their keys

  /// Adds another stream. Lists at most `capacity` keys, the most frequent ones.
  void merge(const FrequentKeys& other, std::size_t capacity);

  /// The most frequent ones first, and at most `limit`. A key that is not among those has at most `others_max` hits.
  FrequentKeys top(std::size_t limit) const;
};

/// Finds the most frequent keys of a stream in bounded memory, by Space-Saving (Metwally, Agrawal and El Abbadi: Efficient
/// Computation of Frequent and Top-k Elements in Data Streams, 2005). It counts `capacity` keys. A new key takes the place
/// of the least frequent one, and its count, which is then the new key's error. Every step takes constant time: the keys are
/// sorted by their counts, and a count only grows by one. Not synchronised. Invariants:
/// 1. The counts of all keys are `hits_` together. So the least one is at most `hits_ / capacity`.
/// 2. `sorted_` has all keys in the order of their counts. Those with the same count are a group, without a gap.
/// 3. `table_` leads to each key that has a count: a hash table with linear probing, in which the search for a key begins at its
///    hash and meets no gap. At most a quarter of it is in use.
class SpaceSaving {
 public:
  /// No key is longer than `key_bytes_max`.
  SpaceSaving(std::size_t capacity, std::size_t key_bytes_max);

  /// Adds a hit. `hash` is the same for equal keys. Nobody should be able to choose keys whose hashes are equal.
  void add(std::string_view key, std::size_t hash);
  FrequentKeys frequent() const;
  bool empty() const noexcept { return hits_ == 0; }
  /// Forgets all. Keeps the memory.
  void clear();

 private:
  using Number = std::uint32_t;
  struct Key {
    std::size_t hash;
    std::uint64_t error;
    std::uint32_t bytes;
    Number position;  // in `sorted_`
    Number group;
  };
  struct Group {
    std::uint64_t count;
    Number begin;  // in `sorted_`
    Number end;
  };
  static constexpr Number none = ~Number{0};

  std::string_view text_of(Number key) const noexcept {
    return {&texts_[key * key_bytes_max_], keys_[key].bytes};
  }
  std::uint64_t count_of(Number key) const noexcept { return groups_[keys_[key].group].count; }
  std::size_t next(std::size_t at) const noexcept { return (at + 1) & mask_; }
  std::size_t find(std::string_view text, std::size_t hash) const;
  void remove(Number key);
  void raise(Number key);

  const std::size_t key_bytes_max_;
  std::vector<Key> keys_;
  const std::unique_ptr<char[]> texts_;  // of the keys, each at its number times `key_bytes_max_`
  std::vector<Number> sorted_;           // keys
  std::vector<Group> groups_;
  std::vector<Number> free_groups_;
  std::vector<Number> table_;  // keys, or `none`
  const std::size_t mask_;     // of a place in the table, whose size is a power of two
  std::uint64_t hits_ = 0;
};

}  // namespace tracker::domain
