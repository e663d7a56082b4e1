#include "doors/admin_door.h"

#include <algorithm>
#include <boost/asio/ip/address.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <utility>

#include "domain/ascii.h"
#include "doors/http_server.h"
#include "runtime/log.h"
#include "runtime/priority.h"
#include "runtime/workers.h"

namespace tracker::doors {

namespace asio = boost::asio;

namespace {

using Local = asio::local::stream_protocol;
constexpr std::size_t body_bytes_max = 64 * 1024;
constexpr auto pause_of_the_unauthorized = std::chrono::seconds(1);
constexpr std::string_view api_at = "/v1/";

HttpServer<Local>::Acceptor acceptor_of(asio::io_context& context, AdminListener& listener) {
  HttpServer<Local>::Acceptor acceptor(context.get_executor());
  acceptor.assign(Local(), listener.release());
  acceptor.non_blocking(true);
  return acceptor;
}

/// Whether AdminApi or TokenChanges answers it.
bool is_of_api(const Request& request) {
  return request.target().starts_with(api_at);
}

bool is_reading(const Request& request) {
  return is_of_api(request) && (request.method() == http::verb::get || request.method() == http::verb::head);
}

TokenChanges::Method change_method(http::verb verb) {
  switch (verb) {
    case http::verb::post:
      return TokenChanges::Method::post;
    case http::verb::patch:
      return TokenChanges::Method::patch;
    case http::verb::delete_:
      return TokenChanges::Method::remove;
    default:
      return TokenChanges::Method::other;
  }
}

Response response_of(const AdminApi::Answer& answer) {
  auto response = respond(static_cast<http::status>(answer.status), answer.type.c_str(), answer.body);
  if (!answer.next.empty()) response.set(http::field::link, "<" + answer.next + ">; rel=\"next\"");
  if (!answer.allow.empty()) response.set(http::field::allow, answer.allow);
  return response;
}

/// Whether a browser that was told to ask another host may have sent this Host.
bool is_foreign(std::string_view host, const std::string& own) {
  if (host.starts_with('[')) return false;  // an IPv6 address
  host = host.substr(0, host.rfind(':'));
  boost::system::error_code error;
  static_cast<void>(asio::ip::make_address(host, error));
  return error && !domain::equal_in_any_case(host, "localhost") && !domain::equal_in_any_case(host, own);
}

}  // namespace

/// What is answered.
class AdminDoor::Answers {
 public:
  Answers(std::vector<Call> its_calls, std::unique_ptr<AdminApi> its_readings,
          std::unique_ptr<TokenChanges> its_changes, std::optional<Tcp> its_tcp)
      : calls(std::move(its_calls)),
        readings(std::move(its_readings)),
        changes(std::move(its_changes)),
        tcp(std::move(its_tcp)) {}

  const std::vector<Call> calls;
  const std::unique_ptr<AdminApi> readings;
  const std::unique_ptr<TokenChanges> changes;
  const std::optional<Tcp> tcp;

  /// Who may do what was asked: anybody at the socket, and over TCP the holder of a key.
  struct Permission {
    std::optional<Response> refusal = {};
    std::string who = "at the socket";
  };
  Permission permission(const Request& request) {
    if (request.find(http::field::origin) != request.end())
      return {response_of(problem(403, "A request of a page in a browser is refused."))};
    if (is_foreign(request[http::field::host], tcp->address.host)) {
      return {response_of(
          problem(421, "The Host must be the address of this door, or the name in --admin-addr."))};
    }
    const auto holder = tcp->keys->find(request[http::field::authorization]);
    if (!holder) {
      auto response = response_of(problem(401, "A key is needed, as Authorization: Bearer KEY."));
      response.set(http::field::www_authenticate, "Bearer");
      return {std::move(response)};
    }
    if (!holder->may_write && !is_reading(request))
      return {response_of(problem(403, "The key of " + holder->name + " may only read."))};
    return {std::nullopt, "with the key of " + holder->name};
  }

  Response answer(const Request& request, const runtime::Descriptor& passed, const std::string& who) {
    if (is_of_api(request)) return answer_api(request, who);
    std::string known;
    for (const auto& call : calls) {
      if (request.target() == call.target) return run(call, request, passed, who);
      known += " POST " + call.target;
    }
    if (readings) known += " GET /v1/status GET /v1/top GET /v1/tokens";
    if (changes) known += " POST /v1/tokens";
    return respond(http::status::not_found, "text/plain", "there is" + known + "\n");
  }

  void log_wrong_key() {
    wrong_keys_.warning("--admin-addr: a request with no key, or a wrong one, is refused");
  }

 private:
  Response answer_api(const Request& request, const std::string& who) {
    if (!readings) return response_of(problem(404, "There is nothing to read here."));
    if (is_reading(request))
      return response_of(readings->get(request.target(), request[http::field::accept]));
    if (!changes) {
      auto answer = problem(405, "Use GET.");
      answer.allow = "GET, HEAD";
      return response_of(answer);
    }
    const auto answer = changes->answer(change_method(request.method()), request.target(), request.body());
    // What was asked for is not logged: somebody may have written a token there in place of an id.
    if (!answer.about.empty()) {
      runtime::log_info("admin, " + who + ": " + std::string(request.method_string()) + " of token " +
                        answer.about + ": " + std::to_string(answer.status));
    }
    return response_of(answer);
  }

