#include "doors/self_door.h"

#include <algorithm>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <ctime>
#include <optional>
#include <stdexcept>
#include <string_view>
#include <utility>
#include <variant>

#include "domain/authorization.h"
#include "domain/token_id.h"
#include "doors/counts_page.h"
#include "doors/http_server.h"
#include "doors/problem.h"
#include "runtime/utc_time.h"

namespace tracker::doors {

namespace {

using Kind = counter::ReadFailure::Kind;

constexpr std::string_view counts_target = "/v1/self/counts";
constexpr const char* methods = "GET, HEAD, OPTIONS";
constexpr const char* preflight_lasts_s = "600";
/// Requests that wait for their counts, of all connections together.
constexpr std::size_t in_flight_max = 32;
/// Tokens whose rates are remembered.
constexpr std::size_t tokens_max = 8'192;

Response problem(http::status status, std::string_view detail) {
  return respond(status, problem_type, problem_json(static_cast<unsigned>(status), detail));
}

Response unauthorized(std::string_view detail) {
  auto response = problem(http::status::unauthorized, detail);
  response.set(http::field::www_authenticate, "Bearer");
  return response;
}

Response later(http::status status, std::chrono::seconds wait, std::string_view detail) {
  auto response = problem(status, detail);
  response.set(http::field::retry_after, std::to_string(std::max<std::int64_t>(wait.count(), 1)));
  return response;
}

Response busy(std::string_view detail) {
  return later(http::status::service_unavailable, std::chrono::seconds(1), detail);
}

Response malformed(std::string_view detail) {
  auto response = problem(http::status::bad_request, detail);
  response.keep_alive(false);
  return response;
}

Response problem_of(const counter::ReadFailure& failure) {
  switch (failure.kind) {
    case Kind::unknown_token:
      return unauthorized("This token is not known here.");
    case Kind::busy:
      return busy("Too many others read their counts; try again.");
    case Kind::unavailable:
      break;
    case Kind::unsupported:
      return problem(http::status::not_implemented, "Counts cannot be read here: " + failure.why + ".");
  }
  return busy("The counts cannot be read now; try again.");
}

/// What a request asks for.
struct Asked {
  domain::Token token{};
  store::CountsQuery query;
};

/// Reads a request. Returns the answer instead if that needs no counts.
std::optional<Response> read_request(const Request& request, Asked& asked) {
  const std::string_view target(request.target().data(), request.target().size());
  if (request.count(http::field::transfer_encoding) > 0)
    return malformed("Transfer-Encoding is not accepted: no request here has a body.");
  const auto path = target.substr(0, target.find('?'));
  if (path != counts_target)
    return problem(http::status::not_found, "There is GET " + std::string(counts_target) + " only.");
  if (request.method() == http::verb::options) {
    Response response(http::status::no_content, 11);
    response.set(http::field::allow, methods);
    return response;
  }
  if (request.method() != http::verb::get && request.method() != http::verb::head) {
    auto response = problem(http::status::method_not_allowed, "Counts are only read here; use GET.");
    response.set(http::field::allow, methods);
    return response;
  }
  if (request.count(http::field::authorization) > 1)
    return malformed("The request has more than one Authorization field.");
  try {
    asked.query = parse_counts_query(target.substr(std::min(target.size(), path.size() + 1)));
  } catch (const std::invalid_argument& error) {
    return problem(http::status::bad_request, error.what());
  }
  if (request.count(http::field::authorization) == 0)
    return unauthorized("The request carries no token; send it as Authorization: Bearer TOKEN.");
  const auto field = request[http::field::authorization];
  const auto token = domain::parse_authorization({field.data(), field.size()});
  if (!token) {
    return unauthorized(
        "The Authorization field must hold a token in its 36-character form, bare or after Bearer.");
  }
  asked.token = *token;
  return std::nullopt;
}

/// Lets pages of these origins see the answer (Fetch standard, section 3.2).
void allow(const std::vector<std::string>& origins, const std::string& origin, bool is_preflight,
           Response& response) {
  if (origins.empty()) return;
  const bool all = origins.front() == "*";
  if (!all) response.set(http::field::vary, "Origin");
  if (!all && std::ranges::find(origins, origin) == origins.end()) return;
  response.set(http::field::access_control_allow_origin, all ? "*" : origin);
  response.set(http::field::access_control_expose_headers, "Retry-After");
  if (!is_preflight) return;
  response.set(http::field::access_control_allow_methods, "GET");
  response.set(http::field::access_control_allow_headers, "Authorization");
  response.set(http::field::access_control_max_age, preflight_lasts_s);
}

}  // namespace

/// A request that waits for its counts, and is answered once: with them, or at its deadline.
struct SelfDoor::Waiting {
  void answer(Response response) {
    if (const auto its_send = std::exchange(send, nullptr)) its_send(std::move(response));
  }

