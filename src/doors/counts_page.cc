#include "doors/counts_page.h"

#include <boost/json.hpp>
#include <stdexcept>

#include "doors/page_query.h"
#include "runtime/printable.h"

namespace tracker::doors {

namespace {

constexpr char kind_of_counts = 1;

std::string parse_prefix(std::string prefix) {
  if (prefix.empty() || prefix.front() == '/') return prefix;
  throw std::invalid_argument("The parameter prefix must begin with a slash, as paths do.");
}

}  // namespace

store::CountsQuery parse_counts_query(std::string_view text) {
  const PageQuery query(text, {"prefix", "limit", "cursor"});
  return {.prefix = parse_prefix(query.find("prefix").value_or("")),
          .after = query.place(kind_of_counts),
          .limit = query.limit(page_limit_default)};
}

std::string counts_json(const store::TokenCounts& page, boost::json::object json) {
  boost::json::array counts;
  counts.reserve(page.counts.size());
  for (const auto& its : page.counts)
    counts.push_back(boost::json::object{{"path", runtime::as_utf8(its.path)}, {"count", its.count}});
  json["counts"] = std::move(counts);
  if (page.is_more) json["next"] = cursor_behind(page.counts.back().path);
  return boost::json::serialize(json);
}

std::string counts_json(const store::TokenCounts& page) {
  return counts_json(page, {});
}

std::string cursor_behind(std::string_view path) {
  return cursor_at(kind_of_counts, path);
}

std::optional<std::string> read_cursor(std::string_view cursor) {
  return read_cursor(kind_of_counts, cursor);
}

}  // namespace tracker::doors
