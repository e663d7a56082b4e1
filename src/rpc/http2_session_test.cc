#include "rpc/http2_session.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace tracker::rpc {

using namespace std::string_literals;
using Id = Http2Session::StreamId;

constexpr std::size_t mib = 1024 * 1024;
constexpr std::string_view preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// One end, and what it has told.
struct EndOfTest final : Http2Session::Events {
  explicit EndOfTest(Http2Session::End end) : session(end, *this) {}

  void on_begin(Id stream) override { begun.push_back(stream); }
  void on_request(Id stream) override {
    ++requests;
    if (answers) {
      session.respond(stream, {{":status", "200"}});
      session.send(stream, "hello");
      session.end(stream, {{"grpc-status", "0"}});
    }
  }
  void on_field(Id stream, std::string_view name, std::string_view value) override {
    fields[stream][std::string(name)] = value;
  }
  void on_data(Id stream, std::string_view bytes) override {
    data[stream] += bytes;
    if (takes_more) session.give_back(stream, bytes.size());
  }
  void on_peer_end(Id stream) override { half_closed.push_back(stream); }
  void on_closed(Id stream, Http2Error error) override { closed[stream] = error; }

  Http2Session session;
  bool answers = false;
  bool takes_more = true;
  std::vector<Id> begun;
  int requests = 0;
  std::map<Id, std::map<std::string, std::string>> fields;
  std::map<Id, std::string> data;
  std::vector<Id> half_closed;
  std::map<Id, Http2Error> closed;
};

std::string taken_from(EndOfTest& from) {
  from.session.fill();
  return std::exchange(from.session.out(), {});
}

/// Lets them talk until neither has anything to say, in pieces of this size.
void talk(EndOfTest& one, EndOfTest& other, std::size_t piece = 64 * 1024) {
  const auto carry = [piece](EndOfTest& from, EndOfTest& to) {
    const std::string bytes = taken_from(from);
    for (std::size_t i = 0; i < bytes.size(); i += piece) {
      EXPECT_EQ(to.session.receive(std::string_view(bytes).substr(i, piece)), Http2Error::none);
    }
    return !bytes.empty();
  };
  while (carry(one, other) || carry(other, one)) {
  }
}

struct Http2SessionTest : testing::Test {
  EndOfTest client{Http2Session::End::client};
  EndOfTest server{Http2Session::End::server};
};

