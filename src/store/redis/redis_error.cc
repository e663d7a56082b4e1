#include "store/redis/redis_error.h"

#include <algorithm>
#include <initializer_list>

#include "store/redis/redis_keys.h"

namespace tracker::store::redis {

namespace {

constexpr std::size_t printable_max = 160;
constexpr std::string_view arguments_follow =
    ", with args";  // after an unknown command; Redis repeats the arguments
constexpr std::string_view place = "@user_script:";
constexpr const char* without_tls = " port without TLS";
constexpr std::string_view setting = "--redis-addr (REDIS_ADDR)";

constexpr const char* taken_over =
    "either two processes have one --name, or a counter without --peers is beside one with it; end all but "
    "the "
    "right one, and start that again";

bool is_any(std::string_view word, std::initializer_list<std::string_view> words) {
  return std::find(words.begin(), words.end(), word) != words.end();
}

/// Before version 7, Redis puts a place and a dash in front of the errors of commands in a script:
/// `@user_script: 2: -READONLY You can't ...`.
std::string_view without_place(std::string_view error) {
  if (!error.starts_with(place)) return error;
  error.remove_prefix(place.size());
  if (const auto place_end = error.find(": "); place_end != error.npos) error.remove_prefix(place_end + 2);
  if (error.starts_with('-')) error.remove_prefix(1);
  return error;
}

/// Returns the first word of an error of Redis, such as NOPERM.
std::string_view code_of(std::string_view error) {
  error = without_place(error);
  return error.substr(0, error.find(' '));
}

bool is_unknown_command(std::string_view error) {
  return error.starts_with("ERR unknown command") || error.starts_with("ERR unknown subcommand") ||
         error.find("Unknown Redis command called from") != error.npos;  // in a script
}

bool is_of_cluster(std::string_view error) {
  return is_any(code_of(error), {"MOVED", "ASK", "TRYAGAIN", "CROSSSLOT", "CLUSTERDOWN"});
}

std::string remedy(std::string_view error, const RedisSettings& settings) {
  const auto code = code_of(error);
  if (is_denied(error)) {
    // The name is that of a user who has logged in, or Redis' default user.
    const std::string& user = settings.redis.user;
    return "its ACL is too narrow; this would do: ACL SETUSER " + (user.empty() ? "default" : user) +
           " ~tracker:* +hsetnx +hexists +hincrby +eval +evalsha +del +hlen +hkeys +hdel +dbsize "
           "+renamenx +unlink +hset +hget +hmget +scan +select +ping +config|get +info" +
           (settings.replicas > 0 ? " +wait" : "");
  }
  if (is_unknown_command(error)) {
    return "counting needs HSETNX, HEXISTS, HINCRBY, HGET, HSET, HLEN, HKEYS, HDEL, EVAL, EVALSHA and DEL; "
           "none of "
           "them may be renamed or disabled (rename-command)";
  }
  if (is_of_cluster(error)) {
    return "this is a node of a Redis Cluster; give --store redis-cluster, or name in " +
           std::string(setting) + " a Redis that holds all keys";
  }
  if (error.find("cluster support disabled") != error.npos)
    return "this is no Redis Cluster; give --store redis";
  if (code == "NOAUTH" && settings.proxy) {
    return "tracker logs in at no proxy; leave redis_auth out of its configuration";
  }
  if (code == "NOAUTH") {
    return "it wants a password; give it in " + std::string(setting) +
           ", as redis://[user]:password@host:port";
  }
  if (code == "READONLY" || code == "MASTERDOWN") {
    return "this is a replica; " + std::string(setting) + " must name its primary";
  }
  if (code == "BUSY") return "a script runs there for long; SCRIPT KILL ends it";
  if (code == "DENIED") {
    return "set a password for this Redis and give it in " + std::string(setting) +
           ", or set protected-mode no where its network is trusted";
  }
  return {};
}

}  // namespace

bool is_no_script(std::string_view error) {
  return code_of(error) == "NOSCRIPT";
}

bool is_wrong_type(std::string_view error) {
  return code_of(error) == "WRONGTYPE";
}

bool is_cross_slot(std::string_view error) {
  return code_of(error) == "CROSSSLOT";
}

bool is_fenced(std::string_view error) {
  return code_of(error) == "FENCED";
}

bool is_held(std::string_view error) {
  return code_of(error) == "HELD";
}

bool is_all_held(std::string_view error) {
  return is_held(error) && error.ends_with(all_slots);
}

bool is_too_many_paths(std::string_view error) {
  return code_of(error) == "PATHS";
}

bool is_too_many_tokens(std::string_view error) {
  return code_of(error) == "TOKENS";
}

bool is_denied(std::string_view error) {
  // Redis 6 and 7.0 say the second of commands in a script; later versions say the third.
  return code_of(error) == "NOPERM" || error.find("The user executing the script can't") != error.npos ||
         error.find("ACL failure in script") != error.npos;
}

bool is_unfit(std::string_view error) {
  return is_any(code_of(error), {"FENCED", "READONLY", "MASTERDOWN", "LOADING", "OOM", "MISCONF",
                                 "NOREPLICAS", "NOAUTH", "DENIED", "BUSY"}) ||
         is_denied(error) || is_of_cluster(error) || is_unknown_command(error);
}

bool is_not_executed(std::string_view error, bool proxy) {
  return !proxy || is_unfit(error) || is_no_script(error) || is_wrong_type(error) ||
         is_too_many_paths(error) || is_any(code_of(error), {"TOKENS", "NEWER"}) ||
         error.starts_with("ERR hash value is not an integer") ||
         error.starts_with("ERR increment or decrement would overflow");
}

bool is_not_begun(std::string_view error) {
  return !error.starts_with(place) && (is_unfit(error) || is_no_script(error));
}

std::string printable(std::string_view error) {
  error = error.substr(0, error.find(arguments_follow));
  std::string text(error.substr(0, printable_max));
  for (char& c : text) {
    if (c < ' ' || c > '~') c = '?';
  }
  if (text.ends_with('.')) text.pop_back();  // a remedy may follow
  return error.size() > printable_max ? text + "..." : text;
}

std::string explain(std::string_view error, const RedisSettings& settings) {
  if (is_fenced(error)) return explain_fenced();
  const std::string its_remedy = remedy(error, settings);
  return "it says " + printable(error) + (its_remedy.empty() ? "" : ": " + its_remedy);
}

std::string explain_fenced() {
  return std::string("another counter has taken it over: ") + taken_over;
}

std::string explain_all_held() {
  return "every token here is held for an export, or has moved; finish the move with tracker import and "
         "tracker export "
         "--drop, or end the hold with tracker export --unhold";
}

std::string explain_login(std::string_view error, const RedisSettings& settings) {
  const std::string& password = settings.redis.password;
  std::string said(error.substr(0, error.find(arguments_follow)));
  for (auto at = said.find(password); !password.empty() && at != said.npos; at = said.find(password, at)) {
    said.replace(at, password.size(), "***");
    at += 3;
  }
  std::string its_remedy =
      "the user or the password in " + std::string(setting) + " or --redis-password-file is wrong";
  if (error.find("no password is set") != error.npos ||
      error.find("without any password configured") != error.npos) {
    its_remedy = "it wants no password; leave it out of " + std::string(setting);
  } else if (error.starts_with("ERR wrong number of arguments")) {
    its_remedy = "it is older than Redis 6 and knows no users; give the password alone in " +
                 std::string(setting) + ", as redis://:password@host:port";
  } else if (is_unknown_command(error)) {
    its_remedy = "it knows no login; leave user and password out of " + std::string(setting);
  } else if (code_of(error) != "WRONGPASS" && error != "ERR invalid password") {
    return explain(said, settings);
  }
  return "it says " + printable(said) + ": " + its_remedy;
}

std::string explain_stranger(std::string_view beginning) {
  const std::string must = "; " + std::string(setting) + " must name a Redis";
  if (beginning.starts_with("\x15\x03")) return "it speaks TLS" + must + without_tls;
  const std::string not_redis = "it does not speak Redis' protocol";
  if (beginning.starts_with("HTTP/") || beginning.starts_with('<')) return not_redis + " but HTTP" + must;
  if (beginning.starts_with("ERROR\r\n")) return not_redis + " but perhaps memcached's" + must;
  return not_redis + ": it says \"" + printable(beginning) + '"' + must;
}

std::string explain_silent_end(const std::string& how) {
  return how + ", before it had said a word; if it wants TLS, " + std::string(setting) +
         " must name a Redis" + without_tls;
}

}  // namespace tracker::store::redis
