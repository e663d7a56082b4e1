#ifndef TRACKER_TESTS_SUPPORT_HEALTH_H_
#define TRACKER_TESTS_SUPPORT_HEALTH_H_

#include <chrono>
#include <string>

#include "support/deadline.h"
#include "support/endpoint.h"
#include "support/http_answer.h"

namespace tracker::tests {

// Returns the answer of a health door to `GET path`.
HttpAnswer ask_health(const Endpoint& health, const std::string& path);

// Asks for /readyz until it answers this status. Returns the body of that answer. Throws at the deadline, with the last
// answer.
std::string wait_readyz(const Endpoint& health, int status, std::chrono::milliseconds within = patience);

// The same, until the answer contains `text`, too. An envoy says it as soon as one of its threads knows: who then
// expects it of every request gives the envoy `--threads 1`.
std::string wait_readyz(const Endpoint& health, int status, const std::string& text,
                        std::chrono::milliseconds within = patience);

// Asks for /readyz until the answer is 200 without a remark: every counter counts all that is its own. Throws at the
// deadline, with the last answer.
void wait_all_ready(const Endpoint& health, std::chrono::milliseconds within = patience);

}  // namespace tracker::tests

#endif  // TRACKER_TESTS_SUPPORT_HEALTH_H_
