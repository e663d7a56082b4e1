#include "store/rocksdb/committer.h"

#include <algorithm>
#include <cassert>
#include <span>
#include <utility>

#include "runtime/priority.h"
#include "runtime/workers.h"
#include "store/rocksdb/no_room.h"
#include "store/rocksdb/token_entries.h"
#include "store/store_metrics.h"

namespace tracker::store::rocksdb {

namespace {

/// The share of the memory for the cache of counters.
std::size_t counter_cache_bytes(const RocksDbSettings& settings) {
  return settings.cache_bytes / 8 * 5;
}

/// The pause after the disk had no room.
constexpr auto reopen_pause = std::chrono::milliseconds(200);
/// How often an idle committer checks whether there is room.
constexpr auto disk_look_pause = std::chrono::seconds(1);
/// A commit waits for others to join it for twice as long as the last one took, but no longer than this.
constexpr auto gather_longest = std::chrono::milliseconds(1);
/// At most this many are kept for reuse. One may hold a path of 8 KiB.
constexpr std::size_t free_loadings_max = 1024;

StoreError no_room() {
  return StoreError("the store cannot be written: it has no room; make room on its disk");
}

}  // namespace

Committer::Committer(Database& database, const RocksDbSettings& settings,
                     std::function<void(StoreFormat)> admit)
    : database_(database),
      settings_(settings),
      admit_(std::move(admit)),
      tokens_(settings.rules.tokens_max, database.facts_at_open().tokens),
      cache_(counter_cache_bytes(settings)),
      committed_(database.facts_at_open()),
      write_(database.secret()),
      interval_sync_(settings.durability.kind == Durability::Kind::interval
                         ? std::make_unique<IntervalSync>(database, settings.durability.interval)
                         : nullptr),
      loader_(std::make_unique<Loader>(database,
                                       [this](std::span<Load* const> loads) {
                                         inbox_.put([&](Waiting& waiting) {
                                           waiting.loaded.insert(waiting.loaded.end(), loads.begin(),
                                                                 loads.end());
                                         });
                                       })),
      thread_(runtime::start_thread("committer", [this] {
        set_moves(database_.moves_at_open());
        run();
      })) {}

Committer::~Committer() {
  inbox_.put([](Waiting& waiting) { waiting.stopping = true; });
  thread_.join();
}

void Committer::track(const domain::HitBatch& hits, TrackReply& reply) {
  follower_.given_work();
  inbox_.put([&](Waiting& waiting) {
    waiting.batches.push_back({&hits, &reply});
    waiting.hits += hits.size();
  });
}

void Committer::add_token(const domain::TokenId& id, const domain::TokenRecord& record,
                          domain::Deadline deadline, AddReply& reply) {
  inbox_.put([&](Waiting& waiting) { waiting.tokens.push_back({id, record, deadline, &reply}); });
}

void Committer::write_record(std::string record, domain::Deadline deadline, WriteReply& reply) {
  inbox_.put([&](Waiting& waiting) {
    assert(!waiting.record);
    waiting.record.emplace(WaitingRecord{std::move(record), deadline, &reply});
  });
}

void Committer::make(Change change) {
  const std::lock_guard lock(change_mutex_);
  std::future<void> made;
  inbox_.put([&](Waiting& waiting) {
    assert(!waiting.change);
    made = waiting.change.emplace(WaitingChange{std::move(change)}).made.get_future();
  });
  made.get();
}

std::optional<domain::TokenRecord> Committer::edit(const domain::TokenId& id, Edit edit) {
  const auto waiting = std::make_shared<WaitingEdit>(WaitingEdit{id, std::move(edit)});
  auto done = waiting->done.get_future();
  inbox_.put([&](Waiting& its) { its.edits.push_back(waiting); });
  return done.get();
}

void Committer::report(metrics::Page& page) const {
  report_commits(page, "rocksdb", commit_durations_, commit_hits_);
  report_tokens(page, tokens_.value(), tokens_.max());
}

void Committer::set_lacking(int error) {
  lacking_ = error;
  const auto now = std::chrono::system_clock::now();
  const auto lacks = shortage(error);
  readiness_.set(lacks ? domain::Readiness::not_ready("the store in " + settings_.directory +
                                                          " cannot be written, " + lacks->what + ": " +
                                                          lacks->remedy,
                                                      now)
                       : domain::Readiness::ready(now));
}

void Committer::run() {
  runtime::run_in_short_slices();
  while (take()) {
    if (lacking_ != 0) {
      refuse_taken(readiness_.value().why_not());
      reopen();
      continue;
    }
    if (!admits_records()) {
      refuse_taken("the format of the store cannot be noted");
      continue;
    }
    now_s_ = settings_.rules.now_s();
    if (taken_.change && taken_.change->change.moves) make(*taken_.change);
    cache_.turn();
    for (const auto* load : taken_.loaded) {
      auto loading = take_loaded(*load);
      if (may_be_old(*loading)) {
        load_again(std::move(loading));
        continue;
      }
      judge(*loading);
      recycle(std::move(loading));
    }
    for (const auto& edit : taken_.edits) this->edit(edit);
    for (const auto& token : taken_.tokens) add(token);
    for (const auto& batch : taken_.batches) count(batch);
    if (taken_.record && may_write(*taken_.record)) record_ = std::move(taken_.record);
    if (taken_.change && !taken_.change->change.moves) take(*taken_.change);
    if (!to_load_.empty()) {
      loader_->load(to_load_);
      to_load_.clear();
    }
    if (!commit()) undo();
    deliver();
  }
}

/// It is made with the next commit.
void Committer::take(WaitingChange& waiting) {
  const auto slot = waiting.change.slot;
  if (slot && (stopped_[*slot] || importing_[*slot]))
    return waiting.made.set_exception(std::make_exception_ptr(HeldError()));
  change_ = std::move(waiting);
}

/// Waits for work. Returns false if there will be no more.
bool Committer::take() {
  if (lacking_ == 0) gather();
  wait_for_work();
  follower_.follow();
  taken_.clear();
  inbox_.take(taken_);
  stopping_ = stopping_ || taken_.stopping;
  return !taken_.empty() || !stopping_ || !loading_.empty();
}

void Committer::wait_for_work() {
  const auto has_work = [this](const Waiting& waiting) {
    return !waiting.empty() || (stopping_ && loading_.empty());
  };
  if (lacking_ != 0) {
    inbox_.wait_until(reopen_at_, has_work);
    return;
  }
  // Without work it checks now and then, because RocksDB may have found no room in the background.
  while (!inbox_.wait_until(Clock::now() + disk_look_pause, has_work) && database_.lacking() == 0 &&
         !format_failed_) {
  }
}

/// A commit of few hits costs as much as one of many, and others wait while it lasts. So this gives the clients that
/// the last commit answered a moment to come again, until three fifths of all hits under way are there.
void Committer::gather() {
  if (Clock::now() >= gather_until_) return;
  std::size_t wanted = 0;
  inbox_.wait_until(gather_until_, [&](const Waiting& waiting) {
    if (wanted == 0) wanted = (taken_.hits + waiting.hits) * 3 / 5;
    return waiting.hits >= wanted || waiting.stopping;
  });
}

void Committer::count(const WaitingBatch& waiting) {
  if (waiting.hits->empty()) return;
  if (waiting.hits->deadline() < Clock::now()) {
    return waiting.reply->on_one_verdict_for_all(waiting.hits->size(), domain::Verdict::not_counted());
  }
  if (free_batches_.empty()) {
    batches_.push_back(std::make_unique<Batch>());
    free_batches_.push_back(batches_.back().get());
  }
  Batch& batch = *free_batches_.back();
  free_batches_.pop_back();
  const auto& hits = *waiting.hits;
  batch.hits = &hits;
  batch.reply = waiting.reply;
  batch.left = hits.size();
  for (std::uint32_t hit = 0; hit < hits.size(); ++hit) {
    const CounterKey key{hits.id(hit), hits.path(hit)};
    if (!moves_.marks.empty() && stopped_[domain::slot_of(key.id)]) {
      settle(batch, hit, domain::Verdict::not_counted());
    } else if (auto* counter = cache_.find(key)) {
      count(batch, hit, *counter);
    } else {
      when_loaded(key, hits.deadline(), [&](Loading& loading) { loading.hits.push_back({&batch, hit}); });
    }
  }
}

void Committer::report(const Loading& loading) {
  const auto& failed = loading.counter.kind == Reading::Kind::failed ? loading.counter : loading.token;
  if (failed.kind != Reading::Kind::failed || failed.damaged) return;
  reading_log_.warning("a counter cannot be read, its hits are refused: " + failed.error);
}

void Committer::count(Batch& batch, std::uint32_t hit, CachedCounter& counter) {
  auto& token = *counter.token;
  if (!token.record.is_active(now_s_)) return settle(batch, hit, domain::Verdict::unknown_token());
  if (token.record.use(now_s_)) touch(token);
  touch(counter);
  ++counted_;
  settle(batch, hit, domain::Verdict::counted(++counter.count));
}

void Committer::touch(CachedCounter& counter) {
  if (counter.in_commit) return;
  counter.in_commit = true;
  touched_.push_back(&counter);
}

void Committer::touch(CachedToken& token) {
  if (token.in_commit) return;
  token.in_commit = true;
  touched_tokens_.push_back(&token);
}

void Committer::settle(Batch& batch, std::uint32_t hit, const domain::Verdict& verdict) {
  if (batch.verdicts.empty()) settled_.push_back(&batch);
  batch.verdicts.push_back({hit, verdict});
}

void Committer::add(const WaitingToken& token) {
  const bool is_stopped = !moves_.marks.empty() && stopped_[domain::slot_of(token.id)];
  if (is_stopped || token.deadline < Clock::now()) return token.reply->on_added(domain::Failure::not_done);
  if (cache_.find_token(token.id) != nullptr) {
    added_.push_back(token.reply);
  } else {
    when_loaded({token.id, {}}, token.deadline, [&](Loading& loading) { loading.tokens.push_back(token); });
  }
}

void Committer::edit(const std::shared_ptr<WaitingEdit>& waiting) {
  const auto slot = domain::slot_of(waiting->id);
  if (!moves_.marks.empty() && (stopped_[slot] || importing_[slot]))
    return waiting->done.set_exception(std::make_exception_ptr(HeldError()));
  if (auto* token = cache_.find_token(waiting->id)) {
    edit(*waiting, token);
    edited_.push_back(waiting);
  } else {
    when_loaded({waiting->id, {}}, domain::Deadline::max(),
                [&](Loading& loading) { loading.edits.push_back(waiting); });
  }
}

/// It is done with the next commit.
void Committer::edit(WaitingEdit& waiting, CachedToken* token) {
  if (token == nullptr || token->is_removed) return;
  auto record = token->record.record();
  const auto edited = waiting.edit(record);
  waiting.record = record;
  if (edited == Edited::unchanged) return;
  token->record = CompactRecord(record);
  touch(*token);
  if (edited != Edited::removed) return;
  token->is_removed = true;
  --new_tokens_;
}

/// Whether records of tokens may be written: the store's format says that there may be some.
bool Committer::admits_records() {
  const bool writes = format_failed_ || !taken_.batches.empty() || !taken_.tokens.empty() ||
                      !taken_.edits.empty() || !taken_.loaded.empty() ||
                      (taken_.change && !taken_.change->change.moves);
  if (admits_records_ || !writes) return true;
  try {
    admit_(StoreFormat::with_token_records);
    admits_records_ = true;
    format_failed_ = false;
    readiness_.set(domain::Readiness::ready(std::chrono::system_clock::now()));
  } catch (const StoreError& error) {
    format_failed_ = true;
    const auto why_not =
        std::string("nothing is counted, because the format of the store cannot be noted: ") + error.what();
    readiness_.set(domain::Readiness::not_ready(why_not, std::chrono::system_clock::now()));
    record_log_.warning(why_not);
  }
  return admits_records_;
}

/// Whether the record may go into the next commit. Otherwise this replies.
bool Committer::may_write(const WaitingRecord& record) {
  try {
    if (record.deadline >= Clock::now()) {
      admit_(StoreFormat::with_record);
      return true;
    }
  } catch (const StoreError& error) {
    record_log_.warning(std::string("the record of the store is not written: ") + error.what());
  }
  record.reply->on_written(domain::Failure::not_done);
  return false;
}

/// Has what `wait` adds to the loading counted. It is counted at once if the database can look the counter up without
/// the disk, and otherwise after the counter was read. Everything that waits for the same reading waits at most until
/// the deadline of the first.
template <typename Wait>
void Committer::when_loaded(const CounterKey& key, domain::Deadline deadline, Wait wait) {
  loading_key_.assign(reinterpret_cast<const char*>(key.id.bytes.data()), key.id.bytes.size());
  loading_key_ += key.path;
  if (const auto found = loading_.find(loading_key_); found != loading_.end()) return wait(*found->second);
  auto loading = new_loading(key);
  loading->deadline = deadline;
  wait(*loading);
  load(std::move(loading));
}

std::unique_ptr<Committer::Loading> Committer::new_loading(const CounterKey& key) {
  if (free_loadings_.empty()) free_loadings_.push_back(std::make_unique<Loading>());
  auto loading = std::move(free_loadings_.back());
  free_loadings_.pop_back();
  loading->key = loading_key_;
  begin(*loading, key);
  return loading;
}

void Committer::begin(Loading& loading, const CounterKey& key) {
  loading.changes = changes_made_;
  loading.turns = cache_.turns();
  const auto* token = key.path.empty() ? nullptr : cache_.find_token(key.id);
  loading.token_known = token != nullptr;
  loading.wants_paths = settings_.rules.bound_paths() && !key.path.empty() &&
                        (token == nullptr || !token->record.knows_paths());
}

bool Committer::has_failed(const Loading& loading) const {
  return loading.counter.kind == Reading::Kind::failed || loading.token.kind == Reading::Kind::failed ||
         loading.changes != changes_made_;
}

/// Whether the token may have changed since it was read, and is not in the cache any more (invariant 4).
bool Committer::may_be_old(const Loading& loading) {
  if (has_failed(loading)) return false;
  return cache_.find_token(id_in(loading.key)) == nullptr &&
         (loading.token_known || cache_.turns() - loading.turns >= 2);
}

/// Until its deadline has passed: then the loader does not read it, and it has failed.
void Committer::load_again(std::unique_ptr<Loading> loading) {
  const auto id = id_in(loading->key);
  loading->counter = {};
  loading->token = {};
  loading->paths.reset();
  begin(*loading, {id, std::string_view(loading->key).substr(id.bytes.size())});
  load(std::move(loading));
}

/// Judges it at once if that needs no disk.
void Committer::load(std::unique_ptr<Loading> loading) {
  if (loader_->load_from_memory(*loading)) {
    judge(*loading);
    return recycle(std::move(loading));
  }
  to_load_.push_back(loading.get());
  const std::string_view its_key = loading->key;
  loading_.emplace(its_key, std::move(loading));
}

void Committer::recycle(std::unique_ptr<Loading> loading) {
  if (free_loadings_.size() >= free_loadings_max) return;
  loading->counter = {};
  loading->token = {};
  loading->paths.reset();
  loading->hits.clear();
  loading->tokens.clear();
  loading->edits.clear();
  free_loadings_.push_back(std::move(loading));
}

std::unique_ptr<Committer::Loading> Committer::take_loaded(const Load& load) {
  const auto found = loading_.find(load.key);
  auto loading = std::move(found->second);
  loading_.erase(found);
  return loading;
}

/// Judges the hits and tokens that waited for this counter.
void Committer::judge(const Loading& loading) {
  const auto id = id_in(loading.key);
  const CounterKey key{id, std::string_view(loading.key).substr(id.bytes.size())};
  report(loading);
  const bool failed = has_failed(loading);
  if (key.path.empty()) {
    judge_token(loading, id, failed);
  } else {
    judge_hits(loading, key, failed);
  }
}

/// The token that was read or is in the cache. Null: there is none. It is in the cache then.
CachedToken* Committer::token_of(const Loading& loading, const CounterKey& key) {
  if (auto* token = cache_.find_token(key.id)) return token;
  const auto& reading = key.path.empty() ? loading.counter : loading.token;
  if (reading.kind != Reading::Kind::found) return nullptr;
  const auto value = TokenValue::of(static_cast<std::uint64_t>(reading.value), reading.facts);
  if (!value) throw StoreError("the record of a token makes no sense");
  return cache_.insert_token(key.id, *value);
}

void Committer::judge_token(const Loading& loading, const domain::TokenId& id, bool failed) try {
  auto* token = failed ? nullptr : token_of(loading, {id, {}});
  const auto now = Clock::now();
  for (const auto& waiting : loading.tokens) {
    if (failed || waiting.deadline < now || (token == nullptr && !tokens_.has_room(new_tokens_))) {
      waiting.reply->on_added(domain::Failure::not_done);
      continue;
    }
    if (token == nullptr) {
      TokenValue value{waiting.record};
      value.record.paths.emplace();
      token = cache_.insert_token(id, value);
      touch(*token);
      ++new_tokens_;
    }
    added_.push_back(waiting.reply);
  }
  for (const auto& waiting : loading.edits) {
    if (failed) {
      waiting->done.set_exception(std::make_exception_ptr(StoreError("the token cannot be read")));
    } else {
      edit(*waiting, token);
      edited_.push_back(waiting);
    }
  }
} catch (const StoreError& error) {
  reading_log_.warning(error.what());
  judge_token(loading, id, true);
}

void Committer::judge_hits(const Loading& loading, const CounterKey& key, bool failed) try {
  auto* token = failed ? nullptr : token_of(loading, key);
  const bool is_importing = importing_.any() && importing_[domain::slot_of(key.id)];
  const bool is_hidden = token != nullptr && is_importing && moves_.is_under_way(token->import);
  // A hidden counter is not in the cache, so that no hit finds it there.
  const bool is_there = token != nullptr && !is_hidden && loading.counter.kind == Reading::Kind::found;
  auto* counter = is_there ? cache_.insert(key.path, *token, loading.counter.value) : nullptr;
  if (token != nullptr && loading.paths && !token->record.knows_paths()) {
    token->record.set_paths(*loading.paths);
    touch(*token);  // so that they are not counted again
  }
  const auto now = Clock::now();
  for (const auto& [batch, hit] : loading.hits) {
    if (failed || is_hidden || batch->hits->deadline() < now || (token == nullptr && is_importing)) {
      settle(*batch, hit, domain::Verdict::not_counted());
    } else if (token == nullptr || !token->record.is_active(now_s_)) {
      settle(*batch, hit, domain::Verdict::unknown_token());
    } else if (counter != nullptr || (counter = new_counter(key, *token)) != nullptr) {
      count(*batch, hit, *counter);
    } else {
      settle(*batch, hit, domain::Verdict::too_many_paths());
    }
  }
} catch (const StoreError& error) {
  reading_log_.warning(error.what());
  judge_hits(loading, key, true);
}

/// Null: the token may not have it.
CachedCounter* Committer::new_counter(const CounterKey& key, CachedToken& token) {
  if (!settings_.rules.allow_path(token.record, key.path.size())) return nullptr;
  if (token.record.knows_paths()) {
    token.record.add_path(key.path.size());
    touch(token);
  }
  return cache_.insert(key.path, token, 0);
}

void Committer::set_moves(StoredMoves moves) {
  moves_ = std::move(moves);
  importing_ = moves_.marks.of(SlotMark::Kind::importing);
  stopped_ = moves_.marks.stopped();
  marks_readiness_.set(moves_.marks.readiness(std::chrono::system_clock::now()));
  const std::lock_guard lock(moves_mutex_);
  shown_moves_ = moves_;
}

StoredMoves Committer::moves() const {
  const std::lock_guard lock(moves_mutex_);
  return shown_moves_;
}

/// Makes a change of the marks. Between two commits, so that nothing in the cache awaits one.
void Committer::make(WaitingChange& waiting) {
  auto& [change, made] = waiting;
  try {
    admit_(StoreFormat::with_moves);
    const CommitFacts facts{committed_.number + 1,
                            committed_.tokens + static_cast<std::uint64_t>(change.tokens)};
    write_.begin(facts);
    write_.put_moves(*change.moves);
    change.fill(write_);
    write_.end();
    if (database_.lacking() != 0 || !database_.write(write_)) throw no_room();
    set_committed(facts);
    set_moves(std::move(*change.moves));
    cache_.clear();
    ++changes_made_;
    made.set_value();
  } catch (const StoreError&) {
    made.set_exception(std::current_exception());
  }
}

void Committer::set_committed(const CommitFacts& facts) {
  committed_ = facts;
  tokens_.set(facts.tokens);
}

/// Returns false if nothing was written because there is no room.
bool Committer::commit() {
  if (database_.lacking() != 0) return false;
  if (touched_.empty() && touched_tokens_.empty() && !record_ && !change_) return true;
  CommitFacts facts{committed_.number + 1, committed_.tokens + static_cast<std::uint64_t>(new_tokens_)};
  if (change_) facts.tokens += static_cast<std::uint64_t>(change_->change.tokens);
  write_.begin(facts);
  if (record_) write_.put_record(record_->record);
  if (change_) change_->change.fill(write_);
  for (auto* counter : touched_) {
    write_.put(counter->key(), counter->count);
    counter->in_commit = false;
  }
  touched_.clear();
  for (auto* token : touched_tokens_) {
    if (token->is_removed) {
      write_.remove(key_of(token->id));
    } else {
      write_.put_token(key_of(token->id), {token->record.record(), token->import});
    }
    token->in_commit = false;
  }
  touched_tokens_.clear();
  write_.end();
  const auto begin = Clock::now();
  if (!database_.write(write_)) return false;
  const auto end = Clock::now();
  if (settings_.durability.kind == Durability::Kind::commit) {
    gather_until_ = end + std::min<Clock::duration>(2 * (end - begin), gather_longest);
  }
  commit_durations_.observe(end - begin);
  commit_hits_.observe(std::exchange(counted_, 0));
  set_committed(facts);
  new_tokens_ = 0;
  if (interval_sync_) interval_sync_->written();
  return true;
}

/// What was counted for this commit is not counted: the cache is ahead of the disk and useless.
void Committer::undo() {
  set_lacking(database_.lacking());
  reopen_at_ = Clock::now() + reopen_pause;
  changes_.bad("not ready: " + readiness_.value().why_not() + "; hits are refused until it can be");
  touched_.clear();
  touched_tokens_.clear();
  cache_.clear();
  ++changes_made_;
  counted_ = 0;
  new_tokens_ = 0;
  for (auto* reply : added_) reply->on_added(domain::Failure::not_done);
  added_.clear();
  if (record_) record_->reply->on_written(domain::Failure::not_done);
  record_.reset();
  if (change_) std::exchange(change_, std::nullopt)->made.set_exception(std::make_exception_ptr(no_room()));
  for (const auto& edit : edited_) edit->done.set_exception(std::make_exception_ptr(no_room()));
  edited_.clear();
  for (auto* batch : settled_) {
    for (auto& [hit, verdict] : batch->verdicts) {
      if (verdict.kind == domain::Verdict::Kind::counted) verdict = domain::Verdict::not_counted();
    }
  }
}

void Committer::refuse_taken(const std::string& why) {
  const auto error = std::make_exception_ptr(StoreError("the store cannot be written: " + why));
  for (const auto* load : taken_.loaded) {
    auto loading = take_loaded(*load);
    for (const auto& token : loading->tokens) token.reply->on_added(domain::Failure::not_done);
    for (const auto& edit : loading->edits) edit->done.set_exception(error);
    for (const auto& [batch, hit] : loading->hits) settle(*batch, hit, domain::Verdict::not_counted());
    recycle(std::move(loading));
  }
  for (const auto& token : taken_.tokens) token.reply->on_added(domain::Failure::not_done);
  if (taken_.record) taken_.record->reply->on_written(domain::Failure::not_done);
  for (const auto& edit : taken_.edits) edit->done.set_exception(error);
  if (taken_.change) taken_.change->made.set_exception(error);
  for (const auto& [hits, reply] : taken_.batches) {
    reply->on_one_verdict_for_all(hits->size(), domain::Verdict::not_counted());
  }
  deliver();
}

void Committer::reopen() {
  if (Clock::now() < reopen_at_) return;
  reopen_at_ = Clock::now() + reopen_pause;
  if (!database_.try_reopen()) {
    set_lacking(database_.lacking());
    return;
  }
  if (database_.facts_at_open().number != committed_.number) {
    settings_.on_fatal("opened again, the store has " + std::to_string(database_.facts_at_open().number) +
                       " commits, and there were " + std::to_string(committed_.number));
  }
  set_lacking(0);
  changes_.good("ready: the store in " + settings_.directory + " can be written again");
}

void Committer::deliver() {
  for (auto* reply : added_) reply->on_added({});
  added_.clear();
  if (record_) std::exchange(record_, std::nullopt)->reply->on_written({});
  if (change_) std::exchange(change_, std::nullopt)->made.set_value();
  for (const auto& edit : edited_) edit->done.set_value(std::move(edit->record));
  edited_.clear();
  for (auto* batch : settled_) {
    batch->left -= batch->verdicts.size();
    const bool is_last = batch->left == 0;
    batch->reply->on_verdicts(batch->verdicts);  // with the last verdicts, the hits may be gone
    batch->verdicts.clear();
    if (is_last) free_batches_.push_back(batch);
  }
  settled_.clear();
}

}  // namespace tracker::store::rocksdb
