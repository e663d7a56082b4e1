#include "doors/admin_door.h"

#include <sys/stat.h>

#include <boost/asio/post.hpp>

#include "doors/http_server.h"
#include "runtime/workers.h"

namespace tracker::doors {

namespace asio = boost::asio;

namespace {

using Protocol = asio::local::stream_protocol;
using Acceptor = HttpServer<Protocol>::Acceptor;
constexpr std::size_t body_bytes_max = 64 * 1024;

Acceptor listen(asio::io_context& context, const AdminSocket& socket) {
  socket.remove();
  Acceptor acceptor(context.get_executor());
  acceptor.open(Protocol());
  // bind() makes the file with the mode of the socket, so the file never has another one. umask() would also change the
  // files that other threads make meanwhile.
  ::fchmod(acceptor.native_handle(), S_IRUSR | S_IWUSR);
  acceptor.bind(socket.address());
  acceptor.listen();
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
  Server(Acceptor acceptor, std::vector<Call> calls)
      : HttpServer(std::move(acceptor), body_bytes_max,
                   [calls = std::move(calls)](const Request& request, const runtime::Descriptor& passed) {
                     return respond_to(calls, request, passed);
                   }) {}
};

AdminDoor::AdminDoor(const std::string& directory, std::vector<Call> calls)
    : socket_(directory), server_(std::make_shared<Server>(listen(context_, socket_), std::move(calls))) {
  server_->start();
  thread_ = runtime::start_thread("admin", [this] { context_.run(); });
}

AdminDoor::~AdminDoor() {
  context_.stop();
  thread_.join();
  close();
}

void AdminDoor::drain(std::function<void()> drained) {
  asio::post(context_, [this, drained = std::move(drained)] {
    close();
    drained();
  });
}

void AdminDoor::close() {
  if (!std::exchange(is_open_, false)) return;
  server_->stop();
  socket_.remove();
}

}  // namespace tracker::doors
