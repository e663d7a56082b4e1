#pragma once

#include <chrono>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "domain/failure.h"
#include "domain/readiness.h"
#include "domain/slot.h"
#include "link/link_core.h"
#include "store/redis/cluster_listener.h"
#include "store/redis/redis_durability.h"
#include "store/redis/redis_facts.h"
#include "store/redis/redis_round.h"
#include "store/redis/redis_settings.h"

namespace tracker::store::redis {

/// Two ids for probing. No token has them (an id is a hash). Their keys are in the first and in the last slot of a
/// Redis Cluster, and an ordinary node of a cluster does not have both.
extern const domain::TokenId probe_id;
extern const domain::TokenId far_probe_id;

/// What tracker knows of one Redis across connections.
struct RedisKnowledge {
  domain::TokenId doubtful = far_probe_id;  // its key is probed too: the last one that Redis was unfit for
  std::optional<std::string> written;       // the record, if it was written since the facts were told
  std::string record;                       // as it was last read or written
  std::string fence;                        // the one with which this process counts
  std::string fence_before;                 // the one that stood there before this process wrote a record
  const std::string own_fence = new_fence();
  bool has_taken = false;              // it has sent a record, and so its own fence
  std::uint64_t tokens_max = 0;        // this Redis' share of the rules'; 0: no bound
  std::uint64_t keys = 0;              // when it was last asked
  bool has_room = true;                // for more tokens, as far as is known
  bool counts_keys = true;             // it said how many it has when it was last asked
  ClusterListener* cluster = nullptr;  // of which this Redis is a node; null: of none
};

class RedisPipeline;

/// A request other than hits.
class RedisRequest : public link::Command {
 public:
  using Command::Command;
  virtual void send_on(RedisPipeline& pipeline) = 0;
};

/// A token to add.
class AddToken final : public RedisRequest {
 public:
  /// `follows_ask`: a node of a cluster is asked on the word of another one.
  AddToken(const domain::TokenId& its_id, domain::TokenRecord its_record, domain::Deadline deadline,
           AddReply& its_reply, bool follows_ask = false)
      : RedisRequest(deadline),
        id(its_id),
        record(std::move(its_record)),
        reply(its_reply),
        asking(follows_ask) {}
  void send_on(RedisPipeline& pipeline) override;
  void on_failed(domain::Failure failure) override { reply.on_added(failure); }

  const domain::TokenId id;
  const domain::TokenRecord record;
  AddReply& reply;
  const bool asking;
  bool is_refused = false;  // by a rule of tracker's own: nobody else would add it either
};

/// A question to the master that has a slot: whether the slot has a mark there that forbids something. While the slot moves, its
/// mark may still be there, or already where ASK leads.
class FindMark final : public RedisRequest {
 public:
  enum class Place : std::uint8_t {
    here,
    elsewhere,  // ASK: the other node has the mark, or nobody has. While the slot moves, it can only be made there
    unknown,  // the slot does not move any more, or there was no answer
  };
  using Reply = std::function<void(Place)>;

  /// `field`: marked_field, or holds_field.
  FindMark(domain::Slot its_slot, std::string_view its_field, domain::Deadline deadline, Reply its_reply)
      : RedisRequest(deadline), slot(its_slot), field(its_field), reply(std::move(its_reply)) {}
  void send_on(RedisPipeline& pipeline) override;
  void on_failed(domain::Failure /*failure*/) override { reply(Place::unknown); }

  const domain::Slot slot;
  const std::string_view field;
  const Reply reply;
};

/// Hits for which another node of the cluster replied ASK.
class AskedHits final : public RedisRequest {
 public:
  /// `hits` stay valid until `reply` has the last verdict.
  AskedHits(const domain::HitBatch& hits, TrackReply& reply) : RedisRequest(hits.deadline()) {
    message.add(hits, reply);
  }
  void send_on(RedisPipeline& pipeline) override;
  void on_failed(domain::Failure failure) override {
    message.settle_rest(failure == domain::Failure::not_done ? domain::Verdict::not_counted()
                                                             : domain::Verdict::perhaps_counted());
    message.deliver();
  }

  link::Gather message;
  RedisRound round;
};

/// A question to a node for its view of the cluster. The listener hears it.
class FetchView final : public RedisRequest {
 public:
  using RedisRequest::RedisRequest;
  void send_on(RedisPipeline& pipeline) override;
  void on_failed(domain::Failure /*failure*/) override {}

  std::chrono::steady_clock::time_point asked;  // set when it is sent
};

/// A record to write.
class WriteRecord final : public RedisRequest {
 public:
  WriteRecord(std::string its_record, domain::Deadline deadline, WriteReply& its_reply)
      : RedisRequest(deadline), record(std::move(its_record)), reply(its_reply) {}
  void send_on(RedisPipeline& pipeline) override;
  void on_failed(domain::Failure failure) override { reply.on_written(failure); }

