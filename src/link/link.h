#pragma once

#include <atomic>
#include <boost/asio/io_context.hpp>
#include <chrono>
#include <functional>
#include <future>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "domain/readiness.h"
#include "link/inbox.h"
#include "link/link_core.h"
#include "runtime/connector.h"
#include "runtime/deadlines.h"
#include "runtime/log.h"
#include "runtime/observable.h"

namespace tracker::link {

/// One connection to the peer, as its protocol speaks on it. Its Link tells it what to send; it tells the Link what it
/// hears, by Link::on(). Belongs to the loop's thread.
class Channel {
 public:
  Channel() = default;
  Channel(const Channel&) = delete;
  Channel& operator=(const Channel&) = delete;
  virtual ~Channel() = default;

  /// Called first.
  virtual void greet() = 0;
  /// Sends this message. It is settled by what comes back; it stays valid until it is settled, or until close().
  virtual void send(Gather& hits, TimePoint now) = 0;
  /// Answers false if this connection takes no more commands; then nothing was sent.
  virtual bool send(Command& command, TimePoint now) = 0;
  /// Asks whether the peer is there.
  virtual void ask(TimePoint now) = 0;
  /// Writes what was sent since the last time, as far as the connection takes it.
  virtual void flush() = 0;
  /// Ends the connection. It tells its Link nothing more.
  virtual void close() = 0;
};

/// Who is asked, and how.
struct Peer {
  std::string name;  // for logs and reasons, such as "Redis at 127.0.0.1:6379"
  runtime::Address address;
  LinkSettings settings;
  runtime::ChangeLog* changes = nullptr;  // outlives the link
  /// On a socket that is connected.
  std::function<std::shared_ptr<Channel>(LinkCore::ConnectionId, runtime::Socket)> make_channel;
};

/// Asks a peer that may hang, from an event loop: does what a LinkCore says. It connects, and connects again, by itself.
/// While the peer is not ready, all is refused at once. What was sent is never sent again.
class Link {
 public:
  /// Starts to connect as soon as the loop runs.
  Link(boost::asio::io_context& loop, Peer peer);

  /// The loop has stopped, and is still there. Nobody is told any more.
  ~Link();
  Link(const Link&) = delete;
  Link& operator=(const Link&) = delete;

  // Any thread. From the loop's own they cost no switch.
  void track(const domain::HitBatch& hits, domain::TrackReply& reply);
  void request(std::unique_ptr<Command> command);
  /// Whether hits are taken.
  const runtime::Observable<domain::Readiness>& readiness() const noexcept { return readiness_; }
  /// Waits until the first attempt to connect has ended, well or not; at most so long. Blocks: for start-up.
  void wait_for_first_attempt(std::chrono::milliseconds longest) const;

  /// The loop's thread: lets `events(core)` tell the core what has happened, and does what follows.
  template <typename Events>
  void on(Events events) {
    const bool nested = std::exchange(busy_, true);
    events(core_);
    if (nested) {
      more_ = true;
      return;
    }
    busy_ = false;
    go_on();
  }

 private:
  struct Asked {
    struct Batch {
      const domain::HitBatch* hits;
      domain::TrackReply* reply;
    };
    std::vector<Batch> batches;
    std::vector<std::unique_ptr<Command>> commands;
  };
  struct OpenChannel {
    LinkCore::ConnectionId id;
    std::shared_ptr<Channel> channel;
  };

  bool is_to_wait() const;
  template <typename Fill>
  void put(Fill fill);
  void take_inbox();
  void go_on();
  bool act(TimePoint now);
  void connect();
  void close(LinkCore::ConnectionId id);
  Channel& channel(LinkCore::ConnectionId id);
  void tell(const LinkCore::Report& report);

  boost::asio::io_context& loop_;
  const Peer peer_;

  // Any thread.
  Inbox<Asked> inbox_;
  std::atomic<bool> ready_ = false;  // as readiness_ says
  std::shared_future<void> first_attempt_;
  runtime::Observable<domain::Readiness> readiness_;

  // The loop's thread.
  LinkCore core_;
  std::promise<void> first_attempt_ends_;
  bool attempted_ = false;
  runtime::Connector connector_;
  runtime::DeadlineTimer timer_;
  std::vector<OpenChannel> channels_;
  Asked taken_;        // from the inbox; empty in between
  bool busy_ = false;  // events are told, or actions done
  bool more_ = false;  // events came meanwhile
};

}  // namespace tracker::link
