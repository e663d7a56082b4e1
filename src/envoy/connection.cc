#include "envoy/connection.h"

#include <sys/socket.h>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <cassert>
#include <cerrno>
#include <cstring>
#include <utility>

#include "envoy/envoy_worker.h"
#include "envoy/route.h"

namespace tracker::envoy {

namespace {
using WaitType = boost::asio::socket_base::wait_type;

constexpr auto token =
    boost::asio::as_tuple(boost::asio::use_awaitable_t<boost::asio::io_context::executor_type>());

void release_memory(std::string& text) {
  std::string().swap(text);
}
}  // namespace

Connection::Connection(EnvoyWorker& worker, runtime::Socket socket)
    : worker_(worker), socket_(std::move(socket)) {
  set_deadline();
}

Connection::~Connection() {
  abandon_requests();
}

Awaitable<void> Connection::run() {
  while (!is_at_its_end()) {
    const Wait wait = next_wait();
    if (wait == Wait::read && paused_) {
      parse(std::exchange(unread_, {}));
      set_deadline();
      continue;
    }
    if (wait == Wait::read && drain_asked_ && !draining_) {
      read_the_last();
      continue;
    }
    if (wait == Wait::answers) {
      co_await wait_for_answers();
      continue;
    }
    waits_for_ = wait;
    if (wait == Wait::read) {
      // Not a wait and then a read: a read that leaves room needs no epoll_ctl() before the next one.
      const auto [error, size] = co_await socket_.async_read_some(boost::asio::buffer(first_bytes_), token);
      waits_for_ = Wait::nothing;
      take_first_bytes(error, size);
    } else {
      const auto [error] = co_await socket_.async_wait(WaitType::wait_write, token);
      waits_for_ = Wait::nothing;
      if (error == boost::asio::error::operation_aborted || is_at_its_end() || next_wait() != wait) continue;
      if (error) {
        broken_ = true;
      } else {
        send(std::exchange(unsent_, {}));
        write_answers();
      }
    }
  }
  abandon_requests();
  if (!broken_ && !client_finished_) co_await linger();
}

/// Waits for nothing but a wake.
Awaitable<void> Connection::wait_for_answers() {
  Timer forever(worker_.executor(), runtime::Clock::time_point::max());
  wake_ = &forever;
  waits_for_ = Wait::answers;
  co_await forever.async_wait(token);
  waits_for_ = Wait::nothing;
  wake_ = nullptr;
}

Connection::Wait Connection::next_wait() const noexcept {
  if (!unsent_.empty()) return Wait::write;
  return receiving_ && waiting_ < worker_.settings().pipeline_max ? Wait::read : Wait::answers;
}

bool Connection::is_at_its_end() const noexcept {
  return broken_ || (!receiving_ && first_ == nullptr && unsent_.empty());
}

void Connection::wake_if_it_waits_for_the_wrong_thing() {
  if (waits_for_ == Wait::nothing) return;
  if (!is_at_its_end() && waits_for_ == next_wait()) return;
  if (waits_for_ == Wait::answers) {
    wake_->cancel();
  } else {
    cancel_wait();
  }
}

void Connection::cancel_wait() {
  boost::system::error_code ignored;
  socket_.cancel(ignored);
}

/// What was read is taken, whatever has changed since the read began.
void Connection::take_first_bytes(boost::system::error_code error, std::size_t size) {
  if (error == boost::asio::error::operation_aborted) return;
  if (error == boost::asio::error::eof) {
    take_end();
  } else if (error) {
    broken_ = true;
  } else if (receiving_) {
    read({first_bytes_.data(), size});
    set_deadline();
  }
}

void Connection::take_end() {
  client_finished_ = true;
  receiving_ = false;
  release_memory(unread_);
}

/// Takes what the first bytes hold, and then, unless they left room, all that there is.
void Connection::read(std::string_view first) {
  auto& buffer = worker_.read_buffer();
  const std::size_t window = buffer.size() - worker_.settings().head.head_bytes_max;
  const auto carry = [&] {
    assert(unread_.size() <= worker_.settings().head.head_bytes_max);
    std::memcpy(buffer.data(), unread_.data(), unread_.size());
    return buffer.data() + unread_.size();
  };
  if (unread_.empty()) {
    parse(first);
  } else if (!first.empty()) {
    std::memcpy(carry(), first.data(), first.size());
    parse({buffer.data(), std::exchange(unread_, {}).size() + first.size()});
  }
  bool more = first.empty() || first.size() == first_bytes_.size();
  while (more && !broken_ && next_wait() == Wait::read) {
    char* const behind = carry();
    const auto got = ::recv(socket_.native_handle(), behind, window, MSG_DONTWAIT);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) {
      if (errno != EAGAIN && errno != EWOULDBLOCK) broken_ = true;
      return;
    }
    if (got == 0) return take_end();
    unread_.clear();
    parse({buffer.data(), static_cast<std::size_t>(behind - buffer.data() + got)});
    more = static_cast<std::size_t>(got) == window;
  }
}

