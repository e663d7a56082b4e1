#include "http2/idle_reset_filter.h"

namespace tracker::http2 {

namespace {
constexpr unsigned headers_frame = 1;
constexpr unsigned rst_stream_frame = 3;
constexpr std::size_t rst_stream_bytes = 4;
}  // namespace

/// The head of a frame has come whole.
void IdleResetFilter::begin_frame() noexcept {
  const auto byte = [this](std::size_t i) {
    return static_cast<unsigned>(static_cast<unsigned char>(head_[i]));
  };
  const unsigned type = byte(3);
  const std::uint32_t stream = (byte(5) & 0x7f) << 24 | byte(6) << 16 | byte(7) << 8 | byte(8);
  head_size_ = 0;
  left_ = byte(0) << 16 | byte(1) << 8 | byte(2);
  dropping_ = type == rst_stream_frame && left_ == rst_stream_bytes && stream % 2 == 1 && stream > last_open_;
  if (type == headers_frame && stream > last_open_) last_open_ = stream;
}

}  // namespace tracker::http2
