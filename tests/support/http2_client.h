#ifndef TRACKER_TESTS_SUPPORT_HTTP2_CLIENT_H_
#define TRACKER_TESTS_SUPPORT_HTTP2_CLIENT_H_

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "support/raw_client.h"

struct nghttp2_hd_inflater;

namespace tracker::tests {

// An HTTP/2 client that sends exactly the frames that it is told to send, and understands the answers.
class Http2Client {
 public:
  struct Answer {
    std::map<std::string, std::string> fields;  // of the response and its trailers
    std::string data;
    bool ended = false;
    bool trailers_only = false;          // it has one list of fields and nothing else
    std::optional<std::uint32_t> reset;  // the error code of its RST_STREAM
  };

  // Sends these first bytes, and acknowledges the server's settings.
  explicit Http2Client(const Endpoint& server, std::string_view first_bytes);
  ~Http2Client();

  bool send(std::string_view frames) { return raw_.send(frames); }
  RawClient& raw() { return raw_; }

  // Waits until the stream has ended or was reset. Throws if neither happens in time.
  const Answer& wait(std::int32_t stream);
  // Returns what has come on the stream by now.
  const Answer& peek(std::int32_t stream);
  // The error codes of the GOAWAY frames that have come.
  const std::map<std::int32_t, std::uint32_t>& goaways() const { return goaways_; }

  // Makes one call of a gRPC method with one message.
  const Answer& call(std::int32_t stream, const std::string& method, std::string_view message);

 private:
  void take();
  void take_frame(std::uint8_t type, std::uint8_t flags, std::int32_t stream, std::string_view payload);
  void take_fields(Answer& answer, std::string_view block);

  struct Free {
    void operator()(nghttp2_hd_inflater* inflater) const noexcept;
  };
  RawClient raw_;
  std::size_t parsed_ = 0;
  std::unique_ptr<nghttp2_hd_inflater, Free> inflater_;
  std::map<std::int32_t, Answer> answers_;
  std::map<std::int32_t, std::uint32_t> goaways_;  // by last stream
};

}  // namespace tracker::tests

#endif  // TRACKER_TESTS_SUPPORT_HTTP2_CLIENT_H_
