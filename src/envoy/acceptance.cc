#include "envoy/acceptance.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <boost/asio/post.hpp>
#include <cassert>
#include <cerrno>
#include <ctime>
#include <string>
#include <system_error>
#include <utility>

#include "envoy/access_log.h"
#include "envoy/connection.h"
#include "envoy/envoy_worker.h"
#include "envoy/exchange.h"
#include "envoy/forwarded.h"
#include "runtime/log.h"

namespace tracker::envoy {

namespace {
constexpr int accepted_max = 128;  // before open connections have their turn
constexpr int looks_max = 32;      // for a connection that can give way
constexpr auto accept_pause = std::chrono::milliseconds(100);
}  // namespace

Acceptance::Acceptance(EnvoyWorker& worker, boost::asio::io_context& context,
                       std::vector<runtime::Acceptor> acceptors, const EnvoySettings& settings,
                       EnvoyTotals& totals, WorkerDeadlines& deadlines)
    : worker_(worker),
      context_(context),
      settings_(settings),
      totals_(totals),
      deadlines_(deadlines),
      answers_(std::time(nullptr)) {
  for (auto& acceptor : acceptors) {
    entrances_.push_back({std::move(acceptor), boost::asio::steady_timer(context)});
  }
  totals_.acceptances.push_back(this);
}

void Acceptance::start() {
  for (auto& entrance : entrances_) accept_later(entrance);
}

void Acceptance::drain() {
  draining_ = true;
  for (auto& entrance : entrances_) {
    accept_some(entrance, SOMAXCONN + 1);
    boost::system::error_code ignored;
    entrance.acceptor.close(ignored);
    entrance.pause.cancel();
  }
}

void Acceptance::leave(bool was_beyond_limit) noexcept {
  auto& total = was_beyond_limit ? totals_.beyond_limit : totals_.connections;
  [[maybe_unused]] const std::size_t before = total.fetch_sub(1);
  assert(before > 0);
}

void Acceptance::accept_later(Entrance& entrance) {
  entrance.acceptor.async_wait(runtime::Acceptor::wait_read, [&](boost::system::error_code error) {
    if (error || draining_) return;
    if (accept_some(entrance, accepted_max)) return accept_later(entrance);
    entrance.pause.expires_after(accept_pause);  // out of descriptors or memory: others must end first
    entrance.pause.async_wait([&](boost::system::error_code pause_error) {
      if (!pause_error && !draining_) accept_later(entrance);
    });
  });
}

/// Returns false if the machine has no room for more.
bool Acceptance::accept_some(Entrance& entrance, int max) {
  for (int tried = 0; tried < max; ++tried) {
    sockaddr_storage address{};
    socklen_t size = sizeof address;
    runtime::Descriptor socket(::accept4(entrance.acceptor.native_handle(),
                                         reinterpret_cast<sockaddr*>(&address), &size,
                                         SOCK_NONBLOCK | SOCK_CLOEXEC));
    if (socket.number() >= 0) {
      worker_.metrics().accepted.add();
      arrive(std::move(socket), domain::ip_address_of(address));
    } else if (errno == EAGAIN || errno == EWOULDBLOCK) {
      return true;
    } else if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
      totals_.accept_log.met(runtime::Clock::now(), "HTTP connections wait, since none can be accepted: " +
                                                        std::generic_category().message(errno));
      return false;
    }  // otherwise the client has gone already
  }
  return true;
}

