#include "envoy/envoy_worker.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <boost/asio/post.hpp>
#include <cerrno>
#include <ctime>
#include <utility>

namespace tracker::envoy {

namespace {
constexpr std::size_t batch_bytes_max = 1024 * 1024;
constexpr std::size_t read_window_bytes = 16 * 1024;
constexpr int turns_max = 16;      // before others have theirs
constexpr int accepted_max = 128;  // before those that are connected have their turn
constexpr std::size_t many_ready = 2;
constexpr int looks_max = 32;  // for a connection that can give way
constexpr auto accept_pause = std::chrono::milliseconds(100);
}  // namespace

EnvoyWorker::EnvoyWorker(boost::asio::io_context& context, std::vector<runtime::Acceptor> acceptors,
                         counter::Counter& counter, const EnvoySettings& settings, EnvoyTotals& totals)
    : context_(context),
      ready_set_(context, [this] { serve_ready(); }),
      counter_(counter),
      settings_(settings),
      totals_(totals),
      read_buffer_(settings.head.head_bytes_max + read_window_bytes),
      answers_(std::time(nullptr)),
      request_deadlines_(settings.request_deadline),
      head_deadlines_(settings.head_deadline),
      idle_deadlines_(settings.idle_deadline),
      write_deadlines_(settings.write_deadline),
      linger_deadlines_(settings.linger_deadline),
      timer_(context, [this](runtime::Clock::time_point now) { return expire(now); }) {
  for (auto& acceptor : acceptors) {
    entrances_.push_back({std::move(acceptor), boost::asio::steady_timer(context)});
  }
  totals_.workers.push_back(this);
}

EnvoyWorker::~EnvoyWorker() {
  connections_.clear_and_dispose([](Connection* connection) { delete connection; });
}

void EnvoyWorker::start() {
  for (auto& entrance : entrances_) accept_later(entrance);
}

void EnvoyWorker::accept_later(Entrance& entrance) {
  entrance.acceptor.async_wait(runtime::Acceptor::wait_read, [&](boost::system::error_code error) {
    if (error || draining_) return;
    if (accept_some(entrance, accepted_max)) return accept_later(entrance);
    entrance.pause.expires_after(accept_pause);  // out of descriptors or memory: others must end first
    entrance.pause.async_wait([&](boost::system::error_code pause_error) {
      if (!pause_error && !draining_) accept_later(entrance);
    });
  });
}

/// Answers false if the machine has no room for more.
bool EnvoyWorker::accept_some(Entrance& entrance, int max) {
  for (int tried = 0; tried < max; ++tried) {
    sockaddr_storage address{};
    socklen_t size = sizeof address;
    runtime::Descriptor socket(::accept4(entrance.acceptor.native_handle(),
                                         reinterpret_cast<sockaddr*>(&address), &size,
                                         SOCK_NONBLOCK | SOCK_CLOEXEC));
    if (socket.number() >= 0) {
      begin(std::move(socket), address);
    } else if (errno == EAGAIN || errno == EWOULDBLOCK) {
      return true;
    } else if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
      return false;
    }  // else that client has gone already
  }
  return true;
}

