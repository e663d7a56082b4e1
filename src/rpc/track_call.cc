#include "rpc/track_call.h"

#include <algorithm>
#include <boost/asio/post.hpp>
#include <chrono>
#include <utility>

#include "domain/path.h"
#include "rpc/batch_message.h"
#include "rpc/server_loop.h"

namespace tracker::rpc {

namespace {

/// An envoy sends fewer batches ahead than this.
constexpr std::size_t batches_in_flight_max = 64;
constexpr std::size_t waiting_bytes_max = 1024 * 1024;
/// At most this many batches are kept for reuse, and none that takes more memory than this.
constexpr std::size_t free_batches_max = 2;
constexpr std::size_t free_batch_bytes_max = 256 * 1024;

}  // namespace

/// A batch under way. Reusable.
class TrackCall::Batch final : public counter::TrackReply {
 public:
  domain::HitBatch hits;
  std::vector<std::uint32_t> numbers;  // the hits' numbers in the message; empty: their indices
  GrpcConnection::CallId call = 0;
  std::uint64_t number = 0;
  std::size_t message_size = 0;  // hits in the message
  std::size_t unsettled = 0;
  std::chrono::steady_clock::time_point begun;
  std::size_t bytes = 0;                    // that have entered the loop
  boost::asio::io_context* loop = nullptr;  // the connection's
  std::shared_ptr<Flight::Caller> caller;
  std::shared_ptr<ServerConnection> connection;  // set while it is under way

  /// Any thread. It is answered in the connection's thread.
  void on_verdicts(std::span<const domain::HitVerdict> verdicts) override {
    caller->leave(verdicts.size());
    if (loop->get_executor().running_in_this_thread()) return settle(verdicts);
    boost::asio::post(*loop, [this, copy = std::vector(verdicts.begin(), verdicts.end())] { settle(copy); });
  }

  std::uint32_t number_of(std::uint32_t hit) const { return numbers.empty() ? hit : numbers[hit]; }

  /// Takes `n` hits of a message, from its hit `first` on.
  void take(const domain::HitBatch& message, std::uint32_t first, std::uint32_t n) {
    for (std::uint32_t hit = first; hit < first + n; ++hit) {
      hits.push(message.id(hit), message.path(hit));
      numbers.push_back(hit);
    }
  }

  /// Keeps the first `max` hits whose paths are not too long. Returns verdicts on the other hits, which are not
  /// counted.
  std::vector<domain::HitVerdict> keep(std::size_t max) {
    domain::HitBatch kept;
    std::vector<std::uint32_t> kept_numbers;
    kept.set_deadline(hits.deadline());
    std::vector<domain::HitVerdict> others;
    for (std::uint32_t hit = 0; hit < hits.size(); ++hit) {
      if (kept.size() < max && hits.path(hit).size() <= domain::path_bytes_max) {
        kept.push(hits.id(hit), hits.path(hit));
        kept_numbers.push_back(number_of(hit));
      } else {
        others.push_back({number_of(hit), domain::Verdict::not_counted()});
      }
    }
    hits = std::move(kept);
    numbers = std::move(kept_numbers);
    return others;
  }

