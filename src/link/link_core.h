#pragma once

#include <boost/intrusive/list.hpp>
#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include "domain/failure.h"
#include "domain/hit_batch.h"
#include "domain/readiness.h"
#include "domain/track_reply.h"
#include "link/gather.h"
#include "link/link_metrics.h"
#include "runtime/backoff.h"

namespace tracker::link {

using TimePoint = std::chrono::steady_clock::time_point;

/// A request to the peer without hits, such as a mint. The LinkCore owns it until it has its outcome. The protocol that
/// hears the answer passes it on to whoever waits for it, and then deletes the command, which removes it from the core.
class Command
    : public boost::intrusive::list_base_hook<boost::intrusive::link_mode<boost::intrusive::auto_unlink>> {
 public:
  explicit Command(domain::Deadline deadline) : deadline_(deadline) {}
  virtual ~Command() = default;
  Command(const Command&) = delete;
  Command& operator=(const Command&) = delete;

  domain::Deadline deadline() const noexcept { return deadline_; }

  /// Called if there is no answer. not_done: the command was not sent. perhaps_done: it was sent. The command is
  /// deleted after the call.
  virtual void on_failed(domain::Failure failure) = 0;

 private:
  friend class LinkCore;
  const domain::Deadline deadline_;
  TimePoint sent_{};
};

/// The settings in which peers differ.
struct LinkSettings {
  using Duration = std::chrono::milliseconds;

