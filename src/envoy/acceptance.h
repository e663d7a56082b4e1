#pragma once

#include <atomic>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <memory>
#include <optional>
#include <vector>

#include "envoy/answer.h"
#include "envoy/envoy_settings.h"
#include "envoy/mint_bound.h"
#include "envoy/places.h"
#include "envoy/refusal.h"
#include "envoy/worker_deadlines.h"
#include "runtime/bound_log.h"
#include "runtime/descriptor.h"
#include "runtime/listener.h"

namespace tracker::envoy {

class Acceptance;
class EnvoyWorker;

/// The totals of all workers of an envoy service.
struct EnvoyTotals {
  std::atomic<std::size_t> connections = 0;     // with a place
  std::atomic<std::size_t> beyond_limit = 0;    // connections that wait for a place, were refused or gave way
  std::atomic<std::size_t> hits_in_flight = 0;  // and mints
  std::shared_ptr<AddressCounts> addresses = std::make_shared<AddressCounts>();
  std::vector<Acceptance*> acceptances;  // all there are, complete before one of them runs
  runtime::BoundLog accept_log;
  runtime::BoundLog connections_log;
  runtime::BoundLog address_log;
  runtime::BoundLog hits_log;
  std::optional<MintBound> mint_bound;  // nothing: there is no bound
  runtime::BoundLog mint_log;
  runtime::BoundLog proxy_header_log;
};

/// Accepts the connections of one worker, and keeps the bounds on their number. Belongs to the worker's thread, except
/// where a function says otherwise. Invariants:
/// 1. A socket that was accepted is served in a place, or is beyond the limit, or has been closed.
/// 2. EnvoyTotals::connections is the number of places taken, at most connections_max. EnvoyTotals::beyond_limit is the
///    number of all others, of which at most refused_connections_max have arrived so.
/// 3. An arrival that finds no place takes that of a connection that gives way, and that connection is beyond the limit
///    instead. The worker of that connection serves the arrival, whichever worker accepted it.
/// 4. An arrival follows each claim once, from the best to the worst, so its search ends.
class Acceptance {
 public:
  /// All arguments must outlive it.
  Acceptance(EnvoyWorker& worker, boost::asio::io_context& context, std::vector<runtime::Acceptor> acceptors,
             const EnvoySettings& settings, EnvoyTotals& totals, WorkerDeadlines& deadlines);

  /// Begins to accept.
  void start();

  /// Accepts every connection that is waiting, so that a client that connected in time is served. Then accepts no more.
  void drain();

  /// Tells that a connection has ended. Its place is free at once.
  void leave(bool was_beyond_limit) noexcept;

  /// Counts one more connection of this client. The place is empty if its connections are not bounded, because there is no bound,
  /// or because it is a trusted proxy, which brings many clients. Nothing: it has as many as it may.
  std::optional<AddressCounts::Place> enter(const domain::IpAddress& client) const;

  /// Tells that a connection with a place is refused after all, because of this bound. It is beyond the limit from then on.
  void give_up_place(Refusal refusal);

  /// Whether a closed connection beyond the limit may still be read for a while, or must make room for others.
  bool has_room_beyond_limit() const noexcept {
    return totals_.beyond_limit <= settings_.refused_connections_max / 2;
  }

  /// Arrivals that wait for a place.
  std::size_t waiting() const noexcept { return waiting_; }

 private:
  /// Where it accepts, and the pause after the machine had no room for more.
  struct Entrance {
    runtime::Acceptor acceptor;
    boost::asio::steady_timer pause;
  };
  /// A connection that came when all places were taken. It is beyond the limit.
  struct Arrival {
    runtime::Descriptor socket;
    domain::IpAddress peer;
    AddressCounts::Place address;
    runtime::Clock::time_point now = runtime::Clock::now();
    std::optional<Claim> last_claim = std::nullopt;  // the last one without success; only later ones remain
    bool has_waited = false;
  };

  void accept_later(Entrance& entrance);
  bool accept_some(Entrance& entrance, int max);
  void arrive(runtime::Descriptor socket, const domain::IpAddress& peer);
  bool take_place() noexcept;
  void find_place(Arrival arrival);
  void follow_claim(const Claim& claim, Arrival arrival);
  void wait_for_place(Arrival arrival);
  bool make_room(const Claim& claim, runtime::Clock::time_point now);
  void refuse(runtime::Descriptor socket, const domain::IpAddress& peer, Refusal refusal);
  void tell_bound(Refusal refusal) const;
  void refuse_and_close(runtime::Descriptor socket, Refusal refusal);

  EnvoyWorker& worker_;
  boost::asio::io_context& context_;
  const EnvoySettings& settings_;
  EnvoyTotals& totals_;
  WorkerDeadlines& deadlines_;
  std::vector<Entrance> entrances_;
  AnswerWriter answers_;
  std::size_t waiting_ = 0;
  bool draining_ = false;
};

}  // namespace tracker::envoy
