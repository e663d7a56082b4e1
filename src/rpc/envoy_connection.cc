#include "rpc/envoy_connection.h"

#include <algorithm>
#include <boost/asio/dispatch.hpp>
#include <boost/asio/post.hpp>
#include <charconv>
#include <utility>

#include "domain/path.h"
#include "rpc/batch_message.h"

namespace tracker::rpc {

namespace {

/// More than an envoy sends ahead.
constexpr std::size_t batches_in_flight_max = 64;
constexpr std::size_t waiting_bytes_max = 1024 * 1024;
/// Batches are used again; so many of them are kept for that, and none that takes more memory than this.
constexpr std::size_t free_batches_max = 2;
constexpr std::size_t free_batch_bytes_max = 256 * 1024;

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
  std::vector<std::uint32_t> numbers;  // the hits' in the message; none: they are those of the message
  CallId call = 0;
  std::uint64_t number = 0;
  std::size_t size = 0;  // the message's, in hits
  std::size_t unsettled = 0;
  std::size_t bytes = 0;                        // in the service's flight
  std::shared_ptr<EnvoyConnection> connection;  // while it is under way

  /// On any thread; it is answered in the connection's.
  void on_verdicts(std::span<const domain::HitVerdict> verdicts) override {
    connection->caller_.leave(verdicts.size());
    auto& loop = connection->service_.loop();
    if (numbers.empty() && loop.get_executor().running_in_this_thread())
      return connection->answer(*this, verdicts);
    std::vector<domain::HitVerdict> copy(verdicts.begin(), verdicts.end());
    for (auto& verdict : copy) verdict.hit = numbers.empty() ? verdict.hit : numbers[verdict.hit];
    boost::asio::dispatch(loop, [this, copy = std::move(copy)] { connection->answer(*this, copy); });
  }

  /// Keeps the first `max` of its hits whose path is not too long. Answers verdicts on the others, which are not counted.
  std::vector<domain::HitVerdict> keep(std::size_t max) {
    domain::HitBatch kept;
    kept.set_deadline(hits.deadline());
    std::vector<domain::HitVerdict> others;
    for (std::uint32_t hit = 0; hit < hits.size(); ++hit) {
      if (numbers.size() < max && hits.path(hit).size() <= domain::path_bytes_max) {
        kept.push(hits.id(hit), hits.path(hit));
        numbers.push_back(hit);
      } else {
        others.push_back({hit, domain::Verdict::not_counted()});
      }
    }
    hits = std::move(kept);
    return others;
  }
};

/// A token under way to an envoy. Deletes itself.
class EnvoyConnection::Mint final : public counter::MintReply {
 public:
  Mint(std::shared_ptr<EnvoyConnection> connection, CallId call)
      : connection_(std::move(connection)), call_(call) {}

  /// On any thread; it is answered in the connection's.
  void on_minted(boost::system::result<domain::Token, domain::Failure> minted) override {
    connection_->caller_.leave(1);
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
    : Http2Connection(End::server, std::move(socket)), service_(service), caller_(service.flight()) {}

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
  if (caller_.enter(1) == 0) return finish(call, StatusCode::unavailable);
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
    if (stream.opened) return false;
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
  batch.numbers.clear();
  BatchHead head;
  if (!read_batch(message, head, batch.hits) || batch.hits.empty()) return false;
  batch.call = call;
  batch.number = head.number;
  batch.size = batch.unsettled = batch.hits.size();
  batch.connection = std::static_pointer_cast<EnvoyConnection>(shared_from_this());
  const auto left = std::min(std::chrono::milliseconds(head.deadline_ms), service_.request_deadline());
  batch.hits.set_deadline(std::chrono::steady_clock::now() + left);

  static_cast<void>(stream.free_batches.back().release());  // answer() takes it back with its last verdict
  stream.free_batches.pop_back();
  ++stream.in_flight;
  track(batch);
  return true;
}

/// Has as many of its hits counted as may be in flight, and refuses the others.
void EnvoyConnection::track(Batch& batch) {
  std::size_t countable = batch.size;
  if (batch.hits.paths().size() > domain::path_bytes_max) {  // else none can be longer
    for (std::size_t hit = 0; hit < batch.size; ++hit)
      countable -= batch.hits.path(hit).size() > domain::path_bytes_max ? 1 : 0;
  }
  batch.bytes = batch.hits.bytes();
  if (!service_.enter_flight(batch.bytes)) batch.bytes = countable = 0;
  const std::size_t counted = caller_.enter(countable);
  if (counted < batch.size) answer(batch, batch.keep(counted));
  if (counted > 0)
    service_.counter().track(batch.hits, batch);  // else it may have been answered, and be used again
}

void EnvoyConnection::answer(Batch& batch, std::span<const domain::HitVerdict> verdicts) {
  const auto self = batch.connection;  // it may be the last that knows this
  const CallId call = batch.call;
  const auto stream = streams_.find(call);
  const bool over = stream == streams_.end();
  if (!over) append_verdicts(batch.number, verdicts, batch.size, new_message());
  batch.unsettled -= verdicts.size();
  if (batch.unsettled == 0) {
    std::unique_ptr<Batch> settled(&batch);
    settled->connection.reset();
    service_.leave_flight(settled->bytes);
    const bool is_kept = !over && settled->bytes <= free_batch_bytes_max &&
                         stream->second.free_batches.size() < free_batches_max;
    if (is_kept) stream->second.free_batches.push_back(std::move(settled));
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

void EnvoyConnection::on_held() {
  const std::size_t before = std::exchange(held_bytes_, held_bytes());
  service_.on_held(*this, before);
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
  service_.leave(*this, std::exchange(held_bytes_, 0));
}

}  // namespace tracker::rpc