void Connection::parse(std::string_view input) {
  const auto& settings = worker_.settings();
  while (receiving_ && waiting_ < settings.pipeline_max && !input.empty()) {
    if (!crlf_skipped_ && input.front() == '\r') {  // RFC 9112, section 2.2
      if (input.size() == 1) break;
      if (input[1] == '\n') {
        input.remove_prefix(2);
        crlf_skipped_ = true;
        continue;
      }
    }
    const auto head = parse_request_head(input, settings.head);
    if (!head) break;
    crlf_skipped_ = false;
    head_timing_ = false;  // the next head has a deadline of its own
    take(*head);
    input.remove_prefix(head->size);
  }
  if (!receiving_) input = {};
  paused_ = !input.empty() && waiting_ >= settings.pipeline_max;
  if (input.empty()) {
    release_memory(unread_);
  } else {
    unread_.assign(input);
  }
}

void Connection::take(const RequestHead& head) {
  Exchange& exchange = enqueue();
  exchange.with_body = head.method != "HEAD";
  if (head.refusal) return answer_with(exchange, *head.refusal);
  if (!head.keep_alive || head.has_body || draining_) {
    exchange.persistence = Persistence::closes;
    receiving_ = false;
  } else if (head.http_1_0) {
    exchange.persistence = Persistence::stays_1_0;
  }

  std::string& path = worker_.path_buffer();
  const Route what = route(head, path);
  if (what.kind == Route::Kind::refuse) return answer_with(exchange, what.refusal);
  if (draining_) return answer_with(exchange, Refusal::draining);
  const bool taken =
      what.kind == Route::Kind::mint ? worker_.mint(exchange) : worker_.track(what.token, path, exchange);
  if (!taken) answer_with(exchange, Refusal::too_many_hits);
}

Exchange& Connection::enqueue() {
  Exchange& exchange = worker_.exchanges().take();
  exchange.connection = this;
  (first_ == nullptr ? first_ : last_->next) = &exchange;
  last_ = &exchange;
  ++waiting_;
  return exchange;
}

void Connection::answer_with(Exchange& exchange, Refusal refusal) {
  exchange.answer = Exchange::Answer::refusal;
  exchange.refusal = refusal;
  if (text_of(refusal).closes) {
    exchange.persistence = Persistence::closes;
    receiving_ = false;
  }
  worker_.answered(exchange);
}

void Connection::close_with(Refusal refusal) {
  Exchange& exchange = enqueue();
  exchange.persistence = Persistence::closes;
  receiving_ = false;
  answer_with(exchange, refusal);
}

void Connection::write_answers() {
  ReadyHook::unlink();
  if (!unsent_.empty() || broken_ || lingering_) return;
  const AnswerWriter& answers = worker_.answers();
  std::string& out = worker_.write_buffer();
  out.clear();
  while (first_ != nullptr && first_->answer != Exchange::Answer::none_yet) {
    Exchange& exchange = *std::exchange(first_, first_->next);
    --waiting_;
    switch (exchange.answer) {
      case Exchange::Answer::count:
        answers.append_count(exchange.count, exchange.persistence, out);
        break;
      case Exchange::Answer::token:
        answers.append_token(exchange.token, exchange.persistence, out);
        break;
      default:
        answers.append_refusal(exchange.refusal, exchange.persistence, exchange.with_body, out);
        break;
    }
    worker_.exchanges().give_back(exchange);
  }
  if (!out.empty()) send(out);
  set_deadline();
  wake_if_it_waits_for_the_wrong_thing();
}

