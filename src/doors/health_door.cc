#include "doors/health_door.h"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/beast/core/basic_stream.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/empty_body.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/beast/http/string_body.hpp>
#include <boost/beast/http/write.hpp>
#include <chrono>

#include "runtime/listener.h"

namespace tracker::doors {

namespace {
namespace asio = boost::asio;
namespace http = boost::beast::http;
using Executor = asio::io_context::executor_type;
using Stream = boost::beast::basic_stream<asio::ip::tcp, Executor>;
using Request = http::request<http::empty_body>;
using Response = http::response<http::string_body>;

template <typename T>
using Awaitable = asio::awaitable<T, Executor>;
constexpr auto token = asio::as_tuple(asio::use_awaitable_t<Executor>());

constexpr int connections_max = 64;
constexpr auto deadline = std::chrono::seconds(10);  // of each request, and of waiting for the next
constexpr auto accept_pause = std::chrono::milliseconds(100);
}  // namespace

class HealthDoor::Server : public std::enable_shared_from_this<Server> {
 public:
  Server(runtime::Acceptor acceptor, Answers answers)
      : acceptor_(std::move(acceptor)), answers_(std::move(answers)) {}

  void start() { asio::co_spawn(acceptor_.get_executor(), accept(shared_from_this()), asio::detached); }

  void stop() {
    boost::system::error_code ignored;
    acceptor_.close(ignored);
  }

  asio::ip::tcp::endpoint endpoint() const { return acceptor_.local_endpoint(); }

 private:
  Awaitable<void> accept(std::shared_ptr<Server> self) {
    asio::basic_waitable_timer<std::chrono::steady_clock, asio::wait_traits<std::chrono::steady_clock>,
                               Executor>
        pause(acceptor_.get_executor());
    while (acceptor_.is_open()) {
      auto [error, socket] = co_await acceptor_.async_accept(token);
      if (error) {
        pause.expires_after(accept_pause);
        co_await pause.async_wait(token);
      } else if (connections_ < connections_max) {
        asio::co_spawn(acceptor_.get_executor(), serve(self, Stream(std::move(socket))), asio::detached);
      }
    }
  }

  Awaitable<void> serve(std::shared_ptr<Server> /*keeps it alive*/, Stream stream) {
    ++connections_;
    boost::beast::flat_buffer buffer;
    for (bool keep_alive = true; keep_alive;) {
      http::request_parser<http::empty_body> parser;
      parser.header_limit(8192);
      stream.expires_after(deadline);
      const auto [read_error, read] = co_await http::async_read(stream, buffer, parser, token);
      if (read_error) break;
      Response response = answer(parser.get());
      keep_alive = response.keep_alive();
      const bool is_head = parser.get().method() == http::verb::head;
      http::response_serializer<http::string_body> serializer(response);
      const auto [write_error, written] = is_head
                                              ? co_await http::async_write_header(stream, serializer, token)
                                              : co_await http::async_write(stream, serializer, token);
      if (write_error) break;
    }
    boost::beast::error_code ignored;
    stream.socket().shutdown(asio::ip::tcp::socket::shutdown_both, ignored);
    --connections_;
  }

  Response answer(const Request& request) const {
    const auto respond = [&](http::status status, const char* type, std::string body) {
      Response response(status, request.version());
      response.set(http::field::content_type, type);
      response.set(http::field::cache_control, "no-store");
      response.keep_alive(request.keep_alive());
      response.body() = std::move(body);
      response.prepare_payload();
      return response;
    };
    if (request.method() != http::verb::get && request.method() != http::verb::head) {
      auto response = respond(http::status::method_not_allowed, "text/plain", "use GET\n");
      response.set(http::field::allow, "GET, HEAD");
      return response;
    }
    const auto target = request.target().substr(0, request.target().find('?'));
    if (target == "/healthz") return respond(http::status::ok, "text/plain", "ok\n");
    if (target == "/readyz") {
      const auto reason = answers_.why_not_ready();
      return reason ? respond(http::status::service_unavailable, "text/plain", *reason + "\n")
                    : respond(http::status::ok, "text/plain", "ready\n");
    }
    if (target == "/version") {
      return respond(http::status::ok, "application/json", R"({"version":")" + answers_.version + "\"}");
    }
    return respond(http::status::not_found, "text/plain", "there are /healthz, /readyz and /version\n");
  }

  runtime::Acceptor acceptor_;
  const Answers answers_;
  int connections_ = 0;
};

HealthDoor::HealthDoor(asio::io_context& context, const runtime::Address& address, Answers answers)
    : server_(std::make_shared<Server>(runtime::listen(context, address), std::move(answers))) {
  server_->start();
}

HealthDoor::~HealthDoor() {
  server_->stop();
}

asio::ip::tcp::endpoint HealthDoor::endpoint() const {
  return server_->endpoint();
}

}  // namespace tracker::doors
