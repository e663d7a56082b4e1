#include "doors/page_query.h"

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <stdexcept>

#include "domain/hex.h"

namespace tracker::doors {

namespace {

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

}  // namespace

PageQuery::PageQuery(std::string_view text, std::initializer_list<std::string_view> known) {
  while (!text.empty()) {
    auto value = take(text, '&');
    const auto name = take(value, '=');
    if (std::ranges::find(known, name) == known.end()) {
      std::string all;
      for (const auto& one : known) all += (all.empty() ? "" : ", ") + std::string(one);
      throw std::invalid_argument("The query has an unknown parameter; there " +
                                  (all.empty() ? "is none here." : "are " + all + "."));
    }
    if (!values_.emplace(name, percent_decoded(name, value)).second)
      throw std::invalid_argument("The parameter " + std::string(name) + " is there twice.");
  }
}

std::optional<std::string> PageQuery::find(const std::string& name) const {
  const auto found = values_.find(name);
  return found == values_.end() ? std::nullopt : std::optional(found->second);
}

std::size_t PageQuery::limit(std::size_t otherwise) const {
  const auto text = find("limit");
  if (!text) return otherwise;
  std::size_t limit = 0;
  const auto [end, error] = std::from_chars(text->data(), text->data() + text->size(), limit);
  if (error != std::errc() || end != text->data() + text->size() || limit < 1 || limit > page_limit_max) {
    throw std::invalid_argument("The parameter limit must be a number from 1 to " +
                                std::to_string(page_limit_max) + ".");
  }
  return limit;
}

std::string PageQuery::place(char kind) const {
  const auto text = find("cursor");
  if (!text) return "";
  if (auto place = read_cursor(kind, *text)) return *place;
  throw std::invalid_argument(cursor_wanted);
}

std::string cursor_at(char kind, std::string_view place) {
  return to_base64url(kind + std::string(place));
}

std::optional<std::string> read_cursor(char kind, std::string_view cursor) {
  auto bytes = from_base64url(cursor);
  if (!bytes || bytes->size() < 2 || bytes->front() != kind) return std::nullopt;
  return bytes->substr(1);
}

}  // namespace tracker::doors
