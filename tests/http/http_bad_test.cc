// Bad input, row by row: alone, between two good requests in one write, and byte by byte.

#include <gtest/gtest.h>

#include "bad_input_check.h"
#include "http_bad_inputs.h"
#include "support/deployment.h"

namespace tracker::tests {
namespace {

using HttpBadTest = DeploymentTest;
TRACKER_OVER_ALL_DEPLOYMENTS(HttpBadTest);

// Longer inputs would take a system call for each of many thousand bytes.
constexpr std::size_t byte_by_byte_max = 2000;

void expect_all_refused(const Endpoint& envoy, const std::vector<BadInput>& inputs) {
  for (const BadInput& input : inputs) {
    if (!expect_refused(envoy, input)) return;
    if (!expect_refused(envoy, input, Sent::between_good_requests)) return;
    if (input.bytes.size() > byte_by_byte_max) continue;
    if (!expect_refused(envoy, input, Sent::byte_by_byte)) return;
  }
}

TEST_P(HttpBadTest, Protocol) {
  expect_all_refused(shared().envoy(), protocol_inputs());
}

TEST_P(HttpBadTest, RequestLine) {
  expect_all_refused(shared().envoy(), request_line_inputs());
}

TEST_P(HttpBadTest, ControlByte) {
  expect_all_refused(shared().envoy(), control_byte_inputs());
}

TEST_P(HttpBadTest, Size) {
  expect_all_refused(shared().envoy(), size_inputs());
}

TEST_P(HttpBadTest, SizeWithoutAnEnd) {
  for (const BadInput& input : unended_inputs()) {
    if (!expect_refused(shared().envoy(), input)) return;
  }
}

TEST_P(HttpBadTest, Host) {
  expect_all_refused(shared().envoy(), host_inputs());
}

TEST_P(HttpBadTest, Field) {
  expect_all_refused(shared().envoy(), field_inputs());
}

TEST_P(HttpBadTest, Framing) {
  expect_all_refused(shared().envoy(), framing_inputs());
}

TEST_P(HttpBadTest, UnregisteredMethod) {
  expect_all_refused(shared().envoy(), unregistered_method_inputs());
}

TEST_P(HttpBadTest, OtherMethod) {
  expect_all_refused(shared().envoy(), other_method_inputs());
}

TEST_P(HttpBadTest, Target) {
  expect_all_refused(shared().envoy(), target_inputs());
}

TEST_P(HttpBadTest, LongPath) {
  expect_all_refused(shared().envoy(), long_path_inputs());
}

TEST_P(HttpBadTest, Expectation) {
  expect_all_refused(shared().envoy(), expectation_inputs());
}

TEST_P(HttpBadTest, TwoAuthorizations) {
  expect_all_refused(shared().envoy(), two_authorization_inputs());
}

TEST_P(HttpBadTest, Unauthorised) {
  expect_all_refused(shared().envoy(), unauthorised_inputs());
}

// The row after the table: authorisation is checked last, so every other fault wins over a missing token.
TEST_P(HttpBadTest, EveryRowComesBeforeAuthorisation) {
  for (const auto& inputs :
       {protocol_inputs(), request_line_inputs(), host_inputs(), field_inputs(), framing_inputs(),
        unregistered_method_inputs(), other_method_inputs(), target_inputs(), long_path_inputs(),
        expectation_inputs(), two_authorization_inputs()}) {
    for (BadInput input : inputs) {
      for (auto at = input.bytes.find("$TOKEN"); at != std::string::npos; at = input.bytes.find("$TOKEN")) {
        input.bytes.replace(at, 6, "nonsense");
      }
      if (!expect_refused(shared().envoy(), input)) return;
    }
  }
}

}  // namespace
}  // namespace tracker::tests
