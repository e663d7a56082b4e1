#include "doors/health_door.h"

#include <atomic>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/post.hpp>
#include <chrono>
#include <exception>
#include <thread>
#include <utility>

#include "doors/http_server.h"
#include "runtime/utc_time.h"
#include "runtime/workers.h"

namespace tracker::doors {

struct HealthDoor::Answers {
  std::string version;
  domain::Readiness readiness;
};

namespace {

/// More are refused: the one that is being answered may wait for a disk that hangs.
constexpr int scrapes_waiting_max = 4;
constexpr const char* metrics_type = "text/plain; version=0.0.4; charset=utf-8";

Response readyz(const domain::Readiness& readiness) {
  if (!readiness.is_ready()) {
    return respond(
        http::status::service_unavailable, "text/plain",
        readiness.why_not() + "\nnot ready since " + runtime::utc_seconds(readiness.since()) + "\n");
  }
  std::string text = "ready\n";
  for (const auto& remark : readiness.remarks()) text += remark + "\n";
  return respond(http::status::ok, "text/plain", text);
}

bool is_read(const Request& request) {
  return request.method() == http::verb::get || request.method() == http::verb::head;
}

auto path_of(const Request& request) {
  return request.target().substr(0, request.target().find('?'));
}

Response answer_to(const std::string& version, const domain::Readiness& readiness, const Request& request) {
  if (!is_read(request)) {
    auto response = respond(http::status::method_not_allowed, "text/plain", "use GET\n");
    response.set(http::field::allow, "GET, HEAD");
    return response;
  }
  const auto target = path_of(request);
  if (target == "/healthz") return respond(http::status::ok, "text/plain", "ok\n");
  if (target == "/readyz") return readyz(readiness);
  if (target == "/version") {
    return respond(http::status::ok, "application/json", R"({"version":")" + version + "\"}");
  }
  if (target == "/metrics") {
    return respond(http::status::service_unavailable, "text/plain", "too many scrapes wait; ask later\n");
  }
  return respond(http::status::not_found, "text/plain",
                 "there are /healthz, /readyz, /version and /metrics\n");
}

}  // namespace

/// Answers /metrics on a thread of its own.
class HealthDoor::Scrapes {
 public:
  explicit Scrapes(Report report)
      : report_(std::move(report)), thread_(runtime::start_thread("metrics", [this] { loop_.run(); })) {}
  ~Scrapes() {
    loop_.stop();
    thread_.join();
  }
  Scrapes(const Scrapes&) = delete;
  Scrapes& operator=(const Scrapes&) = delete;

  /// Answers the request if it is a scrape. Returns false if it is something else.
  bool answer(const Request& request, const std::function<void(Response)>& done) {
    if (!take(request)) return false;
    boost::asio::post(loop_, [this, done] { done(answer()); });
    return true;
  }
  /// Whether the service is ready. Any thread.
  void set_ready(bool ready) noexcept { ready_ = ready; }

 private:
  bool take(const Request& request) {
    if (!is_read(request) || path_of(request) != "/metrics") return false;
    if (waiting_.fetch_add(1) < scrapes_waiting_max) return true;
    --waiting_;
    return false;
  }

  Response answer() {
    Response response;
    try {
      metrics::Page page;
      page.gauge("tracker_ready", "Whether the service is ready: 1, or 0 where /readyz says why not.", {},
                 ready_ ? 1 : 0);
      report_(page);
      response = respond(http::status::ok, metrics_type, page.text());
    } catch (const std::exception& error) {
      response = respond(http::status::internal_server_error, "text/plain", error.what() + std::string("\n"));
    }
    --waiting_;
    return response;
  }

  const Report report_;
  std::atomic<bool> ready_ = false;
  std::atomic<int> waiting_ = 0;
  boost::asio::io_context loop_{1};
  const boost::asio::executor_work_guard<boost::asio::io_context::executor_type> work_{loop_.get_executor()};
  std::thread thread_;
};

class HealthDoor::Server : public HttpServer<boost::asio::ip::tcp> {
 public:
  Server(runtime::Acceptor acceptor, std::shared_ptr<const Answers> answers, Scrapes& scrapes)
      : HttpServer(std::move(acceptor), 0,
                   [answers = std::move(answers), &scrapes](
                       const Request& request, const runtime::Descriptor& /*passed*/, const Done& done) {
                     if (!scrapes.answer(request, done))
                       done(answer_to(answers->version, answers->readiness, request));
                   }) {}
};

HealthDoor::HealthDoor(boost::asio::io_context& context, const runtime::Address& address, std::string version,
                       domain::Readiness readiness, Report report)
    : answers_(std::make_shared<Answers>(Answers{std::move(version), std::move(readiness)})),
      scrapes_(std::make_unique<Scrapes>(std::move(report))) {
  scrapes_->set_ready(answers_->readiness.is_ready());
  for (auto& acceptor : runtime::listen(context, address)) {
    servers_.push_back(std::make_shared<Server>(std::move(acceptor), answers_, *scrapes_));
    servers_.back()->start();
  }
}

HealthDoor::~HealthDoor() {
  for (const auto& server : servers_) server->stop();
}

void HealthDoor::set_readiness(const domain::Readiness& readiness) {
  answers_->readiness = readiness;
  scrapes_->set_ready(readiness.is_ready());
}

std::vector<runtime::Endpoint> HealthDoor::endpoints() const {
  std::vector<runtime::Endpoint> endpoints;
  for (const auto& server : servers_) endpoints.push_back(server->endpoint());
  return endpoints;
}

}  // namespace tracker::doors
