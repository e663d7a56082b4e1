#include "bad_input_check.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "support/caller.h"

namespace tracker::tests {
namespace {

// No bad input means this path.
const char* const neighbour = "/neighbour";

void expect_one_refusal(RawClient& client, const BadInput& input) {
  const HttpAnswer answer = client.read_answer(input.asked);
  const bool known = std::count(input.statuses.begin(), input.statuses.end(), answer.status) == 1;
  EXPECT_TRUE(is_refusal(answer, known ? answer.status : input.statuses.front(), input.after, input.asked));
}

// Checks the answers to the good requests around the input, which count at `neighbour`. Returns how many were due.
int expect_answers(RawClient& client, const BadInput& input, const std::string& token, Sent sent) {
  const std::string good = get(neighbour, token);
  const std::string bytes = with_token(input.bytes, token);
  const bool surrounded = sent == Sent::between_good_requests;
  int due = 0;
  if (sent == Sent::byte_by_byte) {
    client.send_byte_by_byte(bytes);
  } else {
    client.send(surrounded ? good + bytes + good : bytes);
  }
  if (surrounded) {
    EXPECT_TRUE(is_count(client.read_answer(), ++due));
  }
  expect_one_refusal(client, input);
  if (input.after == After::closes) return due;
  if (surrounded) {
    EXPECT_TRUE(is_count(client.read_answer(), ++due));
  }
  client.send(good);
  EXPECT_TRUE(is_count(client.read_answer(), ++due));
  client.half_close();
  return due;
}

}  // namespace

bool expect_refused(const Endpoint& envoy, const BadInput& input, Sent sent) {
  SCOPED_TRACE(input.name + ": " + input.bytes.substr(0, 200));
  try {
    Caller caller(envoy);
    const std::string token = caller.mint();
    for (const std::string& path : input.meant) caller.count(path, token);

    RawClient client(envoy);
    const int due = expect_answers(client, input, token, sent);
    EXPECT_TRUE(ends_cleanly(client));

    for (const std::string& path : input.meant) EXPECT_EQ(caller.count(path, token), 2) << path;
    EXPECT_EQ(caller.count(neighbour, token), due + 1);
    return true;
  } catch (const std::exception& error) {
    ADD_FAILURE() << error.what();
    return false;
  }
}

}  // namespace tracker::tests
