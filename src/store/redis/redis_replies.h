#pragma once

#include <cstddef>
#include <memory>
#include <string_view>

struct redisReader;
struct redisReply;

namespace tracker::store::redis {

/// Splits the bytes of a connection into replies, by hiredis' reader. Numbers, which are nearly everything that comes
/// while hits are counted, cost no allocation. Not synchronised.
class RedisReplies {
 public:
  RedisReplies();
  ~RedisReplies();

  void feed(std::string_view bytes);

  /// Returns the next whole reply, or null if there is none yet or broken(). It is valid until the next call.
  const redisReply* next();

  /// Returns true if the bytes were not Redis' protocol, or a reply was larger than a reply to tracker can be.
  bool broken() const noexcept { return broken_; }

 private:
  struct Free {
    void operator()(redisReader* reader) const noexcept;
    void operator()(redisReply* reply) const noexcept;
  };
  std::unique_ptr<redisReply, Free> number_;  // reused
  std::unique_ptr<redisReply, Free> other_;   // the last reply that was not a number
  std::unique_ptr<redisReader, Free> reader_;
  std::size_t unread_ = 0;  // bytes fed since the last reply
  bool broken_ = false;
};

}  // namespace tracker::store::redis
