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

/// Two ids for probing. No token has them (an id is a hash). Their keys are in the first and in the last slot of a
/// Redis Cluster, and an ordinary node of a cluster does not have both.
extern const domain::TokenId probe_id;
extern const domain::TokenId far_probe_id;

/// What tracker knows of one Redis across connections.
struct RedisKnowledge {
  boost::unordered_flat_set<domain::TokenId, domain::TokenIdHash> tokens;  // some of the tokens in this Redis
  domain::TokenId doubtful = far_probe_id;  // its key is probed too: the last one that Redis was unfit for
};

/// A token to add.
class AddToken final : public link::Command {
 public:
  AddToken(const domain::TokenId& its_id, domain::Deadline deadline, AddReply& its_reply)
      : Command(deadline), id(its_id), reply(its_reply) {}
  void on_failed(domain::Failure failure) override { reply.on_added(failure); }

  const domain::TokenId id;
  AddReply& reply;
};

/// The dialogue on one connection to Redis, without the socket: commands out, replies in, verdicts out. What is in
/// flight when the connection is lost is not settled here. Not synchronised. Invariants:
/// 1. Replies come in the order of the commands, so due_ is a queue with one entry for each reply to come.
/// 2. Each hit and each token to add belongs to exactly one entry of due_ until it is settled. The reply to an entry
///    removes it. Only NOSCRIPT, and only for EVALSHA, puts it in again: as EVAL, which cannot get NOSCRIPT.
/// 3. A reply that cannot be the answer to its command is not used, and neither is any reply after it.
class RedisPipeline {
 public:
  /// What went wrong with a command, on this key alone.
  struct Trouble {
    std::string key;
    std::string error;
    bool perhaps_counted = false;
  };

  /// `settings` and `knowledge` must outlive it.
  RedisPipeline(const RedisSettings& settings, RedisKnowledge& knowledge);

  /// The bytes to write, in order. The owner removes what it has written.
  std::string& out() noexcept { return out_; }

  /// Begins a connection: logs in, chooses the database, does everything that counting does once, on a key of tracker's
  /// own that is removed afterwards, and asks what this Redis may lose.
  void greet();

  /// Checks whether Redis still replies and would still count, and asks again what it may lose. Changes nothing there.
  /// Behind a proxy it only checks for a reply, unless a command was refused as unfit since the last look.
  void look();

  void send(link::Gather& message);
  void send(AddToken& token);

  /// Takes the next reply: settles hits, and answers and deletes the command that the reply is about. Returns false if
  /// this cannot be a reply to that command. Then end the connection.
  bool take(const redisReply& reply);

  /// Returns whether replies are still to come.
  bool is_waiting() const noexcept { return !due_.empty(); }

  /// Whether this Redis can count, as far as is known. If not: why not, and what to do about it. Then send nothing more
  /// on this connection. Replies that are due still come.
  const domain::Readiness& fitness() const noexcept { return fitness_; }

  /// Returns true if the last greeting or look is fully answered and take_look() was not called since. take_look()
  /// returns what this Redis may lose.
  bool has_looked() const noexcept { return look_done_; }
  RedisDurability take_look();

  /// Returns whether there was trouble since the last call of take_trouble(), which returns the latest trouble.
  bool has_trouble() const noexcept { return trouble_.has_value(); }
  Trouble take_trouble();

 private:
  /// What a reply answers.
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
    RedisRound* round = nullptr;  // of the first four questions
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
  std::vector<std::unique_ptr<RedisRound>> rounds_;  // all of them
  std::vector<RedisRound*> free_rounds_;
  domain::Readiness fitness_ = domain::Readiness::ready();
  bool in_doubt_ = false;          // the proxy passed on a refusal that may concern all keys
  std::size_t questions_due_ = 0;  // of the greeting or look
  bool look_done_ = false;
  RedisDurability durability_;
  std::optional<Trouble> trouble_;
};

}  // namespace tracker::store::redis
