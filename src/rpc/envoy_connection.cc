#include "rpc/envoy_connection.h"

#include <algorithm>
#include <boost/asio/dispatch.hpp>
#include <boost/asio/post.hpp>
#include <charconv>
#include <utility>

#include "rpc/batch_message.h"

namespace tracker::rpc {

namespace {

/// More than an envoy sends ahead.
constexpr std::size_t batches_in_flight_max = 64;
constexpr std::size_t waiting_bytes_max = 1024 * 1024;

/// When a call ends that came with this grpc-timeout, whose unit our envoys write as milliseconds.
domain::Deadline deadline_of(std::string_view timeout, std::chrono::milliseconds longest) {
  std::int64_t ms = longest.count();
  if (timeout.ends_with('m')) std::from_chars(timeout.data(), timeout.data() + timeout.size() - 1, ms);
  return std::chrono::steady_clock::now() +
         std::chrono::milliseconds(std::clamp<std::int64_t>(ms, 0, longest.count()));
}

}  // namespace

/// A batch under way. Used again.
class EnvoyConnection::Batch final : public counter::TrackReply {
 public:
  domain::HitBatch hits;
  CallId call = 0;
  std::uint64_t number = 0;
  std::size_t unsettled = 0;
  std::shared_ptr<EnvoyConnection> connection;  // while it is under way

  /// On any thread; it is answered in the connection's.
  void on_verdicts(std::span<const domain::HitVerdict> verdicts) override {
    CountingService& service = connection->service_;
    service.flight().leave(verdicts.size());
    if (service.loop().get_executor().running_in_this_thread()) return connection->answer(*this, verdicts);
    boost::asio::post(service.loop(), [this, copy = std::vector(verdicts.begin(), verdicts.end())] {
      connection->answer(*this, copy);
    });
  }
};

/// A token under way to an envoy. Deletes itself.
class EnvoyConnection::Mint final : public counter::MintReply {
 public:
  Mint(std::shared_ptr<EnvoyConnection> connection, CallId call)
      : connection_(std::move(connection)), call_(call) {}

  /// On any thread; it is answered in the connection's.
  void on_minted(boost::system::result<domain::Token, domain::Failure> minted) override {
    connection_->service_.flight().leave(1);
    boost::asio::dispatch(connection_->service_.loop(), [self = std::unique_ptr<Mint>(this), minted] {
      EnvoyConnection& connection = *self->connection_;
      if (!minted) {
        const bool not_done = minted.error() == domain::Failure::not_done;
        return connection.finish(self->call_, not_done ? StatusCode::unavailable : StatusCode::unknown);
      }
      v1::MintResponse response;
      response.set_token(minted->bytes.data(), minted->bytes.size());
      connection.send(self->call_, response);
      connection.finish(self->call_, StatusCode::ok);
    });
  }

