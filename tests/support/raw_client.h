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

// One TCP connection that sends exactly the bytes that it is told to send. Every call ends within `patience`, if need
// be by an exception. One thread at a time.
class RawClient {
 public:
  enum class End { none, closed, reset };

  // A receive buffer of 0 leaves the size to the system. Throws std::system_error if nobody listens.
  explicit RawClient(const Endpoint& peer, int receive_buffer_bytes = 0);
  ~RawClient();
  RawClient(RawClient&& other) noexcept;
  RawClient& operator=(RawClient&&) = delete;

  // Sends everything, and keeps what arrives meanwhile. Returns false if the peer takes no more.
  bool send(std::string_view bytes);
  // The same, with one write for each byte.
  bool send_byte_by_byte(std::string_view bytes);
  // Sends what the peer takes now, and reads nothing. Waits at most `within` for the peer to take anything. Returns
  // nothing if the connection is broken.
  std::optional<std::size_t> send_some(std::string_view bytes, std::chrono::milliseconds within);

  void half_close();
  // Closes without a goodbye (RST).
  void abort();

  // Reads the next answer. Throws if the connection ends first, or if the answer is malformed.
  HttpAnswer read_answer(AnswerTo asked = AnswerTo::get);
  // Returns nothing if the connection ended before the first byte of an answer. Throws if it ended within an answer.
  std::optional<HttpAnswer> read_answer_or_end(AnswerTo asked = AnswerTo::get);
  // Waits for the peer to end the connection. What came before is in unread().
  End read_to_end();

  // Returns whether something to read, or the end, comes within this time.
  bool readable(std::chrono::milliseconds within);
  // Receives what comes within this time into unread(). Returns false if nothing came, or the connection ended.
  bool receive_more(std::chrono::milliseconds within);
  // Returns whether the peer refuses what is sent (it reset the connection), or does so within this time.
  bool broken(std::chrono::milliseconds within) const;
  End end() const { return end_; }
  std::string_view unread() const { return std::string_view(received_).substr(taken_); }

 private:
  void connect(const Endpoint& peer, int receive_buffer_bytes);
  // Returns what happened. Throws if nothing happens before the deadline.
  short wait_for(short events, const Deadline& deadline) const;
  void receive();

  int fd_ = -1;
  std::string received_;
  std::size_t taken_ = 0;
  End end_ = End::none;
};

}  // namespace tracker::tests

#endif  // TRACKER_TESTS_SUPPORT_RAW_CLIENT_H_
