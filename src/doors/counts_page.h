#pragma once

#include <boost/json/fwd.hpp>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include "counter/counter.h"

namespace tracker::doors {

// Requests for the counts of a token, page by page. Pure.

inline constexpr std::size_t page_limit_default = 1'000;

/// Reads `prefix`, `limit` and `cursor` from what follows the question mark of a target. Throws std::invalid_argument with a
/// sentence that says what would be right.
store::CountsQuery parse_counts_query(std::string_view text);

/// `{"counts":[{"path":"/a","count":1}],"next":"a cursor"}`, without `next` on the last page. U+FFFD stands for bytes of a
/// path that are not UTF-8.
std::string counts_json(const store::TokenCounts& page);

/// The same with more members before the counts.
std::string counts_json(const store::TokenCounts& page, boost::json::object json);

/// The place behind a path, as clients see it.
std::string cursor_behind(std::string_view path);
/// Returns the path. Nothing: it is no cursor.
std::optional<std::string> read_cursor(std::string_view cursor);

}  // namespace tracker::doors
