#include "domain/token_record.h"

#include <array>
#include <charconv>
#include <limits>

#include "domain/hex.h"
#include "domain/percent_encoding.h"

namespace tracker::domain {

namespace {

struct Number {
  std::string_view name;
  Seconds TokenRecord::*fact;
};
constexpr std::array<Number, 5> numbers{{{"expires", &TokenRecord::expires_s},
                                         {"idle", &TokenRecord::idle_s},
                                         {"used", &TokenRecord::used_s},
                                         {"use_by", &TokenRecord::use_by_s},
                                         {"revoked", &TokenRecord::revoked_s}}};

void append(std::string_view name, std::string_view value, std::string& out) {
  if (!out.empty()) out += ' ';
  out.append(name).append("=").append(value);
}

std::optional<std::uint64_t> parse_number(std::string_view text) {
  std::uint64_t number = 0;
  const auto* end = text.data() + text.size();
  const auto [read_to, error] = std::from_chars(text.data(), end, number);
  if (error != std::errc() || read_to != end) return std::nullopt;
  return number;
}

bool has_counts(const TokenRecord& record) noexcept {
  return !record.paths || record.paths->number > 0;
}

std::optional<std::string> percent_decoded(std::string_view text) {
  std::string decoded;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      decoded += text[i];
      continue;
    }
    std::array<std::uint8_t, 1> byte{};
    if (!parse_hex(text.substr(i + 1, 2), byte)) return std::nullopt;
    decoded += static_cast<char>(byte[0]);
    i += 2;
  }
  return decoded;
}

/// Takes the fact into the record. Returns false if its value makes no sense.
bool take(std::string_view name, std::string_view value, TokenRecord& record) {
  if (name == "label") {
    auto label = percent_decoded(value);
    if (!label || label->size() > TokenRecord::label_bytes_max) return false;
    record.label = std::move(*label);
    return true;
  }
  const auto known =
      std::find_if(numbers.begin(), numbers.end(), [&](const auto& its) { return its.name == name; });
  if (known == numbers.end() && name != "paths" && name != "bytes") {
    append(name, value, record.others);
    return true;
  }
  const auto number = parse_number(value);
  if (!number) return false;
  if (known != numbers.end()) {
    if (*number > TokenRecord::seconds_max) return false;
    record.*known->fact = *number;
  } else {
    if (!record.paths) record.paths.emplace();
    (name == "paths" ? record.paths->number : record.paths->bytes) = *number;
  }
  return true;
}

}  // namespace

std::string_view to_string(TokenState state) noexcept {
  switch (state) {
    case TokenState::active:
      return "active";
    case TokenState::expired:
      return "expired";
    case TokenState::revoked:
      return "revoked";
  }
  return "";
}

Seconds end_of(const TokenRecord& record) noexcept {
  Seconds end = std::numeric_limits<Seconds>::max();
  const auto ends = [&end](Seconds at) { end = std::min(end, at); };
  if (record.revoked_s != 0) ends(record.revoked_s);
  if (record.expires_s != 0) ends(record.expires_s);
  if (record.use_by_s != 0 && !has_counts(record)) ends(record.use_by_s);
  if (record.idle_s != 0) ends(std::max(record.used_s, record.minted_s) + record.idle_s + used_step(record));
  return end == std::numeric_limits<Seconds>::max() ? 0 : end;
}

TokenState state_of(const TokenRecord& record, Seconds now_s) noexcept {
  if (record.revoked_s != 0) return TokenState::revoked;
  const auto end = end_of(record);
  return end != 0 && end <= now_s ? TokenState::expired : TokenState::active;
}

bool is_outdated(const TokenRecord& record, Seconds now_s, Seconds retain_s) noexcept {
  if (retain_s == 0 && record.revoked_s != 0) return true;  // even if the clock was ahead then
  const bool had_to_be_used = record.use_by_s != 0 && record.use_by_s <= now_s && record.revoked_s == 0;
  if (had_to_be_used && !has_counts(record)) return true;
  const auto end = end_of(record);
  return end != 0 && end <= now_s && now_s - end >= retain_s;
}

std::string encode_facts(const TokenRecord& record) {
  std::string facts;
  for (const auto& [name, fact] : numbers) {
    if (record.*fact != 0) append(name, std::to_string(record.*fact), facts);
  }
  if (record.paths) {
    append("paths", std::to_string(record.paths->number), facts);
    append("bytes", std::to_string(record.paths->bytes), facts);
  }
  if (!record.label.empty()) append("label", query_value(record.label), facts);
  if (!record.others.empty()) {
    if (!facts.empty()) facts += ' ';
    facts += record.others;
  }
  return facts;
}

std::optional<TokenRecord> decode_facts(Seconds minted_s, std::string_view facts) {
  TokenRecord record{.minted_s = minted_s};
  if (facts.starts_with("v=")) return std::nullopt;
  while (!facts.empty()) {
    const auto fact = facts.substr(0, facts.find(' '));
    facts.remove_prefix(std::min(fact.size() + 1, facts.size()));
    const auto equals = fact.find('=');
    if (equals == 0 || equals == fact.npos) return std::nullopt;
    if (!take(fact.substr(0, equals), fact.substr(equals + 1), record)) return std::nullopt;
  }
  return record;
}

}  // namespace tracker::domain
