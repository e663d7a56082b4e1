#include "store/redis/redis_keys.h"

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <vector>

#include "domain/hex.h"

namespace tracker::store::redis {

namespace {

constexpr std::string_view key_begin = "tracker:{";
constexpr std::string_view held_begin = "tracker:held:{";
constexpr std::string_view import_begin = "tracker:import:{";
constexpr std::string_view mark_begin = "tracker:mark:{";

void append_key(std::string_view begin, const domain::TokenId& id, std::string& out) {
  out += begin;
  domain::append_hex(id.bytes, out);
  out += '}';
}

std::vector<std::string> make_mark_keys() {
  std::vector<std::string> keys(domain::slots);
  std::size_t found = 0;
  for (std::size_t number = 0; found < domain::slots; ++number) {
    const auto tag = std::to_string(number);
    auto& key = keys[domain::slot_of_hash_tag(tag)];
    if (!key.empty()) continue;
    key.append(mark_begin).append(tag).append("}");
    ++found;
  }
  return keys;
}

}  // namespace

void append_redis_key(const domain::TokenId& id, std::string& out) {
  append_key(key_begin, id, out);
}

std::string redis_key(const domain::TokenId& id) {
  std::string key;
  append_key(key_begin, id, key);
  return key;
}

std::string held_key(const domain::TokenId& id) {
  std::string key;
  append_key(held_begin, id, key);
  return key;
}

std::optional<KeyOfToken> parse_key(std::string_view key) {
  const bool is_held = key.starts_with(held_begin);
  if (!is_held && !key.starts_with(key_begin)) return std::nullopt;
  auto digits = key.substr(is_held ? held_begin.size() : key_begin.size());
  if (!digits.ends_with('}')) return std::nullopt;
  digits.remove_suffix(1);
  domain::TokenId id{};
  if (!domain::parse_hex(digits, id.bytes)) return std::nullopt;
  if (to_string(id) != digits) return std::nullopt;  // its digits are lower case
  return KeyOfToken{id, is_held};
}

Origin parse_origin(std::string_view text) {
  Origin origin;
  const auto end = std::min(text.find(' '), text.size());
  std::from_chars(text.data(), text.data() + end, origin.minted_s);
  ExportId id{};
  if (end < text.size() && domain::parse_hex(text.substr(end + 1), id)) origin.export_id = id;
  return origin;
}

bool is_probe(const domain::TokenId& id) {
  constexpr std::size_t zeros = 13;
  return std::all_of(id.bytes.begin(), id.bytes.begin() + zeros, [](std::uint8_t byte) { return byte == 0; });
}

std::string import_key(const ExportId& id) {
  std::string key;
  append_key(import_begin, {id}, key);
  return key;
}

const std::string& mark_key(domain::Slot slot) {
  static const auto keys = make_mark_keys();
  return keys[slot];
}

}  // namespace tracker::store::redis
