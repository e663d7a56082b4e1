// Fuzzes the readers of batches of hits and verdicts. What they can read must mean the same to protobuf's own code, if
// that can read it too. It must also stay the same when it is written and read again.
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <tracker/v1/counting.pb.h>
#include "require.h"
#include "rpc/batch_message.h"

namespace {

using namespace tracker;

std::optional<std::string_view> batch_in(std::string_view message) {
  const auto request = rpc::read_track_request(message);
  return request ? request->batch : std::nullopt;
}

std::optional<std::string_view> verdicts_in(std::string_view message) {
  const auto response = rpc::read_track_response(message);
  return response ? response->verdicts : std::nullopt;
}

void compare_with_protobuf(std::string_view input, const rpc::BatchHead& head, const domain::HitBatch& hits) {
  v1::HitBatch protobuf;
  if (!protobuf.ParseFromArray(input.data(), static_cast<int>(input.size()))) return;
  require(protobuf.number() == head.number && protobuf.deadline_ms() == head.deadline_ms,
          "protobuf's head is the same");
  require(static_cast<std::size_t>(protobuf.group_hits_size()) == head.groups.size() &&
              static_cast<std::size_t>(protobuf.group_deadline_ms_size()) == head.groups.size(),
          "protobuf's groups are as many");
  for (int i = 0; i < protobuf.group_hits_size(); ++i) {
    const auto& group = head.groups[static_cast<std::size_t>(i)];
    require(protobuf.group_hits(i) == group.hits && protobuf.group_deadline_ms(i) == group.deadline_ms,
            "protobuf's groups are the same");
  }
  require(protobuf.paths() == hits.paths() &&
              protobuf.ids().size() == hits.size() * sizeof(domain::TokenId) &&
              static_cast<std::size_t>(protobuf.path_bytes_size()) == hits.size(),
          "protobuf's columns are the same");
  for (int i = 0; i < protobuf.path_bytes_size(); ++i) {
    const auto hit = static_cast<std::size_t>(i);
    require(protobuf.path_bytes(i) == hits.path(hit).size(), "protobuf's paths are as long");
    const auto* id = reinterpret_cast<const char*>(hits.id(hit).bytes.data());
    require(protobuf.ids().compare(hit * sizeof(domain::TokenId), sizeof(domain::TokenId), id,
                                   sizeof(domain::TokenId)) == 0,
            "protobuf's ids are the same");
  }
}

void compare_with_protobuf(std::string_view input, std::uint64_t number,
                           const std::vector<domain::HitVerdict>& verdicts) {
  v1::Verdicts protobuf;
  if (!protobuf.ParseFromArray(input.data(), static_cast<int>(input.size()))) return;
  require(protobuf.number() == number, "protobuf's number is the same");
  require(static_cast<std::size_t>(protobuf.counts_size()) == verdicts.size(), "protobuf has as many counts");
  for (int i = 0; i < protobuf.counts_size(); ++i) {
    const auto& verdict = verdicts[static_cast<std::size_t>(i)];
    if (verdict.verdict.kind == domain::Verdict::Kind::counted)
      require(protobuf.counts(i) == verdict.verdict.count, "protobuf's counts are the same");
    require(protobuf.hits_size() == 0 || protobuf.hits(i) == verdict.hit, "protobuf's hits are the same");
  }
}

void check_batch(std::string_view input) {
  rpc::BatchHead head;
  domain::HitBatch hits;
  if (!rpc::read_batch(input, head, hits) || hits.empty()) return;
  require(hits.size() * sizeof(domain::TokenId) + hits.paths().size() <= input.size(),
          "hits are in the message");
  compare_with_protobuf(input, head, hits);
  const domain::HitBatch* batch = &hits;
  std::string written;
  rpc::append_batch(head, {&batch, 1}, written);
  const auto again = batch_in(written);
  require(again.has_value(), "what is written is a batch");
  rpc::BatchHead read_head;
  domain::HitBatch read;
  require(rpc::read_batch(*again, read_head, read), "what is written can be read");
  require(read_head.number == head.number && read_head.deadline_ms == head.deadline_ms &&
              read_head.groups.size() == head.groups.size(),
          "the head stays");
  require(read.size() == hits.size() && read.paths() == hits.paths(), "the hits stay");
  for (std::size_t hit = 0; hit < hits.size(); ++hit) {
    require(read.id(hit) == hits.id(hit) && read.path(hit) == hits.path(hit), "each hit stays");
  }
}

void check_verdicts(std::string_view input, std::size_t batch_size) {
  std::uint64_t number = 0;
  std::vector<domain::HitVerdict> verdicts;
  if (!rpc::read_verdicts(input, batch_size, number, verdicts)) return;
  compare_with_protobuf(input, number, verdicts);
  std::string written;
  rpc::append_verdicts(number, verdicts, batch_size, written);
  const auto message = verdicts_in(written);
  if (!message) return require(verdicts.empty() && number == 0, "what is written are verdicts");
  std::uint64_t read_number = 0;
  std::vector<domain::HitVerdict> read;
  require(rpc::read_verdicts(*message, batch_size, read_number, read), "what is written can be read");
  require(read_number == number && read.size() == verdicts.size(), "the verdicts stay");
  for (std::size_t i = 0; i < read.size(); ++i) {
    require(
        read[i].hit < batch_size && read[i].hit == verdicts[i].hit && read[i].verdict == verdicts[i].verdict,
        "each verdict stays");
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  check_batch(input);
  check_verdicts(input, size % 5);
  return 0;
}
