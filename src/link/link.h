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
#include "link/transport.h"
#include "runtime/connector.h"
#include "runtime/deadlines.h"
#include "runtime/log.h"
#include "runtime/observable.h"

namespace tracker::link {

/// One connection to the peer, which speaks the peer's protocol. Its Link tells it what to send. The channel reports
/// what it hears by Link::on(). Loop thread only.
class Channel {
 public:
  Channel() = default;
  Channel(const Channel&) = delete;
  Channel& operator=(const Channel&) = delete;
  virtual ~Channel() = default;

  /// Called first.
  virtual void greet() = 0;
  /// Sends this message. The answers settle its hits. `hits` stays valid until all of them are settled, or until
  /// close().
  virtual void send(Gather& hits, TimePoint now) = 0;
  /// Returns false, and sends nothing, if this connection takes no more commands.
  virtual bool send(Command& command, TimePoint now) = 0;
  /// Asks the peer whether it is there.
  virtual void ask(TimePoint now) = 0;
  /// Writes what was sent since the last flush, up to what the connection takes.
  virtual void flush() = 0;
  /// Ends the connection. The channel tells its Link nothing more.
  virtual void close() = 0;
};

/// The peer and how to reach it.
struct Peer {
  std::string name;  // for logs and reasons, such as "Redis at 127.0.0.1:6379"
  runtime::Address address;
  LinkSettings settings;
  runtime::ChangeLog* changes = nullptr;  // outlives the link; null: nothing is logged
  LinkMetrics* metrics = nullptr;         // the same
  /// Makes a channel on a connected transport.
  std::function<std::shared_ptr<Channel>(LinkCore::ConnectionId, std::unique_ptr<Transport>)> make_channel;
};

/// Talks to a peer that may hang, from an event loop. Performs the actions of a LinkCore. It connects and reconnects by
/// itself. While the peer is not ready, everything is refused at once. Nothing that was sent is sent again.
class Link {
 public:
  /// Starts to connect as soon as the loop runs.
  Link(boost::asio::io_context& loop, Peer peer);

  /// The loop must have stopped and must still exist. No reply or command is told anything more.
  ~Link();
  Link(const Link&) = delete;
  Link& operator=(const Link&) = delete;

  // Any thread. A call from the loop's thread costs no thread switch.
  void track(const domain::HitBatch& hits, domain::TrackReply& reply);
  void request(std::unique_ptr<Command> command);
  /// Whether hits are accepted.
  const runtime::Observable<domain::Readiness>& readiness() const noexcept { return readiness_; }
  /// Waits until the first attempt to connect has succeeded or failed, or until `longest` has passed. Blocks; for
  /// start-up only.
  void wait_for_first_attempt(std::chrono::milliseconds longest) const;

  /// Loop thread only. The peer is not asked any more: see LinkCore.
  void retire() {
    on([](LinkCore& core) { core.retire(std::chrono::steady_clock::now()); });
  }

  /// Loop thread only. Takes now what other threads have asked for. If the peer is not ready, that is refused.
  void take_requests();

  /// Loop thread only. Calls `events(core)`, which tells the core what has happened, and then performs the actions that
  /// follow.
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
  std::atomic<bool> ready_ = false;  // the same as in readiness_
  std::shared_future<void> first_attempt_;
  runtime::Observable<domain::Readiness> readiness_;

  // Loop thread only.
  LinkCore core_;
  std::promise<void> first_attempt_ends_;
  bool attempted_ = false;
  runtime::Connector connector_;
  runtime::DeadlineTimer timer_;
  std::vector<OpenChannel> channels_;
  Asked taken_;        // from the inbox; empty between uses
  bool busy_ = false;  // events or actions are being handled
  bool more_ = false;  // events came meanwhile
};

}  // namespace tracker::link
