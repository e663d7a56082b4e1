#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "domain/slot_table.h"
#include "runtime/address.h"

namespace tracker::counter {

/// The counters among which the tokens are partitioned, where each of them is, and who owns which slot. A value that does
/// not change. Any thread.
///
/// An entry is `name=host:port`, or `host:port`, which is then the counter's name, too. An entry that ends in `,leaving`
/// owns nothing. A list separates its entries by commas. A file has one entry in each line, blank lines and lines that
/// begin with `#`; its first line may be `version N`.
class CounterList {
 public:
  struct Entry {
    std::string name;
    runtime::Address address;
    bool leaving = false;

    bool operator==(const Entry&) const = default;
  };

  /// Both throw std::invalid_argument with words that say what is wrong in `text`.
  static CounterList parse(std::string_view text, std::uint64_t version = 0);
  static CounterList parse_file(std::string_view text);

  /// The same list for counters that own every token each: an order of preference, and no partition. `entries` has an index
  /// into entries() for each slot, or `nobody`.
  CounterList preferring(std::vector<std::uint8_t> entries) const;
  static constexpr std::uint8_t nobody = UINT8_MAX;
  /// Empty: it partitions the tokens.
  const std::vector<std::uint8_t>& preferred() const noexcept { return preferred_; }

  /// In the order of the text.
  const std::vector<Entry>& entries() const noexcept { return entries_; }
  /// Null if there is none with this name.
  const Entry* find(std::string_view name) const noexcept;

  /// A list with a higher version replaces one with a lower version. 0 if none was given.
  std::uint64_t version() const noexcept { return version_; }

  /// Who owns which slot: the entries that do not leave.
  const domain::SlotTable& table() const noexcept { return table_; }

  /// As parse() reads it.
  std::string to_string() const;
  /// The same with the version, for people.
  std::string described() const { return to_string() + " (version " + std::to_string(version_) + ")"; }

  /// Why `list` must not replace this one, in words that name the remedy. Nothing: it may. A list with a lower version
  /// may not, nor one with the same version and other owners. Who is preferred may always change.
  std::optional<std::string> refusal_of(const CounterList& list) const;

  bool operator==(const CounterList& other) const noexcept {
    return version_ == other.version_ && entries_ == other.entries_ && preferred_ == other.preferred_;
  }

 private:
  CounterList(std::vector<Entry> entries, std::uint64_t version);

  std::vector<Entry> entries_;
  std::uint64_t version_;
  domain::SlotTable table_;
  std::vector<std::uint8_t> preferred_;
};

using CounterListPtr = std::shared_ptr<const CounterList>;

}  // namespace tracker::counter
