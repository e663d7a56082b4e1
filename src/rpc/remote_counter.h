#pragma once

#include <boost/asio/io_context.hpp>
#include <cstdint>
#include <string>
#include <utility>

#include "counter/counter.h"
#include "link/link.h"
#include "runtime/address.h"
#include "runtime/log.h"

namespace tracker::rpc {

struct RemoteCounterSettings {
  runtime::Address address;
  std::string version;
  std::string name = {};         // in the list of counters; empty: the address
  std::string role = "counter";  // what the log calls it
  /// The list by which the tokens are partitioned. Null: they are not.
  counter::CounterListPtr list = nullptr;
  /// Of this counter, shared by all its users, who must end before. Null: nothing is logged.
  runtime::ChangeLog* changes = nullptr;
  /// Of the counters that are asked from the same loop. Outlives this one. Null: nothing is counted.
  link::LinkMetrics* metrics = nullptr;
  /// After this many calls, another connection takes its place. HTTP/2 allows no more (RFC 9113, section 5.1.1).
  std::uint32_t calls_per_connection = 1U << 30U;
};

/// A counter service in another process, over one stream. Hits that wait while a message is under way go into the next
/// one together. Where many hits come, they also wait up to 1 ms for others that follow (HitBatch::followers). It connects
/// and reconnects by itself. Every hit is refused at once while it is not connected, or while the counter says that it
/// cannot count or has fallen silent. Nothing that was sent is sent again. Any thread may call
/// these functions. A call from the worker's own thread costs no thread switch. Replies come in the worker's thread.
class RemoteCounter final : public counter::Counter {
 public:
  /// Starts to connect as soon as the worker runs. A counter that is not there is no error.
  RemoteCounter(boost::asio::io_context& worker, const RemoteCounterSettings& settings);

  /// The worker must have stopped, and its io_context must still exist.
  ~RemoteCounter() override;

  /// Connects no more, and refuses everything. What is under way is still answered. Worker's thread only.
  void retire() override { link_.retire(); }

  void track(const domain::HitBatch& hits, counter::TrackReply& reply) override;
  void mint(domain::Deadline deadline, counter::MintReply& reply) override;
  /// `on_read` is called in the worker's thread.
  void read(const domain::Token& token, const store::CountsQuery& query, domain::Deadline deadline,
            counter::OnRead on_read) override;
  /// The tokens are partitioned by another list from now on. The counter hears it with the next message. Worker's thread
  /// only.
  void set_list(counter::CounterListPtr list) { list_ = std::move(list); }
  /// Told in the worker's thread.
  const counter::CounterFactsSource& facts() const override { return facts_; }
  const counter::ReadinessSource& readiness() const override;

 private:
  counter::CounterFactsSource facts_{std::nullopt};
  counter::CounterListPtr list_;
  link::Link link_;
};

}  // namespace tracker::rpc
