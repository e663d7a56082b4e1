#include "app/redis_login.h"

#include <sys/stat.h>

#include <cerrno>
#include <cstring>
#include <fstream>
#include <utility>

#include "runtime/log.h"
#include "settings/shown_value.h"
#include "settings/startup_error.h"

namespace tracker::app {

using settings::SettingTable;
using settings::StartupError;

namespace {

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

}  // namespace

void RedisLogin::add_settings(SettingTable& table, const SettingTable::Condition& condition,
                              const SettingTable::Condition& password_condition,
                              std::function<bool()> is_cluster) {
  table.add(
      {"--redis-addr", "REDIS_ADDR",
       "Which Redis: host:port or redis://user:password@host:port/db; of a Redis Cluster some nodes, with "
       "commas between them. With a password, give it by the variable, since other users of the machine can "
       "read command lines, or give --redis-password-file.",
       runtime::to_string(addresses_.front().address), "host:port or redis://user:password@host:port/db",
       [this, is_cluster = std::move(is_cluster)](std::string_view text) {
         addresses_ = is_cluster() ? store::redis::parse_cluster_addresses(text)
                                   : std::vector{store::redis::parse_redis_address(text)};
         return true;
       },
       "ADDRESS", condition});
  table.add({"--redis-password-file", "",
             "A file whose first line is the password of that Redis. SIGHUP reads it again.", "none",
             "the name of a file",
             [this](std::string_view text) {
               password_file_ = text;
               return !text.empty() && text.find("://") == text.npos;
             },
             "FILE", password_condition});
}

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

std::vector<runtime::Address> RedisLogin::nodes() const {
  std::vector<runtime::Address> nodes;
  for (const auto& redis : addresses_) nodes.push_back(redis.address);
  return nodes;
}

std::function<void()> RedisLogin::reread(
    std::function<void(const std::string& password)> set_password) const {
  if (password_file_.empty()) return nullptr;
  return [file = password_file_, set_password = std::move(set_password)] {
    try {
      set_password(password_in(file));
      runtime::log_info(
          "SIGHUP: read --redis-password-file again; the next connection to Redis logs in with it");
    } catch (const StartupError& error) {
      runtime::log_warning("SIGHUP: the password stays as it was: " + std::string(error.what()));
    }
  };
}

}  // namespace tracker::app
