#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "domain/ip_address.h"
#include "domain/token_id.h"
#include "runtime/line_file.h"
#include "runtime/log.h"

namespace tracker::envoy {

struct Exchange;

/// Where one line for each answered request goes.
struct AccessLogSettings {
  std::string path;                   // `-`: the standard output; empty: there is no access log
  std::size_t sample = 1;             // one in so many requests
  runtime::LineFile* file = nullptr;  // that path, opened; null: there is none
  runtime::LogFormat format = runtime::LogFormat::text;
};

/// What an access log says of a request, as far as that is known before its answer.
struct AccessEntry {
  std::string_view method;  // as IANA registers it; empty: it is not registered, or could not be read
  std::string path;         // in normal form; empty: it could not be read
  std::optional<domain::TokenId> token;
  std::optional<domain::IpAddress> client;  // for whom a trusted proxy asks; nothing: none says so
};

/// One worker's part of the access log. Its lines are handed over at the end of each turn. Belongs to the worker's
/// thread.
///
/// A line of text has these columns, with one space between: the time (UTC), method, path, status, count or refusal,
/// token id, client (with its port, unless a proxy asks for it), bytes of the answer, and microseconds from the whole head
/// to the answer. A column without a value holds `-`. In JSON they are the members time, method, path, status, count or
/// refusal, token, client, bytes and duration_us; one without a value is left out. No byte of a client can end a line or a
/// column.
class AccessLog {
 public:
  explicit AccessLog(const AccessLogSettings& settings);

  /// The entry of a request whose head has just been read; null if the request is not in the sample. It is valid until
  /// log() or forget().
  AccessEntry* begin();

  /// Writes the line of an exchange with an entry, which has its answer, of so many bytes. `peer` is the other end of the
  /// connection. Takes the entry back.
  void log(const Exchange& exchange, std::string_view peer, std::size_t bytes);

  /// The request gets no answer.
  void forget(AccessEntry& entry) { free_.push_back(&entry); }

  /// Hands over the lines of this turn. Does not wait.
  void hand_over();

 private:
  bool is_in_sample();

  const AccessLogSettings settings_;
  std::vector<std::unique_ptr<AccessEntry>> entries_;  // all there are
  std::vector<AccessEntry*> free_;
  std::string lines_;  // of this turn
  std::size_t line_count_ = 0;
  std::minstd_rand random_{std::random_device{}()};
  std::size_t left_ = 0;    // requests of this sample that are to come
  std::size_t picked_ = 0;  // which of them is logged
  std::int64_t time_ms_ = -1;
  std::string time_text_;  // of time_ms_
};

/// The other end of a connection, for such a line; empty if it has gone already.
std::string peer_text(int socket);

}  // namespace tracker::envoy
