#pragma once

#include <string>
#include <string_view>

#include "store/redis/redis_settings.h"

namespace tracker::store::redis {

/// What the errors of Redis mean to tracker. Pure.

/// Whether this error is NOSCRIPT: the script is not cached, so nothing was executed.
bool is_no_script(std::string_view error);

/// Whether it is WRONGTYPE: the key is of another type.
bool is_wrong_type(std::string_view error);

/// Whether the error is about this Redis or its settings as a whole, not about one key: it takes no writes (a
/// replica, full, loading), is busy, denies a command that counting needs, or is a node of a Redis Cluster.
bool is_unfit(std::string_view error);

/// Whether a command that got this error was certainly not executed. Without a proxy it was not; a proxy also
/// has errors of its own, such as that Redis is late, and Redis may execute the command after all.
bool is_not_executed(std::string_view error, bool proxy);

/// The error as it may stand in a log: short, printable, without the arguments that Redis repeats.
std::string printable(std::string_view error);

/// What Redis says, and what its operator, or tracker's, can do about it, where that is known. Names no password.
std::string explain(std::string_view error, const RedisSettings& settings);

/// The same of a reply to AUTH, which may repeat the password: it is left out.
std::string explain_login(std::string_view error, const RedisSettings& settings);

/// What a peer is that does not speak Redis' protocol, by how it begins, and what to do about it.
std::string explain_stranger(std::string_view beginning);

/// The same of one that ended the connection, `how` the system says, without a word.
std::string explain_silent_end(const std::string& how);

}  // namespace tracker::store::redis
