#pragma once

#include <boost/unordered/unordered_flat_map.hpp>
#include <chrono>
#include <cstdint>
#include <functional>
#include <future>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "domain/seeded_hash.h"
#include "link/inbox.h"
#include "metrics/histogram.h"
#include "metrics/page.h"
#include "metrics/tally.h"
#include "runtime/log.h"
#include "store/counter_store.h"
#include "store/rocksdb/counter_cache.h"
#include "store/rocksdb/cpu_follower.h"
#include "store/rocksdb/data_directory.h"
#include "store/rocksdb/database.h"
#include "store/rocksdb/interval_sync.h"
#include "store/rocksdb/loader.h"
#include "store/token_count.h"
#include "store/token_keeper.h"

namespace tracker::store::rocksdb {

/// The thread that counts. It repeats one cycle: take everything that waits, count it in the cache, write the changes
/// as one commit, and answer. It looks up what is not in the cache in the database, if that needs no disk. Hits on a
/// counter that must be read from disk wait until the loader has read it. They are counted in the commit after that,
/// and other hits do not wait for them. While there is no room (no_room.h), the committer refuses all hits. A record
/// joins a commit, which is then synced. So does a change for a move of tokens; one of the marks is a commit of its own.
/// A hit is judged by the record of its token, which is in the cache as long as a counter of the token is.
///
/// Invariants:
///  1. A counter in the cache has the count of the last commit plus the hits counted since then.
///  2. A counter that is not in the cache has its count in the database. What a commit changes stays in the cache until
///     that commit is written (CounterCache::turn() is called only between commits).
///  3. A counter that is being loaded is not in the cache, and nobody counts it until it is. Later hits on it wait with
///     the first. So a reading is never older than a count.
///  4. A token that is not in the cache is as it was read, unless the cache has turned twice since: it may have been in the cache
///     meanwhile, and have changed. Then it is read again.
///  5. A reading that began before the marks changed is not used after that, and the cache is empty then. Other changes are to
///     tokens that the marks keep from being counted. So nothing is counted by what was in the store before.
class Committer {
 public:
  using Clock = std::chrono::steady_clock;

  /// `database` must outlive it. `admit` is called on the thread before something is written that a store of an older format
  /// does not have. If it throws StoreError, that is not written.
  Committer(Database& database, const RocksDbSettings& settings, std::function<void(StoreFormat)> admit);

  /// Counts and answers everything that waits, and ends the thread.
  ~Committer();

  /// Any thread, for these.
  void track(const domain::HitBatch& hits, TrackReply& reply);
  void add_token(const domain::TokenId& id, const domain::TokenRecord& record, domain::Deadline deadline,
                 AddReply& reply);
  void write_record(std::string record, domain::Deadline deadline, WriteReply& reply);
  const ReadinessSource& readiness() const noexcept { return readiness_; }
  void report(metrics::Page& page) const;
  /// Says that no more tokens are minted, if so.
  const ReadinessSource& tokens_readiness() const noexcept { return tokens_.readiness(); }
  /// Says what is refused because of moves.
  const ReadinessSource& marks_readiness() const noexcept { return marks_readiness_; }

  /// A change for a move of tokens.
  struct Change {
    std::function<void(CommitWrite&)> fill = [](CommitWrite&) {};
    std::int64_t tokens = 0;                // how many more there are after it
    std::optional<domain::Slot> slot = {};  // it is not made if the marks say that nothing is to change there
    std::optional<StoredMoves> moves = {};  // in place of those so far
  };
  /// Makes the change. Only one with `moves` may change tokens that the marks so far let be counted, but for those that are
  /// revoked. What is judged from then on is judged by it. Blocks; call it on another thread. Throws StoreError if the change is
  /// not made, or HeldError.
  void make(Change change);

  /// What an edit does to a token's record.
  enum class Edited : std::uint8_t { unchanged, changed, removed };
  using Edit = std::function<Edited(domain::TokenRecord& record)>;
  /// Edits the record of a token, between hits. `edit` is called on the thread, at most once, and does not block. Returns the
  /// record after that, as durable as a count. Nothing: there is no such token. Only a token is removed that was revoked before,
  /// and has no counts any more. Blocks; call it on another thread. Throws StoreError; HeldError.
  std::optional<domain::TokenRecord> edit(const domain::TokenId& id, Edit edit);

  /// The moves that were made last. Any thread.
  StoredMoves moves() const;

 private:
  struct WaitingBatch {
    const domain::HitBatch* hits;
    TrackReply* reply;
  };
  struct WaitingToken {
    domain::TokenId id;
    domain::TokenRecord record;
    domain::Deadline deadline;
    AddReply* reply;
  };
  struct WaitingRecord {
    std::string record;
    domain::Deadline deadline;
    WriteReply* reply;
  };
  struct WaitingChange {
    Change change;
    std::promise<void> made = {};
  };
  struct WaitingEdit {
    domain::TokenId id;
    Edit edit;
    std::promise<std::optional<domain::TokenRecord>> done = {};
    std::optional<domain::TokenRecord> record = {};  // when it was edited
  };
  struct Waiting {
    std::vector<WaitingBatch> batches;
    std::vector<std::shared_ptr<WaitingEdit>> edits;
    std::vector<WaitingToken> tokens;
    std::optional<WaitingRecord> record;
    std::optional<WaitingChange> change;
    std::vector<Load*> loaded;
    std::size_t hits = 0;   // in the batches
    bool stopping = false;  // the thread must end

