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

/// The HTTP listener for the owner of the data directory: a Unix socket in it, with mode 0600 from its first moment.
/// Its calls may change things and take long. They run one after the other on the door's own thread. Any thread may
/// call the functions below.
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
  };

  /// Listens and serves. `directory` belongs to this process alone, so a socket that is there already belongs to no
  /// process and is replaced. Throws boost::system::system_error if it cannot listen.
  AdminDoor(const std::string& directory, std::vector<Call> calls);

  /// Waits for the call that is running.
  ~AdminDoor();

  /// Removes the socket. Calls `drained` on the door's thread when no call is running any more.
  void drain(std::function<void()> drained);

 private:
  class Server;
  void close();

  AdminSocket socket_;
  boost::asio::io_context context_{1};
  std::shared_ptr<Server> server_;
  bool is_open_ = true;  // belongs to the door's thread
  std::thread thread_;
};

}  // namespace tracker::doors