  boost::asio::steady_timer timer;
  Done send;
};

class SelfDoor::Server : public HttpServer<boost::asio::ip::tcp> {
 public:
  using HttpServer::HttpServer;
};

SelfDoor::SelfDoor(boost::asio::io_context& loop, const runtime::Address& address, counter::Counter& counter,
                   SelfDoorSettings settings)
    : loop_(loop),
      counter_(counter),
      settings_(std::move(settings)),
      rates_(settings_.rate, settings_.rate, tokens_max) {
  for (auto& acceptor : runtime::listen(loop, address)) {
    servers_.push_back(std::make_shared<Server>(
        std::move(acceptor), 0,
        [this](const auto& request, const auto& /*passed*/, auto done) { answer(request, std::move(done)); },
        problem(http::status::bad_request, "This is no HTTP request, or it has a body.")));
    servers_.back()->start();
  }
}

SelfDoor::~SelfDoor() = default;

std::vector<runtime::Endpoint> SelfDoor::endpoints() const {
  std::vector<runtime::Endpoint> endpoints;
  for (const auto& server : servers_) endpoints.push_back(server->endpoint());
  return endpoints;
}

void SelfDoor::answer(const Request& request, Done done) {
  const auto origin = request[http::field::origin];
  auto send = [this, done = std::move(done), origin = std::string(origin.data(), origin.size()),
               is_preflight = request.method() == http::verb::options](Response response) {
    response.set(http::field::date, runtime::http_date(std::time(nullptr)));
    allow(settings_.origins, origin, is_preflight, response);
    done(std::move(response));
  };
  Asked asked;
  if (auto response = read_request(request, asked)) return send(std::move(*response));
  if (auto response = refusal_of(domain::token_id(asked.token))) return send(std::move(*response));
  ++in_flight_;
  const auto deadline = std::chrono::steady_clock::now() + settings_.request_deadline;
  auto waiting =
      std::make_shared<Waiting>(Waiting{boost::asio::steady_timer(loop_, deadline), std::move(send)});
  waiting->timer.async_wait([waiting](boost::system::error_code cancelled) {
    if (!cancelled) waiting->answer(busy("The counts did not come in time; try again."));
  });
  auto on_read = [this, waiting = std::move(waiting)](counter::ReadOutcome outcome) mutable {
    boost::asio::post(loop_, [this, waiting = std::move(waiting), outcome = std::move(outcome)] {
      waiting->timer.cancel();
      waiting->answer(response_to(outcome));
      --in_flight_;
      end_drain();
    });
  };
  counter_.read(asked.token, asked.query, deadline, std::move(on_read));
}

/// Returns why this token may not ask now, if so.
std::optional<Response> SelfDoor::refusal_of(const domain::TokenId& id) {
  if (drained_) return busy("The service is shutting down.");
  const auto wait = rates_.ask(id.bytes, domain::RateBounds::Clock::now());
  if (wait > domain::RateBounds::Clock::duration::zero()) {
    return later(
        http::status::too_many_requests, std::chrono::ceil<std::chrono::seconds>(wait),
        "This token has asked too often: it may ask " + std::to_string(settings_.rate) + " times a second.");
  }
  if (in_flight_ >= in_flight_max) return busy("Too many requests are in flight; try again.");
  return std::nullopt;
}

Response SelfDoor::response_to(const counter::ReadOutcome& outcome) {
  if (const auto* page = std::get_if<store::TokenCounts>(&outcome))
    return respond(http::status::ok, "application/json", counts_json(*page));
  const auto& failure = std::get<counter::ReadFailure>(outcome);
  if (failure.kind == Kind::unavailable)
    log_.warning("self door: a token's counts were not read: " + failure.why);
  return problem_of(failure);
}

void SelfDoor::drain(std::function<void()> drained) {
  boost::asio::post(loop_, [this, drained = std::move(drained)] {
    for (const auto& server : servers_) server->stop();
    drained_ = drained;
    end_drain();
  });
}

void SelfDoor::end_drain() {
  if (drained_ && in_flight_ == 0) boost::asio::post(loop_, drained_);
}

}  // namespace tracker::doors