    bool empty() const {
      return batches.empty() && edits.empty() && tokens.empty() && !record && !change && loaded.empty() &&
             !stopping;
    }
    void clear() {
      batches.clear();
      edits.clear();
      tokens.clear();
      record.reset();
      change.reset();
      loaded.clear();
      hits = 0;
      stopping = false;
    }
  };
  /// A batch that was taken. It lives until its last verdict is delivered.
  struct Batch {
    const domain::HitBatch* hits = nullptr;
    TrackReply* reply = nullptr;
    std::size_t left = 0;
    std::vector<domain::HitVerdict> verdicts;  // not delivered yet
  };
  struct WaitingHit {
    Batch* batch;
    std::uint32_t hit;
  };
  /// A counter or token that is being read, and what waits for it.
  struct Loading : Load {
    std::uint64_t changes = 0;  // that were made before it
    std::uint64_t turns = 0;    // CounterCache::turns() when it began
    std::vector<WaitingHit> hits;
    std::vector<WaitingToken> tokens;
    std::vector<std::shared_ptr<WaitingEdit>> edits;
  };

  // The thread only, for everything below.
  void run();
  bool take();
  void take(WaitingChange& waiting);
  void wait_for_work();
  void gather();
  void count(const WaitingBatch& waiting);
  void count(Batch& batch, std::uint32_t hit, CachedCounter& counter);
  CachedToken* token_of(const Loading& loading, const CounterKey& key);
  CachedCounter* new_counter(const CounterKey& key, CachedToken& token);
  void judge_token(const Loading& loading, const domain::TokenId& id, bool failed);
  void judge_hits(const Loading& loading, const CounterKey& key, bool failed);
  void edit(const std::shared_ptr<WaitingEdit>& waiting);
  void edit(WaitingEdit& waiting, CachedToken* token);
  bool admits_records();
  void settle(Batch& batch, std::uint32_t hit, const domain::Verdict& verdict);
  void add(const WaitingToken& token);
  bool may_write(const WaitingRecord& record);
  template <typename Wait>
  void when_loaded(const CounterKey& key, domain::Deadline deadline, Wait wait);
  std::unique_ptr<Loading> new_loading(const CounterKey& key);
  void begin(Loading& loading, const CounterKey& key);
  bool has_failed(const Loading& loading) const;
  bool may_be_old(const Loading& loading);
  void load_again(std::unique_ptr<Loading> loading);
  void load(std::unique_ptr<Loading> loading);
  std::unique_ptr<Loading> take_loaded(const Load& load);
  void judge(const Loading& loading);
  void recycle(std::unique_ptr<Loading> loading);
  bool commit();
  void set_committed(const CommitFacts& facts);
  void deliver();
  void touch(CachedCounter& counter);
  void touch(CachedToken& token);
  void report(const Loading& loading);
  void make(WaitingChange& waiting);
  void set_moves(StoredMoves moves);
  void undo();
  void refuse_taken(const std::string& why);
  void set_lacking(int error);
  void reopen();

  Database& database_;
  const RocksDbSettings settings_;
  const std::function<void(StoreFormat)> admit_;

  ReadinessSource readiness_{domain::Readiness::ready(std::chrono::system_clock::now())};
  ReadinessSource marks_readiness_{domain::Readiness::ready()};

  // Any thread.
  link::Inbox<Waiting> inbox_;
  std::mutex change_mutex_;  // held by the one that makes a change
  CpuFollower follower_;
  mutable std::mutex moves_mutex_;
  StoredMoves shown_moves_;  // moves_mutex_; the same as moves_

  // The thread writes, any thread reads.
  metrics::Durations commit_durations_;
  metrics::Sizes commit_hits_;
  TokenCount tokens_;  // as of the last commit

  // The thread only.
  bool stopping_ = false;
  int lacking_ = 0;  // an errno that no_room.h knows; 0: nothing is lacking
  StoredMoves moves_;
  domain::SlotSet stopped_;    // by moves_: no hit is counted in these slots
  domain::SlotSet importing_;  // by moves_: an unknown token of these slots may still come
  std::uint64_t changes_made_ = 0;
  CounterCache cache_;
  CommitFacts committed_;        // of the last commit
  std::int64_t new_tokens_ = 0;  // since the last commit
  std::uint64_t counted_ = 0;    // hits, since the last commit
  domain::Seconds now_s_ = 0;    // by which hits are judged
  bool admits_records_ = false;  // the store may have records of tokens
  bool format_failed_ = false;   // that could not be noted; it is tried again, also without work
  Waiting taken_;
  std::vector<std::unique_ptr<Batch>> batches_;  // all of them
  std::vector<Batch*> free_batches_;
  std::vector<Batch*> settled_;  // with verdicts that are not delivered yet
  std::vector<AddReply*> added_;
  std::optional<WaitingRecord> record_;  // of the next commit
  std::optional<WaitingChange> change_;  // of the next commit
  std::vector<CachedCounter*> touched_;
  std::vector<CachedToken*> touched_tokens_;
  std::vector<std::shared_ptr<WaitingEdit>> edited_;  // by the next commit
  boost::unordered_flat_map<std::string_view, std::unique_ptr<Loading>, domain::SeededHash> loading_;
  std::string loading_key_;
  std::vector<Load*> to_load_;
  std::vector<std::unique_ptr<Loading>> free_loadings_;
  CommitWrite write_;
  Clock::time_point gather_until_;
  Clock::time_point reopen_at_;
  runtime::ChangeLog changes_;
  runtime::RareLog reading_log_;
  runtime::RareLog record_log_;

  std::unique_ptr<IntervalSync> interval_sync_;  // null: no interval
  std::unique_ptr<Loader> loader_;
  std::thread thread_;
};

}  // namespace tracker::store::rocksdb
