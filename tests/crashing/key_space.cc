#include "crashing/key_space.h"

#include <algorithm>

#include "support/request.h"

namespace tracker::tests {
namespace {

constexpr std::size_t hot_tokens = 3;
constexpr std::size_t hot_paths = 4;
constexpr std::size_t new_tokens = 16;
constexpr std::size_t paths = 2'000;
constexpr std::size_t path_shown = 20;

// Some paths are short, some long. So records of every size cross every boundary of a log's blocks, and a store with
// little memory has to flush.
std::string path_text(std::size_t path) {
  const std::string text = "/p" + std::to_string(path);
  return path % 2 == 1 && path > hot_paths ? text + "/" + repeated("long/", path % 100) : text;
}

}  // namespace

std::size_t KeySpace::add_token(std::string token) {
  tokens_.push_back(std::move(token));
  return tokens_.size() - 1;
}

std::size_t KeySpace::key(std::size_t token, std::size_t path) {
  const auto [found, added] = numbers_.try_emplace(std::uint64_t{token} << 32 | path, keys_.size());
  if (added) keys_.push_back({static_cast<std::uint32_t>(token), static_cast<std::uint32_t>(path)});
  return found->second;
}

std::size_t KeySpace::draw(Random& random) {
  const std::size_t last = tokens_.size() - 1;
  switch (any_of(random, 0, 3)) {
    case 0:
      return key(any_of(random, last - std::min(last, new_tokens), last), any_of(random, 1, hot_paths));
    case 1:
      if (keys_.size() >= keys_max) return any_of(random, 0, keys_.size() - 1);
      return key(any_of(random, 0, last), any_of(random, 1, paths));
    default:
      return key(any_of(random, 0, std::min(last, hot_tokens - 1)), any_of(random, 1, hot_paths));
  }
}

std::string KeySpace::request(std::size_t key, std::string_view more) const {
  return get(path_text(keys_.at(key).path), tokens_.at(keys_.at(key).token), more);
}

std::string KeySpace::name(std::size_t key) const {
  const Key& its = keys_.at(key);
  const std::string path = path_text(its.path);
  return "token " + std::to_string(its.token) + " (" + tokens_.at(its.token) + ") at " +
         (path.size() > path_shown ? path.substr(0, path_shown) + "..." : path);
}

}  // namespace tracker::tests