void EnvoyWorker::begin(runtime::Descriptor socket, const sockaddr_storage& address) {
  const int on = 1;
  ::setsockopt(socket.number(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  const auto per_address = settings_.connections_per_address_max;
  auto of_address =
      per_address == 0 ? AddressCounts::Place() : totals_.addresses->enter(address, per_address);
  if (of_address && take_place()) return serve(std::move(socket), std::move(*of_address));
  const Refusal refusal = of_address ? Refusal::too_many_connections : Refusal::too_many_of_this_address;
  if (totals_.beyond_limit.fetch_add(1) >= settings_.refused_connections_max) {
    --totals_.beyond_limit;
    return refuse_and_close(socket, refusal);
  }
  if (!of_address) return refuse(std::move(socket), refusal);
  find_place({std::move(socket), std::move(*of_address)});
}

bool EnvoyWorker::take_place() noexcept {
  if (totals_.connections.fetch_add(1) < settings_.connections_max) return true;
  --totals_.connections;
  return false;
}

void EnvoyWorker::serve(runtime::Descriptor socket, AddressCounts::Place address) {
  auto& connection = *new Connection(*this, std::move(socket), std::move(address), false);  // see ended()
  connections_.push_back(connection);
  ready_set_.add(connection.socket(), connection);
  publish_waiting();
}

void EnvoyWorker::ended(Connection& connection) {
  --(connection.is_beyond_limit() ? totals_.beyond_limit : totals_.connections);  // its place is free at once
  boost::asio::post(executor(), [this, &connection] {
    delete &connection;
    report_if_drained();
  });
}

/// The worker with the best claim has it, whichever that is: a connection's place and its worker go together.
void EnvoyWorker::find_place(Arrival arrival) {
  if (draining_) return refuse(std::move(arrival.socket), Refusal::too_many_connections);
  if (take_place()) {
    --totals_.beyond_limit;
    return serve(std::move(arrival.socket), std::move(arrival.address));
  }
  EnvoyWorker* worker = nullptr;
  std::optional<Claim> best;
  bool some_are_idle = false;
  for (auto* other : totals_.workers) {
    const auto claim =
        best_claim(other->longest_waiting_, arrival.now, settings_.active_for, arrival.last_claim);
    some_are_idle = some_are_idle || other->longest_waiting_.idle.load() != LongestWaiting::none;
    if (!claim || (best && *best <= *claim)) continue;
    worker = other;
    best = claim;
  }
  if (worker == this) {
    follow_claim(*best, std::move(arrival));
  } else if (worker != nullptr) {
    boost::asio::post(worker->executor(), [worker, claim = *best, arrival = std::move(arrival)]() mutable {
      worker->follow_claim(claim, std::move(arrival));
    });
  } else if (some_are_idle && !arrival.has_waited) {
    wait_for_place(std::move(arrival));
  } else {
    refuse(std::move(arrival.socket), Refusal::too_many_connections);
  }
}

/// Claims are tried in their order, and each once: this comes to an end.
void EnvoyWorker::follow_claim(const Claim& claim, Arrival arrival) {
  if (!draining_ && make_room(claim, arrival.now)) {
    return serve(std::move(arrival.socket), std::move(arrival.address));
  }
  arrival.last_claim = claim;
  find_place(std::move(arrival));
}

/// Those that are idle were active just now. Soon that can be told from those who merely hold a place.
void EnvoyWorker::wait_for_place(Arrival arrival) {
  ++arrivals_waiting_;
  auto timer = std::make_shared<boost::asio::steady_timer>(context_, settings_.active_for);
  arrival.has_waited = true;
  timer->async_wait([this, timer, arrival = std::move(arrival)](boost::system::error_code) mutable {
    arrival.now = runtime::Clock::now();
    arrival.last_claim.reset();
    find_place(std::move(arrival));
    --arrivals_waiting_;
    report_if_drained();
  });
}

/// Ends a connection that is what the claim says, if there still is one. The numbers stay as they are: that one
/// is beyond the limit now, and the one that came has its place.
bool EnvoyWorker::make_room(const Claim& claim, runtime::Clock::time_point now) {
  const bool late_head = claim.kind == Claim::Kind::late_head;
  const runtime::Clock::duration wait =
      claim.kind == Claim::Kind::idle ? runtime::Clock::duration(settings_.active_for) : Claim::long_wait;
  auto* found = (late_head ? head_deadlines_ : idle_deadlines_)
                    .find(now - wait, looks_max, [now](runtime::Expiring& waiting, auto since) {
                      return static_cast<Connection&>(waiting).can_give_way(since, now);
                    });
  if (found == nullptr) return false;
  static_cast<Connection&>(*found).give_way(now);
  publish_waiting();
  return true;
}

void EnvoyWorker::refuse(runtime::Descriptor socket, Refusal refusal) {
  if (draining_ && !on_drained_) {  // nobody would wait for it
    --totals_.beyond_limit;
    return refuse_and_close(socket, refusal);
  }
  auto& connection = *new Connection(*this, std::move(socket), {}, true);  // see ended()
  connections_.push_back(connection);
  connection.close_with(refusal);
  ready_set_.add(connection.socket(), connection);
}

/// What has changed since: a store would take the cache line from those who read it.
void EnvoyWorker::publish_waiting() noexcept {
  const auto publish = [](auto& told, runtime::Clock::time_point now) {
    if (told.load(std::memory_order_relaxed) != now) told.store(now, std::memory_order_relaxed);
  };
  publish(longest_waiting_.idle, idle_deadlines_.first_armed());
  publish(longest_waiting_.head, head_deadlines_.first_armed());
}

/// So many are refused at once that they get no time to read their answer.
void EnvoyWorker::refuse_and_close(const runtime::Descriptor& socket, Refusal refusal) {
  std::string answer;
  answers_.set_time(std::time(nullptr));
  answers_.append_refusal(refusal, Persistence::closes, true, answer);
  ::send(socket.number(), answer.data(), answer.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
}

bool EnvoyWorker::track(const domain::TokenId& id, std::string_view path, Exchange& exchange) {
  if (!enter_flight()) return false;
  if (batch_ == nullptr) {
    if (free_batches_.empty()) {
      batches_.push_back(std::make_unique<TurnBatch>(*this));
      free_batches_.push_back(batches_.back().get());
    }
    batch_ = free_batches_.back();
    free_batches_.pop_back();
  }
  batch_->push(id, path, exchange);
  if (batch_->hits().bytes() >= batch_bytes_max) hand_on();
  return true;
}

bool EnvoyWorker::mint(Exchange& exchange) {
  if (!enter_flight()) return false;
  auto* pending = new PendingMint(*this, exchange);  // deletes itself
  const auto now = runtime::Clock::now();
  watch(*pending);
  counter_.mint(now + settings_.request_deadline, *pending);
  return true;
}

bool EnvoyWorker::enter_flight() {
  if (totals_.hits_in_flight.fetch_add(1) >= settings_.hits_max) {
    --totals_.hits_in_flight;
    return false;
  }
  ++in_flight_;
  schedule_turn_end();  // if it is answered at once, that must not end the turn: its connection is still read
  return true;
}

void EnvoyWorker::leave_flight(std::size_t hits) {
  totals_.hits_in_flight -= hits;
  in_flight_ -= hits;
  if (in_flight_ == 0 && !std::exchange(turn_end_scheduled_, true)) {
    end_turn();  // no more answers can come
  } else {
    schedule_turn_end();
  }
  report_if_drained();
}

void EnvoyWorker::watch(runtime::Expiring& in_flight) {
  request_deadlines_.arm(in_flight, runtime::Clock::now());
  timer_.fire_by(*request_deadlines_.next());
}

void EnvoyWorker::hand_on() {
  if (batch_ == nullptr) return;
  TurnBatch& batch = *std::exchange(batch_, nullptr);
  batch.hits().set_deadline(runtime::Clock::now() + settings_.request_deadline);
  counter_.track(batch.hits(), batch);
  if (!batch.settled()) watch(batch);
}

void EnvoyWorker::take_back(TurnBatch& batch) {
  batch.disarm();
  batch.clear();
  free_batches_.push_back(&batch);
}

void EnvoyWorker::answered(Exchange& exchange) {
  if (exchange.connection == nullptr) {
    exchanges_.give_back(exchange);
    return;
  }
  if (!exchange.connection->ReadyHook::is_linked()) ready_.push_back(*exchange.connection);
}

void EnvoyWorker::write_at_turn_end(Connection& connection) {
  if (!connection.ReadyHook::is_linked()) ready_.push_back(connection);
  schedule_turn_end();
}

void EnvoyWorker::send_later(Connection& connection, std::size_t begin) {
  writes_.push_back({&connection, begin, write_buffer_.size() - begin});
}

void EnvoyWorker::send_all() {
  messages_.clear();
  for (const auto& [connection, begin, size] : writes_) {
    messages_.push_back({connection->socket(), std::string_view(write_buffer_).substr(begin, size), 0});
  }
  send_batch_.send(messages_);
  for (std::size_t i = 0; i < writes_.size(); ++i) {
    writes_[i].connection->on_sent(messages_[i].bytes, messages_[i].sent);
  }
  writes_.clear();
  write_buffer_.clear();
}

/// While many are ready, more become so meanwhile: looking again at once is cheaper than by way of the loop.
void EnvoyWorker::serve_ready() {
  std::size_t told = many_ready;
  for (int turns = 0; turns < turns_max && told >= many_ready; ++turns) {
    turn_end_scheduled_ = true;
    told = ready_set_.tell();
    end_turn();
  }
}

void EnvoyWorker::schedule_turn_end() {
  if (std::exchange(turn_end_scheduled_, true) || std::exchange(turn_end_posted_, true)) return;
  // What is ready now runs before what is posted now: all of it is still part of this turn.
  boost::asio::post(executor(), [this] {
    turn_end_posted_ = false;
    end_turn();
  });
}

void EnvoyWorker::end_turn() {
  answers_.set_time(std::time(nullptr));
  hand_on();
  turn_ended_at_ = runtime::Clock::now();  // read once for all: it costs as much as much else here
  // Those that become ready meanwhile have the next turn: clients that never pause would make this one endless.
  decltype(ready_) ready;
  ready.swap(ready_);
  while (!ready.empty()) {
    Connection& connection = ready.front();
    ready.pop_front();
    connection.write_answers();
    if (ready.empty() || write_buffer_.size() >= batch_bytes_max) send_all();
  }
  turn_ended_at_.reset();
  turn_end_scheduled_ = false;
  if (batch_ != nullptr || !ready_.empty()) schedule_turn_end();  // of connections that went on reading
  publish_waiting();
}

void EnvoyWorker::arm(Waiting waiting, runtime::Expiring& connection) {
  auto& queue = waiting == Waiting::idle    ? idle_deadlines_
                : waiting == Waiting::head  ? head_deadlines_
                : waiting == Waiting::write ? write_deadlines_
                                            : linger_deadlines_;
  queue.arm(connection, turn_ended_at_ ? *turn_ended_at_ : runtime::Clock::now());
  timer_.fire_by(*queue.next());
}

std::optional<runtime::Clock::time_point> EnvoyWorker::expire(runtime::Clock::time_point now) {
  std::optional<runtime::Clock::time_point> next;
  for (auto* queue :
       {&request_deadlines_, &head_deadlines_, &idle_deadlines_, &write_deadlines_, &linger_deadlines_}) {
    queue->expire(now);
  }
  for (auto* queue :
       {&request_deadlines_, &head_deadlines_, &idle_deadlines_, &write_deadlines_, &linger_deadlines_}) {
    if (const auto its_next = queue->next()) next = std::min(next.value_or(*its_next), *its_next);
  }
  publish_waiting();
  return next;
}

void EnvoyWorker::drain(std::function<void()> on_drained) {
  on_drained_ = std::move(on_drained);
  draining_ = true;
  for (auto& entrance : entrances_) {
    accept_some(entrance, SOMAXCONN + 1);  // all that wait: a client that was connected in time is served
    boost::system::error_code ignored;
    entrance.acceptor.close(ignored);
    entrance.pause.cancel();
  }
  for (auto next = connections_.begin(); next != connections_.end();) (next++)->drain();
  report_if_drained();
}

void EnvoyWorker::report_if_drained() {
  if (!draining_ || !connections_.empty() || in_flight_ > 0 || arrivals_waiting_ > 0 || !on_drained_) return;
  timer_.stop();
  std::exchange(on_drained_, nullptr)();
}

}  // namespace tracker::envoy
