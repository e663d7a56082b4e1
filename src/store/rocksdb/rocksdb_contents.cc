#include "store/rocksdb/rocksdb_contents.h"

#include <algorithm>
#include <utility>

#include "domain/token_id.h"
#include "store/rocksdb/removal.h"
#include "store/rocksdb/token_entries.h"
#include "store/store_error.h"

namespace tracker::store::rocksdb {

namespace {

constexpr std::size_t page_bytes = std::size_t{64} << 10U;
/// What a change puts. Hits wait as long as one is written.
constexpr std::size_t change_bytes = Removal::change_bytes;

void put_token(const StoredToken& token, std::uint16_t import, CommitWrite& write) {
  std::string key(key_of(token.id));
  TokenValue value{token.record, import};
  value.record.paths.emplace();
  for (const auto& count : token.counts) {
    ++value.record.paths->number;
    value.record.paths->bytes += count.path.size();
  }
  write.put_token(key, value);
  for (const auto& [path, count] : token.counts) {
    key.resize(token.id.bytes.size());
    write.put(key += path, count);
  }
}

class Reader final : public TokenReader {
 public:
  Reader(Database& database, const domain::SlotSet& slots, StoredMoves moves)
      : moves_(std::move(moves)), tokens_(database, slots) {}

  std::vector<StoredToken> next() override {
    std::vector<StoredToken> page;
    for (std::size_t bytes = 0; bytes < page_bytes && tokens_.next();) {
      if (moves_.is_under_way(tokens_.value().import)) {
        tokens_.skip();
        continue;
      }
      auto& token = page.emplace_back(StoredToken{.id = tokens_.id(), .record = tokens_.value().record});
      token.record.paths.reset();
      bytes += sizeof token;
      tokens_.take([&](std::string_view path, std::int64_t count) {
        bytes += sizeof(StoredCount) + path.size();
        token.counts.push_back({std::string(path), count});
      });
    }
    return page;
  }

 private:
  const StoredMoves moves_;
  TokenEntries tokens_;
};

}  // namespace

RocksDbContents::RocksDbContents(Database& database, Committer& committer, StoreFacts facts, std::string loss)
    : database_(database),
      committer_(committer),
      facts_(std::move(facts)),
      loss_(std::move(loss)),
      moves_(database.moves_at_open()) {}

std::unique_ptr<TokenReader> RocksDbContents::read(const domain::SlotSet& slots) {
  return std::make_unique<Reader>(database_, slots & ~moves_.marks.of(SlotMark::Kind::moved), moves_);
}

void RocksDbContents::set_moves(StoredMoves moves) {
  committer_.make({.moves = moves});
  moves_ = std::move(moves);
}

void RocksDbContents::set_mark(const SlotMark& mark) {
  auto moves = moves_;
  moves.marks.set(mark);
  if (mark.kind == SlotMark::Kind::importing && moves.add(mark.export_id) == 0)
    throw StoreError("too many imports have been made into this store; import into another one");
  set_moves(std::move(moves));
}

void RocksDbContents::clear_marks(const domain::SlotSet& slots) {
  auto moves = moves_;
  moves.marks.clear(slots);
  set_moves(std::move(moves));
}

bool RocksDbContents::has_imported(const ExportId& export_id) {
  const auto import = moves_.number_of(export_id);
  return import != 0 && !moves_.is_under_way(import);
}

std::vector<Presence> RocksDbContents::find(const ExportId& export_id, std::span<const StoredToken> tokens) {
  const auto import = moves_.number_of(export_id);
  std::vector<::rocksdb::Slice> keys;
  for (const auto& token : tokens) {
    const auto key = key_of(token.id);
    keys.emplace_back(key.data(), key.size());
  }
  std::vector<Presence> found;
  for (const auto& reading : database_.read(keys)) {
    if (reading.kind == Reading::Kind::failed) throw StoreError("a token cannot be read: " + reading.error);
    const bool is_there = reading.kind == Reading::Kind::found;
    const bool is_of_export =
        import != 0 && TokenValue::import_in(static_cast<std::uint64_t>(reading.value)) == import;
    found.push_back(!is_there ? Presence::absent : is_of_export ? Presence::of_export : Presence::stranger);
  }
  return found;
}

void RocksDbContents::put(const ExportId& export_id, std::span<const StoredToken> tokens) {
  const auto import = moves_.number_of(export_id);
  if (!moves_.is_under_way(import)) throw StoreError("this import has not been begun");
  const auto found = find(export_id, tokens);
  std::vector<const StoredToken*> missing;
  for (std::size_t i = 0; i < tokens.size(); ++i) {
    if (found[i] == Presence::stranger) throw StoreError("a token is there already");
    if (found[i] == Presence::absent) missing.push_back(&tokens[i]);
  }
  for (std::size_t i = 0; i < missing.size();) {
    const auto begin = i;
    for (std::size_t bytes = 0; i < missing.size() && bytes < change_bytes; ++i) {
      for (const auto& count : missing[i]->counts) bytes += sizeof(StoredCount) + count.path.size();
      bytes += sizeof(StoredToken);
    }
    const auto some = std::span(missing).subspan(begin, i - begin);
    const auto fill = [&](CommitWrite& write) {
      for (const auto* token : some) put_token(*token, import, write);
    };
    committer_.make({.fill = fill, .tokens = static_cast<std::int64_t>(some.size())});
  }
}

void RocksDbContents::remove(const domain::SlotSet& slots) {
  Removal removal(committer_);
  std::int64_t removed = 0;  // since the last change
  {
    TokenEntries tokens(database_, slots);
    while (tokens.next()) {
      const auto* mark = moves_.marks.of(domain::slot_of(tokens.id()));
      const bool goes =
          mark != nullptr && (mark->stops_counting() || moves_.is_under_way(tokens.value().import));
      if (!goes) {
        tokens.skip();
        continue;
      }
      const std::string id(key_of(tokens.id()));
      removal.add(id);
      tokens.take(
          [&](std::string_view path, std::int64_t /*count*/) { removal.add(id + std::string(path)); });
      ++removed;
      if (removal.is_full()) removal.flush(std::exchange(removed, 0));
    }
    removal.flush(removed);
  }
  database_.compact();
}

}  // namespace tracker::store::rocksdb
