// gRPC's rules for servers (PROTOCOL-HTTP2.md and statuscodes.md), tested with frames that no library would send. Also
// floods of frames, beside an honest caller.
#include <gtest/gtest.h>
#include <zlib.h>

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "grpc_client.h"
#include "support/http2_client.h"
#include "support/http2_frames.h"

namespace tracker::tests {
namespace {

using namespace http2;
using Answer = Http2Client::Answer;

constexpr const char* update_counter = "/manager_rpc.CounterService/UpdateCounter";
constexpr const char* new_token = "/manager_rpc.CounterService/NewToken";
constexpr std::uint32_t no_error = 0;

std::string update_request(const std::string& token, const std::string& path) {
  manager_rpc::UpdateCounterRequest request;
  request.set_token(token);
  request.set_path(path);
  return request.SerializeAsString();
}

std::string gzip(const std::string& message) {
  z_stream stream{};
  deflateInit2(&stream, Z_BEST_COMPRESSION, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY);
  std::string bytes(deflateBound(&stream, message.size()), '\0');
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(message.data()));
  stream.avail_in = static_cast<uInt>(message.size());
  stream.next_out = reinterpret_cast<Bytef*>(bytes.data());
  stream.avail_out = static_cast<uInt>(bytes.size());
  deflate(&stream, Z_FINISH);
  bytes.resize(stream.total_out);
  deflateEnd(&stream);
  return bytes;
}

/// A message marked as compressed.
std::string compressed_message(std::string_view content) {
  std::string bytes = message(content);
  bytes[0] = 1;
  return bytes;
}

Fields with(Fields fields, const std::string& name, const std::string& value) {
  for (auto& [its_name, its_value] : fields) {
    if (its_name != name) continue;
    its_value = value;
    return fields;
  }
  fields.emplace_back(name, value);
  return fields;
}

class GrpcProtocolTest : public CounterTest {
 protected:
  /// Makes a call with these fields. One frame holds the request and ends the stream.
  const Answer& call(const Fields& fields, const std::string& content) {
    stream_ += 2;
    raw_.send(headers(stream_, fields) + data(stream_, content, end_stream));
    return raw_.wait(stream_);
  }
  static std::string status(const Answer& answer) {
    const auto found = answer.fields.find("grpc-status");
    return found == answer.fields.end() ? "none" : found->second;
  }
  std::string update() const { return message(update_request(token_, "/p")); }
  /// Returns the count of `/p`, including this call.
  std::int64_t counted() { return client_.count(token_, "/p"); }

