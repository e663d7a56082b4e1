#include "rpc/public_turn.h"

#include <algorithm>
#include <bit>
#include <boost/asio/dispatch.hpp>
#include <boost/asio/post.hpp>
#include <span>
#include <utility>

#include "rpc/public_calls.h"
#include "rpc/server_connection.h"
#include "rpc/server_metrics.h"

namespace tracker::rpc {

namespace {

constexpr std::size_t free_batches_max = 4;
constexpr std::size_t free_batch_bytes_max = 256 * 1024;

/// Clients send the rest of their time, which differs from call to call. It is rounded down by less than an eighth, so
/// that hits can share batches.
std::chrono::milliseconds rounded_down(std::chrono::milliseconds time) {
  auto ms = static_cast<std::uint64_t>(time.count());
  const std::size_t digits = std::bit_width(ms);
  constexpr std::size_t digits_kept = 4;
  if (digits > digits_kept) ms = ms >> (digits - digits_kept) << (digits - digits_kept);
  return std::chrono::milliseconds(ms);
}

}  // namespace

/// Hits of one turn with the same deadline, and the calls that they belong to.
class PublicTurn::Batch final : public counter::TrackReply {
 public:
  Batch(PublicTurn& turn, boost::asio::io_context& loop, std::shared_ptr<Flight::Caller> caller)
      : turn_(turn), loop_(loop), caller_(std::move(caller)) {}

  std::chrono::milliseconds time{};               // of the hits
  std::chrono::steady_clock::time_point begun{};  // when the first one came
  domain::HitBatch hits;

  void push(ServerConnection& connection, http2::StreamId call, const domain::TokenId& id,
            std::string_view path) {
    hits.push(id, path);
    calls_.push_back({connection.self(), call});
  }

  /// Any thread. The calls are answered in the loop's thread.
  void on_verdicts(std::span<const domain::HitVerdict> verdicts) override {
    caller_->leave(verdicts.size());
    if (loop_.get_executor().running_in_this_thread()) return settle(verdicts);
    boost::asio::post(loop_, [this, copy = std::vector(verdicts.begin(), verdicts.end())] { settle(copy); });
  }

  void clear() {
    hits.clear();
    calls_.clear();
    unsettled_ = 0;
  }
  void send(counter::Counter& counter) {
    unsettled_ = hits.size();
    turn_.metrics_.batches.hits.observe(hits.size());
    counter.track(hits, *this);
  }

 private:
  struct Call {
    std::shared_ptr<ServerConnection> connection;
    http2::StreamId id;
  };

  void settle(std::span<const domain::HitVerdict> verdicts) {
    turn_.counter_.settled(hits, verdicts);
    std::vector<std::shared_ptr<ServerConnection>> answered;
    for (const auto& [hit, verdict] : verdicts) {
      auto& [connection, call] = calls_[hit];
      const bool is_refused = verdict.kind == domain::Verdict::Kind::not_counted;
      answer_update(*connection, call, verdict,
                    is_refused ? turn_.counter_.owner_elsewhere(hits.id(hit)) : std::nullopt);
      if (answered.empty() || answered.back() != connection) answered.push_back(std::move(connection));
    }
    unsettled_ -= verdicts.size();
    if (unsettled_ == 0) turn_.take_back(std::unique_ptr<Batch>(this));
    std::sort(answered.begin(), answered.end());
    answered.erase(std::unique(answered.begin(), answered.end()), answered.end());
    for (const auto& connection : answered) connection->flush();
  }

  PublicTurn& turn_;
  boost::asio::io_context& loop_;
  const std::shared_ptr<Flight::Caller> caller_;
  std::vector<Call> calls_;
  std::size_t unsettled_ = 0;
};

PublicTurn::PublicTurn(boost::asio::io_context& loop, counter::Counter& counter,
                       std::shared_ptr<Flight::Caller> caller, ServerMetrics& metrics)
    : loop_(loop), counter_(counter), metrics_(metrics), caller_(std::move(caller)) {}

PublicTurn::~PublicTurn() = default;

bool PublicTurn::push(ServerConnection& connection, http2::StreamId call, std::chrono::milliseconds time,
                      const domain::TokenId& id, std::string_view path) {
  if (caller_->enter(1) == 0) return false;
  if (open_.empty()) boost::asio::post(loop_, [this] { send(); });
  batch_for(rounded_down(time)).push(connection, call, id, path);
  return true;
}

PublicTurn::Batch& PublicTurn::batch_for(std::chrono::milliseconds time) {
  for (const auto& batch : open_) {
    if (batch->time == time) return *batch;
  }
  if (free_.empty()) free_.push_back(std::make_unique<Batch>(*this, loop_, caller_));
  open_.push_back(std::move(free_.back()));
  free_.pop_back();
  Batch& batch = *open_.back();
  batch.time = time;
  batch.begun = std::chrono::steady_clock::now();
  batch.hits.set_deadline(batch.begun + time);
  return batch;
}

void PublicTurn::send() {
  for (auto& batch : std::exchange(open_, {}))
    batch.release()->send(counter_);  // take_back() takes ownership again
}

void PublicTurn::take_back(std::unique_ptr<Batch> batch) {
  metrics_.batches.durations.observe(std::chrono::steady_clock::now() - batch->begun);
  if (free_.size() >= free_batches_max || batch->hits.bytes() > free_batch_bytes_max) return;
  batch->clear();
  free_.push_back(std::move(batch));
}

}  // namespace tracker::rpc
