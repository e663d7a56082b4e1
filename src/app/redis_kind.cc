#include <functional>
#include <utility>
#include <vector>

#include "app/redis_login.h"
#include "app/store_kinds.h"
#include "app/token_settings.h"
#include "runtime/log.h"
#include "settings/startup_error.h"
#include "store/redis/cluster_store.h"
#include "store/redis/first_tracker.h"
#include "store/redis/redis_contents.h"
#include "store/redis/redis_count_reader.h"
#include "store/redis/redis_store.h"
#include "store/redis/redis_token_keeper.h"
#include "store/store_error.h"

namespace tracker::app {

using settings::SettingTable;
using settings::StartupError;

namespace {

constexpr auto first_attempt_longest = std::chrono::milliseconds(500);

bool is_store_name(std::string_view text) {
  constexpr std::size_t longest = 64;
  constexpr std::string_view allowed = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789.-_";
  return !text.empty() && text.size() <= longest && text.find_first_not_of(allowed) == text.npos;
}

/// What both kinds of store share.
struct SharedSettings {
  RedisLogin login;
  std::size_t replicas = 0;
  std::function<bool()> is_cluster_chosen = [] { return false; };
};

/// Throws StartupError.
std::shared_ptr<store::StoreContents> contents_or_startup_error(
    const std::function<std::unique_ptr<store::StoreContents>()>& open) {
  try {
    return open();
  } catch (const store::StoreError& error) {
    throw StartupError(StartupError::refused_by_the_machine, std::string("--redis-addr: ") + error.what());
  }
}

/// For a store that is open. Throws StoreError.
template <typename Open>
auto or_store_error(Open open) {
  try {
    return open();
  } catch (const StartupError& error) {  // the password file may be gone by now
    throw store::StoreError(error.what());
  }
}

class RedisKind final : public StoreKind {
 public:
  explicit RedisKind(std::shared_ptr<SharedSettings> shared) : shared_(std::move(shared)) {}

  std::string name() const override { return "redis"; }
  std::string help() const override { return "in the Redis of --redis-addr"; }
  bool parse(std::string_view text) override { return text == "redis"; }

  void add_settings(SettingTable& table, const SettingTable::Condition& chosen, Purpose purpose) override {
    if (purpose == Purpose::counting) add_proxy_settings(table, chosen);
    add_shared_settings(table, chosen);
    if (purpose == Purpose::moving) {
      table.add_switch(
          "--first-tracker", first_tracker_,
          "The Redis is one of the first tracker, whose keys are TOKEN and TOKEN_PATH. End that one "
          "first. Only for an export.",
          chosen);
    }
  }

  void add_proxy_settings(SettingTable& table, const SettingTable::Condition& chosen) {
    table.add_switch(
        "--redis-proxy", proxy_,
        "A proxy such as nutcracker stands before several Redis, at that address. It is sent PING, "
        "calls of scripts, and HGET, HLEN and HSCAN alone; what a crash loses cannot be asked.",
        chosen);
    const SettingTable::Condition with_proxy{"--redis-proxy", [this] { return proxy_; }};
    table.add({"--store-name", "",
               "What you call all that is behind the proxy. Counters with one name stand in for each other: "
               "it is your word that they count in one store.",
               "none: it is not known which store that is",
               "1 to 64 letters, digits, dots, hyphens or underscores",
               [this](std::string_view text) {
                 store_name_ = text;
                 return is_store_name(text);
               },
               "NAME", with_proxy});
  }

  void add_shared_settings(SettingTable& table, const SettingTable::Condition& chosen) {
    const auto is_cluster = [this] { return shared_->is_cluster_chosen(); };
    const std::string only_with = chosen.only_with + " or redis-cluster";
    const auto is_chosen = [chosen, is_cluster] { return chosen.holds() || is_cluster(); };
    const SettingTable::Condition without_proxy{only_with + ", and without --redis-proxy",
                                                [this, is_chosen] { return is_chosen() && !proxy_; }};
    shared_->login.add_settings(table, {only_with, is_chosen}, without_proxy, is_cluster);
    table.add_count("--redis-replicas", shared_->replicas, 0, 100,
                    "How many replicas must have received a count or a token before it is answered (Redis' "
                    "WAIT). Give the number of replicas that can be promoted, and a failover loses nothing "
                    "that was answered. A Redis with fewer replicas is refused.",
                    without_proxy);
  }

  OpenStore open(boost::asio::io_context& loop, const OpenSettings& settings) const override {
    if (settings.require_durability && proxy_) {
      refuse_durability(
          "what a Redis behind a proxy loses cannot be known; leave out --redis-proxy, or this");
    }
    if (proxy_) require_usable_through_proxy(settings);
    auto store = std::make_unique<store::redis::RedisStore>(loop, this->settings(settings));
    auto& redis = *store;
    OpenStore open{
        .store = std::move(store),
        .unready_in_public = "Redis is not reachable, or cannot count",
        .wait_for_first_attempt = [&redis] { redis.wait_for_first_attempt(first_attempt_longest); },
        .contents = [this, settings]() -> std::shared_ptr<store::StoreContents> {
          return store::redis::redis_contents(
              this->settings(settings));  // the password may be another one by now
        }};
    open.reader = [this, settings] {
      return or_store_error([&] { return store::redis::redis_count_reader(this->settings(settings)); });
    };
    open.keeper = [this, settings] {
      return or_store_error([&] { return store::redis::redis_token_keeper(this->settings(settings)); });
    };
    open.can_sweep = !proxy_;  // a proxy does not pass on SCAN
    open.reread = shared_->login.reread([&redis](const auto& password) { redis.set_password(password); });
    return open;
  }

