#include "rpc/grpc_protocol.h"

#include <gtest/gtest.h>
#include <zlib.h>

#include <string>

namespace tracker::rpc {
namespace {

using namespace std::chrono_literals;

TEST(GrpcProtocolTest, TimeoutsOfEveryUnit) {
  EXPECT_EQ(parse_timeout("1H"), 3'600'000ms);
  EXPECT_EQ(parse_timeout("2M"), 120'000ms);
  EXPECT_EQ(parse_timeout("3S"), 3'000ms);
  EXPECT_EQ(parse_timeout("4m"), 4ms);
  EXPECT_EQ(parse_timeout("1999999u"), 1'999ms);
  EXPECT_EQ(parse_timeout("999999n"), 0ms);
  EXPECT_EQ(parse_timeout("99999999H"), std::chrono::hours(99'999'999));
}

TEST(GrpcProtocolTest, MalformedTimeouts) {
  for (const char* text : {"", "m", "1", "1 m", "-1m", "+1m", "1.5S", "123456789m", "1x", "0x1m"})
    EXPECT_EQ(parse_timeout(text), std::nullopt) << text;
}

TEST(GrpcProtocolTest, ContentTypes) {
  for (const char* type : {"application/grpc", "application/grpc+proto", "application/grpc;charset=utf-8"})
    EXPECT_TRUE(is_grpc_content_type(type)) << type;
  for (const char* type : {"", "application/json", "application/grpc-web", "application/grp"})
    EXPECT_FALSE(is_grpc_content_type(type)) << type;
}

TEST(GrpcProtocolTest, MessagesArePercentEncoded) {
  EXPECT_EQ(percent_encode("all is well"), "all is well");
  EXPECT_EQ(percent_encode("100%\n\xC3\xA4"), "100%25%0A%C3%A4");
  EXPECT_EQ(percent_decode("100%25%0A%C3%A4"), "100%\n\xC3\xA4");
  EXPECT_EQ(percent_decode("%"), "%");
  EXPECT_EQ(percent_decode("%zz%4"), "%zz%4");
}

std::string compressed(const std::string& message, int window_bits) {
  z_stream stream{};
  deflateInit2(&stream, Z_DEFAULT_COMPRESSION, Z_DEFLATED, window_bits, 8, Z_DEFAULT_STRATEGY);
  std::string bytes(deflateBound(&stream, message.size()), '\0');
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(message.data()));
  stream.avail_in = static_cast<uInt>(message.size());
  stream.next_out = reinterpret_cast<Bytef*>(bytes.data());
  stream.avail_out = static_cast<uInt>(bytes.size());
  EXPECT_EQ(deflate(&stream, Z_FINISH), Z_STREAM_END);
  bytes.resize(stream.total_out);
  deflateEnd(&stream);
  return bytes;
}
std::string gzip(const std::string& message) {
  return compressed(message, 15 + 16);
}

TEST(GrpcProtocolTest, GzipAndDeflateAreDecompressed) {
  for (const std::string& message : {std::string(), std::string("a path"), std::string(64 * 1024, 'x')}) {
    EXPECT_EQ(*decompress(gzip(message), 64 * 1024), message);
    EXPECT_EQ(*decompress(compressed(message, 15), 64 * 1024), message);
  }
}

TEST(GrpcProtocolTest, WhatIsTooLongDecompressedIsRefused) {
  EXPECT_EQ(decompress(gzip(std::string(64 * 1024 + 1, 'x')), 64 * 1024).error(),
            StatusCode::resource_exhausted);
  EXPECT_EQ(decompress(gzip(std::string(100 * 1024 * 1024, 'x')), 64 * 1024).error(),
            StatusCode::resource_exhausted);
}

TEST(GrpcProtocolTest, DamagedCompressionIsRefused) {
  const std::string whole = gzip("a message of some length");
  for (std::size_t size = 0; size < whole.size(); ++size)
    EXPECT_EQ(decompress(whole.substr(0, size), 1'000).error(), StatusCode::internal) << size;
  EXPECT_EQ(decompress(whole + "x", 1'000).error(), StatusCode::internal);
  EXPECT_EQ(decompress("no compression", 1'000).error(), StatusCode::internal);
}

}  // namespace
}  // namespace tracker::rpc
