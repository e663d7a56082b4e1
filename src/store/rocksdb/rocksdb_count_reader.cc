#include "store/rocksdb/rocksdb_count_reader.h"

#include <algorithm>
#include <string>

#include "store/lowest_paths.h"
#include "store/rocksdb/token_entries.h"

namespace tracker::store::rocksdb {

namespace {

/// What a step of list() reads: so much takes some 0.3 ms, for which a worker may have to wait.
constexpr std::size_t step_bytes = std::size_t{64} << 10U;

domain::SlotSet only_slot_of(const domain::TokenId& id) {
  return domain::SlotSet{}.set(domain::slot_of(id));
}

/// Goes to this token. Returns false if there is none that counts. Throws MovedError.
bool go_to(TokenEntries& tokens, const domain::TokenId& id, const StoredMoves& moves) {
  if (moves.marks.of(SlotMark::Kind::moved)[domain::slot_of(id)]) throw MovedError();
  return tokens.next() && tokens.id() == id && !moves.is_under_way(tokens.value().import);
}

/// Sums up the token at which it is, and goes behind it.
TokenSummary sum_up(TokenEntries& tokens, std::size_t& bytes) {
  TokenSummary summary{.id = tokens.id(), .record = tokens.value().record};
  bytes += sizeof summary;
  tokens.take([&](std::string_view path, std::int64_t count) {
    bytes += sizeof summary.id + path.size() + sizeof count;
    ++summary.paths;
    summary.total += count;
  });
  return summary;
}

}  // namespace

std::vector<TokenSummary> RocksDbCountReader::list(const domain::SlotSet& slots,
                                                   const std::optional<domain::TokenId>& after,
                                                   std::size_t limit) {
  std::vector<TokenSummary> found;
  const auto first = after ? domain::next_id(*after) : domain::TokenId{};
  if (!first) return found;
  const auto moves = committer_.moves();
  TokenEntries tokens(database_, slots & ~moves.marks.of(SlotMark::Kind::moved), *first);
  for (std::size_t bytes = 0; found.size() < limit && bytes < step_bytes && tokens.next();) {
    if (moves.is_under_way(tokens.value().import)) {
      tokens.skip();
    } else {
      found.push_back(sum_up(tokens, bytes));
    }
  }
  return found;
}

std::optional<TokenSummary> RocksDbCountReader::find(const domain::TokenId& id) {
  TokenEntries tokens(database_, only_slot_of(id), id);
  if (!go_to(tokens, id, committer_.moves())) return std::nullopt;
  std::size_t bytes = 0;
  return sum_up(tokens, bytes);
}

std::optional<TokenCounts> RocksDbCountReader::read(const domain::TokenId& id, const CountsQuery& query) {
  TokenEntries tokens(database_, only_slot_of(id), id);
  if (!go_to(tokens, id, committer_.moves())) return std::nullopt;
  LowestPaths lowest(query);
  auto record = tokens.value().record;
  tokens.take_from(std::max(query.prefix, query.after), [&](std::string_view path, std::int64_t count) {
    lowest.add(path, count);
    return path.starts_with(query.prefix) && !lowest.left_out();
  });
  return TokenCounts{.record = std::move(record), .counts = lowest.counts(), .is_more = lowest.left_out()};
}

}  // namespace tracker::store::rocksdb
