#include "envoy/connection.h"

#include <linux/sockios.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <algorithm>
#include <cassert>
#include <cerrno>
#include <cstring>
#include <utility>

#include "domain/target.h"
#include "envoy/envoy_worker.h"
#include "envoy/forwarded.h"
#include "envoy/proxy_header.h"
#include "runtime/log.h"

namespace tracker::envoy {

namespace {
void release_memory(std::string& text) {
  std::string().swap(text);
}
}  // namespace

Connection::Connection(EnvoyWorker& worker, runtime::Descriptor socket, const domain::IpAddress& peer,
                       AddressCounts::Place address, bool beyond_limit)
    : worker_(worker),
      socket_(std::move(socket)),
      address_(std::move(address)),
      peer_(peer),
      beyond_limit_(beyond_limit) {
  const auto& settings = worker_.settings();
  awaits_proxy_header_ = settings.proxy_protocol && is_in(settings.trusted_proxies, peer_);
  set_deadline();
}

Connection::~Connection() {
  abandon_requests();
}

void Connection::enter(State state) noexcept {
  assert(state > state_);
  state_ = state;
}

void Connection::on_ready(const runtime::Readiness& ready) {
  if (ready.hung_up) {
    readable_ = Readable::to_the_end;
  } else if (ready.readable && readable_ == Readable::no) {
    readable_ = Readable::yes;
  }
  writable_ = writable_ || ready.writable;
  if (ready.broken && state_ < State::abandoned)
    enter(State::abandoned);  // what the client had sent is not read either
  advance();
}

/// Does what can be done. After the last step it belongs to its worker and must not be touched.
void Connection::advance() {
  assert(is_consistent());
  while (state_ != State::ended) {
    if (state_ == State::lingering) return linger();
    if (is_at_its_end()) {
      begin_to_end();
      continue;
    }
    switch (next_step()) {
      case Step::parse:
        parse(std::exchange(unread_, {}));
        set_deadline();
        break;
      case Step::read_the_last:
        read_the_last();
        break;
      case Step::read:
        if (readable_ == Readable::no) return;
        read();
        set_deadline();
        break;
      case Step::write:
        if (writable_) worker_.turn().write_at_end(*this);
        return;
      case Step::wait_for_answers:
        return;
    }
  }
}

Connection::Step Connection::next_step() const noexcept {
  if (!unsent_.empty()) return Step::write;
  if (!receives() || waiting_ >= worker_.settings().pipeline_max) return Step::wait_for_answers;
  if (unread_is_ == Unread::requests) return Step::parse;
  return state_ == State::reading_last ? Step::read_the_last : Step::read;
}

bool Connection::is_consistent() const noexcept {
  const bool queue_is_counted = (first_ == nullptr) == (waiting_ == 0);
  const bool unread_is_known = unread_.empty() == (unread_is_ == Unread::nothing);
  const bool timed_head_is_there = !head_timed_ || (unsent_.empty() && unread_is_ == Unread::part_of_head);
  return queue_is_counted && unread_is_known && timed_head_is_there;
}

bool Connection::is_at_its_end() const noexcept {
  return state_ == State::abandoned || (!receives() && first_ == nullptr && unsent_.empty());
}

/// Reads everything that has arrived, as long as it may. When the service ends, reads what had arrived when the end
/// began.
void Connection::read() {
  auto& buffer = worker_.read_buffer();
  const bool the_last = state_ == State::reading_last;
  std::size_t window = buffer.size() - worker_.settings().head.head_bytes_max;
  assert(unsent_.empty());
  while (readable_ != Readable::no && receives() && waiting_ < worker_.settings().pipeline_max) {
    const std::size_t carried = unread_.size();
    assert(carried <= worker_.settings().head.head_bytes_max);
    if (the_last) window = std::min(window, last_bytes_left_);
    if (window == 0) return;
    const auto got = ::recv(socket_.number(), buffer.data() + carried, window, MSG_DONTWAIT);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) {
      readable_ = Readable::no;
      if (errno != EAGAIN && errno != EWOULDBLOCK) enter(State::abandoned);
      return;
    }
    if (got == 0) {
      enter(State::half_closed);
      release_memory(unread_);
      unread_is_ = Unread::nothing;
      return;
    }
    if (the_last) last_bytes_left_ -= static_cast<std::size_t>(got);
    // What arrives after a read that left room is reported again. Only the end of the stream is reported once.
    if (static_cast<std::size_t>(got) < window && readable_ == Readable::yes) readable_ = Readable::no;
    std::memcpy(buffer.data(), unread_.data(), carried);
    unread_.clear();
    parse({buffer.data(), carried + static_cast<std::size_t>(got)});
  }
}

