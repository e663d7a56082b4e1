#pragma once

#include <array>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include "domain/failure.h"
#include "store/store_facts.h"

struct redisReply;

namespace tracker::store::redis {

struct RedisSettings;

/// Draws an identity for a Redis that has none yet.
StoreFacts::Id new_identity();
/// Draws a fence for this process.
std::string new_fence();

/// What a Redis says about which store it is. Pure: replies in, facts out. In the hash `facts_key`, the field `id` has the
/// store's identity, as 32 hex digits, `record` has the record, and `fence` says whose it is: each process that writes a
/// record draws a fence of its own, and all other processes are refused from then on.
class RedisFacts {
 public:
  /// Appends the questions: HSETNX, HMGET and INFO. If Redis has no identity yet, `new_id` becomes it, in one atomic
  /// step. Pass each reply to take().
  static void append_questions(const StoreFacts::Id& new_id, std::string& out);
  static constexpr std::size_t questions = 3;
  void take(const redisReply& reply);

  /// The facts of a store of which only the name is known, and nothing is asked.
  static RedisFacts of_name(std::string_view name);

  /// Call these after all replies. Nothing if Redis does not tell all of it.
  std::optional<StoreFacts> facts() const;
  /// Empty: no process has written a record.
  const std::string& fence() const noexcept { return fence_; }
  const std::string& record() const noexcept { return record_; }
  /// Why there are no facts, and the remedy if it is known.
  std::string why_not(const RedisSettings& settings) const;

 private:
  std::optional<StoreFacts::Id> id_;
  std::string record_;
  std::string fence_;
  std::string run_;
  std::string refusal_;  // the first error
};

}  // namespace tracker::store::redis
