#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/unordered/unordered_flat_set.hpp>
#include <condition_variable>
#include <cstring>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "domain/failure.h"
#include "runtime/backoff.h"
#include "runtime/log.h"
#include "store/redis/durability_watch.h"
#include "store/redis/redis_replies.h"
#include "store/redis/redis_round.h"
#include "store/redis/redis_store.h"

struct redisReply;

namespace tracker::store {

/// A token id is a hash already.
struct TokenIdHash {
  using is_avalanching = void;
  std::size_t operator()(const domain::TokenId& id) const noexcept {
    std::size_t hash = 0;
    std::memcpy(&hash, id.bytes.data() + 8, sizeof hash);
    return hash;
  }
};

/// What is wrong with one that replies something else.
constexpr const char* not_redis = "it does not speak Redis' protocol";

/// The store's connection. Belongs to the loop's thread, but for what says otherwise. Invariants:
/// 1. Replies come in the order of the commands, so in_flight_ is a queue.
/// 2. What is in waiting_ was not sent: when the connection is lost it is certainly not counted. What is in
///    in_flight_ may have been: when the connection is lost it is perhaps counted.
/// 3. While why_not_ready_ says something, nothing enters waiting_.
/// 4. Nothing is counted on a connection before this Redis has said, on this connection, what it may lose.
class RedisStore::Connection {
 public:
  Connection(boost::asio::io_context& loop, const RedisSettings& settings);
  ~Connection();

  // From any thread.
  void track(const domain::HitBatch& hits, TrackReply& reply);
  void add_token(const domain::TokenId& id, domain::Deadline deadline, AddReply& reply);
  std::optional<std::string> why_not_ready() const;
  void wait_for_first_attempt(std::chrono::milliseconds longest) const;

 private:
  using Executor = boost::asio::io_context::executor_type;
  template <typename T>
  using Awaitable = boost::asio::awaitable<T, Executor>;
  using Socket = boost::asio::basic_stream_socket<boost::asio::ip::tcp, Executor>;
  using Timer =
      boost::asio::basic_waitable_timer<std::chrono::steady_clock,
                                        boost::asio::wait_traits<std::chrono::steady_clock>, Executor>;
  using Clock = std::chrono::steady_clock;

  struct WaitingBatch {
    const domain::HitBatch* hits;
    TrackReply* reply;
  };
  struct WaitingToken {
    domain::TokenId id;
    domain::Deadline deadline;
    AddReply* reply;
  };
  struct Waiting {
    std::vector<WaitingBatch> batches;
    std::vector<WaitingToken> tokens;
  };
  /// A reply that is to come: to a command of a round, to HSETNX of a token, to tidying up, or (none of these)
  /// to a question of durability_.
  struct InFlight {
    Clock::time_point sent = {};
    RedisRound* round = nullptr;  // not null for one of a round
    std::size_t command = 0;
    std::size_t part = 0;     // which of the command's replies
    AddReply* add = nullptr;  // not null for HSETNX
    domain::TokenId id = {};  // of HSETNX
    bool tidies_up = false;
  };

  // All that follows: in the loop's thread.
  Awaitable<void> run();
  Awaitable<std::string> connect();
  Awaitable<std::string> greet();
  Awaitable<std::string> read_replies();
  void read();
  std::string feed(std::size_t bytes);
  void take(const redisReply& reply);
  void take_track(const InFlight& command, const redisReply& reply);
  void send(RedisRound& round, std::size_t command, RedisRound::Form form, Clock::time_point now);
  void know(const domain::TokenId& id);
  void tidy_up(const domain::TokenId& id);
  void take_look(const redisReply& reply);
  void look_later();
  void deliver();
  void send_waiting();
  bool is_sending() const noexcept;
  void write();
  void watch();
  void stop_taking(const std::string& reason);
  void lose(const std::string& reason);
  void become_ready();
  void end_attempt();
  void report(const RedisRound::Trouble& trouble);
  template <typename Enqueue>
  bool enqueue(Enqueue enqueue_waiting);

  const RedisSettings settings_;

  mutable std::mutex mutex_;
  mutable std::condition_variable attempted_changed_;
  Waiting waiting_;            // mutex_
  bool wake_posted_ = false;   // mutex_
  std::string why_not_ready_;  // mutex_; empty: ready
  bool attempted_ = false;     // mutex_; a first attempt to connect has ended

  boost::asio::io_context& loop_;
  Socket socket_;
  Timer retry_timer_;
  Timer read_to_end_;      // is cancelled when there are no more replies
  std::string why_ended_;  // and this says why
  Timer watchdog_;
  Timer look_timer_;
  runtime::Backoff backoff_;
  std::optional<RedisReplies> replies_;  // of this connection
  std::vector<char> read_buffer_;
  std::string unsent_;    // commands
  bool writing_ = false;  // waits until the socket takes more
  bool watching_ = false;
  bool hung_ = false;
  bool refused_ = false;     // it may lose more than it is allowed to
  std::string unfit_;        // what Redis said that makes it useless; the replies that are due still come
  Clock::time_point heard_;  // the last reply
  std::deque<InFlight> in_flight_;
  Waiting taken_;                                    // from waiting_, and empty in between
  std::vector<std::unique_ptr<RedisRound>> rounds_;  // all there are
  std::vector<RedisRound*> free_rounds_;
  boost::unordered_flat_set<domain::TokenId, TokenIdHash> known_;  // tokens that there were, not all of them
  std::vector<RedisRound*> touched_;  // with verdicts that were not delivered yet
  Clock::time_point key_reported_;
  DurabilityWatch durability_;
  bool looking_ = false;       // it is to be asked again on this connection
  std::size_t looks_due_ = 0;  // replies to its questions
  runtime::ChangeLog changes_;
};

}  // namespace tracker::store