void Acceptance::arrive(runtime::Descriptor socket, const domain::IpAddress& peer) {
  const int on = 1;
  ::setsockopt(socket.number(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  auto of_address = enter(peer);
  if (of_address && take_place()) return worker_.serve(std::move(socket), peer, std::move(*of_address));
  const Refusal refusal = of_address ? Refusal::too_many_connections : Refusal::too_many_of_this_address;
  if (totals_.beyond_limit.fetch_add(1) >= settings_.refused_connections_max) {
    return refuse_and_close(std::move(socket), refusal);
  }
  if (!of_address) return refuse(std::move(socket), peer, refusal);
  find_place({std::move(socket), peer, std::move(*of_address)});
}

std::optional<AddressCounts::Place> Acceptance::enter(const domain::IpAddress& client) const {
  const auto per_address = settings_.connections_per_address_max;
  if (per_address == 0 || is_in(settings_.trusted_proxies, client)) return AddressCounts::Place();
  return totals_.addresses->enter(client, per_address);
}

bool Acceptance::take_place() noexcept {
  if (totals_.connections.fetch_add(1) < settings_.connections_max) return true;
  --totals_.connections;
  return false;
}

/// The worker with the best claim gets the arrival (invariant 3).
void Acceptance::find_place(Arrival arrival) {
  if (draining_) return refuse(std::move(arrival.socket), arrival.peer, Refusal::too_many_connections);
  if (take_place()) {
    --totals_.beyond_limit;
    return worker_.serve(std::move(arrival.socket), arrival.peer, std::move(arrival.address));
  }
  Acceptance* best = nullptr;
  std::optional<Claim> best_so_far;
  bool some_are_idle = false;
  for (auto* other : totals_.acceptances) {
    const auto& waiting = other->deadlines_.longest_waiting();
    const auto claim = best_claim(waiting, arrival.now, settings_.active_for, arrival.last_claim);
    some_are_idle = some_are_idle || waiting.idle.load() != LongestWaiting::none;
    if (!claim || (best_so_far && *best_so_far <= *claim)) continue;
    best = other;
    best_so_far = claim;
  }
  if (best == this) {
    follow_claim(*best_so_far, std::move(arrival));
  } else if (best != nullptr) {
    boost::asio::post(best->context_, [best, claim = *best_so_far, arrival = std::move(arrival)]() mutable {
      best->follow_claim(claim, std::move(arrival));
    });
  } else if (some_are_idle && !arrival.has_waited) {
    wait_for_place(std::move(arrival));
  } else {
    refuse(std::move(arrival.socket), arrival.peer, Refusal::too_many_connections);
  }
}

void Acceptance::follow_claim(const Claim& claim, Arrival arrival) {
  assert(!arrival.last_claim || *arrival.last_claim < claim);  // invariant 4
  if (!draining_ && make_room(claim, arrival.now)) {
    return worker_.serve(std::move(arrival.socket), arrival.peer, std::move(arrival.address));
  }
  arrival.last_claim = claim;
  find_place(std::move(arrival));
}

/// All idle connections were active just now. Soon it is clear which of them only hold a place.
void Acceptance::wait_for_place(Arrival arrival) {
  ++waiting_;
  auto timer = std::make_shared<boost::asio::steady_timer>(context_, settings_.active_for);
  arrival.has_waited = true;
  timer->async_wait([this, timer, arrival = std::move(arrival)](boost::system::error_code) mutable {
    arrival.now = runtime::Clock::now();
    arrival.last_claim.reset();
    find_place(std::move(arrival));
    --waiting_;
    worker_.report_if_drained();
  });
}

/// Ends a connection to which the claim applies, if there still is one. The totals stay as they are (invariant 3).
bool Acceptance::make_room(const Claim& claim, runtime::Clock::time_point now) {
  using Kind = WorkerDeadlines::Kind;
  const runtime::Clock::duration wait =
      claim.kind == Claim::Kind::idle ? runtime::Clock::duration(settings_.active_for) : Claim::long_wait;
  auto* found = deadlines_.find(claim.kind == Claim::Kind::late_head ? Kind::head : Kind::idle, now - wait,
                                looks_max, [now](runtime::Expiring& waiting, auto since) {
                                  return static_cast<Connection&>(waiting).can_give_way(since, now);
                                });
  if (found == nullptr) return false;
  static_cast<Connection&>(*found).give_way(now);
  deadlines_.publish();
  return true;
}

void Acceptance::give_up_place(Refusal refusal) {
  ++totals_.beyond_limit;
  --totals_.connections;
  tell_bound(refusal);
}

/// Now and then, however many connections are refused.
void Acceptance::tell_bound(Refusal refusal) const {
  const auto now = runtime::Clock::now();
  if (draining_) return;
  if (refusal == Refusal::too_many_of_this_address) {
    if (!totals_.address_log.is_new(now)) return;
    runtime::log_warning("--connections-per-address-max " +
                         std::to_string(settings_.connections_per_address_max) +
                         " is reached by an address: more connections from there get 503");
  } else if (totals_.connections_log.is_new(now)) {
    runtime::log_warning("--connections-max: all " + std::to_string(settings_.connections_max) +
                         " connections are taken and none can give way: others get 503");
  }
}

/// It is counted as beyond the limit already.
void Acceptance::refuse(runtime::Descriptor socket, const domain::IpAddress& peer, Refusal refusal) {
  tell_bound(refusal);
  if (worker_.is_drained()) return refuse_and_close(std::move(socket), refusal);  // nobody would wait for it
  worker_.refuse(std::move(socket), peer, refusal);
}

/// Gives the client no time to read its answer, because too many are refused at once, or the service ends.
void Acceptance::refuse_and_close(runtime::Descriptor socket, Refusal refusal) {
  leave(true);
  tell_bound(refusal);
  worker_.metrics().refusals(refusal).add();
  std::string answer;
  answers_.set_time(std::time(nullptr));
  answers_.append_refusal(refusal, Persistence::closes, true, answer);
  ::send(socket.number(), answer.data(), answer.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
  if (auto* log = worker_.access_log()) {
    const Exchange exchange{.answer = Exchange::Answer::refusal, .refusal = refusal, .access = log->begin()};
    if (exchange.access == nullptr) return;
    log->log(exchange, peer_text(socket.number()), answer.size());
    log->hand_over();
  }
}

}  // namespace tracker::envoy
