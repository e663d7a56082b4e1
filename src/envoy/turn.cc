#include "envoy/turn.h"

#include <boost/asio/post.hpp>
#include <cassert>
#include <ctime>
#include <string>
#include <utility>

#include "envoy/acceptance.h"
#include "envoy/envoy_metrics.h"
#include "runtime/log.h"

namespace tracker::envoy {

namespace {
constexpr std::size_t batch_bytes_max = 1024 * 1024;
}

Turn::Turn(boost::asio::io_context& context, counter::Counter& counter, const EnvoySettings& settings,
           EnvoyTotals& totals, WorkerDeadlines& deadlines, EnvoyMetrics& metrics,
           std::function<void()> on_end)
    : context_(context),
      counter_(counter),
      settings_(settings),
      totals_(totals),
      deadlines_(deadlines),
      metrics_(metrics),
      on_end_(std::move(on_end)),
      answers_(std::time(nullptr)) {}

bool Turn::track(const domain::TokenId& id, std::string_view path, Exchange& exchange) {
  if (!enter_flight()) return false;
  if (filling_ == nullptr) {
    if (free_batches_.empty()) {
      batches_.push_back(std::make_unique<TurnBatch>(*this));
      free_batches_.push_back(batches_.back().get());
    }
    filling_ = free_batches_.back();
    free_batches_.pop_back();
    assert(filling_->settled() && filling_->hits().size() == 0);
  }
  filling_->push(id, path, exchange);
  clients_.saw(exchange.connection->recent());
  if (filling_->hits().bytes() >= batch_bytes_max) {
    deadlines_.renew_clock();
    hand_on();
  }
  return true;
}

bool Turn::mint(Exchange& exchange) {
  if (!enter_flight()) return false;
  auto* pending = new PendingMint(*this, exchange);  // deletes itself
  deadlines_.arm(WorkerDeadlines::Kind::answer, *pending);
  counter_.mint(deadlines_.now() + settings_.request_deadline, *pending);
  return true;
}

bool Turn::enter_flight() {
  if (totals_.hits_in_flight.fetch_add(1) >= settings_.hits_max) {
    --totals_.hits_in_flight;
    if (totals_.hits_log.is_new(deadlines_.now())) {
      runtime::log_warning("--hits-max " + std::to_string(settings_.hits_max) +
                           " is reached: more requests in flight get 503");
    }
    return false;
  }
  ++in_flight_;
  schedule_end();  // an answer that comes at once must not end the turn: the connection is still being read
  return true;
}

void Turn::leave_flight(std::size_t hits) {
  assert(hits <= in_flight_);
  totals_.hits_in_flight -= hits;
  in_flight_ -= hits;
  if (in_flight_ == 0 && !end_scheduled_) {
    end();  // no more answers can come
  } else {
    schedule_end();
  }
}

void Turn::hand_on() {
  if (filling_ == nullptr) return;
  TurnBatch& batch = *std::exchange(filling_, nullptr);
  const auto now = deadlines_.now();
  batch.begin(now);
  batch.hits().set_deadline(now + settings_.request_deadline);
  batch.hits().set_clients(clients_.count(now));
  metrics_.batches.hits.observe(batch.hits().size());
  counter_.track(batch.hits(), batch);
  if (!batch.settled()) deadlines_.arm(WorkerDeadlines::Kind::answer, batch);
}

void Turn::take_back(TurnBatch& batch) {
  deadlines_.renew_clock();  // the verdicts may have come while the batch was handed on
  metrics_.batches.durations.observe(deadlines_.now() - batch.begun());
  batch.disarm();
  batch.clear();
  free_batches_.push_back(&batch);
}

void Turn::answered(Exchange& exchange) {
  if (exchange.connection == nullptr) {
    exchanges_.give_back(exchange);
    return;
  }
  if (!exchange.connection->ReadyHook::is_linked()) ready_.push_back(*exchange.connection);
}

void Turn::write_at_end(Connection& connection) {
  if (!connection.ReadyHook::is_linked()) ready_.push_back(connection);
  schedule_end();
}

void Turn::send_later(Connection& connection, std::size_t begin) {
  writes_.push_back({&connection, begin, write_buffer_.size() - begin});
}

void Turn::send_all() {
  messages_.clear();
  for (const auto& [connection, begin, size] : writes_) {
    messages_.push_back({connection->socket(), std::string_view(write_buffer_).substr(begin, size), 0});
  }
  send_batch_.send(messages_);
  for (std::size_t i = 0; i < writes_.size(); ++i) {
    writes_[i].connection->on_sent(messages_[i].bytes, messages_[i].sent);
  }
  writes_.clear();
  write_buffer_.clear();
}

void Turn::schedule_end() {
  if (std::exchange(end_scheduled_, true) || std::exchange(end_posted_, true)) return;
  // Everything that is ready now runs before what is posted now, so it is part of this turn.
  boost::asio::post(executor(), [this] {
    end_posted_ = false;
    end();
  });
}

void Turn::end() {
  assert(writes_.empty() && write_buffer_.empty());
  end_scheduled_ = true;  // verdicts that come at once must not end the turn a second time
  // A single hit was read a moment ago. Many took a while.
  const bool has_one_hit = filling_ != nullptr && filling_->hits().size() == 1;
  if (!deadlines_.holds_clock() || !has_one_hit) deadlines_.hold_clock();
  answers_.set_time(std::time(nullptr));
  hand_on();
  decltype(ready_) ready;
  ready.swap(ready_);
  while (!ready.empty()) {
    Connection& connection = ready.front();
    ready.pop_front();
    connection.write_answers();
    if (ready.empty() || write_buffer_.size() >= batch_bytes_max) send_all();
  }
  metrics_.observe_requests();
  deadlines_.release_clock();
  end_scheduled_ = false;
  if (filling_ != nullptr || !ready_.empty()) schedule_end();  // for connections that went on reading
  deadlines_.publish();
  on_end_();
}

}  // namespace tracker::envoy
