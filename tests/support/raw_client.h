#ifndef TRACKER_TESTS_SUPPORT_RAW_CLIENT_H_
#define TRACKER_TESTS_SUPPORT_RAW_CLIENT_H_

#include <chrono>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include "support/deadline.h"
#include "support/endpoint.h"
#include "support/http_answer.h"

namespace tracker::tests {

// One TCP connection that sends exactly the bytes it is told. Every call ends within `patience`, by an
// exception if need be. One thread at a time.
class RawClient {
 public:
  enum class End { none, closed, reset };

  // A receive buffer of 0 leaves the size to the system. Throws std::system_error if nobody listens.
  explicit RawClient(const Endpoint& peer, int receive_buffer_bytes = 0);
  ~RawClient();
  RawClient(RawClient&& other) noexcept;
  RawClient& operator=(RawClient&&) = delete;

  // Sends everything, keeping what arrives meanwhile. False: the peer takes no more.
  bool send(std::string_view bytes);
  // As send, one write per byte.
  bool send_byte_by_byte(std::string_view bytes);
  // Sends what the peer takes now, after waiting at most `within` for it to take anything, and reads nothing.
  // Nothing: the connection is broken.
  std::optional<std::size_t> send_some(std::string_view bytes, std::chrono::milliseconds within);

  void half_close();
  // Goes away without a goodbye (RST).
  void abort();

  // The next answer. Throws if the connection ends first, or if it is malformed.
  HttpAnswer read_answer(AnswerTo asked = AnswerTo::get);
  // Nothing: the connection ended without a byte of it. Throws if it ended within an answer.
  std::optional<HttpAnswer> read_answer_or_end(AnswerTo asked = AnswerTo::get);
  // Waits for the peer to end the connection; what came before is in unread().
  End read_to_end();

  // Whether anything is there to read, or the end is, within this time.
  bool readable(std::chrono::milliseconds within);
  // Receives what comes within this time, which is then in unread(). False: nothing, or the end.
  bool receive_more(std::chrono::milliseconds within);
  // Whether the peer refuses what is sent (it reset the connection), or does so within this time.
  bool broken(std::chrono::milliseconds within) const;
  End end() const { return end_; }
  std::string_view unread() const { return std::string_view(received_).substr(taken_); }

 private:
  void connect(const Endpoint& peer, int receive_buffer_bytes);
  // Returns what happened; throws if nothing does before the deadline.
  short wait_for(short events, const Deadline& deadline) const;
  void receive();

  int fd_ = -1;
  std::string received_;
  std::size_t taken_ = 0;
  End end_ = End::none;
};

}  // namespace tracker::tests

#endif  // TRACKER_TESTS_SUPPORT_RAW_CLIENT_H_
