#ifndef TRACKER_TESTS_SELF_SELF_READER_H_
#define TRACKER_TESTS_SELF_SELF_READER_H_

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "support/endpoint.h"
#include "support/http_answer.h"
#include "support/program.h"

namespace tracker::tests {

// Where a program that listens has its self door.
Endpoint self_door_of(Program& program);

using PathCounts = std::vector<std::pair<std::string, std::int64_t>>;

struct SelfPage {
  PathCounts counts;
  std::optional<std::string> next;
};

// A customer that reads the counts of a token at a self door.
class SelfReader {
 public:
  SelfReader(Endpoint door, std::string token) : door_(std::move(door)), token_(std::move(token)) {}

  // The answer to GET /v1/self/counts with this query (`?limit=1`), on a connection of its own.
  HttpAnswer ask(const std::string& query = "") const;
  // The same, as soon as it is 200. Throws at the deadline. A 503 counts for nothing: links may still connect.
  SelfPage page(const std::string& query = "") const;
  // All counts, page by page.
  PathCounts all(const std::string& query = "") const;

 private:
  Endpoint door_;
  std::string token_;
};

// Reads the body of a 200. Throws if it is not what the documentation says.
SelfPage page_in(const HttpAnswer& answer);

// Checks status, fields and body of an error. Returns its detail.
std::string check_problem(const HttpAnswer& answer, int status);

}  // namespace tracker::tests

#endif  // TRACKER_TESTS_SELF_SELF_READER_H_
