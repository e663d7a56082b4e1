#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "domain/slot.h"
#include "store/store_contents.h"

namespace tracker::transfer {

/// Says what an export file is. A value.
struct ExportHeader {
  enum class Kind : std::uint8_t {
    held,  // the source refuses its slots until the move has ended
    lost,  // the source refuses its slots, which are another counter's by the list
    copy,  // the source goes on counting: what it counts after the export is not in the file
  };
  Kind kind = Kind::copy;
  store::ExportId id{};
  store::StoreFacts::Id store{};       // the source
  std::set<std::string> masters = {};  // the source, if it is a Redis Cluster
  domain::SlotSet slots = {};
  std::string time = {};  // UTC, as RFC 3339 has it
  // Of kind lost.
  std::string owner = {};  // the counter that has the slots by the list
  std::uint64_t list_version = 0;
  std::uint64_t list_fingerprint = 0;
  // The move was given up: the file must not be imported.
  bool is_void = false;

  bool operator==(const ExportHeader&) const = default;
};

struct ExportTotals {
  std::uint64_t tokens = 0;
  std::uint64_t counters = 0;

  bool operator==(const ExportTotals&) const = default;
};

/// `0-5460,8192`: slots and ranges of slots.
std::string slots_text(const domain::SlotSet& slots);
/// Nothing: it is no such text, or names no slot.
std::optional<domain::SlotSet> parse_slots(std::string_view text);

std::string to_hex(const store::ExportId& id);

/// An export file is text, a JSON value in each line: a header, one line for each token with its counts, in the order of the
/// ids, and the totals with
/// the SHA-256 of all bytes before them.
///
/// Writes it to a descriptor, which stays open. Not synchronised. Throws store::StoreError, also when nobody takes anything
/// from a pipe for `patience`.
class ExportWriter {
 public:
  ExportWriter(int descriptor, const ExportHeader& header,
               std::chrono::milliseconds patience = std::chrono::seconds(60));
  ~ExportWriter();

  void add(std::span<const store::StoredToken> tokens);
  /// Writes the totals. A regular file is on disk then. Returns the checksum, in hex.
  std::string finish();

  const ExportTotals& totals() const noexcept { return totals_; }

 private:
  class Output;
  const std::unique_ptr<Output> output_;
  ExportTotals totals_;
};

/// Reads it from a descriptor of a regular file, from the beginning. Not synchronised. Throws store::StoreError, which says
/// what is wrong with the file.
class ExportReader {
 public:
  explicit ExportReader(int descriptor);
  ~ExportReader();

  const ExportHeader& header() const noexcept { return header_; }

  /// Returns the next tokens, up to about 1 MiB of them. Empty: these were all, and the totals and the checksum are right.
  std::vector<store::StoredToken> next();

  /// The checksum of everything up to the last token that next() returned.
  std::string checksum_so_far() const;

  // After the last token.
  const ExportTotals& totals() const noexcept { return totals_; }
  const std::string& checksum() const noexcept { return checksum_; }

 private:
  class Input;
  const std::unique_ptr<Input> input_;
  ExportHeader header_;
  ExportTotals totals_;
  std::optional<domain::TokenId> last_;
  std::string checksum_;
};

/// Says in the file itself that it must not be imported. Throws store::StoreError.
void make_void(int descriptor);

/// Says that everything in a file has arrived. A value.
struct Receipt {
  store::ExportId id{};
  store::StoreFacts::Id source{};
  domain::SlotSet slots = {};
  std::string checksum = {};
  std::string target = {};  // which store, in words
  ExportTotals totals = {};
  std::string loss = {};  // what the target can lose, in words; empty: nothing
  std::string time = {};

  /// One line of JSON.
  std::string to_string() const;
  /// Nothing: it is no receipt.
  static std::optional<Receipt> parse(std::string_view text);
};

/// The time now in UTC, as RFC 3339 has it.
std::string now_text();

/// The identity of a store in words: its id, or the masters of a cluster.
std::string name_of(const store::StoreFacts::Id& id, const std::set<std::string>& masters);

}  // namespace tracker::transfer
