#pragma once

#include <boost/asio/io_context.hpp>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "counter/counter_list.h"
#include "rpc/remote_counter.h"
#include "runtime/address.h"
#include "runtime/log.h"

namespace tracker::app {

/// Hears from balancers who owns which token: their list at once, and then each new one. Of several balancers, the list
/// with the highest version counts, and a list once heard is kept while no balancer can be reached. Belongs to its loop,
/// which must have stopped, and still exist, when this is destroyed.
class TableWatch {
 public:
  /// `adopt` is called in the loop's thread.
  TableWatch(boost::asio::io_context& loop, const std::vector<runtime::Address>& balancers,
             std::function<void(counter::CounterListPtr list)> adopt);

  /// What its links measure. Any thread.
  void report(metrics::Page& page) const { metrics_.report(page, "balancer"); }

 private:
  struct Balancer {
    std::string name;
    runtime::ChangeLog changes;
    std::unique_ptr<rpc::RemoteCounter> stream;
    std::unique_ptr<runtime::Subscription> subscription;
  };

  void on_facts(const std::string& balancer, const counter::CounterFacts& facts);

  const std::function<void(counter::CounterListPtr list)> adopt_;
  counter::CounterListPtr list_;  // that counts; null: none was heard yet
  runtime::RareLog log_;
  link::LinkMetrics metrics_;
  std::vector<std::unique_ptr<Balancer>> balancers_;
};

}  // namespace tracker::app
