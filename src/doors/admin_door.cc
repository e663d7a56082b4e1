#include "doors/admin_door.h"

#include <sys/resource.h>

#include <boost/asio/post.hpp>
#include <utility>

#include "doors/http_server.h"
#include "runtime/workers.h"

namespace tracker::doors {

namespace asio = boost::asio;

namespace {

using Protocol = asio::local::stream_protocol;
using Acceptor = HttpServer<Protocol>::Acceptor;
constexpr std::size_t body_bytes_max = 64 * 1024;
constexpr int niceness = 10;  // counting has the processor first

Acceptor acceptor_of(asio::io_context& context, AdminListener& listener) {
  Acceptor acceptor(context.get_executor());
  acceptor.assign(Protocol(), listener.release());
  acceptor.non_blocking(true);
  return acceptor;
}

Response respond_to(const AdminDoor::Call& call, const Request& request, const runtime::Descriptor& passed) {
  if (request.method() != http::verb::post) {
    auto response = respond(http::status::method_not_allowed, "text/plain", "use POST\n");
    response.set(http::field::allow, "POST");
    return response;
  }
  AdminDoor::Answer answer;
  try {
    answer = call.run(request.body(), passed);
  } catch (const std::exception& error) {
    answer = {false, error.what()};
  }
  return respond(answer.done ? http::status::ok : http::status::internal_server_error, "text/plain",
                 answer.text + "\n");
}

Response respond_to(const std::vector<AdminDoor::Call>& calls, const Request& request,
                    const runtime::Descriptor& passed) {
  std::string known;
  for (const auto& call : calls) {
    if (request.target() == call.target) return respond_to(call, request, passed);
    known += " POST " + call.target;
  }
  return respond(http::status::not_found, "text/plain", "there is" + known + "\n");
}

}  // namespace

class AdminDoor::Server : public HttpServer<Protocol> {
 public:
  Server(Acceptor acceptor, const std::vector<Call>& calls)
      : HttpServer(std::move(acceptor), body_bytes_max,
                   [&calls](const Request& request, const runtime::Descriptor& passed) {
                     return respond_to(calls, request, passed);
                   }) {}
};

AdminDoor::AdminDoor(std::vector<AdminListener> listeners, std::vector<Call> calls)
    : calls_(std::move(calls)), listeners_(std::move(listeners)) {
  for (auto& listener : listeners_) {
    servers_.push_back(std::make_shared<Server>(acceptor_of(context_, listener), calls_));
    servers_.back()->start();
  }
  thread_ = runtime::start_thread("admin", [this] {
    ::setpriority(PRIO_PROCESS, 0, niceness);  // in Linux, of this thread alone
    context_.run();
  });
}

AdminDoor::~AdminDoor() {
  end_calls();
  context_.stop();
  thread_.join();
  close();
}

void AdminDoor::drain(std::function<void()> drained) {
  end_calls();
  asio::post(context_, [this, drained = std::move(drained)] {
    close();
    drained();
  });
}

void AdminDoor::end_calls() {
  for (const auto& call : calls_) {
    if (call.on_end) call.on_end();
  }
}

void AdminDoor::close() {
  for (const auto& server : servers_) server->stop();
  servers_.clear();
  listeners_.clear();
}

}  // namespace tracker::doors
