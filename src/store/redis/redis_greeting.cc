// How the store's connection begins: before anything is counted, it says who it is and sees whether this Redis would
// count.
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>

#include "store/redis/redis_connection.h"
#include "store/redis/redis_error.h"

namespace tracker::store::redis {

namespace {
namespace asio = boost::asio;
constexpr auto token = asio::as_tuple(asio::use_awaitable_t<asio::io_context::executor_type>());

constexpr auto greeting_deadline = std::chrono::milliseconds(2'000);
constexpr std::size_t beginning_bytes = 32;
}  // namespace

/// Answers what went wrong, or nothing.
auto RedisStore::Connection::connect() -> Awaitable<std::string> {
  std::string trouble = co_await open_socket();
  if (!trouble.empty()) co_return trouble;
  Timer deadline(loop_.get_executor());
  bool late = false;
  deadline.expires_after(greeting_deadline);
  deadline.async_wait([&](boost::system::error_code error) {
    if (error) return;
    late = true;
    boost::system::error_code ignored;
    socket_.close(ignored);
  });
  trouble = co_await greet();
  // The wait must not outlive what it refers to.
  if (!late && deadline.cancel() == 0) late = true;
  co_await asio::post(loop_.get_executor(), asio::use_awaitable_t<Executor>());
  co_return late
      ? "it has not answered the greeting within " + std::to_string(greeting_deadline.count()) + " ms"
      : trouble;
}

/// Answers which step went wrong, or nothing.
auto RedisStore::Connection::open_socket() -> Awaitable<std::string> {
  std::string trouble;
  Timer connected(loop_.get_executor(), Clock::time_point::max());
  connector_.connect([&](runtime::Socket socket, const std::string& its_trouble) {
    socket_ = std::move(socket);
    trouble = its_trouble;
    connected.cancel();
  });
  co_await connected.async_wait(token);
  co_return trouble;
}

/// Says what RedisPipeline::greet() has to say, in one write, and hears what comes back. Answers why this Redis
/// cannot be used, or nothing.
auto RedisStore::Connection::greet() -> Awaitable<std::string> {
  pipeline_.greet(Clock::now());
  const auto [write_error, written] =
      co_await asio::async_write(socket_, asio::buffer(pipeline_.out()), token);
  if (write_error) co_return write_error.message();
  pipeline_.out().clear();
  std::string beginning;  // of what it sends
  boost::system::error_code read_error;
  bool makes_sense = true;
  while (pipeline_.is_waiting() && makes_sense && !read_error) {
    const auto [error, read] = co_await socket_.async_read_some(asio::buffer(read_buffer_), token);
    read_error = error;
    const std::string_view bytes(read_buffer_.data(), read);
    if (beginning.size() < beginning_bytes) beginning += bytes.substr(0, beginning_bytes);
    replies_->feed(bytes);
    while (const redisReply* reply = makes_sense ? replies_->next() : nullptr) {
      makes_sense = pipeline_.take(*reply, Clock::now());
    }
    if (replies_->broken()) makes_sense = false;
  }
  if (read_error && pipeline_.unfit().empty()) {
    co_return beginning.empty() ? explain_silent_end(words_of(read_error)) : words_of(read_error);
  }
  std::string trouble = pipeline_.unfit();
  if (trouble.empty() && !makes_sense) trouble = explain_stranger(beginning);
  if (!trouble.empty()) {
    fault_ = Fault::unusable;
    co_return trouble;
  }
  trouble = durability_.conclude(pipeline_.take_look(), true).value_or("");
  if (!trouble.empty()) fault_ = Fault::refused;
  co_return trouble;
}

}  // namespace tracker::store::redis
