#ifndef TRACKER_TESTS_SUPPORT_CALLER_H_
#define TRACKER_TESTS_SUPPORT_CALLER_H_

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

#include "support/answer_checks.h"
#include "support/raw_client.h"
#include "support/request.h"

namespace tracker::tests {

// A client that does everything right, on one kept connection. Throws for everything except a well-formed success.
class Caller {
 public:
  explicit Caller(const Endpoint& envoy) : client_(envoy) {}

  std::string mint() { return token_in(ask(get_without_token("/auth"))); }

  std::int64_t count(std::string_view target, std::string_view token) {
    return count_in(ask(get(target, token)));
  }

  HttpAnswer ask(std::string_view request) {
    client_.send(request);
    return client_.read_answer();
  }

  RawClient& client() { return client_; }

 private:
  RawClient client_;
};

}  // namespace tracker::tests

#endif  // TRACKER_TESTS_SUPPORT_CALLER_H_
