#include "runtime/send_batch.h"

#include <liburing.h>
#include <sys/socket.h>

#include <algorithm>
#include <cassert>
#include <cerrno>

namespace tracker::runtime {

namespace {

constexpr unsigned ring_entries = 256;
constexpr int flags = MSG_DONTWAIT | MSG_NOSIGNAL;

void send_one(SendBatch::Message& message) noexcept {
  do {
    message.sent = ::send(message.socket, message.bytes.data(), message.bytes.size(), flags);
  } while (message.sent < 0 && errno == EINTR);
  if (message.sent < 0) message.sent = -errno;
}

}  // namespace

void SendBatch::Close::operator()(io_uring* ring) const noexcept {
  ::io_uring_queue_exit(ring);
  delete ring;
}

SendBatch::SendBatch() {
  auto ring = std::make_unique<io_uring>();
  if (::io_uring_queue_init(ring_entries, ring.get(), IORING_SETUP_COOP_TASKRUN) == 0)
    ring_.reset(ring.release());
}

SendBatch::~SendBatch() = default;

void SendBatch::send(std::span<Message> messages) noexcept {
  while (ring_ && messages.size() > 1) {
    const auto now = messages.first(std::min<std::size_t>(messages.size(), ring_entries));
    messages = messages.subspan(now.size());
    if (!send_through_ring(now)) ring_.reset();
  }
  for (auto& message : messages) send_one(message);
}

/// Returns false if the ring fails. Messages without a result are lost then.
bool SendBatch::send_through_ring(std::span<Message> messages) noexcept {
  for (auto& message : messages) {
    auto* entry = ::io_uring_get_sqe(ring_.get());  // there is room, because all earlier entries are done
    assert(entry != nullptr);
    ::io_uring_prep_send(entry, message.socket, message.bytes.data(), message.bytes.size(), flags);
    ::io_uring_sqe_set_data(entry, &message);
    message.sent = -EIO;
  }
  // No send waits for its socket, so all are done when the call returns.
  for (auto left = static_cast<unsigned>(messages.size()); left > 0;) {
    const int submitted = ::io_uring_submit_and_wait(ring_.get(), left);
    if (submitted < 0 && submitted != -EINTR && submitted != -EAGAIN) return false;
    unsigned head = 0;
    unsigned done = 0;
    io_uring_cqe* completion = nullptr;
    io_uring_for_each_cqe(ring_.get(), head, completion) {
      static_cast<Message*>(::io_uring_cqe_get_data(completion))->sent = completion->res;
      ++done;
    }
    ::io_uring_cq_advance(ring_.get(), done);
    assert(done <= left);
    left -= done;
  }
  return true;
}

}  // namespace tracker::runtime
