#ifndef TRACKER_TESTS_SUPPORT_ANSWER_CHECKS_H_
#define TRACKER_TESTS_SUPPORT_ANSWER_CHECKS_H_

#include <gtest/gtest.h>

#include <cstdint>
#include <string>
#include <string_view>

#include "support/http_answer.h"
#include "support/raw_client.h"

namespace tracker::tests {

// What an answer says about its connection.
enum class After { stays, closes };

// Checks for 200 `{"count":<count>}` with exactly the fields that the contract gives it.
testing::AssertionResult is_count(const HttpAnswer& answer, std::int64_t count, After after = After::stays);

// Checks for 200 `{"token":"<UUID version 4, lower case>"}` in the same way.
testing::AssertionResult is_token(const HttpAnswer& answer, After after = After::stays);

// Checks for an error with its problem+json, and with Allow, WWW-Authenticate and Retry-After exactly when they are
// due.
testing::AssertionResult is_refusal(const HttpAnswer& answer, int status, After after = After::stays,
                                    AnswerTo asked = AnswerTo::get);

// Returns whether the text is an IMF-fixdate of about now.
bool is_current_date(std::string_view text);
// Returns whether the text is an RFC 9457 object with a title, a detail and this status.
bool is_problem(std::string_view body, int status);

// Returns the count in a well-formed success. Throws otherwise.
std::int64_t count_in(const HttpAnswer& answer, After after = After::stays);
std::string token_in(const HttpAnswer& answer, After after = After::stays);

// Waits for the end of the connection. It must be closed properly, without a byte before that.
testing::AssertionResult ends_cleanly(RawClient& client);
// Waits for any end of the connection, without a byte before it.
testing::AssertionResult ends_without_more(RawClient& client);

}  // namespace tracker::tests

#endif  // TRACKER_TESTS_SUPPORT_ANSWER_CHECKS_H_
