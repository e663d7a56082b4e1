#pragma once

#include <cstddef>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>

struct redisReply;

namespace tracker::store::redis {

/// What a Redis says of how it keeps what it holds, and what follows from that. Pure: replies in, words and a
/// judgement out.
class RedisDurability {
 public:
  /// Appends the questions: so many of CONFIG, then so many of INFO; the replies are then to be taken. What Redis refuses to say
  /// (CONFIG may be forbidden or renamed) stays unknown, as far as INFO does not tell it.
  static void append_questions(std::string& out);
  static constexpr std::size_t config_questions = 3;
  static constexpr std::size_t info_questions = 2;
  void take(const redisReply& reply);

  /// Call it when all replies are there, with what was known before. A Redis that was just told to append is
  /// still writing what it holds to its file: until that is done, a crash loses as much as before. On connecting
  /// any rewrite that runs, or has failed, is taken for that one.
  void follow(const RedisDurability& before, bool on_connecting);

  /// What is lost when its process dies, when the power fails, and when it is full.
  std::string what_a_crash_loses() const;

  /// Nothing if it keeps all that it has answered (appendonly yes, appendfsync always, also while it rewrites
  /// its file) and evicts nothing (noeviction); otherwise what should be set differently.
  std::optional<std::string> shortfall() const;

 private:
  /// Empty: not known.
  std::string_view fact(std::string_view name) const;
  bool is(std::string_view name, std::string_view value) const { return fact(name) == value; }
  std::string loss() const;
  std::string eviction() const;
  std::string settings() const;
  std::string why_unknown() const;
  std::string why_incomplete() const;

  std::map<std::string, std::string, std::less<>> facts_;  // by the names that CONFIG has for them
  std::string refusal_;                                    // of CONFIG, in Redis' words
  bool file_incomplete_ = false;
};

}  // namespace tracker::store::redis
