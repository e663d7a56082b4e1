#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "counter/counter_facts.h"
#include "counter/counter_list.h"
#include "domain/hit_batch.h"
#include "domain/readiness.h"
#include "domain/token.h"
#include "domain/verdict.h"

namespace tracker::rpc {

// Converts the messages of proto/tracker/v1/counting.proto to and from columns in memory, without protobuf's objects,
// because every hit passes through them. The tests compare this codec with protobuf's own. Pure.

/// The longest message of the stream that is accepted. A batch is 1 MiB and a few columns.
inline constexpr std::size_t track_message_bytes_max = 8 * 1024 * 1024;
/// The HTTP/2 windows at both ends of the stream. A window must hold the longest message even while almost half of the
/// window has not been given back yet.
inline constexpr std::uint32_t track_window_bytes = 2 * track_message_bytes_max;

/// A HitBatch has at most this many groups of hits. The counter treats each as a batch.
inline constexpr std::size_t deadline_groups_max = 64;

/// Hits of a HitBatch that follow each other and have one deadline.
struct DeadlineGroup {
  std::uint32_t hits = 0;
  std::uint32_t deadline_ms = 0;
};

/// The fields of a HitBatch other than its hits.
struct BatchHead {
  std::uint64_t number = 0;
  std::uint32_t deadline_ms = 0;           // the earliest of all hits
  std::vector<DeadlineGroup> groups = {};  // of all hits, in order; none: they share deadline_ms
};

/// The first message of a side.
struct Opening {
  std::string version;
  counter::CounterListPtr list = nullptr;  // of a client that partitions the tokens
};

/// The contents of a TrackRequest, each at most once: its Opening, its HitBatch, and the list that the client has from now
/// on. A request without the first two asks whether the counter is there.
struct TrackRequest {
  std::optional<Opening> opening;
  std::optional<std::string_view> batch;
  counter::CounterListPtr list = nullptr;
};
/// Returns nothing if the message is malformed. Ignores fields of later versions.
std::optional<TrackRequest> read_track_request(std::string_view message);
/// `list`: by which the client partitions the tokens; null: it does not.
void append_opening_request(std::string_view version, const counter::CounterList* list, std::string& out);
/// Adds to a TrackRequest that the client has this list from now on.
void append_list(const counter::CounterList& list, std::string& out);

/// The contents of a TrackResponse, each at most once.
struct TrackResponse {
  std::optional<Opening> opening;
  std::optional<std::string_view> verdicts;
  std::optional<domain::Readiness> readiness;
  std::optional<counter::CounterFacts> facts;
};
/// The same as read_track_request().
std::optional<TrackResponse> read_track_response(std::string_view message);
void append_opening_response(std::string_view version, const domain::Readiness& readiness,
                             const counter::CounterFacts& facts, std::string& out);
void append_readiness(const domain::Readiness& readiness, std::string& out);
void append_facts(const counter::CounterFacts& facts, std::string& out);

/// MintResponse.
void append_minted(const domain::Token& token, std::string& out);
std::optional<domain::Token> read_minted(std::string_view message);

/// Appends a TrackRequest with one batch that has the hits of all these batches. There must be at least one hit.
void append_batch(const BatchHead& head, std::span<const domain::HitBatch* const> batches, std::string& out);

/// Sets `head` to that of a HitBatch, and appends its hits. Returns false if the batch cannot be read or its columns do
/// not fit together. Then the contents of `hits` are undefined.
bool read_batch(std::string_view batch, BatchHead& head, domain::HitBatch& hits);

/// Appends a TrackResponse with these verdicts on batch `number` of `batch_size` hits.
void append_verdicts(std::uint64_t number, std::span<const domain::HitVerdict> verdicts,
                     std::size_t batch_size, std::string& out);

/// Returns the first number in a Verdicts message, or 0 if there is none.
std::uint64_t number_in_verdicts(std::string_view message);

/// Sets `number` and `verdicts` to those of a Verdicts message on a batch of `batch_size` hits. Returns false like
/// read_batch().
bool read_verdicts(std::string_view message, std::size_t batch_size, std::uint64_t& number,
                   std::vector<domain::HitVerdict>& verdicts);

/// Returns the time left until the deadline, in milliseconds rounded up, or 0 if the deadline has passed.
std::uint32_t milliseconds_left(domain::Deadline deadline, std::chrono::steady_clock::time_point now);

}  // namespace tracker::rpc
