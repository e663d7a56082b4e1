#include "app/store_choice.h"

#include "store/memory/memory_store.h"
#include "store/redis/redis_store.h"

namespace tracker::app {

std::unique_ptr<store::CounterStore> StoreChoice::open(boost::asio::io_context& loop,
                                                       std::chrono::milliseconds reply_deadline) const {
  if (name == "redis")
    return std::make_unique<store::RedisStore>(loop, store::RedisSettings{redis, reply_deadline});
  return std::make_unique<store::MemoryStore>();
}

std::string StoreChoice::note() const {
  if (name == "redis")
    return "store=redis " + to_string(redis) + ": the counts are as durable as that Redis keeps them";
  return "store=memory: the counts end with this process";
}

void add_store_settings(SettingTable& table, StoreChoice& choice, const std::string& name_default) {
  choice.name = name_default;
  table.add({"--store", "",
             "Where the counts are kept. memory: in this process, gone when it ends; redis: in the Redis of "
             "--redis-addr.",
             name_default, "memory or redis (rocksdb:DIR and redis-cluster are not built yet)",
             [&choice](std::string_view text) {
               choice.name = text;
               return text == "memory" || text == "redis";
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