  const std::string token_ = client_.mint();
  const Fields fields_ = grpc_request(update_counter);
  Http2Client raw_{door_, callers_first_bytes()};
  std::int32_t stream_ = -1;
};

TEST_F(GrpcProtocolTest, AnAnswerHasFieldsAMessageAndTrailers) {
  const Answer& answer = call(fields_, update());
  EXPECT_EQ(answer.fields.at(":status"), "200");
  EXPECT_EQ(answer.fields.at("content-type"), "application/grpc");
  EXPECT_EQ(status(answer), "0");
  EXPECT_FALSE(answer.trailers_only);
  manager_rpc::UpdateCounterResponse response;
  ASSERT_TRUE(response.ParseFromString(answer.data.substr(5)));
  EXPECT_EQ(response.counter(), 1);
}

TEST_F(GrpcProtocolTest, AnUnknownMethodIsAnsweredByTrailersOnly) {
  for (const char* method :
       {"/manager_rpc.CounterService/Nonsense", "/nonsense", "/", "/tracker.v1.Counting/Track"}) {
    const Answer& answer = call(grpc_request(method), update());
    EXPECT_EQ(status(answer), "12") << method;
    EXPECT_TRUE(answer.trailers_only) << method;
    EXPECT_EQ(answer.fields.at(":status"), "200");
  }
}

TEST_F(GrpcProtocolTest, ACallThatIsFinishedEarlyIsResetWithoutAnError) {
  raw_.send(headers(1, grpc_request("/nonsense")));
  EXPECT_EQ(status(raw_.wait(1)), "12");
  for (const Deadline deadline; !raw_.peek(1).reset && !deadline.passed();)
    raw_.raw().receive_more(std::chrono::milliseconds(50));
  EXPECT_EQ(raw_.peek(1).reset, no_error);
}

TEST_F(GrpcProtocolTest, WhatIsNoGrpcIsAnsweredInHttp) {
  EXPECT_EQ(call(with(fields_, ":method", "GET"), update()).fields.at(":status"), "405");
  EXPECT_EQ(call(with(fields_, "content-type", "application/json"), update()).fields.at(":status"), "415");
  EXPECT_EQ(counted(), 1);
}

TEST_F(GrpcProtocolTest, OtherEncodingsAreUnimplementedAndTheKnownOnesNamed) {
  const Answer& answer = call(with(fields_, "grpc-encoding", "snappy"), compressed_message("x"));
  EXPECT_EQ(status(answer), "12");
  EXPECT_EQ(answer.fields.at("grpc-accept-encoding"), "identity,deflate,gzip");
  EXPECT_EQ(counted(), 1);
}

TEST_F(GrpcProtocolTest, CompressedRequestsAreCounted) {
  const auto compressed = with(fields_, "grpc-encoding", "gzip");
  EXPECT_EQ(status(call(compressed, compressed_message(gzip(update_request(token_, "/p"))))), "0");
  EXPECT_EQ(status(call(compressed, update())), "0") << "a message need not be compressed";
  EXPECT_EQ(counted(), 3);
}

TEST_F(GrpcProtocolTest, ACompressedRequestIsBoundedAsItIsUnpacked) {
  const auto compressed = with(fields_, "grpc-encoding", "gzip");
  const std::string bomb = gzip(update_request(token_, std::string(50'000'000, 'x')));
  ASSERT_LT(bomb.size(), 64U * 1024);
  EXPECT_EQ(status(call(compressed, compressed_message(bomb))), "8");
  EXPECT_EQ(status(call(compressed, compressed_message("no gzip"))), "13");
  EXPECT_EQ(status(call(fields_, compressed_message("x"))), "13") << "compressed without an encoding";
  EXPECT_EQ(counted(), 1);
}

TEST_F(GrpcProtocolTest, AMethodTakesExactlyOneRequest) {
  EXPECT_EQ(status(call(fields_, "")), "12") << "none";
  EXPECT_EQ(status(call(fields_, update() + update())), "12") << "two";
  EXPECT_EQ(status(call(fields_, update().substr(0, 20))), "13") << "half of one";
  EXPECT_EQ(counted(), 1);
}

TEST_F(GrpcProtocolTest, AMessageMayComeByteByByte) {
  std::string frames = headers(1, fields_);
  for (const char byte : update()) frames += data(1, {&byte, 1});
  raw_.send(frames + data(1, "", end_stream));
  EXPECT_EQ(status(raw_.wait(1)), "0");
}

TEST_F(GrpcProtocolTest, TimeoutsOfEveryUnitAreUnderstood) {
  for (const char* timeout : {"1H", "1M", "9S", "2000m", "2000000u", "99999999n"})
    EXPECT_EQ(status(call(with(fields_, "grpc-timeout", timeout), update())), "0") << timeout;
  for (const char* timeout : {"0S", "1n"}) {
    const Answer& answer = call(with(fields_, "grpc-timeout", timeout), update());
    EXPECT_EQ(status(answer), "14") << timeout;
    EXPECT_NE(answer.fields.at("grpc-message").find("nothing was counted"), std::string::npos);
  }
  for (const char* timeout : {"1", "S", "-1S", "123456789S", "1s"})
    EXPECT_EQ(status(call(with(fields_, "grpc-timeout", timeout), update())), "13") << timeout;
  EXPECT_EQ(counted(), 7);
}

TEST_F(GrpcProtocolTest, MetadataIsBounded) {
  EXPECT_EQ(status(call(with(fields_, "x-trace", std::string(8'000, 'x')), update())), "0");
  EXPECT_EQ(status(call(with(fields_, "x-trace", std::string(16'100, 'x')), update())), "8");
  EXPECT_EQ(status(call(fields_, update())), "0") << "the connection goes on";
  EXPECT_EQ(counted(), 3);
}

TEST_F(GrpcProtocolTest, AThousandCallsAreOpenOnAConnection) {
  std::string opens;
  for (std::int32_t stream = 1; stream < 2'000; stream += 2) opens += headers(stream, fields_);
  ASSERT_TRUE(raw_.send(opens));
  for (std::int32_t stream = 1; stream < 2'000; stream += 2) {
    raw_.send(data(stream, update(), end_stream));
    EXPECT_EQ(status(raw_.wait(stream)), "0");
  }
  EXPECT_EQ(counted(), 1'001);
}

// A watcher may ask again at any time, and hears only of real changes.
TEST_F(GrpcProtocolTest, AConnectionMayCancelAllItsCallsEachSecond) {
  std::int32_t stream = 1;
  for (int second = 0; second < 5; ++second) {
    std::string opens;
    std::string cancels;
    for (int i = 0; i < 900; ++i, stream += 2) {
      opens += headers(stream, fields_);
      cancels += rst_stream(stream, 8);
    }
    ASSERT_TRUE(raw_.send(opens));
    ASSERT_TRUE(raw_.send(cancels));
  }
  EXPECT_EQ(status(raw_.call(stream, update_counter, update_request(token_, "/p"))), "0");
}

/// An attacker beside an honest caller.
class GrpcFloodTest : public GrpcProtocolTest {
 protected:
  void expect_honest_is_counted() {
    for (int i = 0; i < 20; ++i) EXPECT_EQ(client_.count(token_, "/honest"), ++honest_);
  }
  /// Sends a frame again and again, until the connection ends or `bytes_max` bytes were sent.
  bool flood(std::string_view frame, std::size_t bytes_max) {
    std::string many;
    while (many.size() < 256 * 1024) many += frame;
    std::string_view left = many;
    for (std::size_t sent = 0; sent < bytes_max;) {
      const auto some = raw_.raw().send_some(left, std::chrono::milliseconds(200));
      if (!some || raw_.raw().broken(std::chrono::milliseconds(0))) return false;
      if (*some == 0) break;  // the server reads no further
      sent += *some;
      left.remove_prefix(*some);
      if (left.empty()) left = many;
    }
    return true;
  }
  std::size_t grown() const { return resident_bytes(program_.pid()) - before_; }

  const std::size_t before_ = resident_bytes(program_.pid());
  std::int64_t honest_ = 0;
};

constexpr std::size_t mebibyte = 1024 * 1024;
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr std::size_t growth_max = 4'096 * mebibyte;  // sanitizers need much memory for themselves
#else
constexpr std::size_t growth_max = 64 * mebibyte;
#endif

TEST_F(GrpcFloodTest, PingsThatNobodyReads) {
  flood(frame(ping_frame, 0, 0, "12345678"), 64 * mebibyte);
  EXPECT_LT(grown(), growth_max);
  expect_honest_is_counted();
}

TEST_F(GrpcFloodTest, SettingsThatNobodyReads) {
  flood(settings({{initial_window_size, 1}}), 64 * mebibyte);
  EXPECT_LT(grown(), growth_max);
  expect_honest_is_counted();
}

TEST_F(GrpcFloodTest, ListsOfFieldsThatNeverEnd) {
  raw_.send(frame(headers_frame, 0, 1, block(fields_)));
  EXPECT_FALSE(
      flood(frame(continuation_frame, 0, 1, block({{"a", std::string(16'000, 'x')}})), 64 * mebibyte));
  EXPECT_LT(grown(), growth_max);
  expect_honest_is_counted();
}

TEST_F(GrpcFloodTest, FieldsThatUnpackToAHundredTimesTheirSize) {
  std::string bomb = block(fields_);
  bomb += '\x40' + hpack_string("bomb") + hpack_string(std::string(3'000, 'x')) + std::string(10'000, '\xBE');
  for (std::int32_t stream = 1; stream < 200; stream += 2) {
    raw_.send(frame(headers_frame, end_headers, stream, bomb) + data(stream, update(), end_stream));
    EXPECT_EQ(status(raw_.wait(stream)), "8");
  }
  EXPECT_LT(grown(), growth_max);
  expect_honest_is_counted();
}

TEST_F(GrpcFloodTest, CallsThatAreCancelledAtOnce) {
  std::size_t sent = 0;
  for (std::int32_t stream = 1; sent < 32 * mebibyte && raw_.raw().end() == RawClient::End::none;) {
    std::string calls;
    for (; calls.size() < 64 * 1024; stream += 2) calls += headers(stream, fields_) + rst_stream(stream, 8);
    if (!raw_.send(calls)) break;
    sent += calls.size();
  }
  EXPECT_LT(sent, 32 * mebibyte) << "the connection ends";
  EXPECT_LT(grown(), growth_max);
  expect_honest_is_counted();
}

TEST_F(GrpcFloodTest, CallsThatSendNothing) {
  std::vector<std::unique_ptr<Http2Client>> attackers;
  for (int i = 0; i < 30; ++i) {
    attackers.push_back(std::make_unique<Http2Client>(door_, callers_first_bytes()));
    std::string opens;
    for (std::int32_t stream = 1; stream < 2'000; stream += 2) opens += headers(stream, fields_);
    attackers.back()->send(opens);
  }
  EXPECT_LT(grown(), 2 * growth_max) << "30,000 calls";
  expect_honest_is_counted();
}

TEST_F(GrpcFloodTest, WatchersThatNobodyReads) {
  std::string watches;
  for (std::int32_t stream = 1; stream < 2'000; stream += 2)
    watches +=
        headers(stream, grpc_request("/grpc.health.v1.Health/Watch")) + data(stream, message(""), end_stream);
  raw_.send(watches);
  expect_honest_is_counted();
  EXPECT_EQ(HealthWatch(client_.channel(), "").next(), Health::serving);
}

TEST_F(GrpcFloodTest, HalfMessagesOnManyConnections) {
  std::vector<std::unique_ptr<Http2Client>> attackers;
  for (int i = 0; i < 100; ++i) {
    attackers.push_back(std::make_unique<Http2Client>(door_, callers_first_bytes()));
    attackers.back()->peek(0);
    std::string halves;
    for (std::int32_t stream = 1; stream < 40; stream += 2)
      halves += headers(stream, fields_) + data(stream, message_head(60'000) + std::string(50'000, 'x'));
    attackers.back()->send(halves);
  }
  EXPECT_LT(grown(), 256 * mebibyte + growth_max) << "100 MB were sent";
  expect_honest_is_counted();
}

}  // namespace
}  // namespace tracker::tests
