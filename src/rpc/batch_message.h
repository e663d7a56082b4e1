#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "domain/hit_batch.h"
#include "domain/verdict.h"

namespace tracker::rpc {

// Between the columns in memory and the messages of proto/tracker/v1/counting.proto, in protobuf's wire format but
// without its objects: these are what every hit goes through. The tests hold them to protobuf's own code. Pure.

/// What HitBatch says besides its hits.
struct BatchHead {
  std::uint64_t number = 0;
  std::uint32_t deadline_ms = 0;
};

/// The HitBatch in a TrackRequest, or the Verdicts in a TrackResponse, that hold nothing else.
std::optional<std::string_view> batch_in(std::string_view message);
std::optional<std::string_view> verdicts_in(std::string_view message);

/// Appends a TrackRequest whose batch has the hits of all of these, of which there are some.
void append_batch(const BatchHead& head, std::span<const domain::HitBatch* const> batches, std::string& out);

/// Sets `head` to that of a HitBatch and appends its hits. Answers false if it cannot be read, or if its columns do
/// not fit together; `hits` is of no use then.
bool read_batch(std::string_view batch, BatchHead& head, domain::HitBatch& hits);

/// Appends a TrackResponse with these verdicts, about batch `number` of `batch_size` hits.
void append_verdicts(std::uint64_t number, std::span<const domain::HitVerdict> verdicts,
                     std::size_t batch_size, std::string& out);

/// Sets `number` and `verdicts` to those of Verdicts, about a batch of `batch_size` hits. Answers false as
/// read_batch().
bool read_verdicts(std::string_view message, std::size_t batch_size, std::uint64_t& number,
                   std::vector<domain::HitVerdict>& verdicts);

/// What is left until the deadline, in milliseconds rounded up; 0 if it has passed.
std::uint32_t milliseconds_left(domain::Deadline deadline, std::chrono::steady_clock::time_point now);

}  // namespace tracker::rpc
