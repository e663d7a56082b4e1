#include "cli/check_load.h"

#include <algorithm>

namespace tracker::cli {

namespace {
constexpr std::size_t requests_of_the_exercise = 4000;
}

std::vector<CheckShare> check_load(std::size_t envoys, std::size_t requests) {
  using Token = CheckShare::Token;
  std::vector<CheckShare> load = {
      {0, Token::first, "/test", 500},    {1, Token::first, "/test", 300},  {2, Token::first, "/test", 200},
      {0, Token::first, "/test2", 300},   {1, Token::first, "/test2", 400}, {2, Token::first, "/test2", 200},
      {0, Token::second, "/test", 500},   {1, Token::second, "/test", 600}, {0, Token::invalid, "/test", 500},
      {2, Token::invalid, "/test2", 500},
  };
  for (auto& share : load) {
    share.envoy %= envoys;
    share.requests = std::max<std::size_t>(1, share.requests * requests / requests_of_the_exercise);
  }
  return load;
}

std::int64_t requests_of(const std::vector<CheckShare>& load, CheckShare::Token token,
                         const std::string& path) {
  std::size_t sum = 0;
  for (const auto& share : load) {
    if (share.token == token && share.path == path) sum += share.requests;
  }
  return static_cast<std::int64_t>(sum);
}

std::string judge_counts(std::vector<std::int64_t> counts, std::int64_t expected) {
  if (static_cast<std::int64_t>(counts.size()) != expected) {
    return std::to_string(counts.size()) + " counts came, " + std::to_string(expected) + " were expected";
  }
  std::sort(counts.begin(), counts.end());
  for (std::size_t i = 0; i < counts.size(); ++i) {
    const auto wanted = static_cast<std::int64_t>(i) + 1;
    if (counts[i] == wanted) continue;
    if (i > 0 && counts[i] == counts[i - 1]) return std::to_string(counts[i]) + " was given out twice";
    return std::to_string(wanted) + " was never given out";
  }
  return {};
}

}  // namespace tracker::cli
