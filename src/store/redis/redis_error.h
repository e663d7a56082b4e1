#pragma once

#include <string>
#include <string_view>

#include "store/redis/redis_settings.h"

namespace tracker::store::redis {

/// What the errors of Redis mean to tracker. Pure.

/// Returns whether this error is NOSCRIPT: the script is not cached, so nothing was executed.
bool is_no_script(std::string_view error);

/// Returns whether this error is WRONGTYPE: the key is of another type.
bool is_wrong_type(std::string_view error);

/// Returns whether this error is CROSSSLOT: the keys are in different slots of a Redis Cluster. Nothing was executed.
bool is_cross_slot(std::string_view error);

/// Returns whether this error is FENCED, which tracker's own scripts return: another process has this Redis. Nothing was
/// executed.
bool is_fenced(std::string_view error);

/// Returns whether this error is HELD, which tracker's own script returns: a mark forbids to mint, or to say that a token is
/// unknown. Nothing was executed.
bool is_held(std::string_view error);

/// Returns whether this HELD says that every token is held or has moved.
bool is_all_held(std::string_view error);

/// Returns whether this error is PATHS, which tracker's own script returns: the token has as many paths as it may. The
/// increment was not executed, or was taken back in the same step.
bool is_too_many_paths(std::string_view error);

/// Returns whether this error is TOKENS, which tracker's own script returns: Redis has as many keys as it may have tokens. Nothing
/// was executed.
bool is_too_many_tokens(std::string_view error);

/// Returns whether the error says that an ACL does not allow the command or the key.
bool is_denied(std::string_view error);

/// Returns whether the error is about this Redis or its settings as a whole, not about one key: it takes no writes (a
/// replica, full, loading), is busy, denies a command that counting needs, or is a node of a Redis Cluster.
bool is_unfit(std::string_view error);

/// Returns whether a command with this error was certainly not executed. Without a proxy that is always so. A proxy has
/// errors of its own, such as that Redis is late, after which Redis may still execute the command.
bool is_not_executed(std::string_view error, bool proxy);

/// Returns whether a call of a script with this error certainly did nothing: it was refused before it began. A script
/// that began may have written before it ended with an error, such as that its memory is full.
bool is_not_begun(std::string_view error);

/// Returns the error in a form for logs: short, printable, without the arguments that Redis repeats.
std::string printable(std::string_view error);

/// Returns what Redis says, and what the operator of Redis or of tracker can do about it, if that is known. Contains no
/// password.
std::string explain(std::string_view error, const RedisSettings& settings);

/// Says that another process has this Redis, and what to do about it.
std::string explain_fenced();

/// Says that every token is held, and how that ends.
std::string explain_all_held();

/// The same for a reply to AUTH. The reply may repeat the password, which is left out.
std::string explain_login(std::string_view error, const RedisSettings& settings);

/// Says what a peer is that does not speak Redis' protocol, judged by its first bytes, and what to do about it.
std::string explain_stranger(std::string_view beginning);

/// The same for a peer that ended the connection without sending a byte. `how` is what the system says of the end.
std::string explain_silent_end(const std::string& how);

}  // namespace tracker::store::redis
