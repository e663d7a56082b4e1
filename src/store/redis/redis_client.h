#pragma once

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "store/redis/redis_settings.h"
#include "store/store_error.h"

struct redisContext;
struct redisReply;

namespace tracker::store::redis {

struct FreeReply {
  void operator()(redisReply* reply) const noexcept;
};
using RedisReplyPtr = std::unique_ptr<redisReply, FreeReply>;

/// A Redis cannot be reached, or its connection has ended. What was sent on it is perhaps done.
class ConnectionLost : public StoreError {
 public:
  using StoreError::StoreError;
};

/// A connection to one Redis, for calls that block. It connects when it is first used, and again when it is used after
/// ConnectionLost. Not synchronised.
class RedisClient {
 public:
  /// `settings` has the address of this Redis.
  explicit RedisClient(const RedisSettings& settings);
  ~RedisClient();

  /// How errors name it.
  const std::string& name() const noexcept { return name_; }
  const RedisSettings& settings() const noexcept { return settings_; }

  /// Begins: forgets what is still to be answered. Throws ConnectionLost, as the others do, and StoreError if it may not log
  /// in.
  void begin();

  /// How many connections there were. It tells whether Redis may have been started again.
  std::uint64_t connections() const noexcept { return connections_; }

  /// Takes commands in RESP. They are on their way after flush().
  void send(std::string_view commands, std::size_t number = 1);
  void flush();

  /// Waits for the reply to the next command, which may be an error.
  RedisReplyPtr take();

  /// Sends commands in RESP and returns their replies. Does so again, once, if a connection has ended that was made before.
  std::vector<RedisReplyPtr> exchange(std::string_view commands, std::size_t number);
  /// The same with one command. Throws StoreError if the reply is an error.
  RedisReplyPtr call(std::initializer_list<std::string_view> command);

  /// Throws StoreError if this is an error. `about`: the key that it is about, if any.
  void check(const redisReply& reply, std::string_view about = {}) const;

 private:
  struct FreeContext {
    void operator()(redisContext* context) const noexcept;
  };
  void connect();
  [[noreturn]] void lose();

  const RedisSettings settings_;
  const std::string name_;
  std::unique_ptr<redisContext, FreeContext> context_;  // null: not connected
  std::uint64_t connections_ = 0;
  std::size_t due_ = 0;  // replies
};

}  // namespace tracker::store::redis