 private:
  const std::shared_ptr<EnvoyConnection> connection_;
  const CallId call_;
};

EnvoyConnection::EnvoyConnection(CountingService& service, runtime::Socket socket)
    : Http2Connection(End::server, std::move(socket)), service_(service) {}

EnvoyConnection::~EnvoyConnection() = default;

void EnvoyConnection::set_readiness(const std::string& why_not) {
  response_.Clear();
  response_.mutable_readiness()->set_why_not(why_not);
  for (const auto& [call, stream] : streams_) {
    if (stream.opened) send(call, response_);
  }
}

void EnvoyConnection::end() {
  const auto self = shared_from_this();
  std::vector<CallId> calls;
  for (const auto& [call, stream] : streams_) calls.push_back(call);
  for (const CallId call : calls) take_no_more(call);
  finish_all_and_close();
}

void EnvoyConnection::on_call(CallId call, std::string_view method, std::string_view timeout) {
  if (method == "/tracker.v1.Counting/Track") {
    streams_.try_emplace(call);
  } else if (method == "/tracker.v1.Counting/Mint") {
    mint(call, timeout);
  } else {
    finish(call, StatusCode::unimplemented, "on such a connection there is tracker.v1.Counting only");
  }
}

void EnvoyConnection::mint(CallId call, std::string_view timeout) {
  if (!service_.flight().enter(1)) return finish(call, StatusCode::unavailable);
  auto self = std::static_pointer_cast<EnvoyConnection>(shared_from_this());
  service_.counter().mint(deadline_of(timeout, service_.request_deadline()),
                          *new Mint(std::move(self), call));
}

void EnvoyConnection::on_message(CallId call, std::string_view message) {
  const auto stream = streams_.find(call);
  if (stream == streams_.end() || stream->second.ended) return;  // too late, or of a mint: it says nothing
  const auto batch = batch_in(message);
  const bool understood = batch ? take_batch(call, stream->second, *batch)
                                : request_.ParseFromArray(message.data(), static_cast<int>(message.size())) &&
                                      take_request(call, stream->second);
  if (!understood) {
    stream->second.misspoken = true;
    take_no_more(call);
  } else {
    read_on(call, stream->second);
  }
}

/// Answers false if the client speaks another language.
bool EnvoyConnection::take_request(CallId call, Stream& stream) {
  if (request_.has_opening()) {
    response_.Clear();
    response_.mutable_opening()->set_version(service_.version());
    response_.mutable_readiness()->set_why_not(service_.why_not_ready());
    stream.opened = true;
    send(call, response_);
    return true;
  }
  if (request_.has_batch()) return take_batch(call, stream, request_.batch().SerializeAsString());
  if (!stream.opened) return false;
  response_.Clear();
  send(call, response_);
  return true;
}

bool EnvoyConnection::take_batch(CallId call, Stream& stream, std::string_view message) {
  if (!stream.opened) return false;
  if (stream.free_batches.empty()) stream.free_batches.push_back(std::make_unique<Batch>());
  Batch& batch = *stream.free_batches.back();
  batch.hits.clear();
  BatchHead head;
  if (!read_batch(message, head, batch.hits) || batch.hits.empty()) return false;
  batch.call = call;
  batch.number = head.number;
  batch.unsettled = batch.hits.size();
  batch.connection = std::static_pointer_cast<EnvoyConnection>(shared_from_this());
  const auto left = std::min(std::chrono::milliseconds(head.deadline_ms), service_.request_deadline());
  batch.hits.set_deadline(std::chrono::steady_clock::now() + left);

  static_cast<void>(stream.free_batches.back().release());  // answer() takes it back with its last verdict
  stream.free_batches.pop_back();
  ++stream.in_flight;
  if (service_.flight().enter(batch.hits.size())) {
    service_.counter().track(batch.hits, batch);
  } else {
    service_.flight().hits += batch.hits.size();  // on_verdicts() lets them leave
    batch.on_one_verdict_for_all(batch.hits.size(), domain::Verdict::not_counted());
  }
  return true;
}

void EnvoyConnection::answer(Batch& batch, std::span<const domain::HitVerdict> verdicts) {
  const auto self = batch.connection;  // it may be the last that knows this
  const CallId call = batch.call;
  const auto stream = streams_.find(call);
  const bool over = stream == streams_.end();
  if (!over) append_verdicts(batch.number, verdicts, batch.hits.size(), new_message());
  batch.unsettled -= verdicts.size();
  if (batch.unsettled == 0) {
    std::unique_ptr<Batch> settled(&batch);
    settled->connection.reset();
    if (!over) stream->second.free_batches.push_back(std::move(settled));
    if (!over) --stream->second.in_flight;
  }
  if (over) return;
  send_message(call);
  if (closed()) return;
  finish_if_done(call);
  if (const auto still = streams_.find(call); still != streams_.end()) read_on(call, still->second);
}

void EnvoyConnection::on_half_close(CallId call) {
  take_no_more(call);
}

void EnvoyConnection::take_no_more(CallId call) {
  const auto stream = streams_.find(call);
  if (stream == streams_.end()) return;
  stream->second.ended = true;
  finish_if_done(call);
}

void EnvoyConnection::finish_if_done(CallId call) {
  const auto stream = streams_.find(call);
  if (stream == streams_.end() || !stream->second.ended || stream->second.in_flight > 0) return;
  const bool misspoken = stream->second.misspoken;
  streams_.erase(stream);
  finish(call, misspoken ? StatusCode::invalid_argument : StatusCode::ok,
         misspoken ? "this is not how tracker's envoys speak" : "");
}

void EnvoyConnection::on_cancel(CallId call) {
  streams_.erase(call);
}

void EnvoyConnection::on_written() {
  if (!std::exchange(held_back_, false)) return;
  for (const auto& [call, stream] : streams_) read_on(call, stream);
}

void EnvoyConnection::read_on(CallId call, const Stream& stream) {
  if (waiting_bytes(call) >= waiting_bytes_max) {
    held_back_ = true;
  } else if (stream.in_flight < batches_in_flight_max) {
    take_more(call);
  }
}

void EnvoyConnection::on_lost(const std::string& /*reason*/) {
  streams_.clear();
  service_.leave(*this);
}

}  // namespace tracker::rpc
