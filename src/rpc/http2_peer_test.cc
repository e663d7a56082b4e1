// Http2Session with nghttp2's session at the other end.
#include <gtest/gtest.h>
#include <nghttp2/nghttp2.h>

#include <algorithm>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "rpc/http2_session.h"

namespace tracker::rpc {

using Id = Http2Session::StreamId;

nghttp2_nv nv(std::string_view name, std::string_view value) {
  const auto bytes = [](std::string_view text) {
    return reinterpret_cast<std::uint8_t*>(const_cast<char*>(text.data()));
  };
  return {bytes(name), bytes(value), name.size(), value.size(), NGHTTP2_NV_FLAG_NONE};
}

/// nghttp2's end: sends `body` on each stream, and keeps what comes.
class Nghttp2End {
 public:
  explicit Nghttp2End(Http2Session::End end) : end_(end) {
    nghttp2_session_callbacks* callbacks = nullptr;
    nghttp2_session_callbacks_new(&callbacks);
    nghttp2_session_callbacks_set_on_header_callback(
        callbacks,
        [](nghttp2_session*, const nghttp2_frame* frame, const std::uint8_t* name, std::size_t name_size,
           const std::uint8_t* value, std::size_t value_size, std::uint8_t, void* user) {
          self(user).fields[frame->hd.stream_id][{reinterpret_cast<const char*>(name), name_size}] = {
              reinterpret_cast<const char*>(value), value_size};
          return 0;
        });
    nghttp2_session_callbacks_set_on_frame_recv_callback(
        callbacks, [](nghttp2_session* session, const nghttp2_frame* frame, void* user) {
          auto& its = self(user);
          if (frame->hd.type == NGHTTP2_GOAWAY) its.goaways.push_back(frame->goaway.error_code);
          const bool is_request =
              frame->hd.type == NGHTTP2_HEADERS && frame->headers.cat == NGHTTP2_HCAT_REQUEST;
          if (its.end_ == Http2Session::End::server && is_request) {
            const std::vector<nghttp2_nv> its_fields{nv(":status", "200")};
            const auto provider = its.provider();
            nghttp2_submit_response(session, frame->hd.stream_id, its_fields.data(), its_fields.size(),
                                    &provider);
          }
          return 0;
        });
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(
        callbacks, [](nghttp2_session*, std::uint8_t, std::int32_t id, const std::uint8_t* bytes,
                      std::size_t size, void* user) {
          self(user).data[id].append(reinterpret_cast<const char*>(bytes), size);
          return 0;
        });
    nghttp2_session_callbacks_set_on_stream_close_callback(
        callbacks, [](nghttp2_session*, std::int32_t id, std::uint32_t error, void* user) {
          self(user).closed[id] = error;
          return 0;
        });
    if (end == Http2Session::End::client) {
      nghttp2_session_client_new(&session_, callbacks, this);
    } else {
      nghttp2_session_server_new(&session_, callbacks, this);
    }
    nghttp2_session_callbacks_del(callbacks);
  }
  ~Nghttp2End() { nghttp2_session_del(session_); }
  Nghttp2End(const Nghttp2End&) = delete;
  Nghttp2End& operator=(const Nghttp2End&) = delete;

  void settle(const std::vector<nghttp2_settings_entry>& settings) {
    nghttp2_submit_settings(session_, NGHTTP2_FLAG_NONE, settings.data(), settings.size());
  }
  Id request(std::string_view path) {
    const std::vector<nghttp2_nv> its_fields{nv(":method", "POST"), nv(":scheme", "http"), nv(":path", path),
                                             nv(":authority", "a")};
    const auto provider = this->provider();
    return nghttp2_submit_request(session_, nullptr, its_fields.data(), its_fields.size(), &provider,
                                  nullptr);
  }
  void ping() { nghttp2_submit_ping(session_, NGHTTP2_FLAG_NONE, nullptr); }
  void reset(Id id) { nghttp2_submit_rst_stream(session_, NGHTTP2_FLAG_NONE, id, NGHTTP2_CANCEL); }

  void receive(std::string_view bytes) {
    const auto taken =
        nghttp2_session_mem_recv(session_, reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size());
    EXPECT_EQ(taken, static_cast<ssize_t>(bytes.size())) << nghttp2_strerror(static_cast<int>(taken));
  }
  std::string taken() {
    std::string all;
    for (;;) {
      const std::uint8_t* bytes = nullptr;
      const auto size = nghttp2_session_mem_send(session_, &bytes);
      if (size <= 0) return all;
      all.append(reinterpret_cast<const char*>(bytes), static_cast<std::size_t>(size));
    }
  }

  std::string body;
  std::map<Id, std::map<std::string, std::string>> fields;
  std::map<Id, std::string> data;
  std::map<Id, std::uint32_t> closed;
  std::vector<std::uint32_t> goaways;

 private:
  static Nghttp2End& self(void* user) { return *static_cast<Nghttp2End*>(user); }

  nghttp2_data_provider provider() {
    nghttp2_data_provider provider{};
    provider.read_callback = [](nghttp2_session* session, std::int32_t id, std::uint8_t* out,
                                std::size_t room, std::uint32_t* flags, nghttp2_data_source*, void* user) {
      auto& its = self(user);
      auto& sent = its.sent_[id];
      const std::size_t size = std::min(room, its.body.size() - sent);
      std::copy_n(its.body.data() + sent, size, out);
      sent += size;
      if (sent == its.body.size()) {
        *flags |= NGHTTP2_DATA_FLAG_EOF;
        if (its.end_ == Http2Session::End::server) {
          *flags |= NGHTTP2_DATA_FLAG_NO_END_STREAM;
          const std::vector<nghttp2_nv> trailers{nv("grpc-status", "0")};
          nghttp2_submit_trailer(session, id, trailers.data(), trailers.size());
        }
      }
      return static_cast<ssize_t>(size);
    };
    return provider;
  }

