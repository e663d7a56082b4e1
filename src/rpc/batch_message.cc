#include "rpc/batch_message.h"

#include <algorithm>
#include <cstring>
#include <limits>

#include "rpc/facts_message.h"
#include "rpc/wire_format.h"

namespace tracker::rpc {

namespace {

using domain::Readiness;
using Kind = domain::Verdict::Kind;

constexpr std::size_t id_bytes = sizeof(domain::TokenId);

// The field numbers and values of counting.proto.
namespace track_request {
constexpr std::uint32_t opening = 1;
constexpr std::uint32_t batch = 2;
constexpr std::uint32_t table = 3;
}  // namespace track_request
namespace track_response {
constexpr std::uint32_t opening = 1;
constexpr std::uint32_t verdicts = 2;
constexpr std::uint32_t readiness = 3;
constexpr std::uint32_t facts = 4;
}  // namespace track_response
namespace readiness {
constexpr std::uint32_t why_not = 1;
}
namespace hit_batch {
constexpr std::uint32_t number = 1;
constexpr std::uint32_t deadline_ms = 2;
constexpr std::uint32_t ids = 3;
constexpr std::uint32_t paths = 4;
constexpr std::uint32_t path_bytes = 5;
constexpr std::uint32_t group_hits = 6;
constexpr std::uint32_t group_deadline_ms = 7;
}  // namespace hit_batch
namespace verdicts_message {
constexpr std::uint32_t number = 1;
constexpr std::uint32_t hits = 2;
constexpr std::uint32_t kinds = 3;
constexpr std::uint32_t counts = 4;
}  // namespace verdicts_message
namespace mint_response {
constexpr std::uint32_t token = 1;
}
enum WireKind : char {
  counted_kind = 0,
  unknown_token_kind = 1,
  not_counted_kind = 2,
  perhaps_counted_kind = 3
};

char to_wire(Kind kind) {
  switch (kind) {
    case Kind::counted:
      return counted_kind;
    case Kind::unknown_token:
      return unknown_token_kind;
    case Kind::not_counted:
    case Kind::too_many_paths:
      return not_counted_kind;
    case Kind::perhaps_counted:
      break;
  }
  return perhaps_counted_kind;
}

/// In place of a count, why it is not counted. Envoys of earlier versions do not look at it.
constexpr std::uint64_t too_many_paths_count = 16;

std::uint64_t count_to_wire(const domain::Verdict& verdict) {
  return verdict.kind == Kind::too_many_paths ? too_many_paths_count
                                              : static_cast<std::uint64_t>(verdict.count);
}

/// A kind of a later version says nothing for certain.
domain::Verdict from_wire(char kind, std::uint64_t count) {
  switch (kind) {
    case counted_kind:
      return domain::Verdict::counted(static_cast<std::int64_t>(count));
    case unknown_token_kind:
      return domain::Verdict::unknown_token();
    case not_counted_kind:
      return count == too_many_paths_count ? domain::Verdict::too_many_paths()
                                           : domain::Verdict::not_counted();
    default:
      return domain::Verdict::perhaps_counted();
  }
}

/// Makes `out` longer by `size`. Returns where the new bytes begin.
char* room_for(std::size_t size, std::string& out) {
  out.resize(out.size() + size);
  return out.data() + out.size() - size;
}

std::string text_message(std::uint32_t field, std::string_view text) {
  std::string message;
  if (!text.empty()) wire::append_bytes(field, text, message);
  return message;
}

/// Keeps the bytes of a field that may occur once. Returns false if it occurred before, or is not a field of bytes.
bool take_once(const wire::Fields& fields, std::optional<std::string_view>& bytes) {
  if (bytes || fields.type() != wire::Type::bytes) return false;
  bytes = fields.bytes();
  return true;
}

/// Returns the text in a message that holds one text, which is empty if the field is missing. Nothing: malformed.
std::optional<std::string_view> text_in(std::string_view message, std::uint32_t field) {
  std::optional<std::string_view> text;
  wire::Fields fields(message);
  while (fields.next()) {
    if (fields.number() == field && !take_once(fields, text)) return std::nullopt;
  }
  if (fields.broken()) return std::nullopt;
  return text.value_or("");
}

/// Replaces the bytes of a message that holds one text by that text. Returns false if the message is malformed.
bool to_text(std::optional<std::string_view>& message, std::uint32_t field) {
  if (!message) return true;
  message = text_in(*message, field);
  return message.has_value();
}

}  // namespace

std::optional<TrackRequest> read_track_request(std::string_view message) {
  TrackRequest request;
  std::optional<std::string_view> opening;
  std::optional<std::string_view> table;
  wire::Fields fields(message);
  while (fields.next()) {
    if (fields.number() == track_request::table && !take_once(fields, table)) return std::nullopt;
    if (fields.number() == track_request::opening && !take_once(fields, opening)) return std::nullopt;
    if (fields.number() == track_request::batch && !take_once(fields, request.batch)) return std::nullopt;
  }
  if (fields.broken()) return std::nullopt;
  if (opening && !(request.opening = read_opening(*opening))) return std::nullopt;
  if (table && !(request.list = read_list(*table))) return std::nullopt;
  return request;
}

void append_opening_request(std::string_view version, const counter::CounterList* list, std::string& out) {
  wire::append_bytes(track_request::opening, opening_message(version, list), out);
}

void append_list(const counter::CounterList& list, std::string& out) {
  wire::append_bytes(track_request::table, list_message(list), out);
}

std::optional<TrackResponse> read_track_response(std::string_view message) {
  TrackResponse response;
  std::optional<std::string_view> opening;
  std::optional<std::string_view> facts;
  std::optional<std::string_view> why_not;
  wire::Fields fields(message);
  while (fields.next()) {
    std::optional<std::string_view>* field = nullptr;
    if (fields.number() == track_response::opening) field = &opening;
    if (fields.number() == track_response::facts) field = &facts;
    if (fields.number() == track_response::verdicts) field = &response.verdicts;
    if (fields.number() == track_response::readiness) field = &why_not;
    if (field != nullptr && !take_once(fields, *field)) return std::nullopt;
  }
  if (fields.broken() || !to_text(why_not, readiness::why_not)) return std::nullopt;
  if (opening && !(response.opening = read_opening(*opening))) return std::nullopt;
  if (facts && !(response.facts = read_facts(*facts))) return std::nullopt;
  if (why_not)
    response.readiness = why_not->empty() ? Readiness::ready() : Readiness::not_ready(std::string(*why_not));
  return response;
}

void append_opening_response(std::string_view version, const Readiness& readiness,
                             const counter::CounterFacts& facts, std::string& out) {
  wire::append_bytes(track_response::opening, opening_message(version, nullptr), out);
  append_readiness(readiness, out);
  append_facts(facts, out);
}

void append_facts(const counter::CounterFacts& facts, std::string& out) {
  wire::append_bytes(track_response::facts, facts_message(facts), out);
}

void append_readiness(const Readiness& readiness, std::string& out) {
  const std::string_view why_not = readiness.is_ready() ? "" : std::string_view(readiness.why_not());
  wire::append_bytes(track_response::readiness, text_message(readiness::why_not, why_not), out);
}

void append_minted(const domain::Token& token, std::string& out) {
  wire::append_bytes(mint_response::token,
                     {reinterpret_cast<const char*>(token.bytes.data()), token.bytes.size()}, out);
}

std::optional<domain::Token> read_minted(std::string_view message) {
  domain::Token token{};
  const auto bytes = text_in(message, mint_response::token);
  if (!bytes || bytes->size() != token.bytes.size()) return std::nullopt;
  std::copy(bytes->begin(), bytes->end(), token.bytes.begin());
  return token;
}

void append_batch(const BatchHead& head, std::span<const domain::HitBatch* const> batches, std::string& out) {
  std::size_t ids = 0;
  std::size_t paths = 0;
  std::size_t path_bytes = 0;
  for (const auto* batch : batches) {
    ids += batch->size() * id_bytes;
    paths += batch->paths().size();
    for (std::size_t hit = 0; hit < batch->size(); ++hit)
      path_bytes += wire::varint_bytes(batch->path(hit).size());
  }
  std::size_t group_hits = 0;
  std::size_t group_deadlines = 0;
  for (const auto& group : head.groups) {
    group_hits += wire::varint_bytes(group.hits);
    group_deadlines += wire::varint_bytes(group.deadline_ms);
  }
  const std::size_t size =
      wire::number_bytes(hit_batch::number, head.number) +
      wire::number_bytes(hit_batch::deadline_ms, head.deadline_ms) + wire::field_bytes(hit_batch::ids, ids) +
      wire::field_bytes(hit_batch::paths, paths) + wire::field_bytes(hit_batch::path_bytes, path_bytes) +
      wire::field_bytes(hit_batch::group_hits, group_hits) +
      wire::field_bytes(hit_batch::group_deadline_ms, group_deadlines);
  char* at = room_for(wire::field_bytes(track_request::batch, size), out);
  at = wire::write_head(track_request::batch, size, at);
  at = wire::write_number(hit_batch::number, head.number, at);
  at = wire::write_number(hit_batch::deadline_ms, head.deadline_ms, at);
  at = wire::write_head(hit_batch::ids, ids, at);
  for (const auto* batch : batches) {
    const auto* its_ids = reinterpret_cast<const char*>(batch->ids().data());
    at = wire::write_bytes({its_ids, batch->size() * id_bytes}, at);
  }
  at = wire::write_head(hit_batch::paths, paths, at);
  for (const auto* batch : batches) at = wire::write_bytes(batch->paths(), at);
  at = wire::write_head(hit_batch::path_bytes, path_bytes, at);
  for (const auto* batch : batches) {
    for (std::size_t hit = 0; hit < batch->size(); ++hit)
      at = wire::write_varint(batch->path(hit).size(), at);
  }
  at = wire::write_head(hit_batch::group_hits, group_hits, at);
  for (const auto& group : head.groups) at = wire::write_varint(group.hits, at);
  at = wire::write_head(hit_batch::group_deadline_ms, group_deadlines, at);
  for (const auto& group : head.groups) at = wire::write_varint(group.deadline_ms, at);
}

namespace {

/// Returns false unless the columns are as long as each other, no group is empty, and there are not too many.
bool read_groups(std::string_view hits, std::string_view deadlines, std::vector<DeadlineGroup>& groups) {
  while (!hits.empty()) {
    std::uint64_t size = 0;
    std::uint64_t deadline_ms = 0;
    if (!wire::take_varint(hits, size) || !wire::take_varint(deadlines, deadline_ms)) return false;
    if (size == 0 || size > track_message_bytes_max || groups.size() == deadline_groups_max) return false;
    groups.push_back({static_cast<std::uint32_t>(size), static_cast<std::uint32_t>(deadline_ms)});
  }
  return deadlines.empty();
}

}  // namespace

bool read_batch(std::string_view batch, BatchHead& head, domain::HitBatch& hits) {
  head = {};
  std::string_view ids;
  std::string_view paths;
  std::string_view path_bytes;
  std::string_view group_hits;
  std::string_view group_deadlines;
  wire::Fields fields(batch);
  while (fields.next()) {
    const bool is_bytes = fields.type() == wire::Type::bytes;
    const bool is_number = fields.type() == wire::Type::varint;
    switch (fields.number()) {
      case hit_batch::number:
        if (is_number) head.number = fields.value();
        break;
      case hit_batch::deadline_ms:
        if (is_number) head.deadline_ms = static_cast<std::uint32_t>(fields.value());
        break;
      case hit_batch::ids:
        if (is_bytes) ids = fields.bytes();
        break;
      case hit_batch::paths:
        if (is_bytes) paths = fields.bytes();
        break;
      case hit_batch::path_bytes:  // in one piece, as protobuf writes them
        if (!is_bytes || !path_bytes.empty()) return false;
        path_bytes = fields.bytes();
        break;
      case hit_batch::group_hits:
        if (!is_bytes || !group_hits.empty()) return false;
        group_hits = fields.bytes();
        break;
      case hit_batch::group_deadline_ms:
        if (!is_bytes || !group_deadlines.empty()) return false;
        group_deadlines = fields.bytes();
        break;
      default:
        break;
    }
  }
  if (fields.broken() || !read_groups(group_hits, group_deadlines, head.groups)) return false;
  const std::size_t before = hits.size();
  while (!path_bytes.empty()) {
    std::uint64_t size = 0;
    if (!wire::take_varint(path_bytes, size) || size == 0 || size > paths.size() || ids.size() < id_bytes)
      return false;
    domain::TokenId id{};
    std::memcpy(id.bytes.data(), ids.data(), id_bytes);
    hits.push(id, paths.substr(0, size));
    ids.remove_prefix(id_bytes);
    paths.remove_prefix(size);
  }
  if (!ids.empty() || !paths.empty()) return false;
  std::size_t grouped = 0;
  for (const auto& group : head.groups) grouped += group.hits;
  return head.groups.empty() || grouped == hits.size() - before;
}

void append_verdicts(std::uint64_t number, std::span<const domain::HitVerdict> verdicts,
                     std::size_t batch_size, std::string& out) {
  bool in_order = verdicts.size() == batch_size;
  bool all_counted = true;
  std::size_t hits = 0;
  std::size_t counts = 0;
  for (std::size_t i = 0; i < verdicts.size(); ++i) {
    in_order = in_order && verdicts[i].hit == i;
    all_counted = all_counted && verdicts[i].verdict.kind == Kind::counted;
    hits += wire::varint_bytes(verdicts[i].hit);
    counts += wire::varint_bytes(count_to_wire(verdicts[i].verdict));
  }
  if (in_order) hits = 0;
  const std::size_t kinds = all_counted ? 0 : verdicts.size();
  const std::size_t size =
      wire::number_bytes(verdicts_message::number, number) + wire::field_bytes(verdicts_message::hits, hits) +
      wire::field_bytes(verdicts_message::kinds, kinds) + wire::field_bytes(verdicts_message::counts, counts);
  char* at = room_for(wire::field_bytes(track_response::verdicts, size), out);
  at = wire::write_head(track_response::verdicts, size, at);
  at = wire::write_number(verdicts_message::number, number, at);
  at = wire::write_head(verdicts_message::hits, hits, at);
  if (!in_order) {
    for (const auto& verdict : verdicts) at = wire::write_varint(verdict.hit, at);
  }
  at = wire::write_head(verdicts_message::kinds, kinds, at);
  if (!all_counted) {
    for (const auto& verdict : verdicts) *at++ = to_wire(verdict.verdict.kind);
  }
  at = wire::write_head(verdicts_message::counts, counts, at);
  for (const auto& verdict : verdicts) {
    at = wire::write_varint(count_to_wire(verdict.verdict), at);
  }
}

std::uint64_t number_in_verdicts(std::string_view message) {
  wire::Fields fields(message);
  while (fields.next()) {
    if (fields.number() == verdicts_message::number && fields.type() == wire::Type::varint)
      return fields.value();
  }
  return 0;
}

bool read_verdicts(std::string_view message, std::size_t batch_size, std::uint64_t& number,
                   std::vector<domain::HitVerdict>& verdicts) {
  number = 0;
  verdicts.clear();
  std::string_view hits;
  std::string_view kinds;
  std::string_view counts;
  wire::Fields fields(message);
  while (fields.next()) {
    const bool is_bytes = fields.type() == wire::Type::bytes;
    const bool is_number = fields.type() == wire::Type::varint;
    switch (fields.number()) {
      case verdicts_message::number:
        if (is_number) number = fields.value();
        break;
      case verdicts_message::hits:  // in one piece, as protobuf writes them
        if (!is_bytes || !hits.empty()) return false;
        hits = fields.bytes();
        break;
      case verdicts_message::kinds:
        if (is_bytes) kinds = fields.bytes();
        break;
      case verdicts_message::counts:
        if (!is_bytes || !counts.empty()) return false;
        counts = fields.bytes();
        break;
      default:
        break;
    }
  }
  if (fields.broken()) return false;
  const bool in_order = hits.empty();
  const bool all_counted = kinds.empty();
  while (!counts.empty()) {
    std::uint64_t hit = verdicts.size();
    std::uint64_t count = 0;
    if (!wire::take_varint(counts, count) || (!in_order && !wire::take_varint(hits, hit))) return false;
    if (hit >= batch_size || (!all_counted && kinds.size() <= verdicts.size())) return false;
    const auto kind = all_counted ? char{counted_kind} : kinds[verdicts.size()];
    verdicts.push_back({static_cast<std::uint32_t>(hit), from_wire(kind, count)});
  }
  const bool as_many = all_counted || kinds.size() == verdicts.size();
  return as_many && (in_order ? verdicts.size() == batch_size : hits.empty());
}

std::uint32_t milliseconds_left(domain::Deadline deadline, std::chrono::steady_clock::time_point now) {
  if (deadline <= now) return 0;
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - now).count();
  return static_cast<std::uint32_t>(std::min<std::int64_t>(left, std::numeric_limits<std::uint32_t>::max()));
}

}  // namespace tracker::rpc
