#pragma once

#include <atomic>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
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
  RedisShared(boost::asio::io_context& its_loop, const RedisSettings& its_settings)
      : loop(its_loop),
        settings(its_settings),
        name("Redis at " + to_string(its_settings.redis)),
        durability(settings) {
    if (can_bound_tokens(settings)) knowledge.tokens_max = settings.rules.tokens_max;
  }

  boost::asio::io_context& loop;
  RedisSettings settings;  // the password may change; the next connection uses the new one
  const std::string name;
  RedisKnowledge knowledge;
  DurabilityWatch durability;
  StoreFactsSource facts{std::nullopt};
  /// Has a remark while no more tokens are minted.
  ReadinessSource room{domain::Readiness::ready(std::chrono::system_clock::now())};
  bool told_room = true;
  std::atomic<std::uint64_t> keys = 0;  // as it was last told; any thread
  std::string facts_missing;            // why there were none when that was last logged
  runtime::RareLog key_log{};           // of trouble with a key
};

/// A connection to Redis: connects its pipeline to a transport, and tells the link what follows from the replies.
class RedisChannel final : public link::Channel,
                           private link::Transport::User,
                           public std::enable_shared_from_this<RedisChannel> {
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
  void begin_counting(link::LinkCore& core, link::TimePoint now);
  bool is_told(const std::optional<StoreFacts>& facts) const;
  void tell_facts();
  void tell_room();
  void go_on_changing_stores();
  void go_on_finding();

  RedisShared& shared_;
  link::Link& link_;
  const link::LinkCore::ConnectionId id_;
  std::unique_ptr<link::Transport> transport_;  // null once closed
  RedisReplies replies_;
  RedisPipeline pipeline_;
  RedisHandshake handshake_;
  bool greeted_ = false;  // the handshake has succeeded
  bool held_ = false;     // the transport takes no more bytes for now

  /// This Redis is another store than before, and hits waited for that one. They are refused in two steps: those that
  /// the link has, then those that other threads have just handed to it.
  enum class StoreChange : std::uint8_t { none, found, refused };
  StoreChange change_ = StoreChange::none;

  boost::asio::steady_timer pause_;  // before the search for slots goes on
  bool pausing_ = false;
};

}  // namespace tracker::store::redis
