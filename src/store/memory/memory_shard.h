#pragma once

#include <boost/unordered/unordered_flat_map.hpp>
#include <cstdint>
#include <cstring>
#include <memory>
#include <memory_resource>
#include <mutex>
#include <optional>
#include <set>
#include <string_view>
#include <vector>

#include "domain/seeded_hash.h"
#include "domain/slot.h"
#include "domain/token_id.h"
#include "domain/verdict.h"
#include "store/compact_record.h"
#include "store/count_reader.h"
#include "store/slot_marks.h"
#include "store/store_contents.h"
#include "store/token_keeper.h"
#include "store/token_rules.h"

namespace tracker::store::memory {

/// So many that one is read within a moment.
inline constexpr std::size_t shard_count = 1024;

/// The marks of the slots. They change only while every shard is locked.
struct Marks {
  SlotMarks all = {};
  domain::SlotSet stopped = {};
  domain::SlotSet importing = {};
  std::set<ExportId> imports = {};  // that there ever were
};

/// The tokens whose ids begin with the same 10 bits, and their counts. Each call locks it, where nothing else is said.
class alignas(64) MemoryShard {
 public:
  static std::size_t index_of(const domain::TokenId& id) noexcept {
    return std::size_t{id.bytes[0]} << 2U | id.bytes[1] >> 6U;
  }

  domain::Verdict count(const domain::TokenId& id, std::string_view path, const Marks& marks,
                        const TokenRules& rules, domain::Seconds now_s);
  enum class Added : std::uint8_t { added, known, refused };
  /// Refused: its slot takes no tokens.
  Added add_token(const domain::TokenId& id, const domain::TokenRecord& record, const Marks& marks);
  domain::SlotSet slots() const;
  struct Size {
    std::size_t tokens;
    std::size_t counters;
  };
  Size size() const;

  /// Keeps, from now on, what counting changes, until read() or forget_moment(). The shard is locked by the caller.
  void keep_moment();
  void forget_moment();
  /// The tokens of these slots as of that moment, in the order of their ids. Leaves out those of imports under way.
  std::vector<StoredToken> read(const domain::SlotSet& slots, const Marks& marks);

  /// As CountReader says.
  std::vector<TokenSummary> list(const domain::SlotSet& slots, const std::optional<domain::TokenId>& after,
                                 const Marks& marks) const;
  std::optional<TokenSummary> find(const domain::TokenId& id, const Marks& marks) const;
  std::optional<TokenCounts> read(const domain::TokenId& id, const CountsQuery& query,
                                  const Marks& marks) const;

  /// Nothing: there is no such token. Otherwise the export that it came from, or zeros.
  std::optional<ExportId> origin_of(const domain::TokenId& id) const;
  void put(const ExportId& export_id, const StoredToken& token);
  /// Removes the tokens of these slots, as StoreContents::remove() says. Returns how many.
  std::size_t remove(const domain::SlotSet& slots, const Marks& marks);

  /// As TokenKeeper says.
  std::optional<domain::TokenRecord> change(const domain::TokenId& id, const TokenChange& change,
                                            const Marks& marks, domain::Seconds now_s);
  /// Removes those tokens of these slots, or the one, that are outdated. Returns how many.
  std::size_t purge(const domain::SlotSet& slots, const std::optional<domain::TokenId>& only,
                    const Marks& marks, domain::Seconds now_s, domain::Seconds retain_s);
  bool has(const domain::TokenId& id) const;

  std::mutex& mutex() const noexcept { return mutex_; }

 private:
  struct Token {
    std::uint32_t number;
    CompactRecord record;
  };
  /// Small, because there is one for each counter. It holds the token by its number in the shard.
  struct CounterKey {
    const char* path;
    std::uint32_t path_bytes;
    std::uint32_t token;

    bool operator==(const CounterKey& other) const noexcept {
      return token == other.token && path_bytes == other.path_bytes &&
             std::memcmp(path, other.path, path_bytes) == 0;
    }
  };
  struct CounterKeyHash {
    using is_avalanching = void;
    std::size_t operator()(const CounterKey& key) const noexcept {
      return hash({key.path, key.path_bytes}, key.token);
    }
    domain::SeededHash hash;
  };
  using Counts = boost::unordered_flat_map<CounterKey, std::int64_t, CounterKeyHash>;
  using Paths = std::pmr::monotonic_buffer_resource;
  struct Moment {
    std::uint32_t tokens_end;  // younger tokens were not there
    Counts before = {};        // of the counters that have changed since; 0: it was not there
  };

  std::int64_t* find_counter(const Token& token, std::string_view path);
  std::int64_t& add_counter(Token& token, std::string_view path);
  template <typename Goes>
  std::size_t remove_tokens(Goes goes);
  void drop_removed_paths();
  bool is_hidden(std::uint32_t token, const Marks& marks) const;
  const Token* visible(const domain::TokenId& id, const Marks& marks) const;

  mutable std::mutex mutex_;  // protects everything below
  boost::unordered_flat_map<domain::TokenId, Token, domain::TokenIdHash> tokens_;
  Counts counts_;
  std::unique_ptr<Paths> paths_ = std::make_unique<Paths>();
  std::size_t path_bytes_ = 0;       // of the counters
  std::size_t kept_path_bytes_ = 0;  // of all paths in paths_, with those of removed counters
  std::uint32_t next_token_ = 0;
  boost::unordered_flat_map<std::uint32_t, ExportId> imported_;  // by the numbers of tokens
  domain::SlotSet slots_;                                        // of the tokens
  std::optional<Moment> moment_;
};

}  // namespace tracker::store::memory
