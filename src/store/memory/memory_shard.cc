#include "store/memory/memory_shard.h"

#include <algorithm>
#include <utility>

#include "store/lowest_paths.h"

namespace tracker::store::memory {

using domain::Verdict;

namespace {
constexpr std::size_t removed_path_bytes_max = 4096;

const char* copy(std::string_view path, std::pmr::monotonic_buffer_resource& to) {
  auto* own = static_cast<char*>(to.allocate(path.size(), 1));
  std::memcpy(own, path.data(), path.size());
  return own;
}

/// The record of a token without paths.
CompactRecord new_record(domain::TokenRecord record) {
  record.paths.emplace();
  return CompactRecord(record);
}
}  // namespace

Verdict MemoryShard::count(const domain::TokenId& id, std::string_view path, const Marks& marks,
                           const TokenRules& rules, domain::Seconds now_s) {
  const std::lock_guard lock(mutex_);
  const bool is_marked = !marks.all.empty();
  if (is_marked && marks.stopped[domain::slot_of(id)]) return Verdict::not_counted();
  const auto found = tokens_.find(id);
  if (found == tokens_.end()) {
    return is_marked && marks.importing[domain::slot_of(id)] ? Verdict::not_counted()
                                                             : Verdict::unknown_token();
  }
  auto& token = found->second;
  if (is_marked && is_hidden(token.number, marks)) return Verdict::not_counted();
  if (!token.record.is_active(now_s)) return Verdict::unknown_token();
  auto* count = find_counter(token, path);
  if (count == nullptr) {
    if (!rules.allow_path(token.record, path.size())) return Verdict::too_many_paths();
    count = &add_counter(token, path);
  }
  token.record.use(now_s);
  return Verdict::counted(++*count);
}

/// The counter, which is about to change. Null: it is not there.
std::int64_t* MemoryShard::find_counter(const Token& token, std::string_view path) {
  const auto counter =
      counts_.find(CounterKey{path.data(), static_cast<std::uint32_t>(path.size()), token.number});
  if (counter == counts_.end()) return nullptr;
  if (moment_) moment_->before.try_emplace(counter->first, counter->second);
  return &counter->second;
}

std::int64_t& MemoryShard::add_counter(Token& token, std::string_view path) {
  const CounterKey key{copy(path, *paths_), static_cast<std::uint32_t>(path.size()), token.number};
  if (moment_) moment_->before.try_emplace(key, 0);
  token.record.add_path(path.size());
  path_bytes_ += path.size();
  kept_path_bytes_ += path.size();
  return counts_.emplace(key, 0).first->second;
}

/// Copies the paths that are there and frees all others, once the others are more than half: so no more is copied than was
/// removed. It waits while a moment is kept, whose keys may point to removed paths.
void MemoryShard::drop_removed_paths() {
  if (moment_ || kept_path_bytes_ <= 2 * path_bytes_ + removed_path_bytes_max) return;
  auto paths = std::make_unique<Paths>();
  Counts counts;
  counts.reserve(counts_.size());
  for (const auto& [key, count] : counts_)
    counts.emplace(CounterKey{copy({key.path, key.path_bytes}, *paths), key.path_bytes, key.token}, count);
  counts_.swap(counts);
  paths_.swap(paths);
  kept_path_bytes_ = path_bytes_;
}

MemoryShard::Added MemoryShard::add_token(const domain::TokenId& id, const domain::TokenRecord& record,
                                          const Marks& marks) {
  const std::lock_guard lock(mutex_);
  const auto slot = domain::slot_of(id);
  if (marks.stopped[slot]) return Added::refused;
  if (!tokens_.emplace(id, Token{next_token_, new_record(record)}).second) return Added::known;
  ++next_token_;
  slots_.set(slot);
  return Added::added;
}

bool MemoryShard::has(const domain::TokenId& id) const {
  const std::lock_guard lock(mutex_);
  return tokens_.contains(id);
}

std::optional<domain::TokenRecord> MemoryShard::change(const domain::TokenId& id, const TokenChange& change,
                                                       const Marks& marks, domain::Seconds now_s) {
  const std::lock_guard lock(mutex_);
  const auto slot = domain::slot_of(id);
  if (marks.stopped[slot] || marks.importing[slot]) throw HeldError();
  const auto token = tokens_.find(id);
  if (token == tokens_.end()) return std::nullopt;
  auto record = token->second.record.record();
  apply(change, now_s, record);
  token->second.record = CompactRecord(record);
  return record;
}

std::size_t MemoryShard::purge(const domain::SlotSet& slots, const std::optional<domain::TokenId>& only,
                               const Marks& marks, domain::Seconds now_s, domain::Seconds retain_s) {
  const std::lock_guard lock(mutex_);
  const auto purged = slots & ~marks.stopped & ~marks.importing;
  return remove_tokens([&](const domain::TokenId& id, const Token& token) {
    return (!only || id == *only) && purged[domain::slot_of(id)] && !token.record.is_active(now_s) &&
           is_outdated(token.record.record(), now_s, retain_s);
  });
}

domain::SlotSet MemoryShard::slots() const {
  const std::lock_guard lock(mutex_);
  return slots_;
}

MemoryShard::Size MemoryShard::size() const {
  const std::lock_guard lock(mutex_);
  return {tokens_.size(), counts_.size()};
}

void MemoryShard::keep_moment() {
  moment_.emplace(Moment{next_token_});
}

void MemoryShard::forget_moment() {
  const std::lock_guard lock(mutex_);
  moment_.reset();
  drop_removed_paths();
}

std::vector<StoredToken> MemoryShard::read(const domain::SlotSet& slots, const Marks& marks) {
  const std::lock_guard lock(mutex_);
  const auto moment = std::exchange(moment_, std::nullopt).value();
  std::vector<StoredToken> tokens;
  boost::unordered_flat_map<std::uint32_t, StoredToken> by_number;
  for (const auto& [id, token] : tokens_) {
    if (token.number < moment.tokens_end && slots[domain::slot_of(id)] && !is_hidden(token.number, marks))
      by_number.emplace(token.number, StoredToken{.id = id, .record = token.record.record()});
  }
  for (const auto& [key, count] : counts_) {
    const auto token = by_number.find(key.token);
    if (token == by_number.end()) continue;
    const auto before = moment.before.find(key);
    const auto its_count = before == moment.before.end() ? count : before->second;
    if (its_count != 0) token->second.counts.push_back({{key.path, key.path_bytes}, its_count});
  }
  for (auto& [number, token] : by_number) {
    std::ranges::sort(token.counts, {}, &StoredCount::path);
    tokens.push_back(std::move(token));
  }
  std::ranges::sort(tokens, {}, &StoredToken::id);
  drop_removed_paths();
  return tokens;
}

std::vector<TokenSummary> MemoryShard::list(const domain::SlotSet& slots,
                                            const std::optional<domain::TokenId>& after,
                                            const Marks& marks) const {
  const std::lock_guard lock(mutex_);
  const auto visible = slots & ~marks.all.of(SlotMark::Kind::moved);
  boost::unordered_flat_map<std::uint32_t, TokenSummary> by_number;
  for (const auto& [id, token] : tokens_) {
    if ((!after || id > *after) && visible[domain::slot_of(id)] && !is_hidden(token.number, marks))
      by_number.emplace(token.number, TokenSummary{.id = id, .record = token.record.record()});
  }
  for (const auto& [key, count] : counts_) {
    const auto token = by_number.find(key.token);
    if (token == by_number.end()) continue;
    ++token->second.paths;
    token->second.total += count;
  }
  std::vector<TokenSummary> tokens;
  for (const auto& [number, token] : by_number) tokens.push_back(token);
  std::ranges::sort(tokens, {}, &TokenSummary::id);
  return tokens;
}

std::optional<TokenSummary> MemoryShard::find(const domain::TokenId& id, const Marks& marks) const {
  const std::lock_guard lock(mutex_);
  const auto* token = visible(id, marks);
  if (token == nullptr) return std::nullopt;
  TokenSummary summary{.id = id, .record = token->record.record()};
  for (const auto& [key, count] : counts_) {
    if (key.token != token->number) continue;
    ++summary.paths;
    summary.total += count;
  }
  return summary;
}

std::optional<TokenCounts> MemoryShard::read(const domain::TokenId& id, const CountsQuery& query,
                                             const Marks& marks) const {
  const std::lock_guard lock(mutex_);
  const auto* token = visible(id, marks);
  if (token == nullptr) return std::nullopt;
  LowestPaths lowest(query);
  for (const auto& [key, count] : counts_) {
    if (key.token == token->number) lowest.add({key.path, key.path_bytes}, count);
  }
  return TokenCounts{
      .record = token->record.record(), .counts = lowest.counts(), .is_more = lowest.left_out()};
}

/// Null: there is no such token. Throws MovedError.
const MemoryShard::Token* MemoryShard::visible(const domain::TokenId& id, const Marks& marks) const {
  if (marks.all.of(SlotMark::Kind::moved)[domain::slot_of(id)]) throw MovedError();
  const auto token = tokens_.find(id);
  return token == tokens_.end() || is_hidden(token->second.number, marks) ? nullptr : &token->second;
}

std::optional<ExportId> MemoryShard::origin_of(const domain::TokenId& id) const {
  const std::lock_guard lock(mutex_);
  const auto token = tokens_.find(id);
  if (token == tokens_.end()) return std::nullopt;
  const auto origin = imported_.find(token->second.number);
  return origin == imported_.end() ? ExportId{} : origin->second;
}

void MemoryShard::put(const ExportId& export_id, const StoredToken& token) {
  const std::lock_guard lock(mutex_);
  auto& its = tokens_.emplace(token.id, Token{next_token_, new_record(token.record)}).first->second;
  imported_.emplace(next_token_++, export_id);
  slots_.set(domain::slot_of(token.id));
  for (const auto& [path, count] : token.counts) add_counter(its, path) = count;
}

std::size_t MemoryShard::remove(const domain::SlotSet& slots, const Marks& marks) {
  const std::lock_guard lock(mutex_);
  return remove_tokens([&](const domain::TokenId& id, const Token& token) {
    const auto slot = domain::slot_of(id);
    return slots[slot] && (marks.stopped[slot] || is_hidden(token.number, marks));
  });
}

template <typename Goes>
std::size_t MemoryShard::remove_tokens(Goes goes) {
  boost::unordered_flat_map<std::uint32_t, bool> removed;
  domain::SlotSet left;
  erase_if(tokens_, [&](const auto& entry) {
    const bool is_removed = goes(entry.first, entry.second);
    if (is_removed) removed.emplace(entry.second.number, true);
    if (!is_removed) left.set(domain::slot_of(entry.first));
    return is_removed;
  });
  slots_ = left;
  if (removed.empty()) return 0;
  erase_if(counts_, [&](const auto& entry) {
    const bool is_removed = removed.contains(entry.first.token);
    if (is_removed) path_bytes_ -= entry.first.path_bytes;
    return is_removed;
  });
  erase_if(imported_, [&](const auto& entry) { return removed.contains(entry.first); });
  drop_removed_paths();
  return removed.size();
}

/// Whether the token came by an import that is under way.
bool MemoryShard::is_hidden(std::uint32_t token, const Marks& marks) const {
  if (marks.importing.none()) return false;
  const auto origin = imported_.find(token);
  return origin != imported_.end() && marks.all.is_importing(origin->second);
}

}  // namespace tracker::store::memory
