// How the store's connection begins, and what it asks Redis about itself: before anything is counted, and again
// from time to time.
#include <hiredis/hiredis.h>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/connect.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>

#include "store/redis/redis_connection.h"

namespace tracker::store {

namespace {
namespace asio = boost::asio;
constexpr auto token = asio::as_tuple(asio::use_awaitable_t<asio::io_context::executor_type>());

constexpr auto connect_deadline = std::chrono::milliseconds(2'000);
constexpr auto look_pause = std::chrono::milliseconds(1'000);
constexpr std::string_view probe_key = "tracker:{probe}";
}  // namespace

/// Answers what went wrong, or nothing.
auto RedisStore::Connection::connect() -> Awaitable<std::string> {
  hung_ = false;
  refused_ = false;
  unfit_.clear();
  replies_.emplace();
  Timer deadline(loop_.get_executor());
  bool late = false;
  asio::ip::basic_resolver<asio::ip::tcp, Executor> resolver(loop_.get_executor());
  deadline.expires_after(connect_deadline);
  deadline.async_wait([&](boost::system::error_code error) {
    if (error) return;
    late = true;
    resolver.cancel();
    boost::system::error_code ignored;
    socket_.close(ignored);
  });
  const auto& [host, port] = settings_.redis.address;
  std::string trouble;
  const auto [resolve_error, endpoints] = co_await resolver.async_resolve(host, std::to_string(port), token);
  if (resolve_error) {
    trouble = resolve_error.message();
  } else {
    const auto [connect_error, endpoint] = co_await asio::async_connect(socket_, endpoints, token);
    if (connect_error) {
      trouble = connect_error.message();
    } else {
      boost::system::error_code ignored;
      socket_.non_blocking(true, ignored);
      socket_.set_option(asio::ip::tcp::no_delay(true), ignored);
      socket_.set_option(asio::socket_base::keep_alive(true), ignored);
      trouble = co_await greet();
    }
  }
  // The wait must not outlive what it refers to.
  if (!late && deadline.cancel() == 0) late = true;
  co_await asio::post(loop_.get_executor(), asio::use_awaitable_t<Executor>());
  co_return late ? "it does not answer" : trouble;
}

/// Logs in, chooses the database, loads the script, and sees whether it may write (to a key of tracker's own,
/// which is no token's) and what this Redis may lose, all in one write.
auto RedisStore::Connection::greet() -> Awaitable<std::string> {
  const auto& redis = settings_.redis;
  const std::string database = std::to_string(redis.database);
  std::string commands;
  std::size_t replies = 1;
  if (!redis.password.empty()) {
    if (redis.user.empty()) {
      append_command({"AUTH", redis.password}, commands);
    } else {
      append_command({"AUTH", redis.user, redis.password}, commands);
    }
    ++replies;
  }
  if (redis.database != 0) {
    append_command({"SELECT", database}, commands);
    ++replies;
  }
  append_command({"SCRIPT", "LOAD", track_script}, commands);
  append_command({"HSETNX", probe_key, "", "1"}, commands);
  append_command({"DEL", probe_key}, commands);
  const std::size_t looks = durability_.ask(commands);
  replies += 2 + looks;
  const auto [write_error, written] = co_await asio::async_write(socket_, asio::buffer(commands), token);
  if (write_error) co_return write_error.message();

  std::string trouble;
  while (replies > 0) {
    const redisReply* reply = replies_->next();
    if (replies_->broken()) co_return not_redis;
    if (reply == nullptr) {
      const auto [read_error, read] = co_await socket_.async_read_some(asio::buffer(read_buffer_), token);
      if (read_error) co_return trouble.empty() ? read_error.message() : trouble;
      replies_->feed({read_buffer_.data(), read});
      continue;
    }
    --replies;
    const bool matters = replies > looks;  // DEL only tidies up
    if (replies < looks) {
      durability_.take(*reply);
    } else if (reply->type == REDIS_REPLY_ERROR && matters && trouble.empty()) {
      trouble = "it says " + std::string(text_of(*reply));
    }
  }
  if (!trouble.empty()) co_return trouble;
  trouble = durability_.conclude(true).value_or("");
  refused_ = !trouble.empty();
  co_return trouble;
}

/// Asks again what this Redis may lose, since its settings can be changed while it runs.
void RedisStore::Connection::look_later() {
  look_timer_.expires_after(look_pause);
  look_timer_.async_wait([this](boost::system::error_code error) {
    if (error || !looking_) return;
    looks_due_ = durability_.ask(unsent_);
    in_flight_.insert(in_flight_.end(), looks_due_, InFlight{.sent = Clock::now()});
    write();
  });
}

void RedisStore::Connection::take_look(const redisReply& reply) {
  durability_.take(reply);
  if (--looks_due_ > 0 || !unfit_.empty()) return;
  if (const auto why = durability_.conclude(false)) {
    unfit_ = *why;
    refused_ = true;
    stop_taking(unfit_);
  } else {
    look_later();
  }
}

}  // namespace tracker::store
