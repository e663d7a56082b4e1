#include "envoy/envoy_worker.h"

#include <boost/asio/post.hpp>
#include <cassert>
#include <utility>

namespace tracker::envoy {

namespace {
constexpr std::size_t read_window_bytes = 16 * 1024;
constexpr int turns_max = 16;  // before others have theirs
constexpr std::size_t many_ready = 2;
}  // namespace

EnvoyWorker::EnvoyWorker(boost::asio::io_context& context, std::vector<runtime::Acceptor> acceptors,
                         counter::Counter& counter, const EnvoySettings& settings, EnvoyTotals& totals)
    : context_(context),
      settings_(settings),
      totals_(totals),
      deadlines_(context, settings),
      turn_(context, counter, settings, totals, deadlines_, metrics_, [this] { end_turn(); }),
      acceptance_(*this, context, std::move(acceptors), settings, totals, deadlines_),
      ready_set_(context, [this] { serve_ready(); }),
      read_buffer_(settings.head.head_bytes_max + read_window_bytes) {
  if (settings.access_log.file != nullptr) access_log_.emplace(settings.access_log);
}

EnvoyWorker::~EnvoyWorker() {
  connections_.clear_and_dispose([](Connection* connection) { delete connection; });
}

void EnvoyWorker::serve(runtime::Descriptor socket, const domain::IpAddress& peer,
                        AddressCounts::Place address) {
  auto& connection =
      *new Connection(*this, std::move(socket), peer, std::move(address), false);  // see ended()
  connections_.push_back(connection);
  ready_set_.add(connection.socket(), connection);
  deadlines_.publish();
}

void EnvoyWorker::refuse(runtime::Descriptor socket, const domain::IpAddress& peer, Refusal refusal) {
  assert(!is_drained());
  auto& connection = *new Connection(*this, std::move(socket), peer, {}, true);  // see ended()
  connections_.push_back(connection);
  connection.close_with(refusal);
  ready_set_.add(connection.socket(), connection);
}

void EnvoyWorker::ended(Connection& connection) {
  acceptance_.leave(connection.is_beyond_limit());
  boost::asio::post(context_, [this, &connection] {
    delete &connection;
    report_if_drained();
  });
}

/// While many connections are ready, more become so. To look again at once is cheaper than to go through the loop.
void EnvoyWorker::serve_ready() {
  std::size_t told = many_ready;
  for (int turns = 0; turns < turns_max && told >= many_ready; ++turns) {
    turn_.begin();
    told = ready_set_.tell();
    turn_.end();
  }
}

void EnvoyWorker::end_turn() {
  if (access_log_) access_log_->hand_over();
  report_if_drained();
}

void EnvoyWorker::drain(std::function<void()> on_drained) {
  assert(state_ == State::serving);
  state_ = State::draining;
  on_drained_ = std::move(on_drained);
  acceptance_.drain();
  for (auto next = connections_.begin(); next != connections_.end();) (next++)->drain();
  report_if_drained();
}

void EnvoyWorker::report_if_drained() {
  if (state_ != State::draining || !connections_.empty() || acceptance_.waiting() > 0 ||
      turn_.in_flight() > 0)
    return;
  state_ = State::drained;
  deadlines_.stop();
  std::exchange(on_drained_, nullptr)();
}

}  // namespace tracker::envoy
