#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <condition_variable>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "runtime/backoff.h"
#include "runtime/connector.h"
#include "runtime/log.h"
#include "store/redis/durability_watch.h"
#include "store/redis/redis_pipeline.h"
#include "store/redis/redis_replies.h"
#include "store/redis/redis_store.h"

namespace tracker::store::redis {

/// The store's connection. Belongs to the loop's thread, but for what says otherwise. Invariants:
/// 1. What is in waiting_ was not sent: it is certainly not counted. What pipeline_ was given may have been: when the
///    connection is lost it is perhaps counted.
/// 2. While why_not_ready_ says something, nothing enters waiting_.
/// 3. While connected_ does not hold, nothing leaves waiting_ but to be refused.
/// 4. Nothing is counted on a connection before this Redis has said, on this connection, what it may lose.
class RedisStore::Connection {
 public:
  Connection(boost::asio::io_context& loop, const RedisSettings& settings);
  ~Connection();

  // From any thread.
  void track(const domain::HitBatch& hits, TrackReply& reply);
  void add_token(const domain::TokenId& id, domain::Deadline deadline, AddReply& reply);
  const ReadinessSource& readiness() const noexcept { return readiness_; }
  void wait_for_first_attempt(std::chrono::milliseconds longest) const;

 private:
  using Executor = boost::asio::io_context::executor_type;
  template <typename T>
  using Awaitable = boost::asio::awaitable<T, Executor>;
  using Timer =
      boost::asio::basic_waitable_timer<std::chrono::steady_clock,
                                        boost::asio::wait_traits<std::chrono::steady_clock>, Executor>;
  using Clock = std::chrono::steady_clock;

  struct Waiting {
    std::vector<RedisPipeline::Batch> batches;
    std::vector<RedisPipeline::Token> tokens;
  };
  /// What is wrong with this Redis, when it is not ready.
  enum class Fault : std::uint8_t {
    unreachable,
    unusable,  // it was reached
    refused,   // it may lose more than it is allowed to
  };
  static std::string_view beginning_of(Fault fault);
  static std::string words_of(const boost::system::error_code& error);
  /// How a connection ended.
  struct End {
    std::string why;
    bool is_cut = false;  // by the peer or the network, and not because it hangs or is unfit
  };

  // All that follows: in the loop's thread.
  Awaitable<void> run();
  Awaitable<std::string> connect();
  Awaitable<std::string> open_socket();
  Awaitable<std::string> greet();
  Awaitable<void> read_replies();
  void read();
  void on_read(boost::system::error_code error, std::size_t bytes);
  bool feed(std::size_t bytes);
  void end(std::string why, bool is_cut);
  void look_later();
  void conclude_look();
  void send_waiting();
  bool is_sending() const noexcept;
  void write();
  void watch();
  void become_ready();
  bool renew_at_once();
  void stop_taking(const std::string& reason);
  void lose();
  void end_attempt();
  void report(const RedisPipeline::Trouble& trouble);
  template <typename Enqueue>
  bool enqueue(Enqueue enqueue_waiting);

  const RedisSettings settings_;

  mutable std::mutex mutex_;
  mutable std::condition_variable attempted_changed_;
  Waiting waiting_;            // mutex_
  bool wake_posted_ = false;   // mutex_
  std::string why_not_ready_;  // mutex_; empty: ready
  bool attempted_ = false;     // mutex_; a first attempt to connect has ended
  ReadinessSource readiness_;  // as why_not_ready_ says

  boost::asio::io_context& loop_;
  runtime::Connector connector_;
  runtime::Socket socket_;
  Timer retry_timer_;
  Timer read_to_end_;  // is cancelled when there are no more replies
  End end_;            // and this says why
  Timer watchdog_;
  Timer look_timer_;
  runtime::Backoff backoff_;
  std::optional<RedisReplies> replies_{std::in_place};  // of this connection
  std::vector<char> read_buffer_;
  RedisPipeline pipeline_;
  bool connected_ = false;  // and greeted
  bool writing_ = false;    // waits until the socket takes more
  bool watching_ = false;
  bool hung_ = false;
  Fault fault_ = Fault::unreachable;
  std::string why_unusable_;   // the replies that are due still come
  Clock::time_point heard_;    // the last reply
  Clock::time_point renewed_;  // the last time that a connection was made anew at once
  Waiting taken_;              // from waiting_, and empty in between
  Clock::time_point key_reported_;
  DurabilityWatch durability_;
  runtime::ChangeLog changes_;
};

}  // namespace tracker::store::redis
