#pragma once

#include <boost/asio/io_context.hpp>
#include <list>
#include <memory>

#include "counter/counter_list.h"
#include "rpc/remote_counter.h"
#include "runtime/log.h"

namespace tracker::app {

/// Makes counters that ask those of a list, on one loop, with a log of its own for each. Outlives them.
class RemoteMaker {
 public:
  explicit RemoteMaker(boost::asio::io_context& loop) : loop_(loop) {}

  std::unique_ptr<counter::Counter> make(const counter::CounterList::Entry& entry) {
    return std::make_unique<rpc::RemoteCounter>(
        loop_, rpc::RemoteCounterSettings{.address = entry.address,
                                          .version = TRACKER_VERSION,
                                          .name = entry.name,
                                          .changes = &changes_.emplace_back(),
                                          .metrics = &metrics_});
  }

  /// What their links measure. Any thread.
  void report(metrics::Page& page) const { metrics_.report(page, "peer"); }

 private:
  boost::asio::io_context& loop_;
  std::list<runtime::ChangeLog> changes_;
  link::LinkMetrics metrics_;
};

}  // namespace tracker::app
