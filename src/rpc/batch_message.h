#pragma once

#include <chrono>
#include <cstdint>
#include <span>
#include <vector>

#include "domain/hit_batch.h"
#include "domain/verdict.h"

namespace tracker::v1 {
class HitBatch;
class Verdicts;
}  // namespace tracker::v1

namespace tracker::rpc {

// Between the columns in memory and the columns in a message (proto/tracker/v1/counting.proto). Pure.

/// Appends the hits to the message.
void append_hits(const domain::HitBatch& hits, v1::HitBatch& message);

/// Appends the message's hits. Answers false if its columns do not fit together; `hits` is of no use then.
bool read_hits(const v1::HitBatch& message, domain::HitBatch& hits);

/// Sets the message to these verdicts, about a batch of `batch_size` hits.
void write_verdicts(std::span<const domain::HitVerdict> verdicts, std::size_t batch_size,
                    v1::Verdicts& message);

/// Sets `verdicts` to those of the message, which is about a batch of `batch_size` hits. Answers false if its
/// columns do not fit together.
bool read_verdicts(const v1::Verdicts& message, std::size_t batch_size,
                   std::vector<domain::HitVerdict>& verdicts);

/// What is left until the deadline, in milliseconds rounded up; 0 if it has passed.
std::uint32_t milliseconds_left(domain::Deadline deadline, std::chrono::steady_clock::time_point now);

}  // namespace tracker::rpc
