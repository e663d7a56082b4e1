#pragma once

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "doors/admin_api.h"
#include "doors/admin_keys.h"
#include "doors/admin_socket.h"
#include "doors/token_changes.h"
#include "runtime/address.h"
#include "runtime/descriptor.h"
#include "runtime/listener.h"

namespace tracker::doors {

/// The HTTP listener for whoever runs the service: Unix sockets that nobody else may open, and TCP for who has a key. Its
/// calls may change things and take long. They run one after the other on a thread of their own, and so do readings, and changes
/// of tokens, all at a low priority. Every call and change is logged with who made it. Any thread may call the functions below.
class AdminDoor {
 public:
  /// Where it listens over TCP. A request needs a key. One with an Origin, or for a host that is not this one, is refused:
  /// a page in somebody's browser made it.
  struct Tcp {
    runtime::Address address;
    std::shared_ptr<const AdminKeys> keys;
  };

  /// The text is in plain words, for the person who asked.
  struct Answer {
    bool done;
    std::string text;
  };
  /// `POST <target>`. Gets the body of the request as it came, and the descriptor that came with it, if one did. An
  /// exception becomes a 500 with its text.
  struct Call {
    std::string target;
    std::function<Answer(const std::string& body, const runtime::Descriptor& passed)> run;
    /// The door closes: a call that waits for others returns soon. Any thread. Null: it waits for nobody.
    std::function<void()> on_end = nullptr;
  };

  /// Serves. Null: there is nothing to read, or to change. Throws boost::system::system_error if it cannot listen over TCP.
  AdminDoor(std::vector<AdminListener> listeners, std::vector<Call> calls,
            std::unique_ptr<AdminApi> readings = nullptr, std::unique_ptr<TokenChanges> changes = nullptr,
            std::optional<Tcp> tcp = std::nullopt);

  /// Waits for the call and the reading that are running.
  ~AdminDoor();

  /// Removes the sockets. Calls `drained` on the door's thread when no call is running any more.
  void drain(std::function<void()> drained);

  /// Where it listens over TCP.
  std::vector<runtime::Endpoint> endpoints() const;

 private:
  class SocketServer;
  class TcpServer;
  class Answers;
  /// A thread that runs a loop.
  struct Loop {
    boost::asio::io_context context{1};
    boost::asio::executor_work_guard<boost::asio::io_context::executor_type> work{context.get_executor()};
    std::thread thread = {};
  };
  void start(Loop& loop, const std::string& name, bool gives_way);
  template <typename Request, typename Done>
  void answer(const Request& request, const runtime::Descriptor& passed, const std::string& who, Done done);
  template <typename Request, typename Done>
  void answer_if_permitted(const Request& request, const runtime::Descriptor& passed, Done done);
  void end_calls();
  void close();

  const std::unique_ptr<Answers> answers_;
  Loop connections_;  // outlives the others, which have their coroutines
  Loop calls_;
  Loop readings_;
  Loop changes_;
  // These belong to the thread of the connections.
  std::vector<AdminListener> listeners_;
  std::vector<std::shared_ptr<SocketServer>> socket_servers_;  // each at one of the listeners
  std::vector<std::shared_ptr<TcpServer>> tcp_servers_;
};

}  // namespace tracker::doors