 private:
  /// The connection's thread.
  void settle(std::span<const domain::HitVerdict> verdicts) {
    connection->loop().counter().settled(hits, verdicts);
    if (numbers.empty()) return answer(*this, verdicts);
    std::vector<domain::HitVerdict> renumbered(verdicts.begin(), verdicts.end());
    for (auto& verdict : renumbered) verdict.hit = number_of(verdict.hit);
    answer(*this, renumbered);
  }
};

TrackCall::TrackCall(ServerConnection& connection, GrpcConnection::CallId id)
    : connection_(connection), id_(id) {}

TrackCall::~TrackCall() = default;

void TrackCall::on_message(std::string_view message) {
  if (ended_) return connection_.take_more(id_);
  const auto request = read_track_request(message);
  bool understood = request.has_value() && (told_.has_value() != request->opening.has_value());
  if (understood && !told_) {
    open(*request->opening);
  } else if (understood && !request->batch) {  // it asks whether the counter is there
    connection_.new_message();
    connection_.send_message(id_);
  }
  if (understood && request->list) take_list(*request->list);
  if (understood && request->batch) understood = take_batch(*request->batch);
  if (understood) return read_on();
  misspoken_ = true;
  take_no_more();
}

void TrackCall::open(const Opening& opening) {
  auto& loop = connection_.loop();
  told_ = loop.readiness();
  told_facts_ = loop.facts();
  append_opening_response(loop.version(), *told_, told_facts_, connection_.new_message());
  connection_.send_message(id_);
  if (opening.list) take_list(*opening.list);
}

void TrackCall::take_list(const counter::CounterList& list) {
  its_list_.emplace(connection_.loop().envoy_lists().enter(list));
}

bool TrackCall::take_batch(std::string_view message) {
  auto all = new_batch();
  if (!read_batch(message, head_, all->hits) || all->hits.empty()) return false;
  const std::size_t message_size = all->hits.size();
  if (head_.groups.empty()) {
    begin(std::move(all), message_size, head_.deadline_ms);
    return true;
  }
  std::uint32_t first = 0;
  for (const auto& group : head_.groups) {
    auto part = new_batch();
    part->take(all->hits, first, group.hits);
    begin(std::move(part), message_size, group.deadline_ms);
    first += group.hits;
  }
  return true;
}

std::unique_ptr<TrackCall::Batch> TrackCall::new_batch() {
  if (free_batches_.empty()) return std::make_unique<Batch>();
  auto batch = std::move(free_batches_.back());
  free_batches_.pop_back();
  batch->hits.clear();
  batch->numbers.clear();
  return batch;
}

void TrackCall::begin(std::unique_ptr<Batch> batch, std::size_t message_size, std::uint32_t deadline_ms) {
  auto& loop = connection_.loop();
  batch->call = id_;
  batch->number = head_.number;
  batch->message_size = message_size;
  batch->unsettled = batch->hits.size();
  batch->loop = &loop.context();
  batch->caller = connection_.caller();
  batch->connection = connection_.self();
  const auto left = std::min(std::chrono::milliseconds(deadline_ms), loop.request_deadline());
  batch->begun = std::chrono::steady_clock::now();
  batch->hits.set_deadline(batch->begun + left);
  ++in_flight_;
  track(connection_, *batch.release());  // answer() takes ownership again with the last verdict
}

/// Has as many of its hits counted as may be in flight, and refuses the others.
void TrackCall::track(ServerConnection& connection, Batch& batch) {
  const std::size_t size = batch.hits.size();
  std::size_t countable = size;
  if (batch.hits.paths().size() > domain::path_bytes_max) {  // otherwise no path can be longer
    for (std::size_t hit = 0; hit < size; ++hit)
      countable -= batch.hits.path(hit).size() > domain::path_bytes_max ? 1 : 0;
  }
  batch.bytes = batch.hits.bytes();
  if (!connection.loop().enter_batch(batch.bytes)) batch.bytes = countable = 0;
  const std::size_t counted = batch.caller->enter(countable);
  if (counted < size) answer(batch, batch.keep(counted));
  if (counted == 0) return;  // it has been answered, and may be gone
  connection.loop().metrics().batches.hits.observe(counted);
  // NOLINTNEXTLINE(clang-analyzer-cplusplus.NewDelete): what is still to be counted keeps it
  connection.loop().counter().track(batch.hits, batch);
}

void TrackCall::answer(Batch& batch, std::span<const domain::HitVerdict> verdicts) {
  const auto connection = batch.connection;
  const auto id = batch.call;
  auto* call = static_cast<TrackCall*>(connection->find(id));  // ids are not reused
  if (call != nullptr) {
    append_verdicts(batch.number, verdicts, batch.message_size, connection->new_message());
    connection->send_message(id);
  }
  auto& metrics = connection->loop().metrics();
  for (const auto& [hit, verdict] : verdicts)
    metrics.envoy_hits[static_cast<std::size_t>(verdict.kind)].add();
  batch.unsettled -= verdicts.size();
  if (batch.unsettled == 0) {
    if (!batch.hits.empty())
      metrics.batches.durations.observe(std::chrono::steady_clock::now() - batch.begun);
    std::unique_ptr<Batch> settled(&batch);
    settled->connection.reset();
    connection->loop().leave_batch(settled->bytes);
    if (call != nullptr) call->take_back(std::move(settled));
  }
  if (call != nullptr && !call->finish_if_done()) call->read_on();
  connection->flush();
}

void TrackCall::take_back(std::unique_ptr<Batch> batch) {
  --in_flight_;
  if (batch->bytes <= free_batch_bytes_max && free_batches_.size() < free_batches_max)
    free_batches_.push_back(std::move(batch));
}

void TrackCall::take_no_more() {
  ended_ = true;
  finish_if_done();
}

/// Returns whether the call is finished. Then this object is destroyed.
bool TrackCall::finish_if_done() {
  if (!ended_ || in_flight_ > 0) return false;
  connection_.finish(id_, misspoken_
                              ? Status{StatusCode::invalid_argument, "this is not how tracker's envoys speak"}
                              : Status{});
  return true;
}

void TrackCall::on_readiness() {
  if (!told_) return;
  auto& loop = connection_.loop();
  const bool is_same_readiness = told_ == loop.readiness();
  const bool are_same_facts = told_facts_ == loop.facts();
  if (is_same_readiness && are_same_facts) return;
  told_ = loop.readiness();
  told_facts_ = loop.facts();
  auto& message = connection_.new_message();
  if (!is_same_readiness) append_readiness(*told_, message);
  if (!are_same_facts) append_facts(told_facts_, message);
  connection_.send_message(id_);
}

void TrackCall::on_written() {
  read_on();
}

void TrackCall::read_on() {
  if (connection_.waiting_bytes(id_) < waiting_bytes_max && in_flight_ < batches_in_flight_max)
    connection_.take_more(id_);
}

}  // namespace tracker::rpc
