#ifndef TRACKER_TESTS_HTTP_GOOD_REQUESTS_H_
#define TRACKER_TESTS_HTTP_GOOD_REQUESTS_H_

#include <string>
#include <vector>

#include "support/answer_checks.h"

namespace tracker::tests {

struct GoodRequest {
  std::string name;
  std::string bytes;  // see with_token()
  std::string path;   // the path at which it counts
  After after = After::stays;
};

const std::vector<GoodRequest>& good_requests();

}  // namespace tracker::tests

#endif  // TRACKER_TESTS_HTTP_GOOD_REQUESTS_H_
