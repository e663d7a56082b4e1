#ifndef TRACKER_TESTS_SUPPORT_STORE_AND_LOOP_H_
#define TRACKER_TESTS_SUPPORT_STORE_AND_LOOP_H_

#include <chrono>
#include <string>
#include <thread>
#include <utility>

#include "runtime/workers.h"
#include "store/counter_store.h"
#include "support/deadline.h"

namespace tracker::tests {

// A Redis store, or one in a cluster, and the loop that it needs. Once made, it counts all that is its own, unless that takes
// too long.
template <typename Store>
class StoreAndLoop final : public store::CounterStore {
 public:
  template <typename... Arguments>
  explicit StoreAndLoop(const Arguments&... arguments) : store_(loop_.context(0), arguments...) {
    loop_.start();
    for (const Deadline deadline; !counts_all() && !deadline.passed();)
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  ~StoreAndLoop() override { loop_.stop(); }

  void track(const domain::HitBatch& hits, store::TrackReply& reply) override { store_.track(hits, reply); }
  void add_token(const domain::TokenId& id, const domain::TokenRecord& record, domain::Deadline deadline,
                 store::AddReply& reply) override {
    store_.add_token(id, record, deadline, reply);
  }
  const store::StoreFactsSource& facts() const override { return store_.facts(); }
  void write_record(std::string record, domain::Deadline deadline, store::WriteReply& reply) override {
    store_.write_record(std::move(record), deadline, reply);
  }
  void find_slots(store::SlotsReply& reply) override { store_.find_slots(reply); }
  const store::ReadinessSource& readiness() const override { return store_.readiness(); }

 private:
  bool counts_all() const {
    const auto readiness = store_.readiness().value();
    return readiness.is_ready() && readiness.remarks().empty();
  }

  runtime::Workers loop_{1};
  Store store_;
};

}  // namespace tracker::tests

#endif  // TRACKER_TESTS_SUPPORT_STORE_AND_LOOP_H_
