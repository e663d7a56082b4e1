#include "app/store_choice.h"

#include <cstdlib>

#include "app/setting_values.h"
#include "app/startup_error.h"
#include "runtime/log.h"
#include "store/memory/memory_store.h"
#include "store/redis/redis_store.h"

namespace tracker::app {

namespace {

using store::Durability;

constexpr std::string_view rocksdb_prefix = "rocksdb:";
constexpr std::size_t cache_bytes_default = std::size_t{256} << 20U;
constexpr std::size_t cache_bytes_min = std::size_t{1} << 20U;

bool parse_store(std::string_view text, StoreChoice& choice) {
  if (text.starts_with(rocksdb_prefix)) {
    choice.name = "rocksdb";
    choice.directory = text.substr(rocksdb_prefix.size());
    return !choice.directory.empty();
  }
  choice.name = text;
  return text == "memory" || text == "redis";
}

std::optional<Durability> parse_durability(std::string_view text) {
  constexpr std::string_view interval_prefix = "interval:";
  if (text == "commit") return Durability{};
  if (text == "none") return Durability{Durability::Kind::none, {}};
  if (!text.starts_with(interval_prefix)) return std::nullopt;
  const auto interval_ms = parse_count(text.substr(interval_prefix.size()));
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
             "what "
             "the kernel has not written yet, often the last 30 s";
  }
  return "";
}

/// An fsync that failed must not be tried again: nobody knows what it left on disk. A start finds out.
[[noreturn]] void end_process(const std::string& reason) {
  runtime::log_warning("ending, since it is not known what is on disk: " + reason);
  std::_Exit(EXIT_FAILURE);
}

}  // namespace

OpenStore StoreChoice::open(boost::asio::io_context& loop, std::chrono::milliseconds reply_deadline) const {
  if (name == "rocksdb") {
    store::RocksDbSettings settings;
    settings.directory = directory;
    settings.durability = durability.value_or(Durability{});
    settings.cache_bytes = cache_bytes.value_or(cache_bytes_default);
    settings.on_fatal = end_process;
    try {
      auto store = std::make_unique<store::RocksDbStore>(settings);
      auto* rocksdb = store.get();
      return {std::move(store),
              "store=rocksdb:" + rocksdb->directory() + " tokens=" +
                  std::to_string(rocksdb->tokens_at_open()) + " " + what_can_be_lost(settings.durability),
              rocksdb};
    } catch (const store::StoreError& error) {
      throw StartupError(StartupError::refused_by_the_machine,
                         "--store rocksdb:" + directory + ": " + error.what());
    }
  }
  for (const auto& [flag, is_given] : {std::pair("--durability", durability.has_value()),
                                       std::pair("--cache-bytes", cache_bytes.has_value())}) {
    if (is_given) {
      throw StartupError(StartupError::bad_setting, std::string(flag) + ": it has no meaning for --store " +
                                                        name + ", only for rocksdb:DIR; leave it out");
    }
  }
  if (name == "redis") {
    return {std::make_unique<store::RedisStore>(loop, store::RedisSettings{redis, reply_deadline}),
            "store=redis " + to_string(redis) + ": the counts are as durable as that Redis keeps them"};
  }
  return {std::make_unique<store::MemoryStore>(), "store=memory: the counts end with this process"};
}

void add_store_settings(SettingTable& table, StoreChoice& choice, const std::string& by_default) {
  parse_store(by_default, choice);
  table.add(
      {"--store", "",
       "Where the counts are kept. rocksdb:DIR: on disk, in that directory; memory: in this process, gone "
       "when it ends; redis: in the Redis of --redis-addr.",
       by_default, "rocksdb:DIR, memory or redis (redis-cluster is not built yet)",
       [&choice](std::string_view text) { return parse_store(text, choice); }});
  table.add(
      {"--durability", "",
       "When the store rocksdb:DIR answers. commit: after an fsync; interval:MS: before it, with an fsync "
       "every MS milliseconds at least; none: before it, and the kernel writes when it likes.",
       "commit", "commit, interval:MS (1 to 60000 milliseconds) or none", [&choice](std::string_view text) {
         choice.durability = parse_durability(text);
         return choice.durability.has_value();
       }});
  table.add({"--cache-bytes", "", "What the store rocksdb:DIR may take in memory, whatever it holds.",
             bytes_text(cache_bytes_default),
             "a size from " + bytes_text(cache_bytes_min) + " up, such as 256MiB",
             [&choice](std::string_view text) {
               choice.cache_bytes = parse_bytes(text);
               return choice.cache_bytes && *choice.cache_bytes >= cache_bytes_min;
             }});
  table.add({"--redis-addr", "REDIS_ADDR",
             "Which Redis, for the store redis: host:port or redis://user:password@host:port/db.",
             runtime::to_string(choice.redis.address), "host:port or redis://user:password@host:port/db",
             [&choice](std::string_view text) {
               const auto address = store::parse_redis_address(text);
               if (address) choice.redis = *address;
               return address.has_value();
             },
             true});
}

}  // namespace tracker::app
