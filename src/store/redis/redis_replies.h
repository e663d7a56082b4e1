#pragma once

#include <cstddef>
#include <memory>
#include <string_view>

struct redisReader;
struct redisReply;

namespace tracker::store::redis {

/// The replies in a connection's bytes, by hiredis' reader, one after the other. Numbers, which are nearly all
/// that comes while hits are counted, cost no allocation. Not synchronised.
class RedisReplies {
 public:
  RedisReplies();
  ~RedisReplies();

  void feed(std::string_view bytes);

  /// The next whole reply, valid until the next call; null: none yet, or broken().
  const redisReply* next();

  /// What was fed is not Redis' protocol, or more than a reply to tracker can be.
  bool broken() const noexcept { return broken_; }

 private:
  struct Free {
    void operator()(redisReader* reader) const noexcept;
    void operator()(redisReply* reply) const noexcept;
  };
  std::unique_ptr<redisReply, Free> number_;  // used again
  std::unique_ptr<redisReply, Free> other_;   // the last reply that was no number
  std::unique_ptr<redisReader, Free> reader_;
  std::size_t unread_ = 0;  // bytes that were fed since the last reply
  bool broken_ = false;
};

}  // namespace tracker::store::redis
