#pragma once

#include <sys/types.h>

#include <memory>
#include <span>
#include <string_view>

struct io_uring;

namespace tracker::runtime {

/// Sends to many sockets with one system call (io_uring(7)). Where the kernel has no io_uring, or forbids it, each
/// socket takes one call. One thread at a time.
class SendBatch {
 public:
  struct Message {
    int socket;
    std::string_view bytes;
    /// The number of bytes sent, perhaps fewer than there are; or -errno, where -EAGAIN means that the socket takes
    /// none now.
    ssize_t sent;
  };

  SendBatch();
  ~SendBatch();

  /// Sends each message as send(2) would, without waiting and without SIGPIPE, and sets its `sent`.
  void send(std::span<Message> messages) noexcept;

 private:
  struct Close {
    void operator()(io_uring* ring) const noexcept;
  };
  bool send_through_ring(std::span<Message> messages) noexcept;

  std::unique_ptr<io_uring, Close> ring_;  // null if there is none
};

}  // namespace tracker::runtime
