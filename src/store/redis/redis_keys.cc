#include "store/redis/redis_keys.h"

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <utility>
#include <vector>

#include "domain/hex.h"
#include "store/store_error.h"

namespace tracker::store::redis {

namespace {

constexpr std::string_view key_begin = "tracker:{";
constexpr std::string_view held_begin = "tracker:held:{";
constexpr std::string_view ended_begin = "tracker:ended:{";
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

std::string ended_key(const domain::TokenId& id) {
  std::string key;
  append_key(ended_begin, id, key);
  return key;
}

std::optional<KeyOfToken> parse_key(std::string_view key) {
  KeyOfToken its{.is_held = key.starts_with(held_begin), .is_ended = key.starts_with(ended_begin)};
  const auto begin = its.is_held ? held_begin : its.is_ended ? ended_begin : key_begin;
  if (!key.starts_with(begin)) return std::nullopt;
  auto digits = key.substr(begin.size());
  if (!digits.ends_with('}')) return std::nullopt;
  digits.remove_suffix(1);
  if (!domain::parse_hex(digits, its.id.bytes)) return std::nullopt;
  if (to_string(its.id) != digits) return std::nullopt;  // its digits are lower case
  return its;
}

std::optional<Origin> Origin::parse(std::string_view text, std::size_t fields) {
  const auto next_word = [&text] {
    const auto word = text.substr(0, text.find(' '));
    text.remove_prefix(std::min(word.size() + 1, text.size()));
    return word;
  };
  const auto minted = next_word();
  domain::Seconds minted_s = 0;
  std::from_chars(minted.data(), minted.data() + minted.size(), minted_s);
  if (minted_s > domain::TokenRecord::seconds_max) minted_s = 0;
  Origin origin;
  ExportId id{};
  if (domain::parse_hex(text.substr(0, text.find(' ')), id)) {
    origin.export_id = id;
    next_word();
  }
  std::string facts;
  while (!text.empty()) {
    const auto fact = next_word();
    if (fact.starts_with("due=") || fact.starts_with("full=")) continue;
    facts.append(facts.empty() ? "" : " ").append(fact);
  }
  auto record = domain::decode_facts(minted_s, facts);
  if (!record) return std::nullopt;
  origin.record = std::move(*record);
  if (origin.record.paths) origin.record.paths->number = fields - std::min<std::size_t>(fields, 1);
  return origin;
}

std::string Origin::to_string() const {
  auto text = std::to_string(record.minted_s);
  if (export_id) {
    text += ' ';
    domain::append_hex(*export_id, text);
  }
  auto without_paths = record;
  without_paths.paths.reset();
  const auto facts = domain::encode_facts(without_paths);
  if (record.paths) text += " bytes=" + std::to_string(record.paths->bytes);
  if (!facts.empty()) text += ' ' + facts;
  return text;
}

Origin parse_origin(std::string_view text, std::size_t fields, std::string_view key) {
  if (auto origin = Origin::parse(text, fields)) return std::move(*origin);
  throw StoreError(
      "what " + std::string(key) +
      " has of its token is not known to this version of tracker; a newer one wrote it, so use that");
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
