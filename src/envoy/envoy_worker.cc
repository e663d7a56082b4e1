#include "envoy/envoy_worker.h"

#include <sys/socket.h>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <ctime>
#include <exception>
#include <utility>

#include "domain/token_id.h"

namespace tracker::envoy {

namespace {
constexpr auto token =
    boost::asio::as_tuple(boost::asio::use_awaitable_t<boost::asio::io_context::executor_type>());

constexpr std::size_t batch_bytes_max = 1024 * 1024;
constexpr std::size_t read_window_bytes = 16 * 1024;
constexpr std::size_t refused_connections_max = 1024;
/// A coroutine that fails (out of memory) ends the program: it must not go on without it.
constexpr auto throw_on = [](std::exception_ptr error) {
  if (error) std::rethrow_exception(error);
};

constexpr auto accept_pause = std::chrono::milliseconds(100);
}  // namespace

EnvoyWorker::EnvoyWorker(boost::asio::io_context& context, runtime::Acceptor acceptor,
                         counter::Counter& counter, const EnvoySettings& settings, EnvoyTotals& totals)
    : context_(context),
      acceptor_(std::move(acceptor)),
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
      timer_(context, [this](runtime::Clock::time_point now) { return expire(now); }) {}

EnvoyWorker::~EnvoyWorker() = default;

void EnvoyWorker::start() {
  boost::asio::co_spawn(executor(), accept(), throw_on);
}

Awaitable<void> EnvoyWorker::accept() {
  Timer pause(executor());
  while (acceptor_.is_open()) {
    auto [error, socket] = co_await acceptor_.async_accept(token);
    if (!error) {
      begin(std::move(socket));
    } else if (acceptor_.is_open()) {  // out of descriptors or memory: others must end first
      pause.expires_after(accept_pause);
      co_await pause.async_wait(token);
    }
  }
}

void EnvoyWorker::begin(runtime::Socket socket) {
  boost::system::error_code ignored;
  socket.set_option(boost::asio::ip::tcp::no_delay(true), ignored);
  const bool refused = totals_.connections.fetch_add(1) >= settings_.connections_max;
  if (refused) {
    --totals_.connections;
    if (totals_.refused_connections.fetch_add(1) >= refused_connections_max) {
      --totals_.refused_connections;
      return refuse_and_close(std::move(socket));
    }
  }
  boost::asio::co_spawn(executor(), serve(std::move(socket), refused), throw_on);
}

/// So many are refused at once that they get no time to read their answer.
void EnvoyWorker::refuse_and_close(runtime::Socket socket) {
  write_buffer_.clear();
  answers_.set_time(std::time(nullptr));
  answers_.append_refusal(Refusal::too_many_connections, Persistence::closes, true, write_buffer_);
  ::send(socket.native_handle(), write_buffer_.data(), write_buffer_.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
}

Awaitable<void> EnvoyWorker::serve(runtime::Socket socket, bool refused) {
  {
    Connection connection(*this, std::move(socket));
    connections_.push_back(connection);
    if (refused) connection.close_with(Refusal::too_many_connections);
    co_await connection.run();
  }
  --(refused ? totals_.refused_connections : totals_.connections);
  report_if_drained();
}

bool EnvoyWorker::track(const domain::Token& its_token, std::string_view path, Exchange& exchange) {
  if (!enter_flight()) return false;
  if (batch_ == nullptr) {
    if (free_batches_.empty()) {
      batches_.push_back(std::make_unique<TurnBatch>(*this));
      free_batches_.push_back(batches_.back().get());
    }
    batch_ = free_batches_.back();
    free_batches_.pop_back();
    schedule_turn_end();
  }
  batch_->push(domain::token_id(its_token), path, exchange);
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
  return true;
}

void EnvoyWorker::leave_flight(std::size_t hits) {
  totals_.hits_in_flight -= hits;
  in_flight_ -= hits;
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
  schedule_turn_end();
}

void EnvoyWorker::schedule_turn_end() {
  if (std::exchange(turn_end_scheduled_, true)) return;
  // What is ready now runs before what is posted now: all of it is still part of this turn.
  boost::asio::post(executor(), [this] { end_turn(); });
}

void EnvoyWorker::end_turn() {
  answers_.set_time(std::time(nullptr));
  hand_on();
  while (!ready_.empty()) {
    Connection& connection = ready_.front();
    ready_.pop_front();
    connection.write_answers();
  }
  turn_end_scheduled_ = false;
}

void EnvoyWorker::arm(Waiting waiting, runtime::Expiring& connection) {
  auto& queue = waiting == Waiting::idle    ? idle_deadlines_
                : waiting == Waiting::head  ? head_deadlines_
                : waiting == Waiting::write ? write_deadlines_
                                            : linger_deadlines_;
  queue.arm(connection, runtime::Clock::now());
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
  return next;
}

void EnvoyWorker::drain(std::function<void()> on_drained) {
  on_drained_ = std::move(on_drained);
  boost::system::error_code error;
  for (;;) {  // a client that was connected in time is served
    auto socket = acceptor_.accept(error);
    if (error) break;
    begin(std::move(socket));
  }
  acceptor_.close(error);
  for (auto next = connections_.begin(); next != connections_.end();) (next++)->drain();
  draining_ = true;
  report_if_drained();
}

void EnvoyWorker::report_if_drained() {
  if (!draining_ || !connections_.empty() || in_flight_ > 0 || !on_drained_) return;
  timer_.stop();
  std::exchange(on_drained_, nullptr)();
}

}  // namespace tracker::envoy