void Connection::parse(std::string_view input) {
  const auto& settings = worker_.settings();
  const bool may_be_request = !awaits_proxy_header_ || take_proxy_header(input);
  while (may_be_request && receives() && waiting_ < settings.pipeline_max && !input.empty()) {
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
    head_timed_ = false;  // the next head has its own deadline
    take(*head, input.substr(0, head->size));
    input.remove_prefix(head->size);
  }
  if (input.empty() || !receives()) {
    release_memory(unread_);
    unread_is_ = Unread::nothing;
  } else {
    unread_.assign(input);
    unread_is_ = waiting_ >= settings.pipeline_max ? Unread::requests : Unread::part_of_head;
  }
}

/// Returns false if the header is not complete, or the connection ends because of it.
bool Connection::take_proxy_header(std::string_view& input) {
  using Kind = ProxyHeader::Kind;
  const auto header = parse_proxy_header(input, worker_.settings().head.head_bytes_max);
  if (header.kind == Kind::incomplete) return false;
  if (header.kind == Kind::malformed) {
    worker_.metrics().malformed_proxy_headers.add();
    worker_.totals().proxy_header_log.met(worker_.deadlines().now(),
                                          "--proxy-protocol: a trusted proxy sent no header of the PROXY "
                                          "protocol, version 2: its connections are closed");
    enter(State::abandoned);
    return false;
  }
  if (header.kind == Kind::client) proxied_ = header.client;
  if (header.kind == Kind::no_client) proxied_ = peer_;
  input.remove_prefix(header.size);
  awaits_proxy_header_ = false;
  return header.kind != Kind::client || enter_place_of_client(input);
}

/// Counts the connection as one of the client for whom the proxy opened it. Returns false if that client has too many; then
/// whoever sent the input gets 503.
bool Connection::enter_place_of_client(std::string_view input) {
  auto place = worker_.acceptance().enter(*proxied_);
  if (place) {
    address_.emplace(std::move(*place));
  } else {
    worker_.acceptance().give_up_place(Refusal::too_many_of_this_address);
    beyond_limit_ = true;
    Exchange& exchange = enqueue();
    exchange.with_body = !input.starts_with("HEAD ");
    answer_with(exchange, Refusal::too_many_of_this_address);
  }
  return place.has_value();
}

/// The client for whom trusted proxies ask, or nothing where none says so.
std::optional<domain::IpAddress> Connection::told_client(std::string_view head) const {
  const auto& trusted = worker_.settings().trusted_proxies;
  if (trusted.empty()) return std::nullopt;
  const auto told = forwarded_client(proxied_.value_or(peer_), head, trusted);
  return told ? told : proxied_;
}

/// `bytes` are the head's.
void Connection::take(const RequestHead& head, std::string_view bytes) {
  Exchange& exchange = enqueue();
  exchange.with_body = head.method != "HEAD";
  if (exchange.access != nullptr) exchange.access->method = registered_method(head.method);
  if (head.refusal) return answer_with(exchange, *head.refusal);
  const bool refuses = state_ == State::refusing;
  if (!head.keep_alive || head.has_body || refuses) {
    exchange.persistence = Persistence::closes;
    enter(State::closing);
  } else if (head.http_1_0) {
    exchange.persistence = Persistence::stays_1_0;
  }

  std::string& path = worker_.path_buffer();
  const Route what = route(head, path);
  if (exchange.access != nullptr) {
    exchange.access->client = told_client(bytes);
    describe(*exchange.access, head, what, path);
  }
  if (what.kind == Route::Kind::refuse) return answer_with(exchange, what.refusal);
  if (what.kind == Route::Kind::mint && !worker_.settings().mint.open)
    return answer_with(exchange, Refusal::auth_closed);
  if (refuses) return answer_with(exchange, Refusal::draining);
  if (what.kind == Route::Kind::mint) return mint(exchange, bytes);
  if (!worker_.turn().track(id_of(what.token), path, exchange)) answer_with(exchange, Refusal::too_many_hits);
}

void Connection::mint(Exchange& exchange, std::string_view head) {
  const auto wait = wait_for_token(head);
  if (wait > runtime::Clock::duration::zero()) {
    exchange.retry_after_s =
        static_cast<std::uint32_t>(std::chrono::ceil<std::chrono::seconds>(wait).count());
    answer_with(exchange, Refusal::minted_too_often);
  } else if (!worker_.turn().mint(exchange)) {
    answer_with(exchange, Refusal::too_many_hits);
  }
}

