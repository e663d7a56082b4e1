#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "domain/hit_batch.h"
#include "domain/readiness.h"
#include "domain/token.h"
#include "domain/verdict.h"

namespace tracker::rpc {

// The messages of proto/tracker/v1/counting.proto, to and from columns in memory, without protobuf's objects: every hit
// goes through them. The tests hold this codec to protobuf's own. Pure.

/// The longest message of the stream that is taken. A batch is 1 MiB and a few columns.
inline constexpr std::size_t track_message_bytes_max = 8 * 1024 * 1024;
/// The HTTP/2 windows at both ends of the stream. A window must hold the longest message while less than half of the window
/// is given back.
inline constexpr std::uint32_t track_window_bytes = 2 * track_message_bytes_max;

/// What HitBatch says besides its hits.
struct BatchHead {
  std::uint64_t number = 0;
  std::uint32_t deadline_ms = 0;
};

/// What a TrackRequest holds, each at most once: the version in its Opening, and its HitBatch. One that holds nothing
/// asks whether the counter is there.
struct TrackRequest {
  std::optional<std::string_view> opening_version;
  std::optional<std::string_view> batch;
};
/// Nothing: the message is malformed. Fields of later versions are ignored.
std::optional<TrackRequest> read_track_request(std::string_view message);
void append_opening_request(std::string_view version, std::string& out);

/// What a TrackResponse holds, each at most once.
struct TrackResponse {
  std::optional<std::string_view> opening_version;
  std::optional<std::string_view> verdicts;
  std::optional<domain::Readiness> readiness;
};
/// As read_track_request().
std::optional<TrackResponse> read_track_response(std::string_view message);
void append_opening_response(std::string_view version, const domain::Readiness& readiness, std::string& out);
void append_readiness(const domain::Readiness& readiness, std::string& out);

/// MintResponse.
void append_minted(const domain::Token& token, std::string& out);
std::optional<domain::Token> read_minted(std::string_view message);

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