  const std::string record;
  WriteReply& reply;
  std::string record_before;  // what it replaces
  std::string fence_before;
  bool was_taken = false;
};

/// Looks for the slots of all tokens, by many commands one after the other.
class FindSlots final : public RedisRequest {
 public:
  explicit FindSlots(SlotsReply& its_reply) : RedisRequest(domain::Deadline::max()), reply(its_reply) {}
  void send_on(RedisPipeline& pipeline) override;
  void on_failed(domain::Failure /*failure*/) override { reply.on_slots(domain::Failure::not_done); }

  SlotsReply& reply;
  std::string cursor = "0";
  domain::SlotSet slots;
};

/// The dialogue on one connection to Redis, without the socket: commands out, replies in, verdicts out. What is in
/// flight when the connection is lost is not settled here. Not synchronised. Invariants:
/// 1. Replies come in the order of the commands, so due_ is a queue with one entry for each reply to come.
/// 2. Each hit, each token to add and each record to write belongs to exactly one entry of due_ until it is settled.
///    The reply to an entry removes it. Only NOSCRIPT, and only for EVALSHA, puts it in again: as EVAL, which cannot get
///    NOSCRIPT. If replicas are waited for, what Redis has done is in held_ until the reply to the next WAIT, which was
///    sent after it on this connection, and so covers it.
/// 3. A reply that cannot be the answer to its command is not used, and neither is any reply after it.
class RedisPipeline {
 public:
  /// What went wrong with one command, though Redis is fit.
  struct Trouble {
    std::string what;  // such as "not counted: tracker:{...}"
    std::string error;
  };

  /// `settings` and `knowledge` must outlive it.
  RedisPipeline(const RedisSettings& settings, RedisKnowledge& knowledge);

  /// The bytes to write, in order. The owner removes what it has written.
  std::string& out() noexcept { return out_; }

  /// Begins a connection: logs in, chooses the database, does everything that counting does once, on a key of tracker's
  /// own that is removed afterwards, and asks what this Redis may lose. Through a proxy it only checks for a reply.
  void greet();

  /// Asks which store this is, and gives it an identity if it has none. Through a proxy nothing is asked: the settings may
  /// name the store. A node of a cluster does now what counting does, on a key in a slot of its own, if it has slots. Call
  /// this if it is fit.
  void identify();

  /// Checks whether Redis still replies and would still count, and asks again what it may lose. Changes nothing there.
  /// Through a proxy it only checks for a reply.
  void look();

  void send(link::Gather& message);
  void send(AddToken& token);
  void send(WriteRecord& write);
  void send(AskedHits& hits);
  void send(FindMark& find);
  void send(FetchView& fetch);
  /// Several of these are done one after the other.
  void send(FindSlots& find);

  /// Call this when all is sent for now. Where replicas are waited for, Redis waits for them then, once for all of that.
  void end_turn();
  /// Returns whether Redis still waits. Send nothing meanwhile, because Redis reads nothing from this connection.
  bool awaits_replicas() const noexcept { return waits_due_ > 0; }

  /// Returns whether the search for slots waits for go_on_finding(), which sends its next command. The owner makes
  /// pauses, so that Redis has time for others.
  bool is_finding() const noexcept { return !finds_.empty() && !scanning_; }
  void go_on_finding();

  /// Takes the next reply: settles hits, and answers and deletes the command that the reply is about. Returns false if
  /// this cannot be a reply to that command. Then end the connection.
  bool take(const redisReply& reply);

  /// Returns whether replies are still to come.
  bool is_waiting() const noexcept { return !due_.empty(); }

  /// Whether this Redis can count, as far as is known. If not: why not, and what to do about it. Then send nothing more
  /// on this connection. Replies that are due still come. A proxy is unfit only if it refuses PING.
  const domain::Readiness& fitness() const noexcept { return fitness_; }

  /// Returns true if the last greeting or look is fully answered and take_look() was not called since. take_look()
  /// returns what this Redis may lose.
  bool has_looked() const noexcept { return look_done_; }
  RedisDurability take_look();

  /// Once identify() is answered: returns false if a process that came later has taken this Redis over. Otherwise
  /// this process counts from now on with the fence that stands there, if Redis has told it.
  bool take_fence();

  /// Which store this is, once identify() is answered.
  const RedisFacts& facts() const noexcept { return facts_; }

  /// Returns whether there was trouble since the last call of take_trouble(), which returns the latest trouble.
  bool has_trouble() const noexcept { return trouble_.has_value(); }
  Trouble take_trouble();

