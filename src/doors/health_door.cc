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
#include <list>

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

constexpr std::size_t connections_max = 64;
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
      } else {
        // Whoever holds connections open for nothing makes way for who asks now.
        if (streams_.size() >= connections_max) streams_.front()->close();
        asio::co_spawn(acceptor_.get_executor(), serve(self, Stream(std::move(socket))), asio::detached);
      }
    }
  }

  Awaitable<void> serve(std::shared_ptr<Server> /*keeps it alive*/, Stream stream) {
    const auto place = streams_.insert(streams_.end(), &stream);
    boost::beast::flat_buffer buffer;
    for (bool keep_alive = true; keep_alive;) {
      http::request_parser<http::empty_body> parser;
      parser.header_limit(8192);
      stream.expires_after(deadline);
      const auto [read_error, read] = co_await http::async_read(stream, buffer, parser, token);
      const bool malformed =
          read_error && read_error.category() == http::make_error_code(http::error::bad_target).category() &&
          read_error != http::error::end_of_stream && read_error != http::error::partial_message;
      if (read_error && !malformed) break;
      Response response =
          malformed ? respond(http::status::bad_request, "text/plain", "this is no request without a body\n")
                    : answer(parser.get());
      response.version(11);
      response.keep_alive(!malformed && parser.get().keep_alive());
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
    streams_.erase(place);
  }

  static Response respond(http::status status, const char* type, std::string body) {
    Response response(status, 11);
    response.set(http::field::content_type, type);
    response.set(http::field::cache_control, "no-store");
    response.body() = std::move(body);
    response.prepare_payload();
    return response;
  }

  Response answer(const Request& request) const {
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
  std::list<Stream*> streams_;  // the oldest first
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
