#include "app/store_choice.h"

#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <mutex>
#include <stdexcept>

#include "runtime/log.h"
#include "settings/setting_values.h"
#include "settings/shown_value.h"
#include "settings/startup_error.h"
#include "store/memory/memory_store.h"

namespace tracker::app {

using settings::SettingTable;
using settings::StartupError;

namespace {

using store::rocksdb::Durability;

constexpr std::string_view rocksdb_prefix = "rocksdb:";
constexpr std::size_t cache_bytes_default = std::size_t{256} << 20U;
constexpr std::size_t cache_bytes_min = std::size_t{1} << 20U;
constexpr auto first_attempt_longest = std::chrono::milliseconds(500);

/// DIR of `rocksdb:DIR`; answers false if `text` is not that. A URL is nobody's directory, and may hold a password.
bool parse_directory(std::string_view text, std::string& directory) {
  if (!text.starts_with(rocksdb_prefix)) return false;
  directory = text.substr(rocksdb_prefix.size());
  if (directory.find("://") != directory.npos) return false;
  if (directory.starts_with('~')) {
    const bool own_home = directory == "~" || directory.starts_with("~/");
    throw std::invalid_argument(
        "begins with a ~ that the shell left as it is, since it replaces only one that begins a word; "
        "write " +
        (own_home ? std::string(rocksdb_prefix) + "$HOME" + directory.substr(1) + " or " : "") +
        "an absolute path");
  }
  return !directory.empty();
}

bool parse_store(std::string_view text, StoreChoice& choice) {
  if (parse_directory(text, choice.directory)) {
    choice.name = "rocksdb";
    return true;
  }
  choice.name = text;
  return text == "memory" || text == "redis";
}

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

/// Throws StartupError if --require-durability asks what can never be.
void require_one_that_can_keep(const StoreChoice& choice) {
  std::string why_not;
  if (choice.name == "memory")
    why_not = "--store memory loses all when the process ends; choose another store";
  if (choice.name == "redis" && choice.redis_proxy) {
    why_not = "what a Redis behind a proxy loses cannot be known; leave out --redis-proxy, or this";
  }
  if (choice.name == "rocksdb" && choice.durability.value_or(Durability{}).kind != Durability::Kind::commit) {
    why_not = "a power cut loses what --durability has not synced; leave that out, or this";
  }
  if (!why_not.empty()) throw StartupError(StartupError::bad_setting, "--require-durability: " + why_not);
}

/// The first line of the file. Throws StartupError.
std::string password_in(const std::string& file) {
  const auto flag = "--redis-password-file: " + settings::shown(file) + ": ";
  errno = 0;
  std::ifstream stream(file);
  std::string password;
  if (!std::getline(stream, password) && (!stream.is_open() || errno != 0)) {
    throw StartupError(StartupError::refused_by_the_machine,
                       flag + std::strerror(errno) + "; name a file that this user can read");
  }
  if (password.ends_with('\r')) password.pop_back();
  if (password.empty()) {
    throw StartupError(StartupError::bad_setting, flag + "its first line is empty; it must be the password");
  }
  struct stat status {};
  if (::stat(file.c_str(), &status) == 0 && S_ISREG(status.st_mode) && (status.st_mode & S_IROTH) != 0) {
    runtime::log_warning(flag + "every user of this machine can read it; chmod o-r takes that away");
  }
  return password;
}

/// Where the password may come from a file. Throws StartupError.
store::redis::RedisAddress redis_with_password(const StoreChoice& choice) {
  auto redis = choice.redis;
  if (!choice.redis_password_file.empty()) {
    if (!redis.password.empty()) {
      throw StartupError(
          StartupError::bad_setting,
          "--redis-password-file: --redis-addr (or REDIS_ADDR) holds a password, too; leave one of them out");
    }
    redis.password = password_in(choice.redis_password_file);
  }
  if (!redis.user.empty() && redis.password.empty()) {
    throw StartupError(StartupError::bad_setting,
                       "--redis-addr (or REDIS_ADDR): it names a user and no password; write "
                       "redis://user:password@host:port, or redis://:password@host:port (with the colon) for "
                       "a password alone, or give --redis-password-file");
  }
  return redis;
}

}  // namespace

/// An fsync that failed must not be tried again: nobody knows what it left on disk. A start finds out.
[[noreturn]] void end_process(const std::string& reason) {
  static std::mutex only_one;  // several threads may meet the same trouble
  only_one.lock();
  runtime::log_warning("ending, since it is not known what is on disk: " + reason);
  runtime::exit_now(EXIT_FAILURE);
}

std::vector<std::string> remarks(const OpenStore& open_store) {
  return open_store.rocksdb == nullptr ? std::vector<std::string>() : open_store.rocksdb->remarks();
}

void log_note(const OpenStore& open_store) {
  if (!open_store.note.empty()) runtime::log_info(open_store.note);
}

void wait_for_redis(const OpenStore& open_store) {
  if (open_store.redis != nullptr) open_store.redis->wait_for_first_attempt(first_attempt_longest);
}

namespace {

/// A cache that can never fit would end the process once it is filled, or at once.
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

}  // namespace

OpenStore StoreChoice::open(boost::asio::io_context& loop, std::chrono::milliseconds reply_deadline) const {
  if (require_durability) require_one_that_can_keep(*this);
  if (name == "rocksdb") {
    store::rocksdb::RocksDbSettings settings;
    settings.directory = directory;
    settings.durability = durability.value_or(Durability{});
    settings.cache_bytes = cache_bytes.value_or(cache_bytes_default);
    settings.on_fatal = end_process;
    require_memory_for_cache(settings.cache_bytes);
    try {
      auto store = std::make_unique<store::rocksdb::RocksDbStore>(settings);
      auto* rocksdb = store.get();
      auto note = "store=rocksdb:" + rocksdb->directory() +
                  " tokens=" + std::to_string(rocksdb->tokens_at_open()) + " ";
      if (const auto bytes = rocksdb->left_out_bytes_at_open(); bytes > 0) {
        note += "torn_tail_left_out_bytes=" + std::to_string(bytes) + " ";
      }
      return {std::move(store), note + what_can_be_lost(settings.durability), rocksdb, nullptr,
              "the store on disk cannot be written"};
    } catch (const store::rocksdb::StoreError& error) {
      throw StartupError(StartupError::refused_by_the_machine,
                         "--store rocksdb:" + directory + ": " + error.what());
    }
  }
  if (name == "redis") {
    auto store = std::make_unique<store::redis::RedisStore>(
        loop, store::redis::RedisSettings{.redis = redis_with_password(*this),
                                          .reply_deadline = reply_deadline,
                                          .proxy = redis_proxy,
                                          .require_durability = require_durability});
    auto* redis_store = store.get();
    return {std::move(store), "", nullptr, redis_store, "Redis is not reachable, or cannot count"};
  }
  return {std::make_unique<store::memory::MemoryStore>(), "store=memory: the counts end with this process"};
}

void add_store_directory_setting(SettingTable& table, std::string& directory, const std::string& help) {
  directory = "./tracker-data";
  table.begin_group(SettingTable::Group::store);
  table.add({"--store", "", help, std::string(rocksdb_prefix) + directory,
             "rocksdb:DIR (what is in a Redis is copied by Redis' own means)",
             [&directory](std::string_view text) { return parse_directory(text, directory); }, "STORE"});
}

void add_store_settings(SettingTable& table, StoreChoice& choice, const std::string& by_default) {
  parse_store(by_default, choice);
  const SettingTable::Condition on_disk{"--store rocksdb:DIR",
                                        [&choice] { return choice.name == "rocksdb"; }};
  const SettingTable::Condition in_redis{"--store redis", [&choice] { return choice.name == "redis"; }};
  table.begin_group(SettingTable::Group::store);
  table.add({"--store", "",
             "Where the counts are kept. rocksdb:DIR: on disk, in that directory; memory: in this process, "
             "gone when it ends; redis: in the Redis of --redis-addr.",
             by_default, "rocksdb:DIR, memory or redis (redis-cluster is not built yet)",
             [&choice](std::string_view text) { return parse_store(text, choice); }, "STORE"});
  table.add({"--durability", "",
             "When it answers. commit: after an fsync; interval:MS: before it, with an fsync every MS "
             "milliseconds at least; none: before it, and the kernel writes when it likes.",
             "commit", "commit, interval:MS (1 to 60000 milliseconds) or none",
             [&choice](std::string_view text) {
               choice.durability = parse_durability(text);
               return choice.durability.has_value();
             },
             "WHEN", on_disk});
  table.add({"--cache-bytes", "", "What the store may take in memory, whatever it holds.",
             settings::bytes_text(cache_bytes_default),
             "a size from " + settings::bytes_text(cache_bytes_min) + " up, such as 256MiB",
             [&choice](std::string_view text) {
               choice.cache_bytes = settings::parse_bytes(text);
               return choice.cache_bytes && *choice.cache_bytes >= cache_bytes_min;
             },
             "SIZE", on_disk});
  table.add(
      {"--redis-addr", "REDIS_ADDR",
       "Which Redis: host:port or redis://user:password@host:port/db. With a password, give it by the "
       "variable, since other users of the machine can read command lines, or give --redis-password-file.",
       runtime::to_string(choice.redis.address), "host:port or redis://user:password@host:port/db",
       [&choice](std::string_view text) {
         choice.redis = store::redis::parse_redis_address(text);
         return true;
       },
       "ADDRESS", in_redis});
  table.add({"--redis-password-file", "",
             "A file whose first line is the password of that Redis. It is read at the start only.", "none",
             "the name of a file",
             [&choice](std::string_view text) {
               choice.redis_password_file = text;
               return !text.empty() && text.find("://") == text.npos;
             },
             "FILE", in_redis});
  table.add_switch("--redis-proxy", choice.redis_proxy,
                   "A proxy stands before that Redis: do not ask what a crash of it loses, since the proxy "
                   "would answer for itself.",
                   in_redis);
  table.add_switch("--require-durability", choice.require_durability,
                   "Refuses to count, by 503, while a crash or a power cut could lose what was answered: in "
                   "a Redis without appendonly yes, appendfsync always and maxmemory-policy noeviction.");
}

}  // namespace tracker::app