 private:
  /// What a reply answers.
  enum class Question : std::uint8_t {
    script,       // EVALSHA of a round's call
    script_text,  // EVAL of a round's call
    add,          // EVALSHA that makes a token known
    add_text,     // EVAL that makes a token known
    write,        // EVAL that writes the record
    scan,         // SCAN
    asking,       // ASKING, before a command of a node's
    mark,         // HGET of a slot's mark
    own_view,     // CLUSTER NODES, at the greeting
    view,         // CLUSTER NODES, later
    coverage,     // CONFIG GET cluster-require-full-coverage
    log_in,       // AUTH
    choose,       // SELECT
    probe_script,
    probe_script_text,
    probe_together,  // EVALSHA with keys of two slots
    probe_increment,
    probe_add,
    probe_bounds,  // what only bounds take
    keys,          // DBSIZE
    identity,      // HSETNX of this store's id
    kept,          // HMGET of this store's id, record and fence
    server,        // INFO
    config,
    info,
    ping,
    replicas,        // WAIT, after what counts or adds
    probe_replicas,  // WAIT, after the probes
  };
  struct Due {
    Question question;
    std::uint32_t call = 0;
    RedisRound* round = nullptr;    // of the first two questions
    AddToken* token = nullptr;      // of the two that add
    WriteRecord* record = nullptr;  // of `write`
    AskedHits* asked = nullptr;     // of the first two questions; the round is its own
    FindMark* mark = nullptr;       // of `mark`
    FetchView* fetch = nullptr;     // of `view`
  };

  bool is_node() const noexcept { return knowledge_.cluster != nullptr; }
  std::string_view fence() const {
    return settings_.proxy || is_node() ? any_fence : std::string_view(knowledge_.fence);
  }
  /// What a call for this token gives in place of a fence, too: a node of a cluster has no fences.
  std::string_view fence_for(const domain::TokenId& id) const {
    return is_node() ? std::string_view(mark_key(domain::slot_of(id))) : fence();
  }
  void append_call(const Due& due, RedisRound::Form form);
  bool take_elsewhere(const Due& due, const redisReply& reply);
  void recycle(const Due& due);
  std::optional<ClusterView> take_view(const redisReply& reply, std::chrono::steady_clock::time_point asked);
  void choose_own_probe(const ClusterView& view);
  void append(const AddToken& token, RedisRound::Form form);
  void ask_for_replicas(Question question);
  void take_replicas(const redisReply& reply);
  void judge_replicas(const redisReply& reply);
  void tell_added(const Due& due, bool safe);
  void tell_written(const Due& due, bool safe);
  static bool can_reply(const Due& due, const redisReply& reply);
  void take_script(const Due& due, const redisReply& reply);
  void take_mark(const Due& due, const redisReply& reply);
  void take_add(const Due& due, const redisReply& reply);
  void take_write(const Due& due, const redisReply& reply);
  void take_scan(const redisReply& reply);
  void take_question(Question question, const redisReply& reply);
  void take_probe(const redisReply& reply);
  bool take_probe_elsewhere(std::string_view error);
  void ask(Question question, std::initializer_list<std::string_view> command);
  void ask_about_durability();
  void probe_bounds(const std::string& key);
  void probe(std::string_view fence);
  std::unique_ptr<FindSlots> end_finding();
  RedisRound& new_round();
  void ask_for_keys();
  void take_keys(const redisReply& reply);
  void miss_bounds(std::string_view error);
  void become_unfit(std::string why_not);
  void meet(const domain::TokenId& id, const redisReply& reply, bool is_not_counted);

  const RedisSettings& settings_;
  RedisKnowledge& knowledge_;
  std::string out_;
  std::deque<Due> due_;
  bool owes_wait_ = false;     // something was sent since the last WAIT
  std::size_t waits_due_ = 0;  // their replies
  std::vector<Due> held_;      // done, but not known to be at enough replicas; a round is in it once
  std::vector<std::unique_ptr<RedisRound>> rounds_;  // all of them
  std::vector<RedisRound*> free_rounds_;
  domain::Readiness fitness_ = domain::Readiness::ready();
  bool apart_;                                // the keys of a call must share a slot
  std::optional<domain::TokenId> own_probe_;  // of a node of a cluster: an id in a slot of its own
  std::chrono::steady_clock::time_point own_view_asked_{};
  std::size_t questions_due_ = 0;  // of the greeting or look
  bool look_done_ = false;
  RedisDurability durability_;
  RedisFacts facts_;
  std::deque<FindSlots*> finds_;  // the first one is under way
  bool scanning_ = false;         // its next reply is due
  std::optional<Trouble> trouble_;
};

}  // namespace tracker::store::redis
