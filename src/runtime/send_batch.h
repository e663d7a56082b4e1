#pragma once

#include <sys/types.h>

#include <memory>
#include <span>
#include <string_view>

struct io_uring;

namespace tracker::runtime {

/// Sends to many sockets with one system call, through a ring of the kernel's (io_uring(7)); where it has none, or
/// forbids it, with one call each. One thread at a time.
class SendBatch {
 public:
  struct Message {
    int socket;
    std::string_view bytes;
    /// Bytes, maybe fewer than there are; or an error as -errno: -EAGAIN, the socket takes none now.
    ssize_t sent;
  };

  SendBatch();
  ~SendBatch();

  /// Sends each as send(2) would, without waiting and without SIGPIPE, and sets its `sent`.
  void send(std::span<Message> messages) noexcept;

 private:
  struct Close {
    void operator()(io_uring* ring) const noexcept;
  };
  bool send_through_ring(std::span<Message> messages) noexcept;

  std::unique_ptr<io_uring, Close> ring_;  // null: there is none
};

}  // namespace tracker::runtime
