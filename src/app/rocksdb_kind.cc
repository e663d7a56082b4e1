#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <mutex>
#include <stdexcept>

#include "app/store_kinds.h"
#include "runtime/log.h"
#include "settings/setting_values.h"
#include "settings/startup_error.h"
#include "store/rocksdb/descriptor.h"
#include "store/rocksdb/rocksdb_store.h"
#include "store/store_error.h"

namespace tracker::app {

using settings::SettingTable;
using settings::StartupError;

namespace {

using store::rocksdb::Durability;
using store::rocksdb::RocksDbSettings;
using store::rocksdb::RocksDbStore;

constexpr std::string_view prefix = "rocksdb:";
constexpr std::size_t cache_bytes_default = std::size_t{256} << 20U;
constexpr std::size_t cache_bytes_min = std::size_t{1} << 20U;
/// While nobody counts.
constexpr std::size_t copying_cache_bytes = std::size_t{16} << 20U;

std::optional<Durability> parse_durability(std::string_view text) {
  constexpr std::string_view interval_prefix = "interval:";
  if (text == "commit") return Durability{};
  if (text == "none") return Durability{Durability::Kind::none, {}};
  if (!text.starts_with(interval_prefix)) return std::nullopt;
  const auto interval_ms = settings::parse_count(text.substr(interval_prefix.size()));
  if (!interval_ms || *interval_ms == 0 || *interval_ms > 60'000) return std::nullopt;
  return Durability{Durability::Kind::interval, std::chrono::milliseconds(*interval_ms)};
}

/// In plain words, for the log.
std::string what_can_be_lost(const Durability& durability) {
  switch (durability.kind) {
    case Durability::Kind::commit:
      return "durability=commit: a crash or a power cut loses nothing that was answered";
    case Durability::Kind::interval:
      return "durability=interval:" + std::to_string(durability.interval.count()) +
             ": a crash of this process loses nothing that was answered; a power cut loses up to the last " +
             std::to_string(durability.interval.count()) + " ms of it, and what one fsync takes";
    case Durability::Kind::none:
      return "durability=none: a crash of this process loses nothing that was answered; a power cut loses "
             "what the kernel has not written yet, often the last 30 s";
  }
  return "";
}

/// An fsync that failed must not be tried again: nobody knows what it left on disk. A start finds out. Any thread.
[[noreturn]] void end_process(const std::string& reason) {
  static std::mutex only_one;  // several threads may meet the same trouble
  only_one.lock();
  runtime::log_end("ending, since it is not known what is on disk: " + reason);
  runtime::exit_now(EXIT_FAILURE);
}

/// A cache that can never fit would end the process once it is filled, or at once. Throws StartupError.
void require_memory_for_cache(std::size_t cache_bytes) {
  auto memory_bytes =
      static_cast<std::size_t>(::sysconf(_SC_PHYS_PAGES)) * static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
  rlimit limit{};
  if (::getrlimit(RLIMIT_AS, &limit) == 0) memory_bytes = std::min<std::size_t>(memory_bytes, limit.rlim_cur);
  if (cache_bytes <= memory_bytes) return;
  throw StartupError(StartupError::refused_by_the_machine,
                     "--cache-bytes " + settings::bytes_text(cache_bytes) + ": this process may have " +
                         std::to_string(memory_bytes >> 20U) + "MiB of memory; lower it");
}

std::string note_of(const RocksDbStore& store, const Durability& durability) {
  auto note =
      "store=rocksdb:" + store.directory() + " tokens=" + std::to_string(store.tokens_at_open()) + " ";
  if (const auto bytes = store.left_out_bytes_at_open(); bytes > 0) {
    note += "torn_tail_left_out_bytes=" + std::to_string(bytes) + " ";
  }
  return note + what_can_be_lost(durability);
}

class RocksDbKind final : public StoreKind, public StoreCopies {
 public:
  std::string name() const override { return "rocksdb:DIR"; }
  std::string help() const override { return "on disk, in that directory"; }

  /// A URL is no directory, and may hold a password.
  bool parse(std::string_view text) override {
    if (!text.starts_with(prefix)) return false;
    directory_ = text.substr(prefix.size());
    if (directory_.find("://") != directory_.npos) return false;
    if (directory_.starts_with('~')) {
      const bool own_home = directory_ == "~" || directory_.starts_with("~/");
      throw std::invalid_argument(
          "begins with a ~ that the shell left as it is, since it replaces only one that begins a word; "
          "write " +
          (own_home ? std::string(prefix) + "$HOME" + directory_.substr(1) + " or " : "") +
          "an absolute path");
    }
    return !directory_.empty();
  }

  void add_settings(SettingTable& table, const SettingTable::Condition& chosen, Purpose purpose) override {
    if (purpose != Purpose::counting) return;
    table.add({"--durability", "",
               "When it answers. commit: after an fsync; interval:MS: before it, with an fsync every MS "
               "milliseconds at least; none: before it, and the kernel writes when it likes.",
               "commit", "commit, interval:MS (1 to 60000 milliseconds) or none",
               [this](std::string_view text) {
                 const auto durability = parse_durability(text);
                 if (durability) durability_ = *durability;
                 return durability.has_value();
               },
               "WHEN", chosen, std::vector<std::string>{"commit", "interval:MS", "none"}});
    table.add({"--cache-bytes", "", "What the store may take in memory, whatever it holds.",
               settings::bytes_text(cache_bytes_default),
               "a size from " + settings::bytes_text(cache_bytes_min) + " up, such as 256MiB",
               [this](std::string_view text) {
                 const auto bytes = settings::parse_bytes(text);
                 if (!bytes || *bytes < cache_bytes_min) return false;
                 cache_bytes_ = *bytes;
                 return true;
               },
               "SIZE", chosen});
  }

  OpenStore open(boost::asio::io_context& /*loop*/, const OpenSettings& open_settings) const override {
    if (open_settings.require_durability && durability_.kind != Durability::Kind::commit) {
      refuse_durability("a power cut loses what --durability has not synced; leave that out, or this");
    }
    require_memory_for_cache(cache_bytes_);
    try {
      auto store = std::make_unique<RocksDbStore>(settings(open_settings));
      auto& rocksdb = *store;
      return {
          .store = std::move(store),
          .note = note_of(rocksdb, durability_),
          .unready_in_public = "the store on disk cannot be written",
          .files_max = store::rocksdb::files_open_max,
          .backup =
              LiveBackup{
                  .directory = rocksdb.directory(),
                  .to_path = [&rocksdb](const std::string& path) { return to_string(rocksdb.backup(path)); },
                  .to_directory =
                      [&rocksdb](const runtime::Descriptor& directory, const std::string& name) {
                        return to_string(rocksdb.backup_into(directory, name));
                      }},
          .contents = [contents = std::shared_ptr(rocksdb.contents(loss()))] { return contents; },
          .reader = [&rocksdb] { return rocksdb.reader(); },
          .keeper = [&rocksdb] { return rocksdb.keeper(); }};
    } catch (const store::StoreError& error) {
      throw StartupError(StartupError::refused_by_the_machine,
                         "--store " + std::string(prefix) + directory_ + ": " + error.what());
    }
  }

  std::shared_ptr<store::StoreContents> open_contents(bool makes) const override {
    boost::asio::io_context unused;
    auto opened =
        std::make_shared<OpenStore>(open(unused, {.purpose = makes ? Purpose::moving : Purpose::copying}));
    auto contents = opened->contents();
    return {contents.get(), [opened, contents](auto*) mutable {
              contents.reset();
              opened.reset();
            }};
  }

  const StoreCopies* copies() const override { return this; }

  const std::string& directory() const override { return directory_; }

  bool holds(const std::string& path) const override { return store::rocksdb::is_within(path, directory_); }
  std::string restore(const std::string& from) const override {
    return to_string(store::rocksdb::restore_store(from, directory_));
  }
  void check(const std::string& path) const override { RocksDbStore::check(path); }
  void look_through(const std::string& path) const override { store::rocksdb::look_through_store(path); }

 private:
  std::string loss() const {
    if (durability_.kind == Durability::Kind::commit) return "";
    return what_can_be_lost(durability_);
  }

  RocksDbSettings settings(const OpenSettings& open_settings) const {
    const auto purpose = open_settings.purpose;
    RocksDbSettings settings;
    settings.rules = open_settings.rules;
    settings.directory = directory_;
    settings.durability = durability_;
    settings.cache_bytes = cache_bytes_;
    settings.on_fatal = end_process;
    if (purpose == Purpose::moving) settings.cache_bytes = copying_cache_bytes;
    if (purpose == Purpose::copying) {
      check(directory_);
      settings.cache_bytes = copying_cache_bytes;
      settings.look_through_bytes_per_s = 0;  // nobody counts meanwhile
    }
    return settings;
  }

  std::string directory_;
  Durability durability_;
  std::size_t cache_bytes_ = cache_bytes_default;
};

}  // namespace

std::unique_ptr<StoreKind> rocksdb_kind() {
  return std::make_unique<RocksDbKind>();
}

}  // namespace tracker::app
