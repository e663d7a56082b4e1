#include "http2/session.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "support/http2_frames.h"

namespace tracker::http2 {
namespace {

using namespace std::string_literals;
namespace raw = tests::http2;

const std::vector<Field> request{
    {":method", "POST"}, {":scheme", "http"}, {":path", "/p"}, {":authority", "a"}, {"te", "trailers"}};
const std::vector<Field> response{{":status", "200"}};

/// Records the events.
class Recorder final : public Session::Events {
 public:
  struct Stream {
    std::map<std::string, std::string> fields;
    std::string data;
    std::size_t field_lists = 0;
    std::size_t too_long = 0;
    std::size_t ends = 0;
    std::vector<ErrorCode> closed;
  };
  std::map<StreamId, Stream> streams;
  int greetings = 0;
  bool gives_back = true;
  Session* session = nullptr;

  const std::string& field(StreamId id, const std::string& name) { return streams[id].fields[name]; }

 private:
  void on_greeted() override { ++greetings; }
  void on_fields(StreamId id, Fields fields) override {
    ++streams[id].field_lists;
    for (const auto& [name, value] : fields) streams[id].fields.emplace(name, value);
  }
  void on_fields_too_long(StreamId id) override { ++streams[id].too_long; }
  void on_data(StreamId id, std::string_view bytes) override {
    streams[id].data += bytes;
    if (gives_back) session->give_back(id, bytes.size());
  }
  void on_peer_end(StreamId id) override { ++streams[id].ends; }
  void on_closed(StreamId id, ErrorCode error) override { streams[id].closed.push_back(error); }
};

std::string take_out(Session& session) {
  session.fill();
  return std::exchange(session.out(), {});
}

/// A client and a server that exchange their bytes in pieces.
class Pair {
 public:
  Pair() {
    clients_.session = &client_;
    servers_.session = &server_;
  }

  /// Exchanges bytes until neither has anything to say.
  void talk(std::size_t piece = 100'000) {
    for (bool talked = true; talked;) {
      talked = hear(server_, take_out(client_), piece);
      talked = hear(client_, take_out(server_), piece) || talked;
    }
  }
  static bool hear(Session& session, const std::string& bytes, std::size_t piece) {
    for (std::size_t i = 0; i < bytes.size(); i += piece)
      EXPECT_TRUE(session.receive(std::string_view(bytes).substr(i, piece))) << session.why();
    return !bytes.empty();
  }

