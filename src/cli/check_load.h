#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace tracker::cli {

/// A share of the load: a number of requests of one token for one path at one envoy.
struct CheckShare {
  enum class Token { first, second, invalid };

  std::size_t envoy;
  Token token;
  std::string path;
  std::size_t requests;
};

/// The known load of `tracker check`. As in the exercise that it comes from, it is 4,000 requests to three envoys:
/// 1,000 of the first token at /test and 900 at /test2, 1,100 of the second token at /test, and 1,000 of an invalid
/// token. It is scaled to `requests` and distributed over `envoys`. Pure.
std::vector<CheckShare> check_load(std::size_t envoys, std::size_t requests);

/// How many requests of the load are of this token for this path.
std::int64_t requests_of(const std::vector<CheckShare>& load, CheckShare::Token token,
                         const std::string& path);

/// Why these counts are not the numbers from 1 to `expected`, each once; empty if they are. Pure.
std::string judge_counts(std::vector<std::int64_t> counts, std::int64_t expected);

}  // namespace tracker::cli
