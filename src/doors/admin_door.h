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

/// The HTTP listener for whoever owns the data directory: a Unix socket in it that nobody else may open (mode
/// 0600, from its first moment on). What is asked there may change things and take long: it runs on the door's
/// own thread, one call after the other. All may be called from any thread.
class AdminDoor {
 public:
  /// In plain words, for the person who asked.
  struct Answer {
    bool done;
    std::string text;
  };
  /// `POST <target>`; the request's body is handed over as it came, and the descriptor that came with it, if one did.
  /// What it throws is an answer, too.
  struct Call {
    std::string target;
    std::function<Answer(const std::string& body, const runtime::Descriptor& passed)> run;
  };

  /// Listens and serves. `directory` is this process's alone, so that a socket which is there already belongs to
  /// nobody any more, and is replaced. Throws boost::system::system_error if it cannot listen.
  AdminDoor(const std::string& directory, std::vector<Call> calls);

  /// Waits for a call that runs.
  ~AdminDoor();

  /// Removes the socket, and calls `drained`, on the door's thread, when nothing runs any more.
  void drain(std::function<void()> drained);

 private:
  class Server;
  void close();

  AdminSocket socket_;
  boost::asio::io_context context_{1};
  std::shared_ptr<Server> server_;
  bool is_open_ = true;  // its thread's
  std::thread thread_;
};

}  // namespace tracker::doors