/// How long the client must wait for a token. This machine's own need not, except where they came through a proxy.
runtime::Clock::duration Connection::wait_for_token(std::string_view head) {
  auto& totals = worker_.totals();
  if (!totals.mint_bound) return {};
  const auto told = told_client(head);
  const auto client = told.value_or(peer_);
  if (!told && client.is_loopback()) return {};
  const auto now = worker_.deadlines().now();
  const auto wait = totals.mint_bound->ask(client, now);
  if (wait > runtime::Clock::duration::zero() && totals.mint_log.is_new(now)) {
    runtime::log_warning("--mint-rate " + std::to_string(worker_.settings().mint.rate) +
                         " is reached by a client: more requests for tokens from there get 429");
  }
  return wait;
}

/// `path` is what route() made of it, and may be overwritten where the request is refused.
void Connection::describe(AccessEntry& entry, const RequestHead& head, const Route& what, std::string& path) {
  if (what.kind == Route::Kind::track) entry.token = id_of(what.token);
  const bool has_path =
      what.kind != Route::Kind::refuse || domain::read_target(head.target, path) == domain::Target::path;
  if (has_path) entry.path = path;
}

const domain::TokenId& Connection::id_of(const domain::Token& token) {
  if (token != last_token_) {
    last_token_ = token;
    last_token_id_ = domain::token_id(token);
  }
  return last_token_id_;
}

Exchange& Connection::enqueue() {
  Exchange& exchange = worker_.turn().exchanges().take();
  exchange.connection = this;
  if (auto* log = worker_.access_log()) exchange.access = log->begin();
  if (exchange.access != nullptr) exchange.access->client = proxied_;
  exchange.begun = worker_.deadlines().now();
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
    if (receives()) enter(State::closing);
  }
  worker_.turn().answered(exchange);
  worker_.turn().schedule_end();
}

void Connection::close_with(Refusal refusal, bool with_body) {
  Exchange& exchange = enqueue();
  exchange.with_body = with_body;
  exchange.persistence = Persistence::closes;
  enter(State::closing);
  answer_with(exchange, refusal);
  set_deadline();
}

void Connection::write_answers() {
  if (state_ >= State::lingering || (!unsent_.empty() && !writable_)) return advance();
  std::string& out = worker_.turn().write_buffer();
  const auto begin = out.size();
  out += std::exchange(unsent_, {});
  format_answers(out);
  if (out.size() > begin) return worker_.turn().send_later(*this, begin);
  set_deadline();
  advance();
}

void Connection::on_sent(std::string_view bytes, ssize_t sent) {
  if (sent < 0 && sent != -EAGAIN && sent != -EWOULDBLOCK) {
    enter(State::abandoned);
  } else {
    writable_ = sent >= 0;
    unsent_.assign(bytes.substr(static_cast<std::size_t>(std::max<ssize_t>(sent, 0))));
    set_deadline();
  }
  advance();
}

/// Appends the answers that are next in order.
void Connection::format_answers(std::string& out) {
  const AnswerWriter& answers = worker_.turn().answers();
  EnvoyMetrics& metrics = worker_.metrics();
  const auto now = worker_.deadlines().now();
  while (first_ != nullptr && first_->answer != Exchange::Answer::none_yet) {
    Exchange& exchange = *std::exchange(first_, first_->next);
    --waiting_;
    const auto begin = out.size();
    metrics.answered(exchange.begun, now);
    switch (exchange.answer) {
      case Exchange::Answer::count:
        metrics.counts.add();
        answers.append_count(exchange.count, exchange.persistence, out);
        break;
      case Exchange::Answer::token:
        metrics.tokens.add();
        answers.append_token(exchange.token, exchange.persistence, out);
        break;
      default:
        metrics.refusals(exchange.refusal).add();
        answers.append_refusal(exchange.refusal, exchange.persistence, exchange.with_body, out,
                               exchange.retry_after_s);
        break;
    }
    if (exchange.access != nullptr) log_answer(exchange, out.size() - begin);
    worker_.turn().exchanges().give_back(exchange);
  }
}

void Connection::log_answer(const Exchange& exchange, std::size_t bytes) {
  if (peer_text_ == nullptr) peer_text_ = std::make_unique<const std::string>(peer_text(socket()));
  worker_.access_log()->log(exchange, *peer_text_, bytes);
}

/// Starts the deadline of what it waits for now. The deadline of a head has run since its first byte.
void Connection::set_deadline() {
  using Kind = WorkerDeadlines::Kind;
  const bool in_a_head = unsent_.empty() && unread_is_ == Unread::part_of_head;
  if (!unsent_.empty()) {
    worker_.deadlines().arm(Kind::write, *this);
  } else if (in_a_head) {
    if (!head_timed_) worker_.deadlines().arm(Kind::head, *this);
  } else if (first_ == nullptr) {
    worker_.deadlines().arm(state_ == State::refusing ? Kind::linger : Kind::idle, *this);
  } else {
    disarm();
  }
  head_timed_ = in_a_head;
}