TEST_F(Http2SessionTest, ACallComesOverInPiecesOfAnySize) {
  for (const std::size_t piece : {1U, 2U, 7U, 9U, 64U, 100'000U}) {
    SCOPED_TRACE(piece);
    EndOfTest asks(Http2Session::End::client);
    EndOfTest answers(Http2Session::End::server);
    const Id id = asks.session.open({{":path", "/p"}, {"te", "trailers"}}).value();
    EXPECT_EQ(id, 1);
    asks.session.send(id, "question");
    talk(asks, answers, piece);
    EXPECT_EQ(answers.begun, std::vector<Id>{1});
    EXPECT_EQ(answers.requests, 1);
    EXPECT_EQ(answers.fields[1][":path"], "/p");
    EXPECT_EQ(answers.data[1], "question");
    EXPECT_TRUE(answers.half_closed.empty());

    asks.session.end(id);
    asks.session.send(id, "too late");
    talk(asks, answers, piece);
    EXPECT_EQ(answers.half_closed, std::vector<Id>{1});

    answers.session.respond(id, {{":status", "200"}});
    answers.session.send(id, "answer");
    answers.session.end(id, {{"grpc-status", "0"}});
    talk(asks, answers, piece);
    EXPECT_EQ(asks.data[1], "answer");
    EXPECT_EQ(asks.fields[1][":status"], "200");
    EXPECT_EQ(asks.fields[1]["grpc-status"], "0");
    for (auto* end : {&asks, &answers}) {
      EXPECT_EQ(end->closed, (std::map<Id, Http2Error>{{1, Http2Error::none}}));
      EXPECT_FALSE(end->session.has_streams());
    }
    EXPECT_EQ(answers.data[1], "question");
  }
}

TEST_F(Http2SessionTest, AServerThatHasAnsweredReadsNoFurther) {
  server.answers = true;
  const Id id = client.session.open({{":path", "/p"}}).value();
  talk(client, server);
  EXPECT_EQ(client.data[id], "hello");
  EXPECT_EQ(client.half_closed, std::vector<Id>{id});
  EXPECT_EQ(client.closed.at(id), Http2Error::none);
  EXPECT_EQ(server.closed.at(id), Http2Error::none);
  client.session.send(id, "anybody there?");
  EXPECT_EQ(taken_from(client), "");
}

TEST_F(Http2SessionTest, ManyCallsShareAConnection) {
  server.answers = true;
  for (int i = 0; i < 500; ++i) {
    const Id id = client.session.open({{":path", "/" + std::to_string(i)}, {"n", "v"}}).value();
    if (i % 2 == 0) client.session.end(id);
    if (i % 3 == 0) talk(client, server, 10);
  }
  talk(client, server);
  EXPECT_EQ(client.closed.size(), 500U);
  for (const auto& [id, error] : client.closed) EXPECT_EQ(error, Http2Error::none) << id;
  EXPECT_EQ(server.fields[999][":path"], "/499");
}

// Its window is 12 MiB: so much comes, and the rest when it is given back.
TEST_F(Http2SessionTest, WhatIsKeptHoldsTheSenderBack) {
  server.takes_more = false;
  const Id id = client.session.open({{":path", "/p"}}).value();
  talk(client, server);
  std::string bytes(40 * mib, 'x');
  for (std::size_t i = 0; i < bytes.size(); i += 1'000) bytes[i] = static_cast<char>(i / 1'000);
  client.session.send(id, bytes);
  client.session.end(id);
  talk(client, server);
  EXPECT_EQ(server.data[id].size(), 12 * mib);
  EXPECT_EQ(client.session.waiting_bytes(id), 28 * mib);
  EXPECT_FALSE(server.session.give_back(id, 1)) << "so little is not worth a word";
  EXPECT_TRUE(server.session.give_back(id, 12 * mib - 1));
  talk(client, server);
  EXPECT_EQ(server.data[id].size(), 24 * mib);
  EXPECT_TRUE(server.session.give_back(id, 4 * mib));
  talk(client, server);
  EXPECT_EQ(server.data[id].size(), 28 * mib);

  EXPECT_TRUE(server.half_closed.empty());
  server.session.give_back(id, 12 * mib);
  talk(client, server);
  EXPECT_TRUE(server.data[id] == bytes);
  EXPECT_EQ(server.half_closed, std::vector<Id>{id});
  EXPECT_EQ(client.session.waiting_bytes(id), 0U);
}

// Else as many windows could be filled as there are streams.
TEST_F(Http2SessionTest, AllStreamsTogetherHaveOneWindow) {
  server.takes_more = false;
  std::vector<Id> ids;
  for (int i = 0; i < 100; ++i) {
    ids.push_back(client.session.open({{":path", "/p"}}).value());
    client.session.send(ids.back(), std::string(mib, 'x'));
  }
  talk(client, server);
  const auto received = [this] {
    std::size_t bytes = 0;
    for (const auto& [id, data] : server.data) bytes += data.size();
    return bytes;
  };
  EXPECT_EQ(received(), 12 * mib);
  // What is kept of a stream is given back with it.
  for (std::size_t i = 0; i < ids.size(); i += 2) server.session.end(ids[i]);
  talk(client, server);
  EXPECT_GT(received(), 15 * mib);
  EXPECT_LE(received(), 18 * mib);
}

TEST_F(Http2SessionTest, WhatWaitsIsKnownOfAllStreams) {
  talk(client, server);
  const Id id = client.session.open({{":path", "/p"}}).value();
  const Id other = client.session.open({{":path", "/q"}}).value();
  taken_from(client);
  EXPECT_EQ(client.session.waiting_bytes(), 0U);
  client.session.send(id, std::string(20 * mib, 'x'));
  client.session.send(other, std::string(5, 'x'));
  EXPECT_EQ(client.session.waiting_bytes(), 20 * mib + 5);
  client.session.fill();
  const std::size_t waiting = client.session.waiting_bytes(id) + client.session.waiting_bytes(other);
  EXPECT_LT(waiting, 20 * mib);
  EXPECT_EQ(client.session.waiting_bytes(), waiting + client.session.out().size());
  taken_from(client);
  std::string resets;
  for (const Id each : {id, other}) append_rst_stream(each, Http2Error{8}, resets);
  EXPECT_EQ(client.session.receive(resets), Http2Error::none);
  taken_from(client);
  EXPECT_EQ(client.session.waiting_bytes(), 0U);
}

TEST_F(Http2SessionTest, OutIsFilledAPartAtATime) {
  const Id id = client.session.open({{":path", "/p"}}).value();
  talk(client, server);
  client.session.send(id, std::string(10 * mib, 'x'));
  client.session.fill();
  EXPECT_LT(client.session.out().size(), mib);
  EXPECT_GT(client.session.waiting_bytes(id), 9 * mib);
  talk(client, server);
  EXPECT_EQ(server.data[id].size(), 10 * mib);
}

// A server has room for 128 at a time.
TEST_F(Http2SessionTest, StreamsWaitUntilThePeerHasRoom) {
  talk(client, server);
  for (int i = 0; i < 200; ++i) {
    const Id id = client.session.open({{":path", "/p"}}).value();
    client.session.send(id, "question");
    client.session.end(id);
  }
  talk(client, server);
  EXPECT_EQ(server.begun.size(), 128U);
  for (int i = 0; i < 100; ++i) server.session.end(server.begun[static_cast<std::size_t>(i)]);
  talk(client, server);
  EXPECT_EQ(server.begun.size(), 200U);
  for (const Id id : server.begun) {
    EXPECT_EQ(server.data[id], "question");
    server.session.end(id);
  }
  talk(client, server);
  EXPECT_EQ(client.closed.size(), 200U);
}

TEST_F(Http2SessionTest, AnEndThatIsAnnouncedLetsWhatThereIsGoOn) {
  const Id id = client.session.open({{":path", "/p"}}).value();
  talk(client, server);
  server.session.announce_end();
  talk(client, server);
  EXPECT_TRUE(client.session.peer_ends());
  EXPECT_FALSE(client.session.open({{":path", "/q"}}).has_value());
  client.session.send(id, "still");
  talk(client, server);
  EXPECT_EQ(server.data[id], "still");
}

TEST_F(Http2SessionTest, StoppedItTellsNothing) {
  client.session.open({{":path", "/p"}});
  server.session.stop();
  server.session.receive(taken_from(client));
  EXPECT_TRUE(server.begun.empty());
}

// What somebody else could send, frame by frame.

std::string frame(FrameType type, std::uint8_t flags, Id stream, std::string_view payload) {
  std::string bytes;
  append_frame_head({payload.size(), type, flags, stream}, bytes);
  return bytes + std::string(payload);
}
std::string setting(Setting setting, std::uint32_t value) {
  std::string bytes;
  append_settings({{setting, value}}, bytes);
  return bytes;
}
std::string window_update(Id stream, std::uint32_t more) {
  std::string bytes;
  append_window_update(stream, more, bytes);
  return bytes;
}
std::string rst_stream(Id stream, Http2Error error) {
  std::string bytes;
  append_rst_stream(stream, error, bytes);
  return bytes;
}
std::string goaway(Id last, Http2Error error) {
  std::string bytes;
  append_goaway(last, error, bytes);
  return bytes;
}

const std::string no_settings = frame(FrameType::settings, 0, 0, "");
const std::string hello = std::string(preface) + no_settings;
const std::string path_field = "\x04\x02/p"s;  // :path, not indexed (RFC 7541, appendix A and section 6.2.2)
constexpr std::uint8_t whole = frame_flag::end_headers;
const std::string request = frame(FrameType::headers, whole, 1, path_field);

/// Whether some frame of this kind is among what an end says.
bool says(std::string_view bytes, const std::string& sought) {
  return bytes.find(sought) != std::string_view::npos;
}

struct Break {
  const char* what;
  std::string bytes;
  Http2Error error;
};

class Http2BreakTest : public testing::TestWithParam<Break> {};

TEST_P(Http2BreakTest, EndsTheConnection) {
  for (const std::size_t piece : {1U, 100'000'000U}) {
    EndOfTest server(Http2Session::End::server);
    server.takes_more = false;
    auto error = Http2Error::none;
    std::string_view left = GetParam().bytes;
    while (!left.empty() && error == Http2Error::none) {
      error = server.session.receive(left.substr(0, piece));
      left.remove_prefix(std::min(left.size(), piece));
    }
    EXPECT_EQ(error, GetParam().error) << name_of(error);
    EXPECT_TRUE(taken_from(server).ends_with(goaway(server.begun.empty() ? 0 : server.begun.back(), error)));
  }
}

std::string many(const std::string& bytes, std::size_t times) {
  std::string all;
  for (std::size_t i = 0; i < times; ++i) all += bytes;
  return all;
}

INSTANTIATE_TEST_SUITE_P(
    OfTheRules, Http2BreakTest,
    testing::Values(
        Break{"no preface", "GET / HTTP/1.1\r\n\r\n", Http2Error::protocol_error},
        Break{"settings do not come first", std::string(preface) + request, Http2Error::protocol_error},
        Break{"their acknowledgment is none",
              std::string(preface) + frame(FrameType::settings, frame_flag::ack, 0, ""),
              Http2Error::protocol_error},
        Break{"frame too long", hello + "\0\x40\1\0\0\0\0\0\1"s, Http2Error::frame_size_error},
        Break{"data of nobody", hello + frame(FrameType::data, 0, 0, "x"), Http2Error::protocol_error},
        Break{"data of an idle stream", hello + request + frame(FrameType::data, 0, 3, "x"),
              Http2Error::protocol_error},
        Break{"data padded with more than there is",
              hello + request + frame(FrameType::data, frame_flag::padded, 1, "\2x"),
              Http2Error::protocol_error},
        Break{"data padded with nothing", hello + request + frame(FrameType::data, frame_flag::padded, 1, ""),
              Http2Error::protocol_error},
        Break{"more data than the window",
              hello + request + many(frame(FrameType::data, 0, 1, std::string(16'384, 'x')), 1'025),
              Http2Error::flow_control_error},
        Break{"request of nobody", hello + frame(FrameType::headers, whole, 0, path_field),
              Http2Error::protocol_error},
        Break{"request with a server's number", hello + frame(FrameType::headers, whole, 2, path_field),
              Http2Error::protocol_error},
        Break{"request without its priority",
              hello + frame(FrameType::headers, whole | frame_flag::has_priority, 1, "xxxx"),
              Http2Error::frame_size_error},
        Break{"fields that are packed wrongly",
              hello + frame(FrameType::headers, whole, 1, "\xFF\xFF\xFF\xFF"), Http2Error::compression_error},
        Break{"fields that end in the middle", hello + frame(FrameType::headers, whole, 1, "\x04\x05/p"),
              Http2Error::compression_error},
        Break{"fields too many",
              hello + frame(FrameType::headers, whole, 1, path_field + many("\x84", 16'000)),
              Http2Error::enhance_your_calm},
        Break{"fields continued for ever",
              hello + frame(FrameType::headers, 0, 1, path_field) +
                  many(frame(FrameType::continuation, 0, 1, std::string(16'384, '\x84')), 5),
              Http2Error::enhance_your_calm},
        Break{"fields continued by nothing",
              hello + frame(FrameType::headers, 0, 1, path_field) + frame(FrameType::continuation, 0, 1, ""),
              Http2Error::enhance_your_calm},
        Break{"something within continued fields",
              hello + frame(FrameType::headers, 0, 1, path_field) + frame(FrameType::ping, 0, 0, "12345678"),
              Http2Error::protocol_error},
        Break{"fields continued on another stream",
              hello + frame(FrameType::headers, 0, 1, path_field) +
                  frame(FrameType::continuation, whole, 3, ""),
              Http2Error::protocol_error},
        Break{"continuation of nothing", hello + request + frame(FrameType::continuation, whole, 1, ""),
              Http2Error::protocol_error},
        Break{"priority of nobody", hello + frame(FrameType::priority, 0, 0, "12345"),
              Http2Error::protocol_error},
        Break{"priority too long", hello + frame(FrameType::priority, 0, 1, "123456"),
              Http2Error::frame_size_error},
        Break{"reset of an idle stream", hello + rst_stream(1, Http2Error::none), Http2Error::protocol_error},
        Break{"reset too short", hello + request + frame(FrameType::rst_stream, 0, 1, "123"),
              Http2Error::frame_size_error},
        Break{"settings of a stream", hello + frame(FrameType::settings, 0, 1, ""),
              Http2Error::protocol_error},
        Break{"settings in part", hello + frame(FrameType::settings, 0, 0, "12345"),
              Http2Error::frame_size_error},
        Break{"acknowledgment with settings",
              hello + frame(FrameType::settings, frame_flag::ack, 0, "123456"), Http2Error::frame_size_error},
        Break{"push neither on nor off", hello + setting(Setting::enable_push, 2),
              Http2Error::protocol_error},
        Break{"window too large", hello + setting(Setting::initial_window_size, 0x8000'0000),
              Http2Error::flow_control_error},
        Break{"window of a stream too large by the settings",
              hello + request + window_update(1, 0x7FFF'FFFF - 65'535) +
                  setting(Setting::initial_window_size, 65'536),
              Http2Error::flow_control_error},
        Break{"frames too short by the settings", hello + setting(Setting::max_frame_size, 16'383),
              Http2Error::protocol_error},
        Break{"frames too long by the settings", hello + setting(Setting::max_frame_size, 0x100'0000),
              Http2Error::protocol_error},
        Break{"push", hello + frame(FrameType::push_promise, whole, 1, "\0\0\0\2"s),
              Http2Error::protocol_error},
        Break{"ping of a stream", hello + frame(FrameType::ping, 0, 1, "12345678"),
              Http2Error::protocol_error},
        Break{"ping too short", hello + frame(FrameType::ping, 0, 0, "1234567"),
              Http2Error::frame_size_error},
        Break{"pings whose answers nobody reads",
              hello + many(frame(FrameType::ping, 0, 0, "12345678"), 100'000), Http2Error::enhance_your_calm},
        Break{"settings for ever", hello + many(no_settings, 1'000), Http2Error::enhance_your_calm},
        Break{"end of a stream's", hello + frame(FrameType::goaway, 0, 1, "12345678"),
              Http2Error::protocol_error},
        Break{"end too short", hello + frame(FrameType::goaway, 0, 0, "1234567"),
              Http2Error::frame_size_error},
        Break{"window of the connection by nothing", hello + window_update(0, 0), Http2Error::protocol_error},
        Break{"window of the connection too large", hello + window_update(0, 0x7FFF'FFFF),
              Http2Error::flow_control_error},
        Break{"window of an idle stream", hello + window_update(1, 1), Http2Error::protocol_error},
        Break{"window in part", hello + frame(FrameType::window_update, 0, 0, "123"),
              Http2Error::frame_size_error}));

struct Http2FrameTest : Http2SessionTest {
  /// What the server says to this, behind its own beginning.
  std::string answer_to(const std::string& bytes) {
    if (!begun_) {
      begun_ = true;
      EXPECT_EQ(server.session.receive(hello), Http2Error::none);
      taken_from(server);
    }
    EXPECT_EQ(server.session.receive(bytes), Http2Error::none);
    return taken_from(server);
  }
  bool begun_ = false;
};

TEST_F(Http2FrameTest, PingsAreAnswered) {
  EXPECT_EQ(answer_to(frame(FrameType::ping, 0, 0, "12345678")),
            frame(FrameType::ping, frame_flag::ack, 0, "12345678"));
  EXPECT_EQ(answer_to(frame(FrameType::ping, frame_flag::ack, 0, "12345678")), "");
}

TEST_F(Http2FrameTest, SettingsAreAcknowledged) {
  EXPECT_EQ(answer_to(setting(Setting{0x99}, 7)), frame(FrameType::settings, frame_flag::ack, 0, ""));
  EXPECT_EQ(answer_to(frame(FrameType::settings, frame_flag::ack, 0, "")), "");
}

TEST_F(Http2FrameTest, WhatItDoesNotKnowIsLeftAlone) {
  EXPECT_EQ(answer_to(frame(FrameType{77}, 0xFF, 5, "anything")), "");
  EXPECT_EQ(answer_to(frame(FrameType::priority, 0, 5, "12345")), "");
}

TEST_F(Http2FrameTest, PaddingAndPriorityAreTakenOff) {
  answer_to(frame(FrameType::headers, whole | frame_flag::padded | frame_flag::has_priority, 1,
                  "\3"s + "12345" + path_field + "pad"));
  EXPECT_EQ(server.fields[1][":path"], "/p");
  answer_to(frame(FrameType::data, frame_flag::padded | frame_flag::end_stream, 1, "\3datapad"));
  EXPECT_EQ(server.data[1], "data");
  EXPECT_EQ(server.half_closed, std::vector<Id>{1});
}

TEST_F(Http2FrameTest, FieldsMayBeContinued) {
  answer_to(frame(FrameType::headers, frame_flag::end_stream, 1, path_field.substr(0, 1)) +
            frame(FrameType::continuation, 0, 1, path_field.substr(1, 2)) +
            frame(FrameType::continuation, whole, 1, path_field.substr(3)));
  EXPECT_EQ(server.fields[1][":path"], "/p");
  EXPECT_EQ(server.requests, 1);
  EXPECT_EQ(server.half_closed, std::vector<Id>{1});
}

TEST_F(Http2FrameTest, TrailersOfARequestAreNoOtherRequest) {
  answer_to(request + frame(FrameType::headers, whole | frame_flag::end_stream, 1, "\x04\x02/q"s));
  EXPECT_EQ(server.requests, 1);
  EXPECT_EQ(server.fields[1][":path"], "/q");
  EXPECT_EQ(server.half_closed, std::vector<Id>{1});
}

TEST_F(Http2FrameTest, WhoGoesOnAfterHisEndLosesTheStreamOnly) {
  const std::string ended = frame(FrameType::headers, whole | frame_flag::end_stream, 1, path_field);
  EXPECT_EQ(answer_to(ended + frame(FrameType::data, 0, 1, "more")),
            rst_stream(1, Http2Error::stream_closed));
  EXPECT_EQ(server.closed.at(1), Http2Error::stream_closed);
  EXPECT_EQ(answer_to(frame(FrameType::headers, whole | frame_flag::end_stream, 3, path_field) +
                      frame(FrameType::headers, whole, 3, path_field)),
            rst_stream(3, Http2Error::stream_closed));
  answer_to(frame(FrameType::headers, whole, 5, path_field));
  EXPECT_EQ(server.requests, 3);
}

TEST_F(Http2FrameTest, WhatComesForAStreamThatIsOverIsDropped) {
  answer_to(request + rst_stream(1, Http2Error{8}));
  EXPECT_EQ(server.closed.at(1), Http2Error{8});
  EXPECT_EQ(
      answer_to(frame(FrameType::data, 0, 1, "late") + window_update(1, 5) + rst_stream(1, Http2Error::none)),
      "");
  EXPECT_EQ(server.data.count(1), 0U);
  server.session.respond(1, {{":status", "200"}});
  server.session.send(1, "x");
  server.session.end(1);
  EXPECT_EQ(taken_from(server), "");
}

TEST_F(Http2FrameTest, AWindowThatIsWrongEndsItsStreamOnly) {
  EXPECT_EQ(answer_to(request + window_update(1, 0)), rst_stream(1, Http2Error::protocol_error));
  EXPECT_EQ(answer_to(frame(FrameType::headers, whole, 3, path_field) + window_update(3, 0x7FFF'FFFF)),
            rst_stream(3, Http2Error::flow_control_error));
}

TEST_F(Http2FrameTest, MoreStreamsThanItTakesAreRefused) {
  std::string requests;
  for (Id id = 1; id <= 2 * 129; id += 2) requests += frame(FrameType::headers, whole, id, path_field);
  EXPECT_EQ(answer_to(requests), rst_stream(257, Http2Error::refused_stream));
  EXPECT_EQ(server.requests, 128);
  answer_to(rst_stream(1, Http2Error::none) + frame(FrameType::headers, whole, 259, path_field));
  EXPECT_EQ(server.requests, 129);
}

// RFC 9113, section 6.9.2: a window may become negative.
TEST_F(Http2FrameTest, WindowsFollowTheSettings) {
  answer_to(setting(Setting::initial_window_size, 10) + request);
  server.session.send(1, "0123456789abcdef");
  EXPECT_TRUE(says(taken_from(server), frame(FrameType::data, 0, 1, "0123456789")));
  answer_to(setting(Setting::initial_window_size, 4));
  EXPECT_EQ(answer_to(window_update(1, 6)), "");
  EXPECT_EQ(answer_to(window_update(1, 2)), frame(FrameType::data, 0, 1, "ab"));
  EXPECT_TRUE(
      says(answer_to(setting(Setting::initial_window_size, 100)), frame(FrameType::data, 0, 1, "cdef")));
}

TEST_F(Http2FrameTest, TheConnectionsWindowHoldsAllStreamsBack) {
  answer_to(setting(Setting::initial_window_size, 1'000'000) + request +
            frame(FrameType::headers, whole, 3, path_field));
  server.session.send(1, std::string(65'530, 'x'));
  server.session.send(3, "0123456789");
  EXPECT_TRUE(taken_from(server).ends_with(frame(FrameType::data, 0, 3, "01234")));
  server.session.end(3);
  EXPECT_EQ(taken_from(server), "");
  EXPECT_EQ(answer_to(window_update(0, 100)), frame(FrameType::data, 0, 3, "56789") +
                                                  frame(FrameType::data, frame_flag::end_stream, 3, "") +
                                                  rst_stream(3, Http2Error::none));
}

TEST_F(Http2FrameTest, AClientsWindowIsGivenBackOnceOnly) {
  answer_to(request);
  const std::string data = frame(FrameType::data, 0, 1, std::string(16'384, 'x'));
  const std::string said = answer_to(many(data, 192));
  EXPECT_TRUE(says(said, window_update(0, 3 * mib)));
  EXPECT_TRUE(says(said, window_update(1, 3 * mib)));
  EXPECT_EQ(said.size(), 2 * window_update(1, 1).size());
}

TEST_F(Http2FrameTest, PaddingIsGivenBackToo) {
  answer_to(request);
  const std::string padding(256, '\xFF');
  const std::string data = frame(FrameType::data, frame_flag::padded, 1, padding);
  const std::string said = answer_to(many(data, 3 * mib / padding.size()));
  EXPECT_TRUE(says(said, window_update(1, 3 * mib)));
  EXPECT_TRUE(says(said, window_update(0, 3 * mib)));
  EXPECT_EQ(server.data[1], "");
}

/// The data in what is said, of which all else is left out.
std::string data_in(std::string_view said) {
  std::string data;
  while (const auto head = read_frame_head(said)) {
    if (head->type == FrameType::data) data += said.substr(frame_head_bytes, head->size);
    said.remove_prefix(frame_head_bytes + head->size);
  }
  return data;
}

// The peer's windows, of all streams and of one, are open for a part at a time.
TEST_F(Http2FrameTest, WhatGoesInPartsGoesWhole) {
  answer_to(setting(Setting::initial_window_size, 100'000) + request);
  std::string sent;
  std::string heard;
  for (int i = 0; i < 100; ++i) {
    std::string bytes;
    while (bytes.size() < 60'000) bytes += std::to_string(sent.size() + bytes.size()) + ' ';
    server.session.send(1, bytes);
    sent += bytes;
    heard += data_in(answer_to(window_update(1, 50'000) + window_update(0, 50'000)));
  }
  EXPECT_GT(heard.size(), 4 * mib);
  EXPECT_GT(server.session.waiting_bytes(1), 800'000U);
  heard += data_in(answer_to(window_update(1, 2'000'000) + window_update(0, 2'000'000)));
  while (server.session.waiting_bytes(1) > 0) heard += data_in(taken_from(server));
  EXPECT_TRUE(heard == sent);
}

TEST_F(Http2FrameTest, AStreamThatIsHeldBackHoldsNobodyElseBack) {
  answer_to(setting(Setting::initial_window_size, 1'000'000) + request +
            frame(FrameType::headers, whole, 3, path_field));
  server.session.send(1, std::string(100'000, 'x'));
  taken_from(server);
  server.session.end(3);
  EXPECT_EQ(taken_from(server),
            frame(FrameType::data, frame_flag::end_stream, 3, "") + rst_stream(3, Http2Error::none));
  EXPECT_EQ(server.session.waiting_bytes(1), 100'000U - 65'535U);
}

TEST_F(Http2FrameTest, StreamsTakeTurns) {
  answer_to(setting(Setting::initial_window_size, 10'000'000) + window_update(0, 10'000'000) + request +
            frame(FrameType::headers, whole, 3, path_field));
  server.session.send(1, std::string(5 * mib, 'x'));
  server.session.send(3, "a word");
  taken_from(server);
  EXPECT_TRUE(says(taken_from(server), frame(FrameType::data, 0, 3, "a word")));
  EXPECT_GT(server.session.waiting_bytes(1), 4 * mib);
}

TEST_F(Http2FrameTest, StreamsTakeTurnsAtTheConnectionsWindow) {
  answer_to(setting(Setting::initial_window_size, 10'000'000) + request +
            frame(FrameType::headers, whole, 3, path_field));
  server.session.send(1, std::string(5 * mib, 'x'));
  server.session.send(3, "a word");
  std::string said = taken_from(server);
  for (int i = 0; i < 2; ++i) said += answer_to(window_update(0, 50'000));
  EXPECT_TRUE(says(said, frame(FrameType::data, 0, 3, "a word")));
}

TEST_F(Http2FrameTest, WhoAsksAndTurnsAwayForEverMustReadItsAnswers) {
  server.answers = true;
  EXPECT_EQ(server.session.receive(hello), Http2Error::none);
  auto error = Http2Error::none;
  for (Id id = 1; id < 1'000'000 && error == Http2Error::none; id += 2) {
    error = server.session.receive(frame(FrameType::headers, whole, id, path_field) +
                                   rst_stream(id, Http2Error{8}));
    EXPECT_LT(server.session.out().size(), 2 * mib);
  }
  EXPECT_EQ(error, Http2Error::enhance_your_calm);
}

struct Http2ClientTest : Http2SessionTest {
  void SetUp() override {
    taken_from(client);
    EXPECT_EQ(client.session.receive(no_settings), Http2Error::none);
    taken_from(client);
  }
};

TEST_F(Http2ClientTest, WhatTheServerWillNotWorkOnIsRefused) {
  for (int i = 0; i < 3; ++i) client.session.open({{":path", "/p"}});
  EXPECT_EQ(client.session.receive(goaway(3, Http2Error::none)), Http2Error::none);
  EXPECT_EQ(client.closed, (std::map<Id, Http2Error>{{5, Http2Error::refused_stream}}));
  EXPECT_TRUE(client.session.peer_ends());
}

TEST_F(Http2ClientTest, WhatWaitsForRoomIsRefusedWhenTheServerEnds) {
  EXPECT_EQ(client.session.receive(setting(Setting::max_concurrent_streams, 1)), Http2Error::none);
  for (int i = 0; i < 2; ++i) client.session.open({{":path", "/p"}});
  EXPECT_EQ(client.session.receive(goaway(0x7FFF'FFFF, Http2Error::none)), Http2Error::none);
  EXPECT_EQ(client.closed, (std::map<Id, Http2Error>{{3, Http2Error::refused_stream}}));
}

// Neither may begin once the other is refused: who is told that a call was not worked on may make it again.
TEST_F(Http2ClientTest, WhatWasRefusedNeverBegins) {
  EXPECT_EQ(client.session.receive(setting(Setting::max_concurrent_streams, 2)), Http2Error::none);
  for (int i = 0; i < 4; ++i) client.session.open({{":path", "/p"}});
  taken_from(client);
  EXPECT_EQ(client.session.receive(goaway(1, Http2Error::none)), Http2Error::none);
  EXPECT_EQ(client.closed, (std::map<Id, Http2Error>{{3, Http2Error::refused_stream},
                                                     {5, Http2Error::refused_stream},
                                                     {7, Http2Error::refused_stream}}));
  EXPECT_EQ(taken_from(client), "");
}

TEST_F(Http2ClientTest, RequestsAreBegunAPartAtATime) {
  const std::string path = "/" + std::string(1'000, 'p');
  for (int i = 0; i < 10'000; ++i) client.session.open({{":path", path + std::to_string(i)}});
  EXPECT_LT(client.session.out().size(), mib);
  EXPECT_EQ(client.session.receive(frame(FrameType::ping, 0, 0, "12345678")), Http2Error::none);
  std::string said;
  for (std::string part = taken_from(client); !part.empty(); part = taken_from(client)) said += part;
  std::size_t begun = 0;
  for (std::string_view left = said; const auto head = read_frame_head(left);) {
    begun += head->type == FrameType::headers ? 1U : 0U;
    left.remove_prefix(frame_head_bytes + head->size);
  }
  EXPECT_EQ(begun, 10'000U);
}

TEST_F(Http2ClientTest, ServersPushNothing) {
  EXPECT_EQ(client.session.receive(setting(Setting::enable_push, 1)), Http2Error::protocol_error);
}

TEST_F(Http2ClientTest, ServersBeginNothing) {
  EXPECT_EQ(client.session.receive(request), Http2Error::protocol_error);
  EXPECT_TRUE(taken_from(client).ends_with(goaway(0, Http2Error::protocol_error)));
}

}  // namespace tracker::rpc
