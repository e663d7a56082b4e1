#include "store/memory/memory_shard.h"

#include <algorithm>
#include <utility>

#include "store/lowest_paths.h"

namespace tracker::store::memory {

using domain::Verdict;

Verdict MemoryShard::count(const domain::TokenId& id, std::string_view path, const Marks& marks) {
  const std::lock_guard lock(mutex_);
  const bool is_marked = !marks.all.empty();
  if (is_marked && marks.stopped[domain::slot_of(id)]) return Verdict::not_counted();
  const auto token = tokens_.find(id);
  if (token == tokens_.end()) {
    return is_marked && marks.importing[domain::slot_of(id)] ? Verdict::not_counted()
                                                             : Verdict::unknown_token();
  }
  if (is_marked && is_hidden(token->second.number, marks)) return Verdict::not_counted();
  auto& count = counter(token->second.number, path);
  return Verdict::counted(++count);
}

/// The counter, which is about to change.
std::int64_t& MemoryShard::counter(std::uint32_t token, std::string_view path) {
  CounterKey key{path.data(), static_cast<std::uint32_t>(path.size()), token};
  auto counter = counts_.find(key);
  if (counter == counts_.end()) {
    auto* own_path = static_cast<char*>(paths_.allocate(path.size(), 1));
    std::memcpy(own_path, path.data(), path.size());
    key.path = own_path;
    counter = counts_.emplace(key, 0).first;
  }
  if (moment_) moment_->before.try_emplace(counter->first, counter->second);
  return counter->second;
}

bool MemoryShard::add_token(const domain::TokenId& id, std::uint32_t now_s, const Marks& marks) {
  const std::lock_guard lock(mutex_);
  const auto slot = domain::slot_of(id);
  if (marks.stopped[slot]) return false;
  if (tokens_.emplace(id, Token{next_token_, now_s}).second) ++next_token_;
  slots_.set(slot);
  return true;
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
}

std::vector<StoredToken> MemoryShard::read(const domain::SlotSet& slots, const Marks& marks) {
  const std::lock_guard lock(mutex_);
  const auto moment = std::exchange(moment_, std::nullopt).value();
  std::vector<StoredToken> tokens;
  boost::unordered_flat_map<std::uint32_t, StoredToken> by_number;
  for (const auto& [id, token] : tokens_) {
    if (token.number < moment.tokens_end && slots[domain::slot_of(id)] && !is_hidden(token.number, marks))
      by_number.emplace(token.number, StoredToken{.id = id, .minted_s = token.minted_s});
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
      by_number.emplace(token.number, TokenSummary{.id = id, .minted_s = token.minted_s});
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
  TokenSummary summary{.id = id, .minted_s = token->minted_s};
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
  return TokenCounts{.minted_s = token->minted_s, .counts = lowest.counts(), .is_more = lowest.left_out()};
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
  const auto number = next_token_++;
  tokens_.emplace(token.id, Token{number, static_cast<std::uint32_t>(token.minted_s)});
  imported_.emplace(number, export_id);
  slots_.set(domain::slot_of(token.id));
  for (const auto& [path, count] : token.counts) counter(number, path) = count;
}

/// The paths stay in memory.
void MemoryShard::remove(const domain::SlotSet& slots, const Marks& marks) {
  const std::lock_guard lock(mutex_);
  boost::unordered_flat_map<std::uint32_t, bool> removed;
  slots_.reset();
  erase_if(tokens_, [&](const auto& entry) {
    const auto& [id, token] = entry;
    const auto slot = domain::slot_of(id);
    const bool goes = slots[slot] && (marks.stopped[slot] || is_hidden(token.number, marks));
    if (goes) removed.emplace(token.number, true);
    if (!goes) slots_.set(slot);
    return goes;
  });
  erase_if(counts_, [&](const auto& entry) { return removed.contains(entry.first.token); });
  erase_if(imported_, [&](const auto& entry) { return removed.contains(entry.first); });
}

/// Whether the token came by an import that is under way.
bool MemoryShard::is_hidden(std::uint32_t token, const Marks& marks) const {
  if (marks.importing.none()) return false;
  const auto origin = imported_.find(token);
  return origin != imported_.end() && marks.all.is_importing(origin->second);
}

}  // namespace tracker::store::memory
