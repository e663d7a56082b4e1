#pragma once

#include <cstddef>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>

struct redisReply;

namespace tracker::store::redis {

/// What a Redis says about how it keeps its data, and what follows from that. Pure: replies in, words and a judgement
/// out.
class RedisDurability {
 public:
  /// Appends the questions: `config_questions` of CONFIG, then `info_questions` of INFO. Pass each reply to take().
  /// What Redis refuses to say (CONFIG may be forbidden or renamed) stays unknown unless INFO says it.
  static void append_questions(std::string& out);
  static constexpr std::size_t config_questions = 3;
  static constexpr std::size_t info_questions = 3;
  void take(const redisReply& reply);

  /// Call this after all replies, with what was known before. A Redis that was just told to append is still writing its
  /// data to the file. Until that is done, a crash loses as much as before. On a new connection, any rewrite that is
  /// running or has failed is taken for that one.
  void follow(const RedisDurability& before, bool on_connecting);

  /// Returns what is lost when the Redis process dies, when the power fails, and when it is full.
  std::string what_a_crash_loses() const;

  /// Returns what is lost when a replica takes this Redis' place, if counts were answered once `awaited` replicas had
  /// received them. The words follow those of what_a_crash_loses(). Empty if it has no replicas and none are awaited.
  std::string what_a_failover_loses(std::size_t awaited) const;

  /// The replicas that are connected and follow. Nothing: Redis does not say.
  std::optional<std::size_t> online_replicas() const noexcept { return online_replicas_; }

  /// Returns nothing if Redis keeps everything that it has answered (appendonly yes, appendfsync always, also while it
  /// rewrites its file) and evicts nothing (noeviction). Otherwise returns which settings should change.
  std::optional<std::string> shortfall() const;

 private:
  /// Empty: unknown.
  std::string_view fact(std::string_view name) const;
  bool is(std::string_view name, std::string_view value) const { return fact(name) == value; }
  std::string loss() const;
  std::string eviction() const;
  std::string settings() const;
  std::string why_unknown() const;
  std::string why_incomplete() const;

  std::map<std::string, std::string, std::less<>> facts_;  // by their names in CONFIG
  std::string refusal_;                                    // Redis' words if it refuses CONFIG
  std::optional<std::size_t> online_replicas_;
  bool file_incomplete_ = false;
};

}  // namespace tracker::store::redis
