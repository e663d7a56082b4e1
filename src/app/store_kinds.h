#pragma once

#include <boost/asio/io_context.hpp>
#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "counter/read_queue.h"
#include "counter/token_terms.h"
#include "runtime/descriptor.h"
#include "settings/setting_table.h"
#include "store/count_reader.h"
#include "store/counter_store.h"
#include "store/store_contents.h"
#include "store/token_keeper.h"
#include "store/token_rules.h"

namespace tracker::app {

/// How a store that is open is backed up while it counts. Both calls block, and throw store::StoreError. They return
/// what is in the backup, for the log. Any thread but the workers'.
struct LiveBackup {
  std::string directory;  // of the store: its admin socket lies there
  /// Makes the backup in a directory that does not exist yet.
  std::function<std::string(const std::string& path)> to_path;
  /// Makes it in an empty directory that is open. `name` is what errors call that directory.
  std::function<std::string(const runtime::Descriptor& directory, const std::string& name)> to_directory;
};

/// A store that is open, and what else its service should know of it.
struct OpenStore {
  std::unique_ptr<store::CounterStore> store;
  /// For the log, at the start. Empty: the store logs what there is to say.
  std::string note = {};
  /// Why it is not ready, for those who may know no host and no file.
  std::string unready_in_public = {};
  /// How many files it has open at most.
  std::size_t files_max = 0;
  /// Blocks for a moment, in which the store may find out whether it is ready. Its loop runs. Null: it knows already.
  std::function<void()> wait_for_first_attempt = {};
  /// On SIGHUP: reads its files again. The kind outlives it. Null: it has none.
  std::function<void()> reread = {};
  /// Nothing: tracker does not back it up.
  std::optional<LiveBackup> backup = {};
  /// Returns the contents of the store, to read and move them. Store and kind outlive them. Throws store::StoreError. Null: they
  /// cannot be reached through this store.
  std::function<std::shared_ptr<store::StoreContents>()> contents = {};
  /// Makes a reader of tokens and counts. Store and kind outlive it. Any thread. Throws store::StoreError.
  std::function<std::unique_ptr<store::CountReader>()> reader = {};
  /// Makes what changes and removes tokens. Store and kind outlive it. Any thread. Throws store::StoreError.
  std::function<std::unique_ptr<store::TokenKeeper>()> keeper = {};
  /// Whether it can look for tokens that have ended.
  bool can_sweep = true;
};

/// Refuses a store that has counted as that of one of several counters, for a service that owns every token. Throws
/// StartupError. A store that is not known yet is judged later, by counter::LocalCounter.
void require_whole_store(const OpenStore& open_store);

/// Reads the store for callers that must not wait. It must outlive the queue. `terms` have the time by which tokens end. Null:
/// it cannot be read.
std::unique_ptr<counter::ReadQueue> make_read_queue(const OpenStore& open_store,
                                                    const counter::TokenTerms& terms);

/// Logs what is to be said of it at the start.
void log_note(const OpenStore& open_store);

/// Stores that lie in a directory, and their backups, as far as nobody has them open. All calls block, and throw
/// store::StoreError.
class StoreCopies {
 public:
  virtual ~StoreCopies() = default;

  /// Of the store that --store names.
  virtual const std::string& directory() const = 0;
  /// Whether `path` is inside that store, whatever links lead there.
  virtual bool holds(const std::string& path) const = 0;
  /// Makes that store of a backup. Returns what is in it, for the log.
  virtual std::string restore(const std::string& from) const = 0;

  /// Throws unless a store or a backup lies in `path`.
  virtual void check(const std::string& path) const = 0;
  /// Throws unless every byte of it is as it was written; store::DamageError if it is damaged.
  virtual void look_through(const std::string& path) const = 0;
};

/// A kind of store, with the settings that are its alone.
class StoreKind {
 public:
  virtual ~StoreKind() = default;

  /// How --store names it in help and errors, such as `rocksdb:DIR`.
  virtual std::string name() const = 0;
  /// What it is: a clause for the help of --store.
  virtual std::string help() const = 0;

  /// Whether `text`, the value of --store, names this kind; then it keeps what stands behind the name. Throws
  /// std::invalid_argument if it does, but not well.
  virtual bool parse(std::string_view text) = 0;

  /// What a store is opened for.
  enum class Purpose {
    counting,
    copying,  // of its files; the store must be there already
    moving,   // of its tokens
  };

  /// Declares the settings of this kind for this purpose, which take effect only under `chosen`. It outlives the table.
  virtual void add_settings(settings::SettingTable& /*table*/,
                            const settings::SettingTable::Condition& /*chosen*/, Purpose /*purpose*/) {}

  /// What does not depend on the kind.
  struct OpenSettings {
    bool require_durability = false;  // a store that can never be durable is refused
    bool is_one_of_several = false;   // a store that can never say which one it is, is refused
    std::chrono::milliseconds reply_deadline{2'000};  // of a store in another process
    Purpose purpose = Purpose::counting;
    store::TokenRules rules = {};
  };
  /// `loop` is where its I/O runs, if it needs a loop. It outlives the store, and has stopped before that goes. Throws
  /// StartupError.
  virtual OpenStore open(boost::asio::io_context& loop, const OpenSettings& settings) const = 0;

  /// The contents of a store that this process does not serve. `makes`: a store that is not there yet is made. Throws
  /// StartupError.
  virtual std::shared_ptr<store::StoreContents> open_contents(bool makes) const = 0;

  /// Null: such a store is copied by other means than tracker's.
  virtual const StoreCopies* copies() const { return nullptr; }
};

/// The table of all kinds: a store that is built is one line in it.
std::vector<std::unique_ptr<StoreKind>> store_kinds();

std::unique_ptr<StoreKind> memory_kind();
std::unique_ptr<StoreKind> rocksdb_kind();
/// `redis` and `redis-cluster`, which share their settings.
std::vector<std::unique_ptr<StoreKind>> redis_kinds();

/// Refuses --require-durability, for a store that can never be durable. `why` also says what to change.
[[noreturn]] void refuse_durability(const std::string& why);

}  // namespace tracker::app
