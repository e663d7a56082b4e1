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
#include "domain/readiness.h"
#include "link/link_core.h"
#include "store/redis/redis_durability.h"
#include "store/redis/redis_round.h"
#include "store/redis/redis_settings.h"

namespace tracker::store::redis {

/// Two ids for probing. No token has them (an id is a hash), and their keys are in the first and in the last slot of
/// a Redis Cluster, which an ordinary node does not both have.
extern const domain::TokenId probe_id;
extern const domain::TokenId far_probe_id;

/// What tracker knows of one Redis beyond a connection.
struct RedisKnowledge {
  boost::unordered_flat_set<domain::TokenId, domain::TokenIdHash> tokens;  // some of those that there are
  domain::TokenId doubtful =
      far_probe_id;  // whose key is looked at, too: the last one that Redis was unfit for
};

/// A token to be added.
class AddToken final : public link::Command {
 public:
  AddToken(const domain::TokenId& its_id, domain::Deadline deadline, AddReply& its_reply)
      : Command(deadline), id(its_id), reply(its_reply) {}
  void on_failed(domain::Failure failure) override { reply.on_added(failure); }

  const domain::TokenId id;
  AddReply& reply;
};

/// What is said on one connection to Redis and what it replies, without the socket: commands out, replies in, verdicts
/// out. What is in flight when the connection is lost is not settled here. Not synchronised. Invariants:
/// 1. Replies come in the order of the commands, so due_ is a queue with one entry for each reply that is to come.
/// 2. Each hit and each token to be added hangs on exactly one entry of due_ until it is settled. An entry is taken out
///    by the one reply that it waited for. Only NOSCRIPT, and only for EVALSHA, puts it in again: as EVAL, which has no
///    NOSCRIPT.
/// 3. A reply that cannot be one to the command it stands for is taken by no entry, and no reply behind it is.
class RedisPipeline {
 public:
  /// What went wrong with a command on this key alone.
  struct Trouble {
    std::string key;
    std::string error;
    bool perhaps_counted = false;
  };

  /// Both outlive it.
  RedisPipeline(const RedisSettings& settings, RedisKnowledge& knowledge);

  /// What is to be written, in order; its owner takes away what it has written.
  std::string& out() noexcept { return out_; }

  /// Begins a connection: logs in, chooses the database, does once what counting does, on a key of tracker's own
  /// that is gone afterwards, and asks what this Redis may lose.
  void greet();

  /// Sees whether Redis still replies and would still count, and asks again what it may lose. Changes nothing
  /// there. A proxy is only seen to reply, unless a command was refused as unfit since the last time.
  void look();

  void send(link::Gather& message);
  void send(AddToken& token);

  /// Takes the next reply: settles hits, and answers and deletes the command that it is about. False: it cannot be one;
  /// then end the connection.
  bool take(const redisReply& reply);

  /// Replies are to come.
  bool is_waiting() const noexcept { return !due_.empty(); }

  /// Whether this Redis can count, by its replies so far; if not, why not, with the remedy. If it is unfit, nothing more
  /// should be sent on this connection, but the replies that are due still come.
  const domain::Readiness& fitness() const noexcept { return fitness_; }

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
    Question question;
    std::uint32_t index = 0;      // of the command or the increment
    RedisRound* round = nullptr;  // of the first four
    AddToken* token = nullptr;    // of `add`
  };

  static bool can_reply(const Due& due, const redisReply& reply);
  void take_exists(const Due& due, const redisReply& reply);
  void take_script(const Due& due, const redisReply& reply);
  void take_add(const Due& due, const redisReply& reply);
  void take_question(Question question, const redisReply& reply);
  void send_command(RedisRound& round, std::uint32_t command);
  void ask(Question question, std::initializer_list<std::string_view> command);
  void ask_about_durability();
  void probe();
  void know(const domain::TokenId& id);
  RedisRound& new_round();
  void recycle_if_settled(RedisRound& round);
  void become_unfit(std::string why_not);
  void meet(const domain::TokenId& id, const redisReply& reply);

  const RedisSettings& settings_;
  RedisKnowledge& knowledge_;
  std::string out_;
  std::deque<Due> due_;
  std::vector<std::unique_ptr<RedisRound>> rounds_;  // all there are
  std::vector<RedisRound*> free_rounds_;
  domain::Readiness fitness_ = domain::Readiness::ready();
  bool in_doubt_ = false;          // the proxy refused something that may concern all
  std::size_t questions_due_ = 0;  // of a greeting or a look
  bool look_done_ = false;
  RedisDurability durability_;
  std::optional<Trouble> trouble_;
};

}  // namespace tracker::store::redis
