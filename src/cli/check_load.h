#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace tracker::cli {

/// One share of the load: so many requests of one token for one path at one envoy.
struct CheckShare {
  enum class Token { first, second, invalid };

  std::size_t envoy;
  Token token;
  std::string path;
  std::size_t requests;
};

/// The known load of `tracker check`, in the shares of the exercise that it comes from: 4,000 requests over
/// three envoys, 1,000 and 900 of the first token at /test and /test2, 1,100 of the second at /test, 1,000 of
/// a token that nobody was given. Scaled to `requests` and dealt out to `envoys`. Pure.
std::vector<CheckShare> check_load(std::size_t envoys, std::size_t requests);

/// How many of the load's requests this token makes for this path.
std::int64_t requests_of(const std::vector<CheckShare>& load, CheckShare::Token token,
                         const std::string& path);

/// What stands against these answered counts being 1 to `expected`, each once; empty if nothing does. Pure.
std::string judge_counts(std::vector<std::int64_t> counts, std::int64_t expected);

}  // namespace tracker::cli
