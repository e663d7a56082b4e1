// Fuzzes an end of an HTTP/2 connection with what its peer says, piece by piece, while its owner does what owners
// do. The first byte says which end it is, and how long a piece is. What it says itself must be whole frames.
#include <algorithm>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <utility>

#include "require.h"
#include "rpc/http2_session.h"

namespace {

using namespace tracker::rpc;
using Id = Http2Session::StreamId;

constexpr std::string_view preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

class Owner final : public Http2Session::Events {
 public:
  explicit Owner(Http2Session::End end) : end_(end), session_(end, *this) {
    if (end_ == Http2Session::End::client) open();
  }

  /// Answers false once the connection is over.
  bool receive(std::string_view bytes) { return session_.receive(bytes) == Http2Error::none && !stopped_; }

  void open() {
    const auto id = session_.open({{":path", "/p"}, {"te", "trailers"}});
    if (!id) return;
    require(streams_.emplace(*id, State{}).second, "a new stream is new");
    session_.send(*id, "question");
  }

  /// Takes what it says, and looks at it.
  void take() {
    session_.fill();
    const std::string said = std::exchange(session_.out(), {});
    std::string_view left = said;
    if (!began_ && end_ == Http2Session::End::client) left.remove_prefix(preface.size());
    began_ = true;
    while (!left.empty()) {
      const auto head = read_frame_head(left);
      require(head && head->size <= frame_bytes_max && left.size() >= frame_head_bytes + head->size,
              "it says whole frames");
      left.remove_prefix(frame_head_bytes + head->size);
    }
  }

 private:
  struct State {
    bool peer_ended = false;
  };

  State& state_of(Id id) {
    const auto found = streams_.find(id);
    require(found != streams_.end(), "what is told is about a stream that there is");
    require(!stopped_, "a session that is stopped tells nothing");
    return found->second;
  }

  void on_begin(Id id) override {
    require(end_ == Http2Session::End::server, "only clients begin");
    require(streams_.emplace(id, State{}).second, "a stream begins once");
  }
  void on_request(Id id) override {
    state_of(id);
    session_.respond(id, {{":status", "200"}});
    session_.send(id, std::string(20'000, 'x'));
  }
  void on_field(Id id, std::string_view name, std::string_view value) override {
    state_of(id);
    if (name == "end") session_.end(id, {{"grpc-status", std::string(value)}});
    if (name == "announce") session_.announce_end();
  }
  void on_data(Id id, std::string_view bytes) override {
    require(!state_of(id).peer_ended, "data comes before the end");
    session_.give_back(id, bytes.size());
    if (bytes.empty()) return;
    if (bytes.front() == 'e') session_.end(id, {{"grpc-status", "0"}});
    if (bytes.front() == 's') session_.send(id, bytes);
    if (bytes.front() == 'o' && end_ == Http2Session::End::client) open();
    if (bytes.front() == '!') {
      session_.stop();
      stopped_ = true;
    }
  }
  void on_peer_end(Id id) override {
    require(!std::exchange(state_of(id).peer_ended, true), "a stream ends once");
    session_.end(id);
  }
  void on_closed(Id id, Http2Error /*error*/) override {
    state_of(id);
    streams_.erase(id);
    if (end_ == Http2Session::End::client) open();
  }

  const Http2Session::End end_;
  std::map<Id, State> streams_;
  bool began_ = false;
  bool stopped_ = false;
  Http2Session session_;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string_view input(reinterpret_cast<const char*>(data), size);
  if (input.empty()) return 0;
  const auto choice = static_cast<std::uint8_t>(input.front());
  input.remove_prefix(1);
  const bool client = choice % 2 == 0;
  Owner owner(client ? Http2Session::End::client : Http2Session::End::server);
  // It comes past the beginning by itself.
  bool goes_on = owner.receive(std::string(client ? "" : preface) + std::string("\0\0\0\4\0\0\0\0\0", 9));
  const std::size_t piece = 1 + choice / 2U;
  while (goes_on && !input.empty()) {
    goes_on = owner.receive(input.substr(0, piece));
    input.remove_prefix(std::min(input.size(), piece));
    owner.take();
  }
  owner.take();
  return 0;
}
