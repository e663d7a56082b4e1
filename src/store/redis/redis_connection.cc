#include "store/redis/redis_connection.h"

#include <hiredis/hiredis.h>

#include <algorithm>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <ctime>
#include <exception>

#include "runtime/log.h"

namespace tracker::store {

namespace {
namespace asio = boost::asio;
constexpr auto token = asio::as_tuple(asio::use_awaitable_t<asio::io_context::executor_type>());

constexpr auto retry_first = std::chrono::milliseconds(50);
constexpr auto retry_longest = std::chrono::milliseconds(1'000);
constexpr auto key_report_pause = std::chrono::seconds(1);
constexpr std::size_t read_bytes = 64 * 1024;
constexpr std::size_t known_tokens_max = 1'000'000;  // about 40 MB

bool is_error(const redisReply& reply, std::string_view code) {
  return reply.type == REDIS_REPLY_ERROR && text_of(reply).starts_with(code);
}

void refuse(const domain::HitBatch& hits, TrackReply& reply) {
  reply.on_one_verdict_for_all(hits.size(), domain::Verdict::not_counted());
}
}  // namespace

RedisStore::Connection::Connection(asio::io_context& loop, const RedisSettings& settings)
    : settings_(settings),
      why_not_ready_("Redis at " + to_string(settings.redis) + " is not reachable yet"),
      loop_(loop),
      socket_(loop_.get_executor()),
      retry_timer_(loop_.get_executor()),
      read_to_end_(loop_.get_executor()),
      watchdog_(loop_.get_executor()),
      look_timer_(loop_.get_executor()),
      backoff_(retry_first, retry_longest),
      read_buffer_(read_bytes),
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
  if (loop_.get_executor().running_in_this_thread() && in_flight_.empty() && !is_sending()) {
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

std::optional<std::string> RedisStore::Connection::why_not_ready() const {
  const std::lock_guard lock(mutex_);
  if (why_not_ready_.empty()) return std::nullopt;
  return why_not_ready_;
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

auto RedisStore::Connection::run() -> Awaitable<void> {
  for (;;) {
    std::string trouble = co_await connect();
    if (trouble.empty()) {
      backoff_.reset();
      become_ready();
      trouble = co_await read_replies();
    }
    lose(trouble);
    retry_timer_.expires_after(backoff_.next());
    co_await retry_timer_.async_wait(token);
  }
}

/// Answers why there are no more.
auto RedisStore::Connection::read_replies() -> Awaitable<std::string> {
  read_to_end_.expires_at(Clock::time_point::max());
  read();
  co_await read_to_end_.async_wait(token);
  co_return why_ended_;
}

/// No coroutine: its machinery costs as much as all else here.
void RedisStore::Connection::read() {
  socket_.async_read_some(
      asio::buffer(read_buffer_), [this](boost::system::error_code error, std::size_t bytes) {
        if (error) {
          why_ended_ = error == asio::error::eof ? "it closed the connection" : error.message();
        } else {
          why_ended_ = feed(bytes);
          deliver();
          if (why_ended_.empty()) return read();
        }
        if (hung_)
          why_ended_ = "it has not replied for " + std::to_string(settings_.reply_deadline.count()) + " ms";
        stop_taking(why_ended_);  // at once: run() goes on after what else is ready now
        read_to_end_.cancel();
      });
}

/// Takes the replies among these bytes. Answers why the connection cannot go on, or nothing.
std::string RedisStore::Connection::feed(std::size_t bytes) {
  replies_->feed({read_buffer_.data(), bytes});
  while (const redisReply* reply = replies_->next()) {
    if (in_flight_.empty()) return "it replied to nothing";
    take(*reply);
    if (!unfit_.empty() && in_flight_.empty()) return unfit_;
  }
  return replies_->broken() ? not_redis : "";
}

void RedisStore::Connection::take(const redisReply& reply) {
  const InFlight command = in_flight_.front();
  in_flight_.pop_front();
  heard_ = Clock::now();
  if (command.round != nullptr) {
    take_track(command, reply);
  } else if (command.tidies_up) {
    return;  // it was tidied up, or stays: it is nobody's
  } else if (command.add == nullptr) {
    take_look(reply);
  } else if (reply.type == REDIS_REPLY_INTEGER) {
    know(command.id);
    command.add->on_added(std::nullopt);
  } else {
    const auto trouble = RedisRound::trouble_of(command.id, reply, settings_.proxy);
    report(trouble);
    command.add->on_added(trouble.perhaps_counted ? domain::Failure::perhaps_done
                                                  : domain::Failure::not_done);
  }
}

void RedisStore::Connection::take_track(const InFlight& command, const redisReply& reply) {
  RedisRound& round = *command.round;
  if (is_error(reply, "NOSCRIPT")) {  // nothing was run: somebody emptied the script cache
    send(round, command.command, RedisRound::Form::script_text, Clock::now());
    return write();
  }
  const auto trouble = round.take_reply(command.command, command.part, reply);
  if (reply.type == REDIS_REPLY_ARRAY) know(round.token(command.command));
  if (round.met_no_token(command.command)) tidy_up(round.token(command.command));
  if (!trouble.error.empty()) report(trouble);
  if (touched_.empty() || touched_.back() != command.round) touched_.push_back(command.round);
}

void RedisStore::Connection::send(RedisRound& round, std::size_t command, RedisRound::Form form,
                                  Clock::time_point now) {
  round.append(command, form, unsent_);
  for (std::size_t part = 0; part < round.replies(command); ++part) {
    in_flight_.push_back({.sent = now, .round = &round, .command = command, .part = part});
  }
}

void RedisStore::Connection::know(const domain::TokenId& id) {
  if (known_.size() >= known_tokens_max) known_.clear();
  known_.insert(id);
}

/// A token that was known is gone, since somebody emptied this Redis, and commands that trusted in it have left
/// a hash that is nobody's.
void RedisStore::Connection::tidy_up(const domain::TokenId& id) {
  known_.erase(id);
  append_command({"EVAL", tidy_script, "1", redis_key(id)}, unsent_);
  in_flight_.push_back({.sent = Clock::now(), .tidies_up = true});
  write();
}

void RedisStore::Connection::deliver() {
  std::sort(touched_.begin(), touched_.end());
  touched_.erase(std::unique(touched_.begin(), touched_.end()), touched_.end());
  for (RedisRound* round : touched_) {
    if (!round->deliver()) continue;
    round->clear();
    free_rounds_.push_back(round);
  }
  touched_.clear();
}

void RedisStore::Connection::send_waiting() {
  if (writing_) return;  // it is called again when that write is done
  {
    const std::lock_guard lock(mutex_);
    wake_posted_ = false;
    std::swap(waiting_, taken_);
  }
  const auto now = Clock::now();
  if (!taken_.batches.empty()) {
    if (free_rounds_.empty()) {
      rounds_.push_back(std::make_unique<RedisRound>(settings_.proxy));
      free_rounds_.push_back(rounds_.back().get());
    }
    RedisRound& round = *free_rounds_.back();
    free_rounds_.pop_back();
    for (const auto& [hits, reply] : taken_.batches) {
      if (hits->deadline() < now) {
        refuse(*hits, *reply);
      } else {
        round.add(*hits, *reply);
      }
    }
    round.group();
    for (std::size_t command = 0; command < round.commands(); ++command) {
      const bool known = known_.contains(round.token(command));
      send(round, command, known ? RedisRound::Form::plain : RedisRound::Form::script, now);
    }
    if (round.commands() == 0) free_rounds_.push_back(&round);
  }
  for (const auto& [id, deadline, reply] : taken_.tokens) {
    if (deadline < now) {
      reply->on_added(domain::Failure::not_done);
      continue;
    }
    append_command({"HSETNX", redis_key(id), "", std::to_string(std::time(nullptr))}, unsent_);
    in_flight_.push_back({.sent = now, .add = reply, .id = id});
  }
  taken_.batches.clear();
  taken_.tokens.clear();
  write();
}

void RedisStore::Connection::write() {
  if (writing_ || unsent_.empty()) return;
  watch();
  boost::system::error_code error;
  unsent_.erase(0, socket_.write_some(asio::buffer(unsent_), error));
  if (error && error != asio::error::would_block) {
    unsent_.clear();
    const std::string reason = error.message();
    socket_.shutdown(Socket::shutdown_both, error);  // so that the reader finds out, too
    return stop_taking(reason);                      // nothing may follow what was perhaps half of a command
  }
  if (unsent_.empty()) return;
  writing_ = true;
  socket_.async_wait(Socket::wait_write, [this](boost::system::error_code wait_error) {
    writing_ = false;
    if (wait_error) return;
    write();
    send_waiting();
  });
}

/// Sees to it that a Redis that hangs is noticed.
void RedisStore::Connection::watch() {
  if (in_flight_.empty() || std::exchange(watching_, true)) return;
  watchdog_.expires_at(std::max(in_flight_.front().sent, heard_) + settings_.reply_deadline);
  watchdog_.async_wait([this](boost::system::error_code error) {
    watching_ = false;
    if (error || in_flight_.empty()) return;
    if (std::max(in_flight_.front().sent, heard_) + settings_.reply_deadline > Clock::now()) return watch();
    hung_ = true;
    boost::system::error_code ignored;
    socket_.close(ignored);
  });
}

void RedisStore::Connection::become_ready() {
  {
    const std::lock_guard lock(mutex_);
    why_not_ready_.clear();
  }
  changes_.good("Redis at " + to_string(settings_.redis) + " is reachable");
  looking_ = !settings_.proxy;
  if (looking_) look_later();
  end_attempt();
}

/// Refuses what has not been sent, and what comes.
void RedisStore::Connection::stop_taking(const std::string& reason) {
  const std::string why =
      "Redis at " + to_string(settings_.redis) +
      (refused_ ? " keeps less than --require-durability asks: " : " is not reachable: ") + reason;
  Waiting not_sent;
  {
    const std::lock_guard lock(mutex_);
    why_not_ready_ = why;
    wake_posted_ = false;
    std::swap(not_sent, waiting_);
  }
  changes_.bad(why);
  end_attempt();
  for (const auto& [hits, reply] : not_sent.batches) refuse(*hits, *reply);
  for (const auto& waiting : not_sent.tokens) waiting.reply->on_added(domain::Failure::not_done);
}

void RedisStore::Connection::lose(const std::string& reason) {
  boost::system::error_code ignored;
  socket_.close(ignored);
  looking_ = false;
  look_timer_.cancel();
  stop_taking(reason);
  for (const auto& command : std::exchange(in_flight_, {})) {
    if (command.add != nullptr) {
      command.add->on_added(domain::Failure::perhaps_done);
    } else if (command.round != nullptr) {
      command.round->give_up(command.command, command.part, domain::Verdict::perhaps_counted());
      touched_.push_back(command.round);
    }
  }
  deliver();
  unsent_.clear();
}

/// Logs what went wrong with a key, now and then; or sees that it is not about the key.
void RedisStore::Connection::report(const RedisRound::Trouble& trouble) {
  if (is_unfit(trouble.error)) {
    if (unfit_.empty()) {
      unfit_ = "it says " + trouble.error;
      stop_taking(unfit_);
    }
    return;
  }
  const auto now = Clock::now();
  if (now - key_reported_ < key_report_pause) return;
  key_reported_ = now;
  runtime::log_warning("Redis at " + to_string(settings_.redis) +
                       (trouble.perhaps_counted ? ": perhaps counted: " : ": not counted: ") + trouble.key +
                       ": " + trouble.error);
}

}  // namespace tracker::store