  static Response run(const Call& call, const Request& request, const runtime::Descriptor& passed,
                      const std::string& who) {
    if (request.method() != http::verb::post) {
      auto response = respond(http::status::method_not_allowed, "text/plain", "use POST\n");
      response.set(http::field::allow, "POST");
      return response;
    }
    runtime::log_info("admin, " + who + ": " + call.target);
    AdminDoor::Answer answer;
    try {
      answer = call.run(request.body(), passed);
    } catch (const std::exception& error) {
      answer = {false, error.what()};
    }
    return respond(answer.done ? http::status::ok : http::status::internal_server_error, "text/plain",
                   answer.text + "\n");
  }

  runtime::RareLog wrong_keys_;
};

/// On the thread for readings, changes or calls.
template <typename Request, typename Done>
void AdminDoor::answer(const Request& request, const runtime::Descriptor& passed, const std::string& who,
                       Done done) {
  auto& loop = is_reading(request) ? readings_ : is_of_api(request) ? changes_ : calls_;
  asio::post(loop.context, [this, &request, &passed, who, done = std::move(done)] {
    done(answers_->answer(request, passed, who));
  });
}

/// Whoever guesses keys must wait.
template <typename Request, typename Done>
void AdminDoor::answer_if_permitted(const Request& request, const runtime::Descriptor& passed, Done done) {
  auto permission = answers_->permission(request);
  if (!permission.refusal) return answer(request, passed, permission.who, std::move(done));
  if (permission.refusal->result() != http::status::unauthorized) return done(std::move(*permission.refusal));
  answers_->log_wrong_key();
  const auto pause = std::make_shared<asio::steady_timer>(connections_.context, pause_of_the_unauthorized);
  pause->async_wait([pause, done = std::move(done),
                     refusal = std::move(*permission.refusal)](auto /*error*/) { done(refusal); });
}

class AdminDoor::SocketServer : public HttpServer<Local> {
 public:
  SocketServer(Acceptor acceptor, AdminDoor& door)
      : HttpServer(std::move(acceptor), body_bytes_max,
                   [&door](const Request& request, const runtime::Descriptor& passed, Done done) {
                     door.answer(request, passed, "at the socket", std::move(done));
                   }) {}
};

class AdminDoor::TcpServer : public HttpServer<asio::ip::tcp> {
 public:
  TcpServer(Acceptor acceptor, AdminDoor& door)
      : HttpServer(std::move(acceptor), body_bytes_max,
                   [&door](const Request& request, const runtime::Descriptor& passed, Done done) {
                     door.answer_if_permitted(request, passed, std::move(done));
                   }) {}
};

AdminDoor::AdminDoor(std::vector<AdminListener> listeners, std::vector<Call> calls,
                     std::unique_ptr<AdminApi> readings, std::unique_ptr<TokenChanges> changes,
                     std::optional<Tcp> tcp)
    : answers_(std::make_unique<Answers>(std::move(calls), std::move(readings), std::move(changes),
                                         std::move(tcp))),
      listeners_(std::move(listeners)) {
  for (auto& listener : listeners_) {
    socket_servers_.push_back(
        std::make_shared<SocketServer>(acceptor_of(connections_.context, listener), *this));
  }
  if (answers_->tcp) {
    for (auto& acceptor : runtime::listen(connections_.context, answers_->tcp->address))
      tcp_servers_.push_back(std::make_shared<TcpServer>(std::move(acceptor), *this));
  }
  for (const auto& server : socket_servers_) server->start();
  for (const auto& server : tcp_servers_) server->start();
  start(connections_, "admin", false);
  start(calls_, "admin-calls", true);
  start(readings_, "admin-readings", true);
  start(changes_, "admin-changes", true);
}

void AdminDoor::start(Loop& loop, const std::string& name, bool gives_way) {
  loop.thread = runtime::start_thread(name, [&context = loop.context, gives_way] {
    if (gives_way) runtime::give_way();
    context.run();
  });
}

AdminDoor::~AdminDoor() {
  end_calls();
  for (auto* loop : {&connections_, &calls_, &readings_, &changes_}) loop->context.stop();
  for (auto* loop : {&connections_, &calls_, &readings_, &changes_}) loop->thread.join();
  close();
}

void AdminDoor::drain(std::function<void()> drained) {
  end_calls();
  // What is posted now comes after the call and the change that are running, and after their answers.
  asio::post(calls_.context, [this, drained = std::move(drained)] {
    asio::post(changes_.context, [this, drained] {
      asio::post(connections_.context, [this, drained] {
        close();
        drained();
      });
    });
  });
}

std::vector<runtime::Endpoint> AdminDoor::endpoints() const {
  std::vector<runtime::Endpoint> endpoints;
  for (const auto& server : tcp_servers_) endpoints.push_back(server->endpoint());
  return endpoints;
}

void AdminDoor::end_calls() {
  for (const auto& call : answers_->calls) {
    if (call.on_end) call.on_end();
  }
  if (answers_->readings) answers_->readings->end();
}

void AdminDoor::close() {
  for (const auto& server : socket_servers_) server->stop();
  for (const auto& server : tcp_servers_) server->stop();
  socket_servers_.clear();
  tcp_servers_.clear();
  listeners_.clear();
}

}  // namespace tracker::doors