  const Http2Session::End end_;
  nghttp2_session* session_ = nullptr;
  std::map<Id, std::size_t> sent_;
};

/// Our end: sends `body` on each stream, and keeps what comes.
struct OurEnd final : Http2Session::Events {
  explicit OurEnd(Http2Session::End end) : session(end, *this) {}

  void on_begin(Id) override {}
  void on_request(Id id) override {
    session.respond(id, {{":status", "200"}, {"content-type", "application/grpc"}});
    session.send(id, body);
  }
  void on_field(Id id, std::string_view name, std::string_view value) override {
    fields[id][std::string(name)] = value;
  }
  void on_data(Id id, std::string_view bytes) override {
    data[id] += bytes;
    session.give_back(id, bytes.size());
  }
  void on_peer_end(Id id) override { session.end(id, {{"grpc-status", "0"}, {"grpc-message", ""}}); }
  void on_closed(Id id, Http2Error error) override { closed[id] = error; }

  std::string body;
  std::map<Id, std::map<std::string, std::string>> fields;
  std::map<Id, std::string> data;
  std::map<Id, Http2Error> closed;
  Http2Session session;
};

void talk(OurEnd& ours, Nghttp2End& theirs) {
  for (bool silent = false; !silent;) {
    ours.session.fill();
    const std::string said = std::exchange(ours.session.out(), {});
    if (!said.empty()) theirs.receive(said);
    const std::string answered = theirs.taken();
    EXPECT_EQ(ours.session.receive(answered), Http2Error::none);
    silent = said.empty() && answered.empty();
  }
}

std::string some_bytes(std::size_t size) {
  std::string bytes(size, '\0');
  for (std::size_t i = 0; i < size; ++i) bytes[i] = static_cast<char>(i * 7 + i / 251);
  return bytes;
}

struct Http2PeerTest : testing::Test {
  const std::string long_body = some_bytes(30'000'000);
};

TEST_F(Http2PeerTest, AnswersItsClients) {
  Nghttp2End client(Http2Session::End::client);
  OurEnd server(Http2Session::End::server);
  client.settle({{NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, 1'000}, {NGHTTP2_SETTINGS_HEADER_TABLE_SIZE, 50}});
  client.body = long_body;
  server.body = long_body.substr(0, 300'000);
  for (int i = 0; i < 5; ++i) {
    client.request("/p" + std::to_string(i));
    client.ping();
    if (i == 2) client.settle({{NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, 100'000}});
    if (i == 3) client.settle({{NGHTTP2_SETTINGS_HEADER_TABLE_SIZE, 4096}});
    if (i % 2 == 0) talk(server, client);
  }
  talk(server, client);
  for (Id id = 1; id <= 9; id += 2) {
    EXPECT_EQ(server.fields[id][":path"], "/p" + std::to_string(id / 2));
    EXPECT_TRUE(server.data[id] == client.body);
    EXPECT_TRUE(client.data[id] == server.body);
    EXPECT_EQ(client.fields[id][":status"], "200");
    EXPECT_EQ(client.fields[id]["grpc-status"], "0");
    EXPECT_EQ(client.closed.at(id), 0U);
    EXPECT_EQ(server.closed.at(id), Http2Error::none);
  }
}

TEST_F(Http2PeerTest, SeesAClientTurnAway) {
  Nghttp2End client(Http2Session::End::client);
  OurEnd server(Http2Session::End::server);
  client.settle({});
  client.body = "question";
  server.body = long_body;
  const Id id = client.request("/p");
  client.receive(std::exchange(server.session.out(), {}));
  EXPECT_EQ(server.session.receive(client.taken()), Http2Error::none);
  client.reset(id);
  talk(server, client);
  EXPECT_EQ(server.closed.at(id), Http2Error{NGHTTP2_CANCEL});
  EXPECT_TRUE(client.goaways.empty());
}

TEST_F(Http2PeerTest, AsksServers) {
  OurEnd client(Http2Session::End::client);
  Nghttp2End server(Http2Session::End::server);
  server.settle(
      {{NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, 2}, {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, 77'777}});
  server.body = long_body;
  talk(client, server);
  client.body = long_body.substr(0, 1'000'000);
  for (int i = 0; i < 5; ++i) {
    const Id id = client.session
                      .open({{":method", "POST"},
                             {":scheme", "http"},
                             {":path", "/p" + std::to_string(i)},
                             {":authority", "a"}})
                      .value();
    client.session.send(id, client.body);
    client.session.end(id);
  }
  talk(client, server);
  for (Id id = 1; id <= 9; id += 2) {
    EXPECT_EQ(server.fields[id][":path"], "/p" + std::to_string(id / 2));
    EXPECT_TRUE(server.data[id] == client.body);
    EXPECT_TRUE(client.data[id] == server.body);
    EXPECT_EQ(client.fields[id]["grpc-status"], "0");
    EXPECT_EQ(client.closed.at(id), Http2Error::none);
  }
  EXPECT_TRUE(server.goaways.empty());
}

}  // namespace tracker::rpc
