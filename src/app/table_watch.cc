#include "app/table_watch.h"

#include <utility>

#include "app/version.h"

namespace tracker::app {

using counter::CounterListPtr;

TableWatch::TableWatch(boost::asio::io_context& loop, const std::vector<runtime::Address>& balancers,
                       std::function<void(CounterListPtr list)> adopt)
    : adopt_(std::move(adopt)) {
  for (const auto& address : balancers) {
    auto& balancer = *balancers_.emplace_back(std::make_unique<Balancer>());
    balancer.name = runtime::to_string(address);
    balancer.stream =
        std::make_unique<rpc::RemoteCounter>(loop, rpc::RemoteCounterSettings{.address = address,
                                                                              .version = TRACKER_VERSION,
                                                                              .role = "balancer",
                                                                              .changes = &balancer.changes,
                                                                              .metrics = &metrics_});
    balancer.subscription = std::make_unique<runtime::Subscription>(balancer.stream->facts().subscribe(
        [this, name = balancer.name](const std::optional<counter::CounterFacts>& facts) {
          if (facts) on_facts(name, *facts);
        }));
  }
}

void TableWatch::on_facts(const std::string& balancer, const counter::CounterFacts& facts) {
  if (!facts.adopted) return log_.warning(balancer + " gives no list of counters; is it a tracker balancer?");
  const auto& list = *facts.adopted;
  if (list_ && list == *list_) return;
  if (list_) {
    if (const auto refusal = list_->refusal_of(list))
      return log_.warning("balancer " + balancer + ": " + *refusal);
  }
  const bool is_blind = list.preferred().empty() && list_ && !list_->preferred().empty();
  if (is_blind && list.described() == list_->described()) return;  // it does not see the Redis Cluster
  const bool is_news =
      !list_ || list.described() != list_->described();  // otherwise, who is preferred has changed
  list_ = facts.adopted;
  if (is_news) runtime::log_info("balancer " + balancer + ": the counters are " + list.described());
  adopt_(list_);
}

}  // namespace tracker::app
