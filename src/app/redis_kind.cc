#include <sys/stat.h>

#include <cerrno>
#include <cstring>
#include <fstream>
#include <functional>
#include <utility>
#include <vector>

#include "app/store_kinds.h"
#include "runtime/log.h"
#include "settings/shown_value.h"
#include "settings/startup_error.h"
#include "store/redis/cluster_store.h"
#include "store/redis/redis_store.h"

namespace tracker::app {

using settings::SettingTable;
using settings::StartupError;

namespace {

constexpr auto first_attempt_longest = std::chrono::milliseconds(500);

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

/// A file that cannot be read leaves the password as it was.
template <typename Store>
void reread_password(const std::string& file, Store& redis) {
  try {
    redis.set_password(password_in(file));
    runtime::log_info(
        "SIGHUP: read --redis-password-file again; the next connection to Redis logs in with it");
  } catch (const StartupError& error) {
    runtime::log_warning("SIGHUP: the password stays as it was: " + std::string(error.what()));
  }
}

bool is_store_name(std::string_view text) {
  constexpr std::size_t longest = 64;
  constexpr std::string_view allowed = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789.-_";
  return !text.empty() && text.size() <= longest && text.find_first_not_of(allowed) == text.npos;
}

/// The address and the login, for one Redis and for a cluster alike. Both kinds of store share them.
class RedisLogin {
 public:
  /// Declares them for one Redis under `chosen`, and for a cluster once choose_cluster_by() was called.
  void add_settings(SettingTable& table, const SettingTable::Condition& chosen, const bool& is_proxy) {
    const auto is_chosen = [this, chosen] { return chosen.holds() || is_cluster(); };
    table.add(
        {"--redis-addr", "REDIS_ADDR",
         "Which Redis: host:port or redis://user:password@host:port/db; of a Redis Cluster some nodes, with "
         "commas between them. With a password, give it by the variable, since other users of the machine "
         "can "
         "read command lines, or give --redis-password-file.",
         runtime::to_string(addresses_.front().address), "host:port or redis://user:password@host:port/db",
         [this](std::string_view text) {
           addresses_ = is_cluster() ? store::redis::parse_cluster_addresses(text)
                                     : std::vector{store::redis::parse_redis_address(text)};
           return true;
         },
         "ADDRESS", SettingTable::Condition{chosen.only_with + " or redis-cluster", is_chosen}});
    table.add({"--redis-password-file", "",
               "A file whose first line is the password of that Redis. SIGHUP reads it again.", "none",
               "the name of a file",
               [this](std::string_view text) {
                 password_file_ = text;
                 return !text.empty() && text.find("://") == text.npos;
               },
               "FILE",
               SettingTable::Condition{chosen.only_with + " or redis-cluster, and without --redis-proxy",
                                       [is_chosen, &is_proxy] { return is_chosen() && !is_proxy; }}});
  }
  void choose_cluster_by(std::function<bool()> is_cluster) { is_cluster_ = std::move(is_cluster); }

  /// The first address with user and password. Throws StartupError.
  store::redis::RedisAddress with_password() const;

  const std::vector<store::redis::RedisAddress>& addresses() const { return addresses_; }
  const std::string& password_file() const { return password_file_; }

 private:
  bool is_cluster() const { return is_cluster_ && is_cluster_(); }

  std::function<bool()> is_cluster_;
  std::vector<store::redis::RedisAddress> addresses_{1};
  std::string password_file_;  // empty: none
};

store::redis::RedisAddress RedisLogin::with_password() const {
  auto redis = addresses_.front();
  if (!password_file_.empty()) {
    if (!redis.password.empty()) {
      throw StartupError(StartupError::bad_setting,
                         "--redis-password-file: --redis-addr (or REDIS_ADDR) holds a password, too; leave "
                         "one of them out");
    }
    redis.password = password_in(password_file_);
  }
  if (!redis.user.empty() && redis.password.empty()) {
    throw StartupError(StartupError::bad_setting,
                       "--redis-addr (or REDIS_ADDR): it names a user and no password; write "
                       "redis://user:password@host:port, or redis://:password@host:port (with the colon) "
                       "for a password alone, or give --redis-password-file");
  }
  return redis;
}

class RedisKind final : public StoreKind {
 public:
  explicit RedisKind(std::shared_ptr<RedisLogin> login) : login_(std::move(login)) {}

