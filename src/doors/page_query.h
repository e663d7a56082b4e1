#pragma once

#include <cstddef>
#include <initializer_list>
#include <map>
#include <optional>
#include <string>
#include <string_view>

namespace tracker::doors {

// Requests for a list, page by page. Pure. They throw std::invalid_argument with a sentence that says what would be right.

inline constexpr std::size_t page_limit_max = 10'000;
inline constexpr const char* cursor_wanted =
    "The parameter cursor must be the value of next in another answer; leave it out for the first page.";

/// The parameters behind the question mark of a target.
class PageQuery {
 public:
  PageQuery(std::string_view text, std::initializer_list<std::string_view> known);

  /// Percent-decoded. Nothing: the target does not have it.
  std::optional<std::string> find(const std::string& name) const;
  const std::map<std::string, std::string>& all() const noexcept { return values_; }

  /// `limit`, or `otherwise` if it is not there.
  std::size_t limit(std::size_t otherwise) const;
  /// The place that `cursor` holds. Empty: it is not there.
  std::string place(char kind) const;

 private:
  std::map<std::string, std::string> values_;
};

/// A place in a list of some kind, as clients see it: base64url of the kind and the place. It stays right while others count.
std::string cursor_at(char kind, std::string_view place);
/// Returns the place. Nothing: it is no cursor of this kind.
std::optional<std::string> read_cursor(char kind, std::string_view cursor);

}  // namespace tracker::doors
