#ifndef TRACKER_TESTS_CRASHING_KEY_SPACE_H_
#define TRACKER_TESTS_CRASHING_KEY_SPACE_H_

#include <cstddef>
#include <cstdint>
#include <random>
#include <string>
#include <unordered_map>
#include <vector>

namespace tracker::tests {

using Random = std::mt19937_64;

// Returns a number from `low` to `high`, inclusive.
inline std::uint64_t any_of(Random& random, std::uint64_t low, std::uint64_t high) {
  return std::uniform_int_distribution<std::uint64_t>(low, high)(random);
}
inline bool one_in(Random& random, std::uint64_t times) {
  return any_of(random, 1, times) == 1;
}

// The tokens and paths that a run asks for. A key is one token at one path. It gets its number, from 0 on, when it is
// first asked for. One thread at a time.
class KeySpace {
 public:
  // The bounds on tokens and keys, so that a long run does not grow for ever.
  static constexpr std::size_t tokens_max = 20'000;
  static constexpr std::size_t keys_max = 500'000;

  std::size_t add_token(std::string token);
  std::size_t tokens() const { return tokens_.size(); }
  bool takes_tokens() const { return tokens_.size() < tokens_max; }

  // A key of this token that only the judge asks for.
  std::size_t own_key(std::size_t token) { return key(token, 0); }

  // Half of the draws are a few hot keys. The others are of new tokens and spread over all tokens and many paths. There
  // must be a token.
  std::size_t draw(Random& random);

  std::size_t keys() const { return keys_.size(); }
  // The whole request. `more` are further field lines.
  std::string request(std::size_t key, std::string_view more = "") const;
  std::string name(std::size_t key) const;

 private:
  struct Key {
    std::uint32_t token;
    std::uint32_t path;
  };
  std::size_t key(std::size_t token, std::size_t path);

  std::vector<std::string> tokens_;
  std::vector<Key> keys_;
  std::unordered_map<std::uint64_t, std::size_t> numbers_;
};

}  // namespace tracker::tests

#endif  // TRACKER_TESTS_CRASHING_KEY_SPACE_H_
