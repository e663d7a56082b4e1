#pragma once

#include <boost/asio/io_context.hpp>
#include <chrono>
#include <memory>
#include <string>

#include "app/setting_table.h"
#include "store/counter_store.h"
#include "store/redis/redis_address.h"

namespace tracker::app {

/// Which store keeps the counts: the one list of all of them.
struct StoreChoice {
  std::string name;  // memory or redis
  store::RedisAddress redis;

  /// `loop` is where its I/O runs, if it needs a loop; it outlives the store, and has stopped before that goes.
  std::unique_ptr<store::CounterStore> open(boost::asio::io_context& loop,
                                            std::chrono::milliseconds reply_deadline) const;

  /// What its users should know of it, for the log.
  std::string note() const;
};

/// Declares --store and --redis-addr; `name_default` is the command's.
void add_store_settings(SettingTable& table, StoreChoice& choice, const std::string& name_default);

}  // namespace tracker::app
