#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/basic_stream_descriptor.hpp>
#include <cstddef>
#include <functional>

#include "runtime/descriptor.h"

namespace tracker::runtime {

struct Readiness {
  bool readable;
  bool writable;
  bool hung_up;  // the peer has closed its sending side, or the whole connection
  bool broken;   // the connection was reset, or failed otherwise
};

/// Something that waits for its descriptor to become readable or writable.
class Pollable {
 public:
  virtual void on_ready(const Readiness& ready) = 0;

 protected:
  ~Pollable() = default;
};

/// Reports that a descriptor is ready, once each time it becomes so (epoll, EPOLLET). So waiting again takes no system
/// call, while Asio's sockets take one for every wait. Belongs to one worker, whose loop waits for the set as a whole.
class ReadySet {
 public:
  /// The loop calls `on_some_ready` when something is ready; it must call tell() then. Throws
  /// boost::system::system_error.
  ReadySet(boost::asio::io_context& context, std::function<void()> on_some_ready);

  /// Reports to `pollable` until the descriptor is closed. `pollable` must live until the loop has run everything that
  /// is ready at that moment. Throws boost::system::system_error.
  void add(int descriptor, Pollable& pollable);

  /// Reports to all that are ready now. Returns how many these were.
  std::size_t tell();

 private:
  void wait();

  std::function<void()> on_some_ready_;
  boost::asio::posix::basic_stream_descriptor<boost::asio::io_context::executor_type> set_;
};

}  // namespace tracker::runtime
