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
  bool hung_up;  // the other side has closed its sending side, or all of it
  bool broken;   // the connection was reset, or failed otherwise
};

/// Something that waits for its descriptor to become readable or writable.
class Pollable {
 public:
  virtual void on_ready(const Readiness& ready) = 0;

 protected:
  ~Pollable() = default;
};

/// Tells descriptors' readiness once each time that it comes (epoll's EPOLLET), so that waiting again costs no
/// system call; Asio's sockets need one for every wait. Belongs to one worker, whose loop waits for the set as
/// a whole.
class ReadySet {
 public:
  /// The loop calls `on_some_ready` when something is ready: then tell() is to be called.
  /// Throws boost::system::system_error.
  ReadySet(boost::asio::io_context& context, std::function<void()> on_some_ready);

  /// From now on, until the descriptor is closed; `pollable` lives until the loop has run what is ready then.
  /// Throws boost::system::system_error.
  void add(int descriptor, Pollable& pollable);

  /// Tells all that is ready now; answers how many were told.
  std::size_t tell();

 private:
  void wait();

  std::function<void()> on_some_ready_;
  boost::asio::posix::basic_stream_descriptor<boost::asio::io_context::executor_type> set_;
};

}  // namespace tracker::runtime
