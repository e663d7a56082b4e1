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
#include "runtime/backoff.h"

namespace tracker::link {

using TimePoint = std::chrono::steady_clock::time_point;

/// A request to the peer that has no hits, such as a mint. It is owned by the LinkCore until it has its outcome. The
/// protocol that hears the answer tells it to whoever waits, and then deletes the command: with that it leaves the core.
class Command
    : public boost::intrusive::list_base_hook<boost::intrusive::link_mode<boost::intrusive::auto_unlink>> {
 public:
  explicit Command(domain::Deadline deadline) : deadline_(deadline) {}
  virtual ~Command() = default;
  Command(const Command&) = delete;
  Command& operator=(const Command&) = delete;

  domain::Deadline deadline() const noexcept { return deadline_; }

  /// It gets no answer. not_done: it was not sent. perhaps_done: it was. It is deleted after that.
  virtual void on_failed(domain::Failure failure) = 0;

 private:
  friend class LinkCore;
  const domain::Deadline deadline_;
  TimePoint sent_{};
};

/// Where peers differ.
struct LinkSettings {
  using Duration = std::chrono::milliseconds;

  /// The pause before the next attempt to connect, from the first to the longest.
  Duration retry_first{50};
  Duration retry_longest{2'000};
  /// A connection that has lasted so long is replaced at once. One that ends sooner might do so again and again.
  Duration lasting{1'000};
  /// Whether a connection that is cut sooner than that, after another one, is an outage. If not, hits wait for the next.
  bool early_cut_is_outage = false;
  /// The peer must have answered the greeting by then.
  Duration greeting_deadline{2'000};
  /// What cannot be sent is refused so long before its deadline, so that the refusal is not too late.
  Duration refusal_margin{20};

  /// A message takes no further batch once it has so many bytes.
  std::size_t message_bytes_max = 1024 * 1024;
  /// A message is sent if none is in flight, or if those in flight have fewer bytes. 0: one message at a time.
  std::size_t window_bytes = 0;

  /// Set: a peer that owes an answer and sends nothing for so long is lost. Not set: an answer is due by the deadline of
  /// its hits; the three below apply.
  std::optional<Duration> progress{};
  /// A peer that has sent nothing for so long after an answer was due is silent: hits are refused until it speaks again.
  Duration silence_grace{50};
  /// So long after an answer was due the peer is lost.
  Duration silence_max{1'000};
  /// The answer to a question is due within this.
  Duration question_deadline{1'500};

  /// So long after the last answer the peer is asked whether it is there.
  Duration question_pause{400};
  /// Also while hits are in flight.
  bool asks_while_busy = false;

  /// A connection that drains is given up after this; it is more than any hit's deadline.
  Duration draining_max{10'000};
};

/// How one asks a peer that may hang: what waits, what is in flight, and what may be said of either. Pure: events and the
/// time go in, actions come out. A peer has one connection for what is new, and perhaps others that drain. Not
/// synchronised.
///
/// tracker's promise is kept here. Not sent: certainly not counted. Sent: perhaps. The invariants:
///  1. A batch or command waits, is in flight on one connection, or has its outcome; never two of these.
///  2. It leaves the waiting queue for a connection by the action that writes it, and counts as sent from then on.
///  3. Only what waits is refused (not_counted, not_done). What is in flight gets its outcome from the peer, or is given up
///     with its connection (perhaps_counted, perhaps_done).
///  4. What was sent is never sent again. The exception is a command of which the protocol knows from the peer that it was
///     not done: that one waits again.
///  5. Each hit is settled once (Gather), and each command has one outcome.
///  6. Nothing waits while the peer is not ready. Nothing waits longer than until its deadline.
///  7. Outcomes are told by deliver() alone, when all else is consistent.
class LinkCore {
 public:
  enum class State : std::uint8_t {
    down,        // until the next attempt
    connecting,  // an attempt is under way
    greeting,    // connected; the peer has not answered the greeting
    ready,       // it has
    silent,      // it owes an answer
    draining,    // it is sent nothing new; what is in flight is still answered
  };
  using ConnectionId = std::uint64_t;

  /// What is to be done next.
  struct Action {
    enum class Kind : std::uint8_t {
      wait,           // for an event, and no longer than until wake_at()
      connect,        // then call on_connected() or on_not_connected()
      write_hits,     // `hits`, on `connection`
      write_command,  // `command`, on `connection`
      ask,            // whether the peer is there, on `connection`
      close,          // `connection`, which is gone for this object; call no event of it
      deliver,        // call deliver()
      report,         // call take_report()
    };
    Kind kind = Kind::wait;
    ConnectionId connection = 0;
    Gather* hits = nullptr;
    Command* command = nullptr;
  };

  /// What there is to tell the operator; the peer's name belongs in front of the words.
  struct Report {
    enum class Kind : std::uint8_t { ready, not_ready, good_news, bad_news };  // news change no readiness
    Kind kind;
    std::string words;
  };

  explicit LinkCore(const LinkSettings& settings, unsigned seed = std::random_device{}());
  ~LinkCore();
  LinkCore(const LinkCore&) = delete;
  LinkCore& operator=(const LinkCore&) = delete;

  // What is asked. Replies may call these.

  /// `hits` and `reply` stay valid until the last verdict.
  void track(const domain::HitBatch& hits, domain::TrackReply& reply);
  void request(std::unique_ptr<Command> command);

  // What has happened. Each may give rise to actions: call next().

  ConnectionId on_connected(TimePoint now);
  void on_not_connected(const std::string& why, TimePoint now);
  /// The peer has answered the greeting, and says whether it can count.
  void on_greeted(ConnectionId id, const domain::Readiness& readiness, TimePoint now);
  /// The peer says again whether it can count.
  void on_readiness(ConnectionId id, const domain::Readiness& readiness);
  /// Something came; hits in flight may have been settled, and commands answered.
  void on_heard(ConnectionId id, TimePoint now);
  /// It has answered whether it is there.
  void on_question_answered(ConnectionId id, TimePoint now);
  /// The connection takes no more bytes for now, or takes some again.
  void on_held(ConnectionId id, bool held);
  /// This command was not done, as the peer says, or could not be sent. It waits again.
  void on_command_not_done(ConnectionId id, Command& command, TimePoint now);
  /// The peer ends this connection; what is in flight is still answered. Another connection takes its place.
  void on_ending(ConnectionId id, TimePoint now);
  /// The peer is of no use, and so is not ready. What is in flight is still answered.
  void on_unfit(ConnectionId id, const std::string& words, TimePoint now);
  /// How a connection has ended.
  enum class Loss : std::uint8_t {
    cut,     // by the peer or the network: another one takes its place, and hits wait for it
    failed,  // the peer does not do what it should, and so is not reachable; `words` say why
    unfit,   // the peer is of no use; `words` say so after its name, such as "cannot be used: ..."
  };
  /// Nothing more will come.
  void on_lost(ConnectionId id, Loss loss, const std::string& words, TimePoint now);

  // What to do.

  /// Call it, and do what it says, until it says wait.
  Action next(TimePoint now);
  /// Call next() at this time at the latest.
  TimePoint wake_at() const noexcept { return wake_at_; }
  /// Tells replies and commands what has become of them.
  void deliver();
  Report take_report();

  /// Whether hits are taken.
  bool is_ready() const noexcept { return ready_; }
  /// What is asked now would be sent at once, although something is in flight already.
  bool can_send_more() const noexcept;
  /// Of the connection for what is new.
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
    TimePoint since{};               // connected
    TimePoint heard{};               // the last time
    TimePoint draining_until{};      // while it drains
    TimePoint next_question{};       // once it was greeted
    std::optional<TimePoint> asked;  // a question that is not answered yet
    domain::Readiness readiness = domain::Readiness::not_ready("it has not said so");
    bool held = false;                // takes no bytes for now
    std::size_t bytes = 0;            // of messages
    std::vector<Message> messages{};  // in flight, in their order
    Commands commands{};              // in flight, in their order

    bool is_idle() const noexcept { return messages.empty() && commands.empty(); }
  };
  using ConnectionPtr = std::unique_ptr<Connection>;

  void wake_by(TimePoint time) noexcept;
  Connection* find(ConnectionId id) noexcept;
  bool is_current(ConnectionId id) const noexcept { return current_ && current_->id == id; }
  bool can_send() const noexcept;
  bool window_is_open() const noexcept;

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
  void deliver_settled(Connection& connection);

  // Sending.
  Action send(TimePoint now);
  Action send_command(TimePoint now);
  Action send_hits(TimePoint now);
  std::unique_ptr<Gather> new_gather();

  // Readiness.
  void become_ready();
  void become_unready(std::string words);

  const LinkSettings settings_;

  // What waits.
  bool ready_ = false;
  std::vector<Waiting> waiting_;
  Commands waiting_commands_;

  // Connections.
  bool connecting_ = false;
  std::optional<TimePoint> connect_at_ = TimePoint::min();  // while it is down
  ConnectionPtr current_;                                   // null: down, or connecting
  std::vector<ConnectionPtr> draining_;
  ConnectionId last_id_ = 0;
  runtime::Backoff backoff_;
  bool at_once_ = true;  // the next connection that was open is replaced without a pause

  // What is to be done.
  TimePoint wake_at_ = TimePoint::min();
  bool question_due_ = false;
  bool undelivered_ = false;
  std::vector<ConnectionId> to_close_;
  std::vector<Report> reports_;
  std::vector<Waiting> refused_;
  Commands refused_commands_;
  std::vector<ConnectionPtr> given_up_;

  std::vector<Waiting> delivering_;  // used again
  std::vector<std::unique_ptr<Gather>> free_gathers_;
};

}  // namespace tracker::link
