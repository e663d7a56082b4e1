#pragma once

#include <functional>
#include <string>
#include <vector>

#include "settings/setting_table.h"
#include "store/redis/redis_address.h"

namespace tracker::app {

/// Where a Redis is, or some nodes of a Redis Cluster, and how to log in there: --redis-addr and --redis-password-file.
class RedisLogin {
 public:
  /// Declares both settings. They need `condition`, and the password file `password_condition`. `is_cluster`: --redis-addr
  /// may name several nodes. This object outlives the table.
  void add_settings(settings::SettingTable& table, const settings::SettingTable::Condition& condition,
                    const settings::SettingTable::Condition& password_condition,
                    std::function<bool()> is_cluster);

  /// The first address with user and password. Throws StartupError.
  store::redis::RedisAddress with_password() const;

  /// One or more, without the password of the file.
  const std::vector<store::redis::RedisAddress>& addresses() const noexcept { return addresses_; }
  std::vector<runtime::Address> nodes() const;

  /// On SIGHUP: reads the password file again, and calls `set_password` with what it holds. A file that cannot be read is
  /// logged, and changes nothing. Null if there is no file.
  std::function<void()> reread(std::function<void(const std::string& password)> set_password) const;

 private:
  std::vector<store::redis::RedisAddress> addresses_{1};
  std::string password_file_;  // empty: none
};

}  // namespace tracker::app
