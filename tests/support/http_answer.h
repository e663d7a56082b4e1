#ifndef TRACKER_TESTS_SUPPORT_HTTP_ANSWER_H_
#define TRACKER_TESTS_SUPPORT_HTTP_ANSWER_H_

#include <cstddef>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace tracker::tests {

// An answer that no strict HTTP/1.1 client would accept.
struct MalformedAnswer : std::runtime_error {
  using std::runtime_error::runtime_error;
};

// The method of the request decides whether a body follows the head.
enum class AnswerTo { get, head };

struct HttpAnswer {
  int minor_version = 1;
  int status = 0;
  std::string reason;
  std::vector<std::pair<std::string, std::string>> fields;
  std::string body;

  // The value of a field that occurs exactly once. The case of names does not matter.
  std::optional<std::string> field(std::string_view name) const;
  std::size_t field_count(std::string_view name) const;

  // All of it on one line, for messages.
  std::string to_string() const;
};

// Reads one answer from the front of `bytes` and adds its length to `taken`. Returns nothing if it is not complete yet.
// Throws MalformedAnswer as soon as it cannot become a well-formed one.
std::optional<HttpAnswer> take_answer(std::string_view bytes, AnswerTo asked, std::size_t& taken);

}  // namespace tracker::tests

#endif  // TRACKER_TESTS_SUPPORT_HTTP_ANSWER_H_
