#include "doors/counts_page.h"

#include <algorithm>
#include <boost/json.hpp>
#include <charconv>
#include <cstdint>
#include <stdexcept>

#include "domain/hex.h"
#include "runtime/printable.h"

namespace tracker::doors {

namespace {

constexpr char cursor_version = 1;
constexpr std::string_view digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/// RFC 4648, section 5, without padding.
std::string to_base64url(std::string_view bytes) {
  std::string text;
  std::uint32_t left = 0;
  unsigned bits = 0;
  for (const char byte : bytes) {
    left = left << 8U | static_cast<std::uint8_t>(byte);
    for (bits += 8; bits >= 6;) text += digits[left >> (bits -= 6) & 0x3FU];
  }
  if (bits > 0) text += digits[left << (6 - bits) & 0x3FU];
  return text;
}

/// Nothing: it is no such text.
std::optional<std::string> from_base64url(std::string_view text) {
  std::string bytes;
  std::uint32_t left = 0;
  unsigned bits = 0;
  for (const char c : text) {
    const auto digit = digits.find(c);
    if (digit == digits.npos) return std::nullopt;
    left = left << 6U | static_cast<std::uint32_t>(digit);
    bits += 6;
    if (bits < 8) continue;
    bits -= 8;
    bytes += static_cast<char>(left >> bits & 0xFFU);
  }
  if (bits >= 6 || (left & ((1U << bits) - 1)) != 0) return std::nullopt;
  return bytes;
}

std::string percent_decoded(std::string_view name, std::string_view text) {
  std::string bytes;
  while (!text.empty()) {
    std::size_t taken = 1;
    std::uint8_t byte = static_cast<std::uint8_t>(text.front());
    if (byte == '%') {
      taken = 3;
      if (!domain::parse_hex(text.substr(1, 2), {&byte, 1})) {
        throw std::invalid_argument("The parameter " + std::string(name) +
                                    " has a percent sign without two hex digits after it.");
      }
    }
    bytes += static_cast<char>(byte);
    text.remove_prefix(taken);
  }
  return bytes;
}

/// Takes the part before the separator off the front of `text`, and the separator.
std::string_view take(std::string_view& text, char separator) {
  const auto part = text.substr(0, text.find(separator));
  text.remove_prefix(std::min(text.size(), part.size() + 1));
  return part;
}

std::size_t parse_limit(const std::string& text) {
  std::size_t limit = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), limit);
  if (error != std::errc() || end != text.data() + text.size() || limit < 1 || limit > page_limit_max) {
    throw std::invalid_argument("The parameter limit must be a number from 1 to " +
                                std::to_string(page_limit_max) + ".");
  }
  return limit;
}

std::string parse_prefix(std::string prefix) {
  if (prefix.empty() || prefix.front() == '/') return prefix;
  throw std::invalid_argument("The parameter prefix must begin with a slash, as paths do.");
}

std::string parse_cursor(const std::string& text) {
  if (auto path = read_cursor(text)) return *path;
  throw std::invalid_argument(
      "The parameter cursor must be the value of next in another answer; leave it out for the first page.");
}

}  // namespace

store::CountsQuery parse_counts_query(std::string_view text) {
  std::optional<std::string> prefix;
  std::optional<std::string> limit;
  std::optional<std::string> cursor;
  while (!text.empty()) {
    auto value = take(text, '&');
    const auto name = take(value, '=');
    auto* its = name == "prefix" ? &prefix : name == "limit" ? &limit : name == "cursor" ? &cursor : nullptr;
    if (its == nullptr)
      throw std::invalid_argument("The query has an unknown parameter; there are prefix, limit and cursor.");
    if (*its) throw std::invalid_argument("The parameter " + std::string(name) + " is there twice.");
    *its = percent_decoded(name, value);
  }
  return {.prefix = parse_prefix(prefix.value_or("")),
          .after = cursor ? parse_cursor(*cursor) : "",
          .limit = limit ? parse_limit(*limit) : page_limit_default};
}

std::string counts_json(const store::TokenCounts& page) {
  boost::json::array counts;
  counts.reserve(page.counts.size());
  for (const auto& its : page.counts)
    counts.push_back(boost::json::object{{"path", runtime::as_utf8(its.path)}, {"count", its.count}});
  boost::json::object json{{"counts", std::move(counts)}};
  if (page.is_more) json["next"] = cursor_behind(page.counts.back().path);
  return boost::json::serialize(json);
}

std::string cursor_behind(std::string_view path) {
  return to_base64url(cursor_version + std::string(path));
}

std::optional<std::string> read_cursor(std::string_view cursor) {
  auto bytes = from_base64url(cursor);
  if (!bytes || bytes->size() < 2 || bytes->front() != cursor_version) return std::nullopt;
  return bytes->substr(1);
}

}  // namespace tracker::doors
