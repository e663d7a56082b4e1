#include "doors/health_door.h"

#include <chrono>
#include <ctime>

#include "doors/http_server.h"

namespace tracker::doors {

struct HealthDoor::Answers {
  std::string version;
  domain::Readiness readiness;
};

namespace {

/// `2026-11-27T13:40:12Z`
std::string text_of(domain::Readiness::Time time) {
  const auto seconds = std::chrono::system_clock::to_time_t(time);
  std::tm parts{};
  ::gmtime_r(&seconds, &parts);
  char text[32];
  std::strftime(text, sizeof text, "%FT%TZ", &parts);
  return text;
}

Response readyz(const domain::Readiness& readiness) {
  if (!readiness.is_ready()) {
    return respond(http::status::service_unavailable, "text/plain",
                   readiness.why_not() + "\nnot ready since " + text_of(readiness.since()) + "\n");
  }
  std::string text = "ready\n";
  for (const auto& remark : readiness.remarks()) text += remark + "\n";
  return respond(http::status::ok, "text/plain", text);
}

Response answer(const std::string& version, const domain::Readiness& readiness, const Request& request) {
  if (request.method() != http::verb::get && request.method() != http::verb::head) {
    auto response = respond(http::status::method_not_allowed, "text/plain", "use GET\n");
    response.set(http::field::allow, "GET, HEAD");
    return response;
  }
  const auto target = request.target().substr(0, request.target().find('?'));
  if (target == "/healthz") return respond(http::status::ok, "text/plain", "ok\n");
  if (target == "/readyz") return readyz(readiness);
  if (target == "/version") {
    return respond(http::status::ok, "application/json", R"({"version":")" + version + "\"}");
  }
  return respond(http::status::not_found, "text/plain", "there are /healthz, /readyz and /version\n");
}

}  // namespace

class HealthDoor::Server : public HttpServer<boost::asio::ip::tcp> {
 public:
  Server(runtime::Acceptor acceptor, std::shared_ptr<const Answers> answers)
      : HttpServer(
            std::move(acceptor), 0,
            [answers = std::move(answers)](const Request& request, const runtime::Descriptor& /*passed*/) {
              return answer(answers->version, answers->readiness, request);
            }) {}
};

HealthDoor::HealthDoor(boost::asio::io_context& context, const runtime::Address& address, std::string version,
                       domain::Readiness readiness)
    : answers_(std::make_shared<Answers>(Answers{std::move(version), std::move(readiness)})) {
  for (auto& acceptor : runtime::listen(context, address)) {
    servers_.push_back(std::make_shared<Server>(std::move(acceptor), answers_));
    servers_.back()->start();
  }
}

HealthDoor::~HealthDoor() {
  for (const auto& server : servers_) server->stop();
}

void HealthDoor::set_readiness(const domain::Readiness& readiness) {
  answers_->readiness = readiness;
}

std::vector<runtime::Endpoint> HealthDoor::endpoints() const {
  std::vector<runtime::Endpoint> endpoints;
  for (const auto& server : servers_) endpoints.push_back(server->endpoint());
  return endpoints;
}

}  // namespace tracker::doors