  std::string name() const override { return "redis"; }
  std::string help() const override { return "in the Redis of --redis-addr"; }
  bool parse(std::string_view text) override { return text == "redis"; }

  void add_settings(SettingTable& table, const SettingTable::Condition& chosen) override {
    table.add_switch(
        "--redis-proxy", proxy_,
        "A proxy such as nutcracker stands before several Redis, at that address. It is sent PING "
        "and calls of scripts alone; what a crash loses cannot be asked.",
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
    login_->add_settings(table, chosen, proxy_);
  }

  OpenStore open(boost::asio::io_context& loop, const OpenSettings& settings) const override {
    if (settings.require_durability && proxy_) {
      refuse_durability(
          "what a Redis behind a proxy loses cannot be known; leave out --redis-proxy, or this");
    }
    if (proxy_) require_usable_through_proxy(settings);
    auto store = std::make_unique<store::redis::RedisStore>(
        loop, store::redis::RedisSettings{.redis = login_->with_password(),
                                          .reply_deadline = settings.reply_deadline,
                                          .proxy = proxy_,
                                          .store_name = store_name_,
                                          .require_durability = settings.require_durability});
    auto& redis = *store;
    OpenStore open{
        .store = std::move(store),
        .unready_in_public = "Redis is not reachable, or cannot count",
        .wait_for_first_attempt = [&redis] { redis.wait_for_first_attempt(first_attempt_longest); }};
    if (!login_->password_file().empty())
      open.reread = [this, &redis] { reread_password(login_->password_file(), redis); };
    return open;
  }

 private:
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
    const auto& redis = login_->addresses().front();
    if (redis.user.empty() && redis.password.empty() && redis.database == 0) return;
    throw StartupError(StartupError::bad_setting,
                       "--redis-proxy: --redis-addr (or REDIS_ADDR) names a user, a password or a database, "
                       "and a proxy would close the connection upon AUTH or SELECT; give host:port of the "
                       "proxy alone");
  }

  const std::shared_ptr<RedisLogin> login_;
  bool proxy_ = false;
  std::string store_name_;  // empty: none
};

class RedisClusterKind final : public StoreKind {
 public:
  explicit RedisClusterKind(std::shared_ptr<RedisLogin> login) : login_(std::move(login)) {}

  std::string name() const override { return "redis-cluster"; }
  std::string help() const override { return "in the Redis Cluster of which --redis-addr names some nodes"; }
  bool parse(std::string_view text) override { return text == "redis-cluster"; }

  void add_settings(SettingTable& /*table*/, const SettingTable::Condition& chosen) override {
    login_->choose_cluster_by(chosen.holds);
  }

  OpenStore open(boost::asio::io_context& loop, const OpenSettings& settings) const override {
    if (settings.is_one_of_several) {
      throw StartupError(
          StartupError::bad_setting,
          "--store redis-cluster: counters that share a Redis Cluster own every token each and stand "
          "in for each other, so it cannot be used with --peers (or --counters-file); leave that out");
    }
    std::vector<runtime::Address> nodes;
    for (const auto& redis : login_->addresses()) nodes.push_back(redis.address);
    auto store = std::make_unique<store::redis::ClusterStore>(
        loop,
        store::redis::RedisSettings{.redis = login_->with_password(),
                                    .reply_deadline = settings.reply_deadline,
                                    .require_durability = settings.require_durability},
        nodes);
    auto& cluster = *store;
    OpenStore open{.store = std::move(store),
                   .unready_in_public = "no master of the Redis Cluster can count",
                   .wait_for_first_attempt = [&cluster] { cluster.wait_until_ready(first_attempt_longest); }};
    if (!login_->password_file().empty())
      open.reread = [this, &cluster] { reread_password(login_->password_file(), cluster); };
    return open;
  }

 private:
  const std::shared_ptr<RedisLogin> login_;
};

}  // namespace

std::vector<std::unique_ptr<StoreKind>> redis_kinds() {
  const auto login = std::make_shared<RedisLogin>();
  std::vector<std::unique_ptr<StoreKind>> kinds;
  kinds.push_back(std::make_unique<RedisKind>(login));
  kinds.push_back(std::make_unique<RedisClusterKind>(login));
  return kinds;
}

}  // namespace tracker::app