  std::shared_ptr<store::StoreContents> open_contents(bool makes) const override {
    if (first_tracker_ && makes) {
      throw StartupError(
          StartupError::bad_setting,
          "--first-tracker: tracker import does not write for the first tracker; leave it out");
    }
    return contents_or_startup_error([this] {
      return first_tracker_ ? store::redis::first_tracker_contents(settings({}))
                            : store::redis::redis_contents(settings({}));
    });
  }

 private:
  store::redis::RedisSettings settings(const OpenSettings& settings) const {
    return {.redis = shared_->login.with_password(),
            .reply_deadline = settings.reply_deadline,
            .proxy = proxy_,
            .store_name = store_name_,
            .require_durability = settings.require_durability,
            .replicas = shared_->replicas,
            .rules = settings.rules};
  }

  /// A proxy has no use for AUTH and SELECT, and closes the connection. Throws StartupError.
  void require_usable_through_proxy(const OpenSettings& settings) const {
    if (settings.is_one_of_several) {
      throw StartupError(
          StartupError::bad_setting,
          "--redis-proxy: no Redis behind a proxy can say which store it is, so it cannot be used "
          "with --peers (or --counters-file); leave that out, and give all counters on this "
          "proxy one --store-name, or leave out --redis-proxy, and give each counter a Redis of "
          "its own");
    }
    if (settings.rules.tokens_max != 0 && settings.rules.tokens_max != tokens_max_default) {
      throw StartupError(StartupError::bad_setting,
                         "--tokens-max: nobody can count the tokens behind a --redis-proxy; leave it out");
    }
    const auto& redis = shared_->login.addresses().front();
    if (redis.user.empty() && redis.password.empty() && redis.database == 0) return;
    throw StartupError(StartupError::bad_setting,
                       "--redis-proxy: --redis-addr (or REDIS_ADDR) names a user, a password or a database, "
                       "and a proxy would close the connection upon AUTH or SELECT; give host:port of the "
                       "proxy alone");
  }

  const std::shared_ptr<SharedSettings> shared_;
  bool proxy_ = false;
  bool first_tracker_ = false;
  std::string store_name_;  // empty: none
};

class RedisClusterKind final : public StoreKind {
 public:
  explicit RedisClusterKind(std::shared_ptr<SharedSettings> shared) : shared_(std::move(shared)) {}

  std::string name() const override { return "redis-cluster"; }
  std::string help() const override { return "in the Redis Cluster of which --redis-addr names some nodes"; }
  bool parse(std::string_view text) override { return text == "redis-cluster"; }

  void add_settings(SettingTable& /*table*/, const SettingTable::Condition& chosen,
                    Purpose /*purpose*/) override {
    shared_->is_cluster_chosen = chosen.holds;
  }

  OpenStore open(boost::asio::io_context& loop, const OpenSettings& settings) const override {
    if (settings.is_one_of_several) {
      throw StartupError(
          StartupError::bad_setting,
          "--store redis-cluster: counters that share a Redis Cluster own every token each and stand "
          "in for each other, so it cannot be used with --peers (or --counters-file); leave that out");
    }
    auto store =
        std::make_unique<store::redis::ClusterStore>(loop, this->settings(settings), shared_->login.nodes());
    auto& cluster = *store;
    OpenStore open{.store = std::move(store),
                   .unready_in_public = "no master of the Redis Cluster can count",
                   .wait_for_first_attempt = [&cluster] { cluster.wait_until_ready(first_attempt_longest); },
                   .contents = [this, settings]() -> std::shared_ptr<store::StoreContents> {
                     return store::redis::cluster_contents(this->settings(settings), shared_->login.nodes());
                   }};
    open.reader = [this, settings] {
      return or_store_error([&] {
        return store::redis::cluster_count_reader(this->settings(settings), shared_->login.nodes());
      });
    };
    open.keeper = [this, settings] {
      return or_store_error([&] {
        return store::redis::cluster_token_keeper(this->settings(settings), shared_->login.nodes());
      });
    };
    open.reread = shared_->login.reread([&cluster](const auto& password) { cluster.set_password(password); });
    return open;
  }

  std::shared_ptr<store::StoreContents> open_contents(bool /*makes*/) const override {
    return contents_or_startup_error(
        [this] { return store::redis::cluster_contents(settings({}), shared_->login.nodes()); });
  }

 private:
  store::redis::RedisSettings settings(const OpenSettings& settings) const {
    return {.redis = shared_->login.with_password(),
            .reply_deadline = settings.reply_deadline,
            .require_durability = settings.require_durability,
            .replicas = shared_->replicas,
            .rules = settings.rules};
  }

  const std::shared_ptr<SharedSettings> shared_;
};

}  // namespace

std::vector<std::unique_ptr<StoreKind>> redis_kinds() {
  const auto shared = std::make_shared<SharedSettings>();
  std::vector<std::unique_ptr<StoreKind>> kinds;
  kinds.push_back(std::make_unique<RedisKind>(shared));
  kinds.push_back(std::make_unique<RedisClusterKind>(shared));
  return kinds;
}

}  // namespace tracker::app
