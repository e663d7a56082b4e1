#pragma once

#include <boost/asio/io_context.hpp>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "doors/admin_socket.h"
#include "runtime/descriptor.h"

namespace tracker::doors {

/// The HTTP listener for whoever runs the service: Unix sockets that nobody else may open. Its calls may change things and
/// take long. They run one after the other on the door's own thread. Any thread may call the functions below.
class AdminDoor {
 public:
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

  /// Serves.
  AdminDoor(std::vector<AdminListener> listeners, std::vector<Call> calls);

  /// Waits for the call that is running.
  ~AdminDoor();

  /// Removes the sockets. Calls `drained` on the door's thread when no call is running any more.
  void drain(std::function<void()> drained);

 private:
  class Server;
  void end_calls();
  void close();

  const std::vector<Call> calls_;
  boost::asio::io_context context_{1};
  // These belong to the door's thread.
  std::vector<AdminListener> listeners_;
  std::vector<std::shared_ptr<Server>> servers_;  // each at one of the listeners
  std::thread thread_;
};

}  // namespace tracker::doors
