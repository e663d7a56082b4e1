#include "store/redis/redis_connection.h"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <exception>
#include <utility>

#include "runtime/log.h"

namespace tracker::store::redis {

namespace {
namespace asio = boost::asio;
constexpr auto token = asio::as_tuple(asio::use_awaitable_t<asio::io_context::executor_type>());

constexpr auto retry_first = std::chrono::milliseconds(50);
constexpr auto retry_longest = std::chrono::milliseconds(1'000);
/// So that one who cuts each connection at once is not asked without a pause.
constexpr auto renewal_pause = std::chrono::milliseconds(1'000);
constexpr auto look_pause = std::chrono::milliseconds(1'000);
constexpr auto key_report_pause = std::chrono::seconds(1);
constexpr std::size_t read_bytes = 64 * 1024;

void refuse(const domain::HitBatch& hits, TrackReply& reply) {
  reply.on_one_verdict_for_all(hits.size(), domain::Verdict::not_counted());
}
}  // namespace

RedisStore::Connection::Connection(asio::io_context& loop, const RedisSettings& settings)
    : settings_(settings),
      why_not_ready_("Redis at " + to_string(settings.redis) + " is not reachable yet"),
      readiness_(domain::Readiness::not_ready(why_not_ready_, std::chrono::system_clock::now())),
      loop_(loop),
      connector_(loop, settings.redis.address),
      socket_(loop_.get_executor()),
      retry_timer_(loop_.get_executor()),
      read_to_end_(loop_.get_executor()),
      watchdog_(loop_.get_executor()),
      look_timer_(loop_.get_executor()),
      backoff_(retry_first, retry_longest),
      read_buffer_(read_bytes),
      pipeline_(settings),
      durability_(settings) {
  // If it fails (out of memory) the program ends: it must not go on without it.
  asio::co_spawn(loop_.get_executor(), run(), [](std::exception_ptr error) {
    if (error) std::rethrow_exception(error);
  });
}

RedisStore::Connection::~Connection() = default;

template <typename Enqueue>
bool RedisStore::Connection::enqueue(Enqueue enqueue_waiting) {
  {
    const std::lock_guard lock(mutex_);
    if (!why_not_ready_.empty()) return false;
    enqueue_waiting(waiting_);
    if (std::exchange(wake_posted_, true)) return true;
  }
  // Redis has nothing to do: what else this turn brings can go while it is at work.
  if (loop_.get_executor().running_in_this_thread() && !pipeline_.is_waiting() && !is_sending()) {
    send_waiting();
  } else {
    asio::post(loop_, [this] { send_waiting(); });
  }
  return true;
}

bool RedisStore::Connection::is_sending() const noexcept {
  return writing_ || !taken_.batches.empty() || !taken_.tokens.empty();
}

void RedisStore::Connection::track(const domain::HitBatch& hits, TrackReply& reply) {
  if (!enqueue([&](Waiting& waiting) { waiting.batches.push_back({&hits, &reply}); })) refuse(hits, reply);
}

void RedisStore::Connection::add_token(const domain::TokenId& id, domain::Deadline deadline,
                                       AddReply& reply) {
  if (!enqueue([&](Waiting& waiting) { waiting.tokens.push_back({id, deadline, &reply}); })) {
    reply.on_added(domain::Failure::not_done);
  }
}

void RedisStore::Connection::wait_for_first_attempt(std::chrono::milliseconds longest) const {
  std::unique_lock lock(mutex_);
  attempted_changed_.wait_for(lock, longest, [this] { return attempted_; });
}

void RedisStore::Connection::end_attempt() {
  {
    const std::lock_guard lock(mutex_);
    attempted_ = true;
  }
  attempted_changed_.notify_all();
}

std::string RedisStore::Connection::words_of(const boost::system::error_code& error) {
  return error == asio::error::eof ? "it closed the connection" : error.message();
}

auto RedisStore::Connection::run() -> Awaitable<void> {
  for (;;) {
    const std::string trouble = co_await connect();
    bool at_once = false;
    if (trouble.empty()) {
      backoff_.reset();
      become_ready();
      co_await read_replies();
      at_once = renew_at_once();
    } else {
      stop_taking(trouble);
    }
    lose();
    if (at_once) continue;
    retry_timer_.expires_after(backoff_.next());
    co_await retry_timer_.async_wait(token);
  }
}

/// Returns when there are no more; end_ says why.
auto RedisStore::Connection::read_replies() -> Awaitable<void> {
  read_to_end_.expires_at(Clock::time_point::max());
  read();
  co_await read_to_end_.async_wait(token);
}

/// No coroutine: its machinery costs as much as all else here.
void RedisStore::Connection::read() {
  socket_.async_read_some(asio::buffer(read_buffer_), [this](boost::system::error_code error,
                                                             std::size_t bytes) { on_read(error, bytes); });
}

void RedisStore::Connection::on_read(boost::system::error_code error, std::size_t bytes) {
  if (hung_) {
    const auto patience = std::to_string(settings_.reply_deadline.count());
    return end("it has not replied for " + patience + " ms", false);
  }
  if (error) return end(words_of(error), true);
  if (feed(bytes)) read();
}

/// Takes the replies among these bytes. Answers whether the connection goes on.
bool RedisStore::Connection::feed(std::size_t bytes) {
  heard_ = Clock::now();
  replies_->feed({read_buffer_.data(), bytes});
  bool makes_sense = true;
  while (const redisReply* reply = makes_sense ? replies_->next() : nullptr) {
    makes_sense = pipeline_.take(*reply, heard_);
  }
  pipeline_.deliver();
  if (pipeline_.has_trouble()) report(pipeline_.take_trouble());
  if (!makes_sense || replies_->broken()) {
    fault_ = Fault::unusable;
    end("it sent what is no reply to what it was asked", false);
    return false;
  }
  conclude_look();
  if (!why_unusable_.empty() && !pipeline_.is_waiting()) {
    end(why_unusable_, false);
    return false;
  }
  write();  // what the replies made us say
  return true;
}

/// Sees whether this Redis has become useless. The replies that are due still come.
void RedisStore::Connection::conclude_look() {
  if (!why_unusable_.empty()) return;
  if (!pipeline_.unfit().empty()) {
    fault_ = Fault::unusable;
    why_unusable_ = pipeline_.unfit();
  } else if (pipeline_.has_looked()) {
    if (const auto why = durability_.conclude(pipeline_.take_look(), false)) {
      fault_ = Fault::refused;
      why_unusable_ = *why;
    } else {
      look_later();
    }
  }
  if (!why_unusable_.empty()) stop_taking(why_unusable_);
}

/// No reply comes any more. Unless it was a cut, nothing is taken from now on: run() goes on after what else is
/// ready now.
void RedisStore::Connection::end(std::string why, bool is_cut) {
  end_ = {std::move(why), is_cut};
  if (!is_cut) stop_taking(end_.why);
  connected_ = false;
  read_to_end_.cancel();
}

void RedisStore::Connection::send_waiting() {
  if (writing_ || !connected_)
    return;  // it is called again when that write is done, or there is a connection
  {
    const std::lock_guard lock(mutex_);
    wake_posted_ = false;
    std::swap(waiting_, taken_);
  }
  pipeline_.send(taken_.batches, taken_.tokens, Clock::now());
  taken_.batches.clear();
  taken_.tokens.clear();
  write();
}

void RedisStore::Connection::write() {
  std::string& out = pipeline_.out();
  if (writing_ || out.empty()) return;
  watch();
  boost::system::error_code error;
  out.erase(0, socket_.write_some(asio::buffer(out), error));
  if (error && error != asio::error::would_block) {
    connected_ = false;  // nothing may follow what was perhaps half of a command
    out.clear();
    socket_.shutdown(runtime::Socket::shutdown_both, error);  // so that the reader finds out, too
    return;
  }
  if (out.empty()) return;
  writing_ = true;
  socket_.async_wait(runtime::Socket::wait_write, [this](boost::system::error_code wait_error) {
    writing_ = false;
    if (wait_error) return;
    write();
    send_waiting();
  });
}

/// Sees to it that a Redis that hangs is noticed.
void RedisStore::Connection::watch() {
  if (!pipeline_.is_waiting() || std::exchange(watching_, true)) return;
  watchdog_.expires_at(std::max(pipeline_.waiting_since(), heard_) + settings_.reply_deadline);
  watchdog_.async_wait([this](boost::system::error_code error) {
    watching_ = false;
    if (error || !pipeline_.is_waiting()) return;
    if (std::max(pipeline_.waiting_since(), heard_) + settings_.reply_deadline > Clock::now()) return watch();
    hung_ = true;
    boost::system::error_code ignored;
    socket_.close(ignored);
  });
}

/// The greeting went well. Sends what has waited for it.
void RedisStore::Connection::become_ready() {
  {
    const std::lock_guard lock(mutex_);
    why_not_ready_.clear();
  }
  readiness_.set(domain::Readiness::ready(std::chrono::system_clock::now()));
  connected_ = true;
  changes_.good("Redis at " + to_string(settings_.redis) + " is reachable");
  look_later();
  end_attempt();
  send_waiting();
}

/// Whether the connection that has ended is made anew at once. Until that has failed this Redis is ready, and what
/// comes waits.
bool RedisStore::Connection::renew_at_once() {
  if (!end_.is_cut) return false;
  const auto now = Clock::now();
  if (now - renewed_ < renewal_pause) {
    stop_taking(end_.why);
    return false;
  }
  renewed_ = now;
  changes_.bad("Redis at " + to_string(settings_.redis) + ": " + end_.why + "; connecting again");
  return true;
}

std::string_view RedisStore::Connection::beginning_of(Fault fault) {
  switch (fault) {
    case Fault::unreachable:
      return " is not reachable: ";
    case Fault::unusable:
      return " cannot be used: ";
    case Fault::refused:
      return " keeps less than --require-durability asks: ";
  }
  return {};
}

/// Refuses what has not been sent, and what comes.
void RedisStore::Connection::stop_taking(const std::string& reason) {
  const std::string why =
      "Redis at " + to_string(settings_.redis) + std::string(beginning_of(fault_)) + reason;
  Waiting not_sent;
  {
    const std::lock_guard lock(mutex_);
    why_not_ready_ = why;
    wake_posted_ = false;
    std::swap(not_sent, waiting_);
  }
  readiness_.set(domain::Readiness::not_ready(why, std::chrono::system_clock::now()));
  changes_.bad(why);
  end_attempt();
  for (const auto& [hits, reply] : not_sent.batches) refuse(*hits, *reply);
  for (const auto& waiting : not_sent.tokens) waiting.reply->on_added(domain::Failure::not_done);
}

void RedisStore::Connection::lose() {
  boost::system::error_code ignored;
  socket_.close(ignored);
  connected_ = false;
  hung_ = false;
  fault_ = Fault::unreachable;
  why_unusable_.clear();
  replies_.emplace();
  look_timer_.cancel();
  watchdog_.cancel();
  pipeline_.lose();
}

/// Logs what went wrong with a key, now and then.
void RedisStore::Connection::report(const RedisPipeline::Trouble& trouble) {
  const auto now = Clock::now();
  if (now - key_reported_ < key_report_pause) return;
  key_reported_ = now;
  runtime::log_warning("Redis at " + to_string(settings_.redis) +
                       (trouble.perhaps_counted ? ": perhaps counted: " : ": not counted: ") + trouble.key +
                       ": " + trouble.error);
}

/// Asks again whether this Redis would count, and what it may lose: its settings can be changed while it runs, and it
/// can fall silent.
void RedisStore::Connection::look_later() {
  look_timer_.expires_after(look_pause);
  look_timer_.async_wait([this](boost::system::error_code error) {
    if (error || !connected_ || !why_unusable_.empty()) return;
    pipeline_.look(Clock::now());
    write();
  });
}

}  // namespace tracker::store::redis
