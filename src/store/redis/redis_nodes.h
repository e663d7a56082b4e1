#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "domain/slot.h"
#include "store/redis/cluster_map.h"
#include "store/redis/redis_client.h"
#include "store/redis/redis_settings.h"

namespace tracker::store::redis {

/// Commands on one key. They are done in this order. If one of them is refused because the key is at another node, or the
/// connection is lost, all of them are done again. So to do them twice must be the same as once. While a slot of a cluster
/// moves, its keys are at two nodes: what is asked of another key is a task of its own. A script of several keys is refused
/// until the slot has moved.
struct RedisTask {
  RedisTask(domain::Slot its_slot, std::string its_key) : slot(its_slot), key(std::move(its_key)) {}

  void add(std::span<const std::string_view> command);
  void add(std::initializer_list<std::string_view> command) {
    add(std::span(command.begin(), command.size()));
  }

  domain::Slot slot;
  std::string key;                           // for errors
  bool may_be_no_hash = false;               // WRONGTYPE is a reply like others
  std::vector<std::string> commands;         // in RESP
  std::vector<RedisReplyPtr> replies = {};   // one for each command, once it is done
  std::optional<runtime::Address> ask = {};  // whom to ask on the word of the slot's owner
  /// The connection over which the replies came.
  struct Connection {
    const RedisClient* client = nullptr;
    std::uint64_t number = 0;  // among those of the client
    bool operator==(const Connection&) const = default;
  };
  Connection answered_by = {};
};

using VisitField = std::function<void(std::string_view field, std::string_view value)>;

/// Visits the fields in a reply to HSCAN. Returns the cursor of the next one; 0 if this was the last.
std::string visit_fields(const redisReply& reply, const VisitField& visit);

/// Reads the value of a path's field in the hash with this key. Throws StoreError if it is no count.
std::int64_t count_in(const std::string& key, std::string_view value);

/// One Redis, or all masters of a Redis Cluster, for calls that block. All throw StoreError. Not synchronised.
class RedisNodes {
 public:
  explicit RedisNodes(const RedisSettings& redis);
  /// `begin_with`: some nodes of the cluster. The address in `settings` is not used.
  RedisNodes(const RedisSettings& settings, const std::vector<runtime::Address>& begin_with);

  bool is_cluster() const noexcept { return !begin_with_.empty(); }

  enum class Kind : std::uint8_t { reads, writes };
  /// Does tasks, many at once. No reply is an error, unless the task says so. On return, as many replicas as the settings ask
  /// for have received what was written.
  void run(std::span<RedisTask> tasks, Kind kind);

  /// Goes through all keys that match, and misses none that is there all the time. A key may come several times. Where the
  /// masters change meanwhile, or slots move, it begins anew: then it calls `begin` again.
  void scan(std::string_view pattern, const std::function<void()>& begin,
            const std::function<void(std::string_view key)>& visit);

  /// Where scan_step() goes on.
  struct ScanPlace {
    std::size_t node = 0;  // of clients()
    std::string cursor = "0";
    std::uint64_t connection = 0;
    bool operator==(const ScanPlace&) const = default;
  };
  /// Visits some of the keys that match, in less than a millisecond of Redis, and moves the place on. Once all were visited, the
  /// place is where it began. While masters change or slots move, keys may be missed.
  void scan_step(std::string_view pattern, ScanPlace& place,
                 const std::function<void(std::string_view key)>& visit);

  /// Goes through the fields of a hash that match, and misses none that is there all the time. A field may come several
  /// times. Where the connection ends meanwhile, or the slot moves, it begins anew: then it calls `begin` again. Returns false
  /// if the hash is not there.
  bool scan_hash(domain::Slot slot, const std::string& key, std::string_view pattern,
                 const std::function<void()>& begin, const VisitField& visit);

  /// The Redis, or each master.
  std::vector<RedisClient*> clients();
  /// The masters of the cluster.
  std::set<std::string> master_ids();

 private:
  /// What must stay the same while all keys are read.
  struct Layout {
    std::vector<std::uint16_t> owners = {};            // of slots: indexes of the map
    std::map<std::string, std::uint64_t> epochs = {};  // by the masters' ids
    bool is_moving = false;                            // a slot is on its way
    bool operator==(const Layout&) const = default;
  };
  Layout refresh();
  std::string ask_for_view(const runtime::Address& address, ClusterView& view);
  RedisClient& client_at(const runtime::Address& address);
  RedisClient& client_of(const RedisTask& task);
  void start(RedisClient& client, std::span<RedisTask* const> tasks, Kind kind);
  void finish(RedisClient& client, std::span<RedisTask* const> tasks, Kind kind,
              std::vector<RedisTask*>& again);
  bool is_elsewhere(RedisTask& task, const RedisClient& client) const;
  std::string scan_keys(RedisClient& client, std::string_view cursor, std::string_view pattern,
                        std::string_view number, const std::function<void(std::string_view key)>& visit);
  void scan_once(std::string_view pattern, const std::function<void(std::string_view key)>& visit);
  enum class Pass : std::uint8_t { whole, gone, interrupted };
  Pass scan_hash_once(domain::Slot slot, const std::string& key, std::string_view pattern,
                      const VisitField& visit);

  const RedisSettings settings_;
  const std::vector<runtime::Address> begin_with_;
  std::map<std::string, std::unique_ptr<RedisClient>> clients_;  // by their addresses
  ClusterMap map_;
};

}  // namespace tracker::store::redis
