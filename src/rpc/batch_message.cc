#include "rpc/batch_message.h"

#include <algorithm>
#include <cstring>
#include <limits>

#include <tracker/v1/counting.pb.h>

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

}  // namespace

void append_hits(const domain::HitBatch& hits, v1::HitBatch& message) {
  for (std::size_t hit = 0; hit < hits.size(); ++hit) {
    const auto& id = hits.id(hit);
    const auto path = hits.path(hit);
    message.mutable_ids()->append(reinterpret_cast<const char*>(id.bytes.data()), id_bytes);
    message.mutable_paths()->append(path);
    message.add_path_bytes(static_cast<std::uint32_t>(path.size()));
  }
}

bool read_hits(const v1::HitBatch& message, domain::HitBatch& hits) {
  const auto size = static_cast<std::size_t>(message.path_bytes_size());
  if (message.ids().size() != size * id_bytes) return false;
  std::string_view paths = message.paths();
  const char* ids = message.ids().data();
  for (const auto path_bytes : message.path_bytes()) {
    if (path_bytes == 0 || path_bytes > paths.size()) return false;
    domain::TokenId id{};
    std::memcpy(id.bytes.data(), ids, id_bytes);
    ids += id_bytes;
    hits.push(id, paths.substr(0, path_bytes));
    paths.remove_prefix(path_bytes);
  }
  return paths.empty();
}

void write_verdicts(std::span<const domain::HitVerdict> verdicts, std::size_t batch_size,
                    v1::Verdicts& message) {
  message.Clear();
  bool in_order = verdicts.size() == batch_size;
  bool all_counted = true;
  for (std::size_t i = 0; i < verdicts.size(); ++i) {
    in_order = in_order && verdicts[i].hit == i;
    all_counted = all_counted && verdicts[i].verdict.kind == Kind::counted;
  }
  for (const auto& [hit, verdict] : verdicts) {
    if (!in_order) message.add_hits(hit);
    if (!all_counted) message.mutable_kinds()->push_back(to_wire(verdict.kind));
    message.add_counts(verdict.count);
  }
}

bool read_verdicts(const v1::Verdicts& message, std::size_t batch_size,
                   std::vector<domain::HitVerdict>& verdicts) {
  const auto size = static_cast<std::size_t>(message.counts_size());
  const bool in_order = message.hits_size() == 0;
  const bool all_counted = message.kinds().empty();
  if (in_order ? size != batch_size : static_cast<std::size_t>(message.hits_size()) != size) return false;
  if (!all_counted && message.kinds().size() != size) return false;
  verdicts.clear();
  for (std::size_t i = 0; i < size; ++i) {
    const int at = static_cast<int>(i);
    const auto hit = in_order ? static_cast<std::uint32_t>(i) : message.hits(at);
    if (hit >= batch_size) return false;
    verdicts.push_back(
        {hit, {all_counted ? Kind::counted : from_wire(message.kinds()[i]), message.counts(at)}});
  }
  return true;
}

std::uint32_t milliseconds_left(domain::Deadline deadline, std::chrono::steady_clock::time_point now) {
  if (deadline <= now) return 0;
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - now).count();
  return static_cast<std::uint32_t>(std::min<std::int64_t>(left, std::numeric_limits<std::uint32_t>::max()));
}

}  // namespace tracker::rpc
