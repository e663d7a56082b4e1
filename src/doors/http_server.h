#pragma once

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/async_result.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/beast/core/basic_stream.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/beast/http/string_body.hpp>
#include <boost/beast/http/write.hpp>
#include <chrono>
#include <functional>
#include <list>
#include <memory>
#include <string>
#include <type_traits>
#include <utility>

#include "doors/passed_descriptor.h"
#include "runtime/descriptor.h"

namespace tracker::doors {

namespace http = boost::beast::http;
using Request = http::request<http::string_body>;
using Response = http::response<http::string_body>;

inline Response respond(http::status status, const char* type, std::string body) {
  Response response(status, 11);
  response.set(http::field::content_type, type);
  response.set(http::field::cache_control, "no-store");
  response.body() = std::move(body);
  response.prepare_payload();
  return response;
}

/// An HTTP server for the doors beside the counted port, over TCP or a Unix socket. For few and small requests. It has 64
/// connections. A new one takes the place of the one that has asked nothing for longest, and is closed if all of them wait for
/// their answers. Lives as long as its acceptor or a connection is open. Belongs to the thread that runs the acceptor's context.
template <typename Protocol>
class HttpServer : public std::enable_shared_from_this<HttpServer<Protocol>> {
  using Executor = boost::asio::io_context::executor_type;
  using Clock = std::chrono::steady_clock;
  using Timer = boost::asio::basic_waitable_timer<Clock, boost::asio::wait_traits<Clock>, Executor>;
  using Stream = boost::beast::basic_stream<Protocol, Executor>;
  template <typename T>
  using Awaitable = boost::asio::awaitable<T, Executor>;

 public:
  using Acceptor = boost::asio::basic_socket_acceptor<Protocol, Executor>;

  /// Answers a well-formed request: calls `done` once, at once or later, from any thread. Until then request and descriptor
  /// stay as they are. `passed` is the descriptor that came with the request's first bytes over a Unix socket, if one did.
  using Done = std::function<void(Response)>;
  using Answer = std::function<void(const Request&, const runtime::Descriptor& passed, Done done)>;

  /// `answer` must not block. A body of more than `body_bytes_max` is refused. What is no request gets `malformed`.
  HttpServer(Acceptor acceptor, std::size_t body_bytes_max, Answer answer, Response malformed = no_request())
      : acceptor_(std::move(acceptor)),
        body_bytes_max_(body_bytes_max),
        answer_(std::move(answer)),
        malformed_(std::move(malformed)) {}

  void start() {
    boost::asio::co_spawn(acceptor_.get_executor(), accept(this->shared_from_this()), boost::asio::detached);
  }

  /// Accepts no more connections. Those that are open are still served.
  void stop() {
    boost::system::error_code ignored;
    acceptor_.close(ignored);
  }

  typename Protocol::endpoint endpoint() const { return acceptor_.local_endpoint(); }

 private:
  static Response no_request() {
    return respond(http::status::bad_request, "text/plain", "this is no request, or its body is too large\n");
  }

  static constexpr bool is_local = std::is_same_v<Protocol, boost::asio::local::stream_protocol>;
  static constexpr std::size_t connections_max = 64;
  static constexpr auto deadline = std::chrono::seconds(10);  // to send a request, and to take its answer
  static constexpr std::size_t head_bytes_max = 32 * 1024;    // a cursor may hold a path of 8 KiB
  static constexpr auto accept_pause = std::chrono::milliseconds(100);
  static constexpr auto token = boost::asio::as_tuple(boost::asio::use_awaitable_t<Executor>());

  Awaitable<void> accept(std::shared_ptr<HttpServer> self) {
    Timer pause(acceptor_.get_executor());
    while (acceptor_.is_open()) {
      auto [error, socket] = co_await acceptor_.async_accept(token);
      if (error) {
        pause.expires_after(accept_pause);
        co_await pause.async_wait(token);
      } else {
        if (idle_.size() + asking_.size() >= connections_max) {
          if (idle_.empty()) continue;  // the new one is closed
          idle_.front()->close();
        }
        boost::asio::co_spawn(acceptor_.get_executor(), serve(self, Stream(std::move(socket))),
                              boost::asio::detached);
      }
    }
  }

  Awaitable<void> serve(std::shared_ptr<HttpServer> /*keeps it alive*/, Stream stream) {
    const auto place = idle_.insert(idle_.end(), &stream);
    boost::beast::flat_buffer buffer;
    for (bool keep_alive = true; keep_alive;) {
      http::request_parser<http::string_body> parser;
      parser.header_limit(head_bytes_max);
      parser.body_limit(body_bytes_max_);
      if constexpr (is_local) {
        // Before the first byte of a request, a connection may be idle: it makes way for others.
        if (buffer.size() == 0) co_await stream.socket().async_wait(Stream::socket_type::wait_read, token);
      }
      const auto passed = receive_passed(stream, buffer);
      stream.expires_after(deadline);
      const auto [read_error, read] = co_await http::async_read(stream, buffer, parser, token);
      const bool malformed =
          read_error && read_error.category() == http::make_error_code(http::error::bad_target).category() &&
          read_error != http::error::end_of_stream && read_error != http::error::partial_message;
      if (read_error && !malformed) break;
      Response response = malformed_;
      if (!malformed) {
        asking_.splice(asking_.end(), idle_, place);
        response = co_await response_to(parser.get(), passed);
        idle_.splice(idle_.end(), asking_, place);
      }
      const bool closes = malformed || !response.keep_alive();
      response.version(11);
      response.keep_alive(!closes && parser.get().keep_alive());
      keep_alive = response.keep_alive();
      const bool is_head = parser.get().method() == http::verb::head;
      http::response_serializer<http::string_body> serializer(response);
      stream.expires_after(deadline);
      const auto [write_error, written] = is_head
                                              ? co_await http::async_write_header(stream, serializer, token)
                                              : co_await http::async_write(stream, serializer, token);
      if (write_error) break;
    }
    boost::beast::error_code ignored;
    stream.socket().shutdown(boost::asio::socket_base::shutdown_both, ignored);
    idle_.erase(place);
  }

  Awaitable<Response> response_to(const Request& request, const runtime::Descriptor& passed) {
    boost::asio::use_awaitable_t<Executor> waits;
    co_return co_await boost::asio::async_initiate<decltype(waits), void(Response)>(
        [this, &request, &passed](auto handler) {
          const auto resume = std::make_shared<decltype(handler)>(std::move(handler));
          answer_(request, passed, [executor = acceptor_.get_executor(), resume](Response response) {
            boost::asio::post(executor, [resume, response = std::move(response)]() mutable {
              std::move (*resume)(std::move(response));
            });
          });
        },
        waits);
  }

  /// Returns the descriptor that came with the first bytes of a request. The bytes go into `buffer`.
  static runtime::Descriptor receive_passed(Stream& stream, boost::beast::flat_buffer& buffer) {
    if constexpr (is_local) {
      return receive_descriptor(stream.socket().native_handle(), buffer);
    } else {
      return runtime::Descriptor(-1);
    }
  }

  Acceptor acceptor_;
  const std::size_t body_bytes_max_;
  const Answer answer_;
  const Response malformed_;
  std::list<Stream*> idle_;    // in the order of their last answer, or of connecting
  std::list<Stream*> asking_;  // whose answer is being made
};

}  // namespace tracker::doors
