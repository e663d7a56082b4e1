#pragma once

#include <boost/unordered/unordered_flat_set.hpp>
#include <chrono>
#include <deque>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "domain/failure.h"
#include "store/redis/redis_durability.h"
#include "store/redis/redis_round.h"
#include "store/redis/redis_settings.h"

namespace tracker::store::redis {

/// Two ids for probing. No token has them (an id is a hash), and their keys are in the first and in the last slot of
/// a Redis Cluster, which an ordinary node does not both have.
extern const domain::TokenId probe_id;
extern const domain::TokenId far_probe_id;

/// What is said to one Redis and what it replies, without the socket: commands out, replies in, verdicts out. Not
/// synchronised. Invariants:
/// 1. Replies come in the order of the commands, so due_ is a queue with one entry for each reply that is to come.
/// 2. Each hit and each mint hangs on exactly one entry of due_ until it has its verdict. An entry is taken out by
///    the one reply that it waited for, or by lose(). Only NOSCRIPT, and only for EVALSHA, puts it in again: as EVAL,
///    which has no NOSCRIPT.
/// 3. A reply that cannot be one to the command it stands for is taken by no entry, and no reply behind it is.
class RedisPipeline {
 public:
  using Clock = std::chrono::steady_clock;

  struct Batch {
    const domain::HitBatch* hits;
    TrackReply* reply;
  };
  struct Token {
    domain::TokenId id;
    domain::Deadline deadline;
    AddReply* reply;
  };

  /// What went wrong with a command on this key alone.
  struct Trouble {
    std::string key;
    std::string error;
    bool perhaps_counted = false;
  };

  explicit RedisPipeline(const RedisSettings& settings);

  /// What is to be written, in order; its owner takes away what it has written.
  std::string& out() noexcept { return out_; }

  /// Begins a connection: logs in, chooses the database, does once what counting does, on a key of tracker's own
  /// that is gone afterwards, and asks what this Redis may lose.
  void greet(Clock::time_point now);

  /// Sees whether Redis still replies and would still count, and asks again what it may lose. Changes nothing
  /// there. A proxy is only seen to reply, unless a command was refused as unfit since the last time.
  void look(Clock::time_point now);

  /// Sends hits and tokens; those whose deadline has passed are refused.
  void send(std::span<const Batch> batches, std::span<const Token> tokens, Clock::time_point now);

  /// Takes the next reply. False: it cannot be one; call lose(), and end the connection. Verdicts wait for deliver().
  bool take(const redisReply& reply, Clock::time_point now);
  void deliver();

  /// The connection is gone: what is still due is perhaps counted. Tells that at once, and forgets what was to be
  /// written.
  void lose();

  /// Replies are to come.
  bool is_waiting() const noexcept { return !due_.empty(); }
  /// Since when for the next one; while is_waiting().
  Clock::time_point waiting_since() const { return due_.front().sent; }

  /// Why this Redis cannot count, and what to do about it; empty: it can, as far as is known. Nothing more should be
  /// sent on this connection, but what is due still comes.
  const std::string& unfit() const noexcept { return unfit_; }

  /// All of the last greeting or look is answered, and take_look() was not called since. It says what this Redis may
  /// lose.
  bool has_looked() const noexcept { return look_done_; }
  RedisDurability take_look();

  /// There was trouble since the last call of take_trouble(), which answers the last one.
  bool has_trouble() const noexcept { return trouble_.has_value(); }
  Trouble take_trouble();

 private:
  /// What a reply stands for.
  enum class Question : std::uint8_t {
    exists,       // HEXISTS of a round's command
    increment,    // HINCRBY of a round's increment
    script,       // EVALSHA of a round's command
    script_text,  // EVAL of a round's command
    add,          // HSETNX of a token
    tidy_up,      // EVAL
    log_in,       // AUTH
    choose,       // SELECT
    probe_script,
    probe_script_text,
    probe_exists,
    probe_increment,
    probe_add,
    config,
    info,
    ping,
  };
  struct Due {
    Clock::time_point sent;
    Question question;
    std::uint32_t index = 0;      // of the command or the increment
    RedisRound* round = nullptr;  // of the first four
    AddReply* add = nullptr;      // of `add`
    domain::TokenId id = {};      // of `add`
  };

  static bool can_reply(const Due& due, const redisReply& reply);
  void take_exists(const Due& due, const redisReply& reply, Clock::time_point now);
  void take_script(const Due& due, const redisReply& reply, Clock::time_point now);
  void take_add(const Due& due, const redisReply& reply);
  void take_question(Question question, const redisReply& reply);
  void send_command(RedisRound& round, std::uint32_t command, Clock::time_point now);
  void ask(Question question, std::initializer_list<std::string_view> command, Clock::time_point now);
  void ask_about_durability(Clock::time_point now);
  void probe(Clock::time_point now);
  void know(const domain::TokenId& id);
  void touch(RedisRound* round);
  void meet(const domain::TokenId& id, const redisReply& reply);

  const RedisSettings settings_;
  std::string out_;
  std::deque<Due> due_;
  std::vector<std::unique_ptr<RedisRound>> rounds_;  // all there are
  std::vector<RedisRound*> free_rounds_;
  std::vector<RedisRound*> touched_;  // with verdicts that were not delivered yet
  boost::unordered_flat_set<domain::TokenId, domain::TokenIdHash>
      known_;  // of the tokens that there were, some
  std::string unfit_;
  domain::TokenId doubtful_ =
      far_probe_id;                // whose key is looked at, too: the last one that Redis was unfit for
  bool in_doubt_ = false;          // the proxy refused something that may concern all
  std::size_t questions_due_ = 0;  // of a greeting or a look
  bool look_done_ = false;
  RedisDurability durability_;
  std::optional<Trouble> trouble_;
};

}  // namespace tracker::store::redis