void Connection::send(std::string_view bytes) {
  while (!bytes.empty()) {
    const auto sent =
        ::send(socket_.native_handle(), bytes.data(), bytes.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
    if (sent < 0) {
      if (errno == EINTR) continue;
      if (errno != EAGAIN && errno != EWOULDBLOCK) {
        broken_ = true;
        return;
      }
      break;
    }
    bytes.remove_prefix(static_cast<std::size_t>(sent));
  }
  unsent_.assign(bytes);
  if (!unsent_.empty()) worker_.arm(EnvoyWorker::Waiting::write, *this);
}

void Connection::set_deadline() {
  if (!unsent_.empty()) {
    head_timing_ = false;  // the write's deadline runs
    return;
  }
  const bool in_a_head = !unread_.empty() && !paused_;
  if (in_a_head) {
    if (!head_timing_) worker_.arm(EnvoyWorker::Waiting::head, *this);
  } else if (first_ == nullptr) {
    worker_.arm(draining_ ? EnvoyWorker::Waiting::linger : EnvoyWorker::Waiting::idle, *this);
  } else if (head_timing_) {
    disarm();  // what waits for its answer has the request's deadline
  }
  head_timing_ = in_a_head;
}

void Connection::on_deadline(runtime::Clock::time_point /*now*/) {
  if (head_timing_ && unsent_.empty()) {
    head_timing_ = false;
    const Refusal refusal = refusal_of_late_head();
    release_memory(unread_);
    close_with(refusal);
  } else if (first_ == nullptr || !unsent_.empty()) {
    broken_ = true;
  } else {
    set_deadline();
  }
  wake_if_it_waits_for_the_wrong_thing();
}

/// The head that did not come in time may be bad besides, and then that is its refusal.
Refusal Connection::refusal_of_late_head() const {
  const auto head = parse_request_head(unread_, worker_.settings().head, HeadInput::all_there_is);
  if (!head) return Refusal::head_too_slow;
  if (head->refusal) return *head->refusal;
  const Route what = route(*head, worker_.path_buffer());
  const bool is_bad_input = what.kind == Route::Kind::refuse && what.refusal < Refusal::no_token;
  return is_bad_input ? what.refusal : Refusal::head_too_slow;
}

void Connection::drain() {
  drain_asked_ = true;
  // run() comes to it. It must not be overtaken by a read that it waits for, which may be done already.
  if (waits_for_ == Wait::read && !lingering_) cancel_wait();
}

/// The service ends: reads what has arrived.
void Connection::read_the_last() {
  read({});
  set_deadline();
  if (!paused_ && (!receiving_ || next_wait() == Wait::read)) {  // all that has arrived is read
    draining_ = true;
    if (first_ != nullptr && unread_.empty()) {
      last_->persistence = Persistence::closes;
      receiving_ = false;
    } else if (receiving_ && unsent_.empty()) {
      // A client that is about to send finds nothing worse than 503; a silent one is let go soon.
      worker_.arm(EnvoyWorker::Waiting::linger, *this);
    }
  }
  wake_if_it_waits_for_the_wrong_thing();
}

void Connection::abandon_requests() noexcept {
  while (first_ != nullptr) {
    Exchange& exchange = *std::exchange(first_, first_->next);
    exchange.connection = nullptr;
    if (exchange.answer != Exchange::Answer::none_yet) worker_.exchanges().give_back(exchange);
  }
  waiting_ = 0;
}

Awaitable<void> Connection::linger() {
  lingering_ = true;
  worker_.arm(EnvoyWorker::Waiting::linger, *this);
  boost::system::error_code failed;
  socket_.shutdown(runtime::Socket::shutdown_send, failed);
  auto& buffer = worker_.read_buffer();
  std::size_t left = worker_.settings().linger_bytes_max;
  while (!failed && !broken_) {
    waits_for_ = Wait::read;
    const auto [error] = co_await socket_.async_wait(WaitType::wait_read, token);
    waits_for_ = Wait::nothing;
    if (error) co_return;
    const auto got = ::recv(socket_.native_handle(), buffer.data(), buffer.size(), MSG_DONTWAIT);
    if (got == 0 || (got < 0 && errno != EAGAIN && errno != EINTR)) co_return;
    if (got > 0 && static_cast<std::size_t>(got) >= left) co_return;
    if (got > 0) left -= static_cast<std::size_t>(got);
  }
}

}  // namespace tracker::envoy
