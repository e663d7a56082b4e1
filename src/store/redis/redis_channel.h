#pragma once

#include <memory>
#include <string>

#include "link/link.h"
#include "link/transport.h"
#include "store/redis/durability_watch.h"
#include "store/redis/redis_handshake.h"
#include "store/redis/redis_pipeline.h"
#include "store/redis/redis_replies.h"
#include "store/redis/redis_settings.h"

namespace tracker::store::redis {

/// What successive connections to one Redis share.
struct RedisShared {
  explicit RedisShared(const RedisSettings& its_settings)
      : settings(its_settings), name("Redis at " + to_string(its_settings.redis)), durability(settings) {}

  RedisSettings settings;  // the password may change; the next connection uses the new one
  const std::string name;
  RedisKnowledge knowledge;
  DurabilityWatch durability;
  link::TimePoint key_reported{};  // when trouble with a key was last logged
};

/// A connection to Redis: connects its pipeline to a transport, and tells the link what follows from the replies.
class RedisChannel final : public link::Channel, private link::Transport::User {
 public:
  /// `shared` and `link` must outlive it.
  RedisChannel(RedisShared& shared, link::Link& link, link::LinkCore::ConnectionId id,
               std::unique_ptr<link::Transport> transport);

  void greet() override;
  void send(link::Gather& hits, link::TimePoint now) override;
  bool send(link::Command& command, link::TimePoint now) override;
  void ask(link::TimePoint now) override;
  void flush() override;
  void close() override;

 private:
  void on_bytes(std::string_view bytes) override;
  void on_writable() override;
  void on_end(const std::string& how) override;

  void conclude_greeting(link::LinkCore& core, std::string_view bytes, bool make_sense, link::TimePoint now);
  void conclude_replies(link::LinkCore& core, bool make_sense, link::TimePoint now);
  void report_trouble(link::TimePoint now);

  RedisShared& shared_;
  link::Link& link_;
  const link::LinkCore::ConnectionId id_;
  std::unique_ptr<link::Transport> transport_;  // null once closed
  RedisReplies replies_;
  RedisPipeline pipeline_;
  RedisHandshake handshake_;
  bool greeted_ = false;  // the handshake has succeeded
  bool held_ = false;     // the transport takes no more bytes for now
};

}  // namespace tracker::store::redis
