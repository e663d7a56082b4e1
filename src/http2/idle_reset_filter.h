#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace tracker::http2 {

/// Drops RST_STREAM frames for streams that the client has not opened, from the bytes that a server receives.
///
/// RFC 9113, section 6.4, makes such a frame a connection error, and nghttp2 keeps to that. But gRPC's C core, and so
/// its clients for C++, Python and others, sends one for a call that is cancelled before its HEADERS have left
/// (grpc/grpc issue 19655, open since 2019). Ending the connection would fail all other calls on it. The frame means
/// nothing here: the stream does not exist, and stays unused. Pure.
class IdleResetFilter {
 public:
  /// Takes the next bytes of the connection, which begins with the client's preface, and calls
  /// `pass(std::string_view)` with those that remain, in order and in as few parts as possible. The head of a frame that
  /// has not come whole is held back.
  template <typename Pass>
  void filter(std::string_view bytes, Pass pass) {
    std::size_t from = 0;  // bytes from here to `at` remain, and have not been passed
    std::size_t at = 0;
    const auto pass_until = [&](std::size_t end) {
      if (from < end) pass(bytes.substr(from, end - from));
    };
    while (at < bytes.size()) {
      if (left_ > 0) {
        const std::size_t n = left_ < bytes.size() - at ? left_ : bytes.size() - at;
        left_ -= n;
        at += n;
        if (dropping_) from = at;
        continue;
      }
      const std::size_t begin = at;
      const bool begun_before = head_size_ > 0;
      while (head_size_ < head_.size() && at < bytes.size()) head_[head_size_++] = bytes[at++];
      if (head_size_ == head_.size()) begin_frame();
      if (head_size_ > 0 || dropping_) {
        pass_until(begin);
        from = at;
      } else if (begun_before) {
        pass(std::string_view(head_.data(), head_.size()));
        from = at;
      }
    }
    pass_until(at);
  }

 private:
  void begin_frame() noexcept;

  std::array<char, 9> head_{};   // of a frame: section 4.1
  std::size_t head_size_ = 0;    // what has come of it
  std::size_t left_ = 24;        // of the preface, or of a frame's payload
  bool dropping_ = false;        // this frame
  std::uint32_t last_open_ = 0;  // the highest stream that the client has opened
};

}  // namespace tracker::http2
