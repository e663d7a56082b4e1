#ifndef TRACKER_TESTS_BAD_INPUT_CHECK_H_
#define TRACKER_TESTS_BAD_INPUT_CHECK_H_

#include "http_bad_inputs.h"
#include "support/endpoint.h"

namespace tracker::tests {

enum class Sent { whole, between_good_requests, byte_by_byte };

// Sends the input on a new connection. Expects exactly one refusal, a connection that closes or goes on as the row
// says, and unchanged counts. Returns false if the exchange broke off, perhaps after a wait in vain. Then a caller with
// many inputs should stop.
bool expect_refused(const Endpoint& envoy, const BadInput& input, Sent sent = Sent::whole);

}  // namespace tracker::tests

#endif  // TRACKER_TESTS_BAD_INPUT_CHECK_H_