  Recorder clients_;
  Recorder servers_;
  const Limits limits_{.streams_max = 10,
                       .stream_window_bytes = 100'000,
                       .connection_window_bytes = 150'000,
                       .field_bytes_max = 1'000};
  Session client_{End::client, clients_, limits_, Setting{0xF754, 1}};
  Session server_{End::server, servers_, limits_};
};

class SessionTest : public testing::Test, protected Pair {};

TEST_F(SessionTest, ACallComesOverInPiecesOfAnySize) {
  for (const std::size_t piece : {1, 2, 3, 7, 100, 100'000}) {
    Pair anew;
    const auto id = anew.client_.open(request).value();
    anew.client_.send(id, "question");
    anew.client_.end(id);
    anew.talk(piece);
    EXPECT_EQ(anew.servers_.field(id, ":path"), "/p");
    EXPECT_EQ(anew.servers_.streams[id].data, "question");
    EXPECT_EQ(anew.servers_.streams[id].ends, 1U);
    anew.server_.respond(id, response);
    anew.server_.send(id, "answer");
    anew.server_.end(id, std::vector<Field>{{"grpc-status", "0"}});
    anew.talk(piece);
    EXPECT_EQ(anew.clients_.streams[id].data, "answer");
    EXPECT_EQ(anew.clients_.field(id, ":status"), "200");
    EXPECT_EQ(anew.clients_.field(id, "grpc-status"), "0");
    EXPECT_EQ(anew.clients_.streams[id].closed, std::vector{ErrorCode::none});
    EXPECT_EQ(anew.servers_.streams[id].closed, std::vector{ErrorCode::none});
    EXPECT_EQ(anew.client_.streams() + anew.server_.streams(), 0U);
  }
}

TEST_F(SessionTest, TheFirstSettingComesFirst) {
  const std::string first = take_out(client_);
  const std::string expected =
      raw::preface + first.substr(raw::preface.size(), 3) + "\x04\0\0\0\0\0\xF7\x54\0\0\0\1"s;
  EXPECT_TRUE(first.starts_with(expected)) << "envoys of tracker are known by it";
  EXPECT_TRUE(server_.receive(first));
  EXPECT_EQ(server_.first_setting_of_peer(0xF754), 1U);
  EXPECT_EQ(server_.first_setting_of_peer(0xF755), std::nullopt);
  EXPECT_EQ(servers_.greetings, 1);
}

TEST_F(SessionTest, AServerThatEndsEarlyTellsThatTheRestIsNotNeeded) {
  const auto id = client_.open(request).value();
  talk();
  server_.respond_and_end(id, std::vector<Field>{{":status", "200"}, {"grpc-status", "12"}});
  talk();
  EXPECT_EQ(clients_.field(id, "grpc-status"), "12");
  EXPECT_EQ(clients_.streams[id].closed, std::vector{ErrorCode::none}) << "RST_STREAM(NO_ERROR)";
  EXPECT_EQ(server_.streams(), 0U);
}

TEST_F(SessionTest, WhatIsKeptHoldsTheSenderBack) {
  servers_.gives_back = false;
  const auto id = client_.open(request).value();
  client_.send(id, std::string(300'000, 'x'));
  talk();
  EXPECT_EQ(servers_.streams[id].data.size(), limits_.stream_window_bytes);
  EXPECT_EQ(client_.waiting_bytes(id), 200'000U);
  EXPECT_GE(client_.waiting_bytes(), 200'000U);
  server_.give_back(id, 100'000);
  talk();
  EXPECT_EQ(servers_.streams[id].data.size(), 200'000U);
  server_.give_back(id, 100'000);
  talk();
  EXPECT_EQ(servers_.streams[id].data.size(), 300'000U);
  EXPECT_EQ(client_.waiting_bytes(id), 0U);
}

TEST_F(SessionTest, AllStreamsShareTheConnectionsWindowAndAClosedOneGivesItsPartBack) {
  servers_.gives_back = false;
  const auto a = client_.open(request).value();
  const auto b = client_.open(request).value();
  client_.send(a, std::string(100'000, 'x'));
  talk();
  client_.send(b, std::string(100'000, 'x'));
  talk();
  EXPECT_EQ(servers_.streams[a].data.size() + servers_.streams[b].data.size(),
            limits_.connection_window_bytes);
  client_.reset(a, ErrorCode::cancel);
  talk();
  EXPECT_EQ(servers_.streams[a].closed, std::vector{ErrorCode::cancel});
  EXPECT_EQ(servers_.streams[b].data.size(), 100'000U);
}

TEST_F(SessionTest, WindowsMayGrow) {
  servers_.gives_back = false;
  talk();
  server_.set_windows(1'000'000, 1'000'000);
  const auto id = client_.open(request).value();
  client_.send(id, std::string(2'000'000, 'x'));
  talk();
  EXPECT_EQ(servers_.streams[id].data.size(), 1'000'000U);
}

TEST_F(SessionTest, StreamsWaitUntilThePeerHasRoom) {
  talk();
  std::vector<StreamId> ids;
  for (int i = 0; i < 15; ++i) ids.push_back(client_.open(request).value());
  talk();
  EXPECT_EQ(servers_.streams.size(), limits_.streams_max);
  for (int i = 0; i < 5; ++i) server_.respond_and_end(ids[static_cast<std::size_t>(i)], response);
  talk();
  EXPECT_EQ(servers_.streams.size(), 15U);
}

TEST_F(SessionTest, AnEndInTwoStepsServesWhatCrossesTheFirst) {
  const auto before = client_.open(request).value();
  talk();
  server_.announce_end();
  const auto crossing = client_.open(request).value();
  const std::string crosses = take_out(client_);
  hear(client_, take_out(server_), 100'000);
  EXPECT_TRUE(client_.peer_ends());
  EXPECT_FALSE(client_.open(request)) << "there will be no more";
  hear(server_, crosses, 100'000);
  EXPECT_EQ(servers_.field(crossing, ":path"), "/p");
  server_.finish();
  talk();
  EXPECT_FALSE(server_.is_over());
  for (const StreamId id : {before, crossing}) {
    client_.end(id);
    server_.respond_and_end(id, response);
  }
  talk();
  EXPECT_EQ(clients_.streams[crossing].closed, std::vector{ErrorCode::none});
  EXPECT_TRUE(server_.is_over());
  EXPECT_TRUE(client_.is_over());
}

TEST_F(SessionTest, WhatTheServerWillNotWorkOnIsRefused) {
  talk();
  server_.finish();
  const std::string goaway = take_out(server_);
  const auto id = client_.open(request).value();
  take_out(client_);  // lost: the server does not get it
  hear(client_, goaway, 100'000);
  EXPECT_EQ(clients_.streams[id].closed, std::vector{ErrorCode::refused_stream});
}

TEST_F(SessionTest, WhatWaitsForRoomIsRefusedWhenTheServerEnds) {
  talk();
  for (int i = 0; i < 10; ++i) client_.open(request);
  talk();
  const auto waiting = client_.open(request).value();
  server_.finish();
  talk();
  EXPECT_EQ(clients_.streams[waiting].closed, std::vector{ErrorCode::refused_stream});
  EXPECT_EQ(servers_.streams.count(waiting), 0U);
}

TEST_F(SessionTest, OutIsFilledAPartAtATime) {
  servers_.gives_back = false;
  talk();
  server_.set_windows(4'000'000, 4'000'000);
  talk();
  const auto id = client_.open(request).value();
  client_.send(id, std::string(3'000'000, 'x'));
  client_.fill();
  EXPECT_LT(client_.out().size(), 300'000U);
  talk();
  EXPECT_EQ(servers_.streams[id].data.size(), 3'000'000U);
}

/// A server, and a client that can send any bytes.
class RawSessionTest : public testing::Test {
 protected:
  RawSessionTest() {
    events_.session = &server_;
    EXPECT_TRUE(server_.receive(raw::callers_first_bytes()));
    take_out(server_);
  }
  static std::string call(StreamId id, std::uint8_t flags = 0) {
    return raw::headers(id, raw::grpc_request("/p"), flags);
  }

  Recorder events_;
  const Limits limits_{
      .streams_max = 1'000, .connection_window_bytes = 1'000'000, .field_bytes_max = 16 * 1024};
  Session server_{End::server, events_, limits_};
};

TEST_F(RawSessionTest, PingsAndSettingsAreAcknowledgedHoweverManyAreRead) {
  for (int i = 0; i < 20'000; ++i) {
    ASSERT_TRUE(server_.receive(raw::frame(raw::ping_frame, 0, 0, "12345678") + raw::settings({}))) << i;
    EXPECT_EQ(take_out(server_).size(), 9U + 8U + 9U);
  }
}

TEST_F(RawSessionTest, WhoDoesNotReadTheAcknowledgementsIsEnded) {
  for (const std::string& frame : {raw::frame(raw::ping_frame, 0, 0, "12345678"), raw::settings({})}) {
    Recorder events;
    Session server(End::server, events, limits_);
    EXPECT_TRUE(server.receive(raw::callers_first_bytes()));
    int sent = 0;
    while (sent < 100'000 && server.receive(frame)) {
      ++sent;
      if (server.out().size() < 64 * 1024) server.fill();
    }
    EXPECT_LT(sent, 100'000);
    EXPECT_LT(server.out().size(), 2U * 1024 * 1024);
  }
}

TEST_F(RawSessionTest, AClientMayCancelAllItsCallsEachSecond) {
  StreamId id = 1;
  for (int second = 0; second < 10; ++second) {
    std::string opens;
    std::string cancels;
    for (int i = 0; i < 1'000; ++i, id += 2) {
      opens += call(id);
      cancels += raw::rst_stream(id, 8);
    }
    ASSERT_TRUE(server_.receive(opens)) << server_.why();
    ASSERT_TRUE(server_.receive(cancels)) << server_.why();
    take_out(server_);
    EXPECT_EQ(server_.streams(), 0U);
  }
  EXPECT_EQ(events_.streams.size(), 10'000U);
}

// gRPC's C core sends this for a call that is cancelled before its HEADERS have left.
TEST_F(RawSessionTest, ACancelOfACallThatNeverBeganDoesNotEndTheConnection) {
  ASSERT_TRUE(server_.receive(call(1) + raw::rst_stream(3, 8))) << server_.why();
  EXPECT_EQ(server_.streams(), 1U);
  ASSERT_TRUE(server_.receive(call(5))) << server_.why();
  EXPECT_EQ(events_.streams.size(), 2U);
}

TEST_F(RawSessionTest, CallsThatAreCancelledAtOnceAreNeverToldAndTooManyEndTheConnection) {
  int calls = 0;
  for (StreamId id = 1; calls < 100'000 && server_.receive(call(id) + raw::rst_stream(id, 8)); id += 2)
    ++calls;
  EXPECT_LT(calls, 100'000);
  EXPECT_EQ(events_.streams.size(), 0U);
  EXPECT_EQ(server_.streams(), 0U);
}

std::string calls(int number, std::string (*call)(StreamId, std::uint8_t)) {
  std::string opens;
  for (int i = 0; i < number; ++i) opens += call(2 * i + 1, 0);
  return opens;
}

TEST_F(RawSessionTest, MoreStreamsThanItGrantsAreRefusedUntilTheClientKnowsAndEndTheConnectionThen) {
  ASSERT_TRUE(server_.receive(calls(1'050, call))) << server_.why();
  EXPECT_EQ(events_.streams.size(), 1'000U);
  EXPECT_EQ(server_.streams(), 1'000U);
  EXPECT_FALSE(server_.receive(raw::frame(raw::settings_frame, raw::ack, 0, "") + call(3'001)));
}

TEST_F(RawSessionTest, WhoOpensForEverAndNeverReadsIsEnded) {
  ASSERT_TRUE(server_.receive(raw::frame(raw::settings_frame, raw::ack, 0, "")));
  int rounds = 0;
  for (StreamId id = 1; rounds < 200'000 && server_.receive(call(id)); id += 2) ++rounds;
  EXPECT_LT(rounds, 200'000) << "each is answered by RST_STREAM, which nobody reads";
}

TEST_F(RawSessionTest, FieldsThatAreTooLongAreToldAsSuch) {
  auto fields = raw::grpc_request("/p");
  fields.emplace_back("long", std::string(15'000, 'x'));
  EXPECT_TRUE(server_.receive(raw::headers(1, fields)));
  EXPECT_EQ(events_.field(1, "long").size(), 15'000U);
  fields.emplace_back("longer", std::string(1'100, 'x'));
  EXPECT_TRUE(server_.receive(raw::headers(3, fields))) << server_.why();
  EXPECT_EQ(events_.streams[3].too_long, 1U);
  EXPECT_EQ(events_.streams[3].field_lists, 0U);
}

/// A field of 4,000 bytes goes into the dynamic table once. Each later byte of the block stands for that field again.
TEST_F(RawSessionTest, ABlockThatUnpacksToAHundredTimesItsSizeIsBounded) {
  std::string block = raw::block(raw::grpc_request("/p"));
  block += '\x40' + raw::hpack_string("bomb") + raw::hpack_string(std::string(3'000, 'x'));
  block += std::string(10'000, '\xBE');  // the newest entry of the dynamic table, index 62
  EXPECT_TRUE(server_.receive(raw::frame(raw::headers_frame, raw::end_headers, 1, block))) << server_.why();
  EXPECT_EQ(events_.streams[1].too_long, 1U) << "30 MB of fields";
}

TEST_F(RawSessionTest, ListsOfFieldsThatNeverEndAreEnded) {
  EXPECT_TRUE(server_.receive(raw::frame(raw::headers_frame, 0, 1, raw::block(raw::grpc_request("/p")))));
  int frames = 0;
  const std::string more =
      raw::frame(raw::continuation_frame, 0, 1, raw::block({{"a", std::string(10'000, 'x')}}));
  while (frames < 1'000 && server_.receive(more)) ++frames;
  EXPECT_LT(frames, 20);
}

TEST_F(RawSessionTest, PaddingIsGivenBackByItself) {
  events_.gives_back = false;
  EXPECT_TRUE(server_.receive(call(1)));
  const std::string padded = "\xFF" + "x"s + std::string(255, '\0');
  for (int i = 0; i < 20'000; ++i) {  // 5 MB, of which 20,000 bytes are kept
    ASSERT_TRUE(server_.receive(raw::frame(raw::data_frame, 8, 1, padded))) << i << server_.why();
    take_out(server_);
  }
  EXPECT_EQ(events_.streams[1].data.size(), 20'000U);
}

TEST_F(RawSessionTest, TrailersOfARequestAreNoOtherRequest) {
  EXPECT_TRUE(server_.receive(call(1) + raw::headers(1, {{"grpc-status", "0"}}, raw::end_stream)));
  EXPECT_EQ(events_.streams[1].field_lists, 2U);
  EXPECT_EQ(events_.streams[1].ends, 1U);
}

TEST_F(RawSessionTest, WhatComesForAStreamThatIsOverIsGivenBack) {
  EXPECT_TRUE(server_.receive(call(1)));
  server_.reset(1, ErrorCode::cancel);
  take_out(server_);
  for (int i = 0; i < 200; ++i) {  // 3 MB, three times the connection's window
    ASSERT_TRUE(server_.receive(raw::data(1, std::string(16'000, 'x')))) << i << server_.why();
    take_out(server_);
  }
  EXPECT_EQ(events_.streams[1].data, "");
}

struct Break {
  std::string name;
  std::string bytes;
};

class BreakTest : public RawSessionTest, public testing::WithParamInterface<Break> {};

TEST_P(BreakTest, EndsTheConnection) {
  EXPECT_TRUE(server_.receive(call(1)));
  EXPECT_FALSE(server_.receive(GetParam().bytes));
  EXPECT_NE(server_.why(), "");
  const std::string said = take_out(server_);
  EXPECT_NE(said.find("\x07\0\0\0\0\0"s), std::string::npos) << "GOAWAY";
}

INSTANTIATE_TEST_SUITE_P(
    Breaks, BreakTest,
    testing::Values(
        Break{"DataOnNoStream", raw::data(0, "x")}, Break{"DataOnAStreamThatNobodyBegan", raw::data(5, "x")},
        Break{"AFrameThatIsTooLong", "\x00\x40\x01\x00\x00\x00\x00\x00\x01"s},
        Break{"ASettingsFrameOfOddLength", raw::frame(raw::settings_frame, 0, 0, "12345")},
        Break{"APingOfSevenBytes", raw::frame(raw::ping_frame, 0, 0, "1234567")},
        Break{"AWindowOfZero", raw::window_update(0, 0)},
        Break{"AWindowThatOverflows",
              raw::window_update(0, 0x7FFF'FFFF) + raw::window_update(0, 0x7FFF'FFFF)},
        Break{"APushPromise", raw::frame(static_cast<raw::FrameType>(5), raw::end_headers, 1, "\0\0\0\2"s)},
        Break{"AnEvenStream", raw::headers(2, raw::grpc_request("/p"))},
        Break{"AContinuationOfNothing", raw::frame(raw::continuation_frame, raw::end_headers, 1, "")},
        Break{"FieldsThatCannotBeUnpacked",
              raw::frame(raw::headers_frame, raw::end_headers, 3, "\xFF\xFF\xFF\xFF\xFF\xFF")},
        Break{"AnotherFrameWithinAListOfFields",
              raw::frame(raw::headers_frame, 0, 3, "") + raw::frame(raw::ping_frame, 0, 0, "12345678")}),
    [](const auto& its) { return its.param.name; });

TEST(SessionGreetingTest, WhoDoesNotBeginAsAClientIsEnded) {
  for (const std::string& bytes :
       {"GET / HTTP/1.1\r\n\r\n"s, raw::preface + raw::frame(raw::ping_frame, 0, 0, "12345678")}) {
    Recorder events;
    Session server(End::server, events, {});
    EXPECT_FALSE(server.receive(bytes));
    EXPECT_EQ(events.greetings, 0);
  }
}

}  // namespace
}  // namespace tracker::http2
