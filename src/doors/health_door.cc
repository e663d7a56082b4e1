#include "doors/health_door.h"

#include "doors/http_server.h"

namespace tracker::doors {

namespace {

Response answer(const HealthDoor::Answers& answers, const Request& request) {
  if (request.method() != http::verb::get && request.method() != http::verb::head) {
    auto response = respond(http::status::method_not_allowed, "text/plain", "use GET\n");
    response.set(http::field::allow, "GET, HEAD");
    return response;
  }
  const auto target = request.target().substr(0, request.target().find('?'));
  if (target == "/healthz") return respond(http::status::ok, "text/plain", "ok\n");
  if (target == "/readyz") {
    if (const auto& readiness = answers.readiness; !readiness.is_ready()) {
      return respond(http::status::service_unavailable, "text/plain", readiness.why_not() + "\n");
    }
    std::string text = "ready\n";
    if (answers.remarks) {
      for (const auto& remark : answers.remarks()) text += remark + "\n";
    }
    return respond(http::status::ok, "text/plain", text);
  }
  if (target == "/version") {
    return respond(http::status::ok, "application/json", R"({"version":")" + answers.version + "\"}");
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
              return answer(*answers, request);
            }) {}
};

HealthDoor::HealthDoor(boost::asio::io_context& context, const runtime::Address& address, Answers answers)
    : answers_(std::make_shared<Answers>(std::move(answers))) {
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
