#include "http2/idle_reset_filter.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>

#include "support/http2_frames.h"

namespace tracker::http2 {
namespace {

namespace raw = tests::http2;

/// What remains of bytes that come in parts of `part` bytes.
std::string filtered(std::string_view bytes, std::size_t part) {
  IdleResetFilter filter;
  std::string passed;
  for (; !bytes.empty(); bytes.remove_prefix(std::min(part, bytes.size()))) {
    filter.filter(bytes.substr(0, part), [&](std::string_view some) {
      EXPECT_FALSE(some.empty());
      passed += some;
    });
  }
  return passed;
}

TEST(IdleResetFilter, DropsResetsOfStreamsThatWereNeverOpened) {
  const std::string call_3 = raw::headers(3, raw::grpc_request("/p")) + raw::data(3, "x");
  const std::string before = raw::preface + raw::settings({}) + call_3;
  const std::string after = raw::rst_stream(3, 8) + raw::rst_stream(1, 8) + raw::headers(7, {}) +
                            raw::rst_stream(5, 8) + raw::rst_stream(7, 8);
  for (std::size_t part = 1; part < 60; ++part) {
    EXPECT_EQ(filtered(before + raw::rst_stream(5, 8) + raw::rst_stream(7, 8) + after, part), before + after)
        << part;
  }
}

TEST(IdleResetFilter, PassesWhatOnlyLooksLikeOne) {
  const std::string bytes = raw::preface + raw::data(1, raw::rst_stream(5, 8)) +
                            raw::frame(raw::rst_stream_frame, 0, 5, "123") + raw::rst_stream(0, 8) +
                            raw::rst_stream(2, 8) + raw::window_update(5, 1);
  for (std::size_t part = 1; part < 60; ++part) EXPECT_EQ(filtered(bytes, part), bytes) << part;
}

TEST(IdleResetFilter, PassesAllOfOneReadAtOnce) {
  const std::string bytes = raw::preface + raw::headers(1, raw::grpc_request("/p")) + raw::data(1, "x");
  EXPECT_EQ(filtered(bytes, bytes.size()), bytes);
  IdleResetFilter filter;
  int parts = 0;
  filter.filter(bytes, [&](std::string_view /*some*/) { ++parts; });
  EXPECT_EQ(parts, 1);
}

}  // namespace
}  // namespace tracker::http2
