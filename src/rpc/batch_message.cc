#include "rpc/batch_message.h"

#include <algorithm>
#include <cstring>
#include <limits>

#include <tracker/v1/counting.pb.h>
#include "rpc/wire_format.h"

namespace tracker::rpc {

namespace {

using Kind = domain::Verdict::Kind;

constexpr std::size_t id_bytes = sizeof(domain::TokenId);

char to_wire(Kind kind) {
  switch (kind) {
    case Kind::counted:
      return v1::VERDICT_KIND_COUNTED;
    case Kind::unknown_token:
      return v1::VERDICT_KIND_UNKNOWN_TOKEN;
    case Kind::not_counted:
      return v1::VERDICT_KIND_NOT_COUNTED;
    case Kind::perhaps_counted:
      break;
  }
  return v1::VERDICT_KIND_PERHAPS_COUNTED;
}

Kind from_wire(char kind) {
  switch (kind) {
    case v1::VERDICT_KIND_COUNTED:
      return Kind::counted;
    case v1::VERDICT_KIND_UNKNOWN_TOKEN:
      return Kind::unknown_token;
    case v1::VERDICT_KIND_NOT_COUNTED:
      return Kind::not_counted;
    default:
      return Kind::perhaps_counted;
  }
}

constexpr std::uint32_t batch_field = v1::TrackRequest::kBatchFieldNumber;
constexpr std::uint32_t verdicts_field = v1::TrackResponse::kVerdictsFieldNumber;

/// Makes `out` longer by so much; answers where that begins.
char* room_for(std::size_t size, std::string& out) {
  out.resize(out.size() + size);
  return out.data() + out.size() - size;
}

std::optional<std::string_view> only_field(std::uint32_t number, std::string_view message) {
  wire::Fields fields(message);
  if (!fields.next() || fields.number() != number || fields.type() != wire::Type::bytes ||
      !fields.rest().empty()) {
    return std::nullopt;
  }
  return fields.bytes();
}

}  // namespace

std::optional<std::string_view> batch_in(std::string_view message) {
  return only_field(batch_field, message);
}

std::optional<std::string_view> verdicts_in(std::string_view message) {
  return only_field(verdicts_field, message);
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
  const std::size_t size = wire::number_bytes(v1::HitBatch::kNumberFieldNumber, head.number) +
                           wire::number_bytes(v1::HitBatch::kDeadlineMsFieldNumber, head.deadline_ms) +
                           wire::field_bytes(v1::HitBatch::kIdsFieldNumber, ids) +
                           wire::field_bytes(v1::HitBatch::kPathsFieldNumber, paths) +
                           wire::field_bytes(v1::HitBatch::kPathBytesFieldNumber, path_bytes);
  char* at = room_for(wire::field_bytes(batch_field, size), out);
  at = wire::write_head(batch_field, size, at);
  at = wire::write_number(v1::HitBatch::kNumberFieldNumber, head.number, at);
  at = wire::write_number(v1::HitBatch::kDeadlineMsFieldNumber, head.deadline_ms, at);
  at = wire::write_head(v1::HitBatch::kIdsFieldNumber, ids, at);
  for (const auto* batch : batches) {
    const auto* its_ids = reinterpret_cast<const char*>(batch->ids().data());
    at = wire::write_bytes({its_ids, batch->size() * id_bytes}, at);
  }
  at = wire::write_head(v1::HitBatch::kPathsFieldNumber, paths, at);
  for (const auto* batch : batches) at = wire::write_bytes(batch->paths(), at);
  at = wire::write_head(v1::HitBatch::kPathBytesFieldNumber, path_bytes, at);
  for (const auto* batch : batches) {
    for (std::size_t hit = 0; hit < batch->size(); ++hit)
      at = wire::write_varint(batch->path(hit).size(), at);
  }
}

bool read_batch(std::string_view batch, BatchHead& head, domain::HitBatch& hits) {
  head = {};
  std::string_view ids;
  std::string_view paths;
  std::string_view path_bytes;
  wire::Fields fields(batch);
  while (fields.next()) {
    const bool is_bytes = fields.type() == wire::Type::bytes;
    const bool is_number = fields.type() == wire::Type::varint;
    switch (fields.number()) {
      case v1::HitBatch::kNumberFieldNumber:
        if (is_number) head.number = fields.value();
        break;
      case v1::HitBatch::kDeadlineMsFieldNumber:
        if (is_number) head.deadline_ms = static_cast<std::uint32_t>(fields.value());
        break;
      case v1::HitBatch::kIdsFieldNumber:
        if (is_bytes) ids = fields.bytes();
        break;
      case v1::HitBatch::kPathsFieldNumber:
        if (is_bytes) paths = fields.bytes();
        break;
      case v1::HitBatch::kPathBytesFieldNumber:  // in one piece, as protobuf writes them
        if (!is_bytes || !path_bytes.empty()) return false;
        path_bytes = fields.bytes();
        break;
      default:
        break;
    }
  }
  if (fields.broken()) return false;
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
  return ids.empty() && paths.empty();
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
    counts += wire::varint_bytes(static_cast<std::uint64_t>(verdicts[i].verdict.count));
  }
  if (in_order) hits = 0;
  const std::size_t kinds = all_counted ? 0 : verdicts.size();
  const std::size_t size = wire::number_bytes(v1::Verdicts::kNumberFieldNumber, number) +
                           wire::field_bytes(v1::Verdicts::kHitsFieldNumber, hits) +
                           wire::field_bytes(v1::Verdicts::kKindsFieldNumber, kinds) +
                           wire::field_bytes(v1::Verdicts::kCountsFieldNumber, counts);
  char* at = room_for(wire::field_bytes(verdicts_field, size), out);
  at = wire::write_head(verdicts_field, size, at);
  at = wire::write_number(v1::Verdicts::kNumberFieldNumber, number, at);
  at = wire::write_head(v1::Verdicts::kHitsFieldNumber, hits, at);
  if (!in_order) {
    for (const auto& verdict : verdicts) at = wire::write_varint(verdict.hit, at);
  }
  at = wire::write_head(v1::Verdicts::kKindsFieldNumber, kinds, at);
  if (!all_counted) {
    for (const auto& verdict : verdicts) *at++ = to_wire(verdict.verdict.kind);
  }
  at = wire::write_head(v1::Verdicts::kCountsFieldNumber, counts, at);
  for (const auto& verdict : verdicts) {
    at = wire::write_varint(static_cast<std::uint64_t>(verdict.verdict.count), at);
  }
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
      case v1::Verdicts::kNumberFieldNumber:
        if (is_number) number = fields.value();
        break;
      case v1::Verdicts::kHitsFieldNumber:  // in one piece, as protobuf writes them
        if (!is_bytes || !hits.empty()) return false;
        hits = fields.bytes();
        break;
      case v1::Verdicts::kKindsFieldNumber:
        if (is_bytes) kinds = fields.bytes();
        break;
      case v1::Verdicts::kCountsFieldNumber:
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
    const auto kind = all_counted ? Kind::counted : from_wire(kinds[verdicts.size()]);
    verdicts.push_back({static_cast<std::uint32_t>(hit), {kind, static_cast<std::int64_t>(count)}});
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
