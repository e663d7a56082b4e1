#ifndef TRACKER_TESTS_HTTP_BAD_INPUTS_H_
#define TRACKER_TESTS_HTTP_BAD_INPUTS_H_

#include <string>
#include <vector>

#include "support/answer_checks.h"

// The contract's table of bad input, with one function for each row. If the input allows it, it carries a valid token
// and everything else that would let it count, so that it can only be refused for the named fault. The rows also hold
// inputs to which a later row would give another answer. The first row wins.
namespace tracker::tests {

struct BadInput {
  std::string name;
  std::string bytes;  // see with_token()
  // Several, if the contract leaves a choice.
  std::vector<int> statuses;
  After after = After::closes;
  AnswerTo asked = AnswerTo::get;
  // The paths at which it could have been counted.
  std::vector<std::string> meant = {"/p", "/"};
};

std::vector<BadInput> protocol_inputs();
std::vector<BadInput> request_line_inputs();
std::vector<BadInput> control_byte_inputs();
std::vector<BadInput> size_inputs();
// Sizes that are exceeded before the line or the head ends. Bytes sent after them belong to them.
std::vector<BadInput> unended_inputs();
std::vector<BadInput> host_inputs();
std::vector<BadInput> field_inputs();
std::vector<BadInput> framing_inputs();
std::vector<BadInput> unregistered_method_inputs();
std::vector<BadInput> other_method_inputs();
std::vector<BadInput> target_inputs();
// Each is within the default limits of line and head.
std::vector<BadInput> long_path_inputs();
std::vector<BadInput> expectation_inputs();
std::vector<BadInput> two_authorization_inputs();
std::vector<BadInput> unauthorised_inputs();

}  // namespace tracker::tests

#endif  // TRACKER_TESTS_HTTP_BAD_INPUTS_H_
