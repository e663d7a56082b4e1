// Fuzzes one end of an HTTP/2 connection with bytes from its peer, in pieces, while its owner acts as owners do. The
// first byte of the input selects the end and the size of a piece. The end must send whole frames, and its events must
// be about existing streams.
#include <algorithm>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "http2/session.h"
#include "require.h"

namespace {

using namespace tracker::http2;

constexpr std::string_view preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
constexpr std::size_t frame_head_bytes = 9;
constexpr std::size_t frame_bytes_max = 16 * 1024;
constexpr Limits limits{.streams_max = 10, .field_bytes_max = 1'000};

class Owner final : public Session::Events {
 public:
  explicit Owner(End end) : end_(end), session_(end, *this, limits) {
    if (end_ == End::client) open();
  }

  /// Returns false once the connection is over.
  bool receive(std::string_view bytes) { return session_.receive(bytes) && !session_.is_over(); }

  /// Takes the bytes it sends, and checks them.
  void take() {
    session_.fill();
    const std::string said = std::exchange(session_.out(), {});
    std::string_view left = said;
    if (!began_ && end_ == End::client) left.remove_prefix(preface.size());
    began_ = true;
    while (!left.empty()) {
      require(left.size() >= frame_head_bytes, "it says whole frames");
      std::size_t size = 0;
      for (int i = 0; i < 3; ++i) size = size << 8U | static_cast<unsigned char>(left[i]);
      require(size <= frame_bytes_max && left.size() >= frame_head_bytes + size, "it says whole frames");
      left.remove_prefix(frame_head_bytes + size);
    }
  }

 private:
  struct State {
    std::size_t kept = 0;
    bool peer_ended = false;
  };

  void open() {
    const std::vector<Field> fields{
        {":method", "POST"}, {":scheme", "http"}, {":path", "/p"}, {":authority", "a"}, {"te", "trailers"}};
    const auto id = session_.open(fields);
    if (!id) return;
    require(streams_.emplace(*id, State{}).second, "a new stream is new");
    session_.send(*id, "question");
  }

  State& state_of(StreamId id) {
    const auto found = streams_.find(id);
    require(found != streams_.end(), "what is told is about a stream that there is");
    return found->second;
  }

  void on_greeted() override { require(!std::exchange(greeted_, true), "it is greeted once"); }
  void on_fields(StreamId id, Fields fields) override {
    require(greeted_, "nothing comes before the greeting");
    std::size_t bytes = 0;
    for (const auto& [name, value] : fields) bytes += name.size() + value.size() + 32;
    require(bytes <= limits.field_bytes_max, "field lists are bounded");
    if (end_ == End::server && streams_.try_emplace(id).second) {
      session_.respond(id, std::vector<Field>{{":status", "200"}});
      session_.send(id, std::string(20'000, 'x'));
    }
    state_of(id);
    for (const auto& [name, value] : fields) {
      if (name == "end") session_.end(id, end_ == End::server ? Fields(fields) : Fields());
      if (name == "announce" && end_ == End::server) session_.announce_end();
      if (name == "finish" && end_ == End::server) session_.finish();
    }
  }
  void on_fields_too_long(StreamId id) override {
    if (end_ == End::server && streams_.try_emplace(id).second)
      return session_.respond_and_end(id, std::vector<Field>{{":status", "200"}, {"grpc-status", "8"}});
    session_.reset(id, ErrorCode::cancel);
  }
  void on_data(StreamId id, std::string_view bytes) override {
    State& state = state_of(id);
    require(!state.peer_ended, "data comes before the end");
    if (bytes.starts_with('k')) {
      state.kept += bytes.size();
      require(state.kept <= limits.stream_window_bytes, "what is kept is bounded by the window");
    } else {
      session_.give_back(id, bytes.size());
    }
    if (bytes.starts_with('e')) session_.end(id);
    if (bytes.starts_with('r')) session_.reset(id, ErrorCode::cancel);
    if (bytes.starts_with('s')) session_.send(id, bytes);
    if (bytes.starts_with('o') && end_ == End::client) open();
  }
  void on_peer_end(StreamId id) override {
    require(!std::exchange(state_of(id).peer_ended, true), "a stream ends once");
    session_.end(id);
  }
  void on_closed(StreamId id, ErrorCode /*error*/) override {
    state_of(id);
    streams_.erase(id);
    require(session_.waiting_bytes(id) == 0, "nothing waits on a stream that is over");
    if (end_ == End::client && streams_.size() < 5) open();
  }

  const End end_;
  std::map<StreamId, State> streams_;
  bool began_ = false;
  bool greeted_ = false;
  Session session_;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string_view input(reinterpret_cast<const char*>(data), size);
  if (input.empty()) return 0;
  const auto choice = static_cast<std::uint8_t>(input.front());
  input.remove_prefix(1);
  const bool client = choice % 2 == 0;
  Owner owner(client ? End::client : End::server);
  // The fuzzer gets past the preface without having to find it.
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