  /// The shortest and the longest pause before the next attempt to connect.
  Duration retry_first{50};
  Duration retry_longest{2'000};
  /// A connection that has lasted this long is replaced at once. One that ends sooner might end again and again.
  Duration lasting{1'000};
  /// Hits wait for the replacement of a connection that was cut, or that the peer ends, unless the pause before it is
  /// longer than this. Then the peer is not reachable.
  Duration cut_patience{500};
  /// The peer must have answered the greeting within this time.
  Duration greeting_deadline{2'000};
  /// What cannot be sent is refused this long before its deadline, so that the refusal is not too late.
  Duration refusal_margin{20};

  /// A message takes no further batch once it has this many bytes.
  std::size_t message_bytes_max = 1024 * 1024;
  /// A message is sent if no message is in flight, or if those in flight have fewer bytes than this. 0: one message at
  /// a time.
  std::size_t window_bytes = 0;
  /// If set, a message is also sent this long after the last one, if the peer has sent something since: it lives, and what
  /// it still owes waits for somebody else. It is asked whether it is there if it has sent nothing.
  std::optional<Duration> overtaking{};

  /// If set, hits wait for others although no message is in flight, because a message costs as much as some dozens of hits in
  /// it. They wait until there are half as many as may follow soon (HitBatch::followers), or `most`, but no longer than
  /// `longest`. They wait only if the last message had at least `least`: where few hits come, others come too late.
  struct Gathering {
    std::size_t least;
    std::size_t most;
    std::chrono::microseconds longest;
  };
  std::optional<Gathering> gathering{};

  /// If set, a peer that owes an answer and sends nothing for this long is lost. If not set, an answer is due by the
  /// deadline of its hits, and the next three settings apply.
  std::optional<Duration> progress{};
  /// A peer that has not answered hits this long after their deadline is silent: hits are refused until it sends
  /// something.
  Duration silence_grace{50};
  /// A peer that has still not answered is lost this much later.
  Duration silence_max{1'000};
  /// The answer to a question is due within this time.
  Duration question_deadline{1'500};

  /// The peer is asked whether it is there this long after the greeting or after its last answer.
  Duration question_pause{400};
  /// If true, it is asked also while hits are in flight.
  bool asks_while_busy = false;

  /// A draining connection is given up after this time, which is longer than any hit's deadline.
  Duration draining_max{10'000};
};

/// The logic of talking to a peer that may hang: what waits, what is in flight, and what may be said of either. Pure:
/// events and the time go in, actions come out. A peer has one connection for new messages, and perhaps others that
/// drain. Not synchronised.
///
/// This class keeps tracker's promise: what was not sent is certainly not counted; what was sent is perhaps counted.
/// Invariants:
///  1. A batch or command is in one state only: it waits, it is in flight on one connection, or it has its outcome.
///  2. The action that writes it moves it from the waiting queue to a connection. From then on it counts as sent.
///  3. Only what waits is refused (not_counted, not_done). What is in flight gets its outcome from the peer, or is
///     given up with its connection (perhaps_counted, perhaps_done).
///  4. Nothing that was sent is sent again. The exception is a command that the peer has reported as not done: that
///     command waits again.
///  5. Each hit is settled once (Gather), and each command has one outcome.
///  6. Nothing waits while the peer is not ready. Nothing waits beyond its deadline.
///  7. Only deliver() tells outcomes, when the object is otherwise consistent.
class LinkCore {
 public:
  enum class State : std::uint8_t {
    down,        // until the next attempt
    connecting,  // an attempt is under way
    greeting,    // connected; the peer has not answered the greeting
    ready,       // the peer has answered the greeting
    silent,      // the peer owes an answer
    draining,    // nothing new is sent; what is in flight is still answered
  };
  using ConnectionId = std::uint64_t;

  /// The next thing to do.
  struct Action {
    enum class Kind : std::uint8_t {
      wait,           // for an event, at most until wake_at()
      connect,        // then call on_connected() or on_not_connected()
      write_hits,     // `hits`, on `connection`
      write_command,  // `command`, on `connection`
      ask,            // whether the peer is there, on `connection`
      close,          // `connection`; this object has forgotten it, so call no event of it
      deliver,        // call deliver()
      report,         // call take_report()
    };
    Kind kind = Kind::wait;
    ConnectionId connection = 0;
    Gather* hits = nullptr;
    Command* command = nullptr;
  };

  /// A message for the operator. The peer's name goes in front of the words.
  struct Report {
    enum class Kind : std::uint8_t {
      ready,
      not_ready,
      good_news,
      bad_news
    };  // news do not change the readiness
    Kind kind;
    std::string words;
  };

  /// `metrics` outlives it; null: nothing is counted.
  explicit LinkCore(const LinkSettings& settings, unsigned seed = std::random_device{}(),
                    LinkMetrics* metrics = nullptr);
  ~LinkCore();
  LinkCore(const LinkCore&) = delete;
  LinkCore& operator=(const LinkCore&) = delete;

  // Requests. Replies may call these.

  /// `hits` and `reply` must stay valid until the last verdict.
  void track(const domain::HitBatch& hits, domain::TrackReply& reply);
  void request(std::unique_ptr<Command> command);
  /// The peer is not asked any more: it is not connected again, and everything new is refused. What is in flight is still
  /// answered.
  void retire(TimePoint now);

  // Events. Each may lead to actions: call next().

  ConnectionId on_connected(TimePoint now);
  void on_not_connected(const std::string& why, TimePoint now);
  /// The peer has answered the greeting, and says whether it can count.
  void on_greeted(ConnectionId id, const domain::Readiness& readiness, TimePoint now);
  /// The peer says again whether it can count.
  void on_readiness(ConnectionId id, const domain::Readiness& readiness);
  /// Something came. Hits in flight may have been settled, and commands answered.
  void on_heard(ConnectionId id, TimePoint now);
  /// The peer has answered the question whether it is there.
  void on_question_answered(ConnectionId id, TimePoint now);
  /// The connection takes no more bytes for now, or takes bytes again.
  void on_held(ConnectionId id, bool held);
  /// The peer says that this command was not done, or the command could not be sent. It waits again.
  void on_command_not_done(ConnectionId id, Command& command, TimePoint now);
  /// The peer ends this connection. What is in flight is still answered. Another connection takes its place.
  void on_ending(ConnectionId id, TimePoint now);
  /// The peer is of no use, so it is not ready. What is in flight is still answered.
  void on_unfit(ConnectionId id, const std::string& words, TimePoint now);
  /// How a connection has ended.
  enum class Loss : std::uint8_t {
    cut,     // by the peer or the network; another one takes its place, and hits wait for it
    failed,  // the peer misbehaves, so it counts as not reachable; `words` say why
    unfit,   // the peer is of no use; `words` follow its name, such as "cannot be used: ..."
  };
  /// The connection is gone.
  void on_lost(ConnectionId id, Loss loss, const std::string& words, TimePoint now);

  // Actions.

  /// Call this and perform the action, until it is `wait`.
  Action next(TimePoint now);
  /// Call next() at this time at the latest.
  TimePoint wake_at() const noexcept { return wake_at_; }
  /// Tells replies and commands their outcomes.
  void deliver();
  Report take_report();

  /// Whether hits are accepted.
  bool is_ready() const noexcept { return ready_; }
  /// Whether a new request would be sent at once although a message is in flight already. Not: by overtaking it.
  bool can_send_more() const noexcept;
  /// The state of the connection for new messages.
  State state() const noexcept;

 private:
  using Commands = boost::intrusive::list<Command, boost::intrusive::constant_time_size<false>>;
  struct Waiting {
    const domain::HitBatch* hits;
    domain::TrackReply* reply;
  };
  struct Message {
    std::unique_ptr<Gather> hits;
    TimePoint sent;
  };
  struct Connection {
    ConnectionId id = 0;
    State state = State::greeting;
    TimePoint since{};               // the time of connecting
    TimePoint heard{};               // when something came last
    TimePoint draining_until{};      // while it drains
    TimePoint next_question{};       // set once it is greeted
    std::optional<TimePoint> asked;  // when the unanswered question was sent
    domain::Readiness readiness = domain::Readiness::not_ready("it has not said so");
    bool held = false;                // takes no bytes for now
    std::size_t bytes = 0;            // of the messages in flight
    std::vector<Message> messages{};  // in flight, in order
    Commands commands{};              // in flight, in order

    bool is_idle() const noexcept { return messages.empty() && commands.empty(); }
  };
  using ConnectionPtr = std::unique_ptr<Connection>;

  void wake_by(TimePoint time) noexcept;
  Connection* find(ConnectionId id) noexcept;
  bool is_current(ConnectionId id) const noexcept { return current_ && current_->id == id; }
  bool can_send() const noexcept;
  bool window_is_open() const noexcept;
  bool is_overdue(TimePoint now) const noexcept;
  bool may_overtake(TimePoint now) const noexcept;

  // Time.
  void look_at_the_time(TimePoint now);
  void look_at_silence(TimePoint now);
  void look_at_question(TimePoint now);
  void look_at_draining(TimePoint now);
  void look_at_waiting(TimePoint now);
  TimePoint answer_due(const Connection& connection) const;
  TimePoint lost_at(const Connection& connection) const;
  std::string words_of_silence() const;

  // Connections.
  void connect_at(TimePoint time);
  void fail_attempt(const std::string& words, TimePoint now);
  std::chrono::milliseconds pause_after(const Connection& connection, TimePoint now);
  void drain(TimePoint now);
  void give_up(ConnectionPtr connection);
  void deliver_settled(Connection& connection, bool is_lost = false);

  // Sending.
  Action send(TimePoint now);
  bool gathers(TimePoint now);
  Action send_command(TimePoint now);
  Action send_hits(TimePoint now);
  std::unique_ptr<Gather> new_gather();

  // Readiness.
  void become_ready();
  void become_unready(std::string words);
  void set_ready(bool ready);

  const LinkSettings settings_;
  LinkMetrics* const metrics_;

  // What waits.
  bool ready_ = false;
  std::vector<Waiting> waiting_;
  Commands waiting_commands_;

  std::optional<TimePoint> gathers_until_;  // what waits is sent then, however little it is
  std::size_t last_hits_ = 0;               // in the last message

  // Connections.
  bool connecting_ = false;
  std::optional<TimePoint> connect_at_ = TimePoint::min();  // while it is down
  ConnectionPtr current_;                                   // null: down or connecting
  std::vector<ConnectionPtr> draining_;
  ConnectionId last_id_ = 0;
  runtime::Backoff backoff_;
  bool greeted_ = false;  // the peer has answered a greeting since the start
  bool retired_ = false;
  bool at_once_ = true;  // the next open connection that ends is replaced without a pause

  // Pending actions.
  TimePoint wake_at_ = TimePoint::min();
  bool question_due_ = false;
  bool undelivered_ = false;
  std::vector<ConnectionId> to_close_;
  std::vector<Report> reports_;
  std::vector<Waiting> refused_;
  Commands refused_commands_;
  std::vector<ConnectionPtr> given_up_;

  std::vector<Waiting> delivering_;  // reused
  std::vector<std::unique_ptr<Gather>> free_gathers_;
};

}  // namespace tracker::link
