#include "domain/seeded_hash.h"

#include <openssl/rand.h>
#define XXH_INLINE_ALL
#include <xxhash.h>

#include <stdexcept>

namespace tracker::domain {

namespace {
std::uint64_t random_seed() {
  std::uint64_t seed = 0;
  if (RAND_bytes(reinterpret_cast<unsigned char*>(&seed), sizeof seed) != 1) {
    throw std::runtime_error("the system gives no random numbers");
  }
  return seed;
}
}  // namespace

SeededHash::SeededHash() {
  static const std::uint64_t seed = random_seed();
  seed_ = seed;
}

std::size_t SeededHash::operator()(std::string_view bytes, std::uint64_t more) const noexcept {
  // `more` is not mixed into the seed: for short keys, XXH3 does no more with the seed than with their bytes.
  return XXH3_64bits_withSeed(bytes.data(), bytes.size(), seed_) + more * 0x9E3779B97F4A7C15U;
}

}  // namespace tracker::domain