void Connection::on_deadline(runtime::Clock::time_point /*now*/) {
  if (head_timed_ && !awaits_proxy_header_) {
    head_timed_ = false;
    const Refusal refusal = refusal_of_late_head();
    const bool with_body = !unread_.starts_with("HEAD ");
    release_memory(unread_);
    unread_is_ = Unread::nothing;
    close_with(refusal, with_body);
  } else {
    assert(first_ == nullptr || !unsent_.empty());
    enter(State::abandoned);
  }
  advance();
}

bool Connection::can_give_way(runtime::Clock::time_point idle_since, runtime::Clock::time_point now) const {
  if (first_ != nullptr) return false;
  int unread_bytes = 0;
  int untaken_bytes = 0;  // of answers
  ::ioctl(socket_.number(), FIONREAD, &unread_bytes);
  ::ioctl(socket_.number(), SIOCOUTQ, &untaken_bytes);
  return unread_bytes == 0 && (untaken_bytes == 0 || now - idle_since >= worker_.settings().write_deadline);
}

void Connection::give_way(runtime::Clock::time_point now) {
  beyond_limit_ = true;
  disarm();
  on_deadline(now);
}

/// A head that did not come in time may also be malformed. Then that is why it is refused.
Refusal Connection::refusal_of_late_head() const {
  const auto head = parse_request_head(unread_, worker_.settings().head, HeadInput::all_there_is);
  if (!head) return Refusal::head_too_slow;
  if (head->refusal) return *head->refusal;
  const Route what = route(*head, worker_.path_buffer());
  const bool is_bad_input = what.kind == Route::Kind::refuse && what.refusal < Refusal::no_token;
  return is_bad_input ? what.refusal : Refusal::head_too_slow;
}

void Connection::drain() {
  if (state_ == State::serving) {
    enter(State::reading_last);
    int arrived = 0;
    ::ioctl(socket_.number(), FIONREAD, &arrived);
    last_bytes_left_ = static_cast<std::size_t>(arrived);
  }
  advance();
}

/// Reads what had arrived when the service began to end. What a client sends later does not delay the end.
void Connection::read_the_last() {
  if (readable_ == Readable::no) readable_ = Readable::yes;
  read();
  set_deadline();
  if (receives() && next_step() != Step::read_the_last) return;  // the rest waits
  if (first_ != nullptr && unread_.empty()) {
    last_->persistence = Persistence::closes;
    if (receives()) enter(State::closing);
  } else if (receives()) {
    // A client that is about to send gets 503. A silent one is closed soon.
    enter(State::refusing);
    worker_.deadlines().arm(WorkerDeadlines::Kind::linger, *this);
  }
}

void Connection::abandon_requests() noexcept {
  while (first_ != nullptr) {
    Exchange& exchange = *std::exchange(first_, first_->next);
    exchange.connection = nullptr;
    if (exchange.access != nullptr) worker_.access_log()->forget(*std::exchange(exchange.access, nullptr));
    if (exchange.answer != Exchange::Answer::none_yet) worker_.turn().exchanges().give_back(exchange);
  }
  waiting_ = 0;
}

/// If an answer ends a connection whose client still sends, reads on for a while. A socket that is closed with
/// something unread is reset, and the answer is lost.
void Connection::begin_to_end() {
  abandon_requests();
  const bool may_linger = !beyond_limit_ || worker_.acceptance().has_room_beyond_limit();
  if (state_ != State::closing || !may_linger || ::shutdown(socket_.number(), SHUT_WR) != 0) return end();
  enter(State::lingering);
  linger_bytes_left_ = worker_.settings().linger_bytes_max;
  if (readable_ == Readable::no) readable_ = Readable::yes;
  worker_.deadlines().arm(WorkerDeadlines::Kind::linger, *this);
}

void Connection::linger() {
  auto& buffer = worker_.read_buffer();
  while (readable_ != Readable::no) {
    const auto got = ::recv(socket_.number(), buffer.data(), buffer.size(), MSG_DONTWAIT);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0 && errno == EAGAIN) {
      readable_ = Readable::no;
      return;
    }
    if (got <= 0 || static_cast<std::size_t>(got) >= linger_bytes_left_) return end();
    linger_bytes_left_ -= static_cast<std::size_t>(got);
  }
}

void Connection::end() {
  enter(State::ended);
  disarm();
  address_.reset();  // it is free at once
  worker_.ended(*this);
}

}  // namespace tracker::envoy
