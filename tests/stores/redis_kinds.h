#ifndef TRACKER_TESTS_STORES_REDIS_KINDS_H_
#define TRACKER_TESTS_STORES_REDIS_KINDS_H_

#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "domain/slot.h"
#include "domain/token.h"
#include "runtime/workers.h"
#include "store/redis/cluster_store.h"
#include "store/redis/redis_contents.h"
#include "store/redis/redis_store.h"
#include "store/store_error.h"
#include "store/token_rules.h"
#include "support/blocking_store.h"
#include "support/deadline.h"
#include "support/redis_cluster.h"

namespace tracker::tests {

inline const store::ExportId this_export{1, 2, 3};
inline const store::ExportId other_export{9};
inline const auto all_slots = ~domain::SlotSet();

// What moves in most tests: every second slot.
inline domain::SlotSet half() {
  domain::SlotSet slots;
  for (std::size_t slot = 0; slot < domain::slots; slot += 2) slots.set(slot);
  return slots;
}

inline domain::TokenId token_in(const domain::SlotSet& slots) {
  while (true) {
    const auto id = domain::token_id(domain::random_token());
    if (slots[domain::slot_of(id)]) return id;
  }
}

inline std::vector<domain::TokenId> tokens_in(const domain::SlotSet& slots, int number) {
  std::vector<domain::TokenId> ids;
  while (number-- > 0) ids.push_back(token_in(slots));
  std::ranges::sort(ids);
  return ids;
}

inline std::string why_it_throws(const std::function<void()>& call) {
  try {
    call();
  } catch (const store::StoreError& error) {
    return error.what();
  }
  return "it does not throw";
}

enum class Kind { one, cluster };

// A Redis or a cluster, and a store that counts in it.
class RedisKindsTest : public testing::TestWithParam<Kind> {
 protected:
  RedisKindsTest() {
    if (is_cluster()) {
      cluster_ = std::make_unique<RedisCluster>(3);
      for (std::size_t i = 0; i < 3; ++i) nodes_.push_back(&cluster_->node(i));
    } else {
      redis_ = std::make_unique<RedisServer>(RedisServer::Keeps::everything);
      nodes_.push_back(redis_.get());
    }
    settings_.redis.address = address_of(*nodes_.front());
    if (is_cluster()) {
      store_ = std::make_unique<store::redis::ClusterStore>(loop_.context(0), settings_,
                                                            std::vector{settings_.redis.address});
    } else {
      store_ = std::make_unique<store::redis::RedisStore>(loop_.context(0), settings_);
    }
    loop_.start();
    contents_ = open();
    EXPECT_TRUE(wait_ready());
  }
  ~RedisKindsTest() override { loop_.stop(); }

  static bool is_cluster() { return GetParam() == Kind::cluster; }
  static runtime::Address address_of(const RedisServer& server) {
    return {server.endpoint().host, server.endpoint().port};
  }

  std::unique_ptr<store::StoreContents> open(std::size_t ids_max = 1'000) const {
    return open(settings_, ids_max);
  }
  static std::unique_ptr<store::StoreContents> open(const store::redis::RedisSettings& settings,
                                                    std::size_t ids_max = 1'000) {
    return is_cluster() ? store::redis::cluster_contents(settings, {settings.redis.address}, ids_max)
                        : store::redis::redis_contents(settings, ids_max);
  }

  std::string why_not_ready() const {
    const auto readiness = store_->readiness().value();
    return readiness.is_ready() ? "" : readiness.why_not();
  }
  bool wait_ready(bool ready = true) const {
    for (const Deadline deadline; !deadline.passed();
         std::this_thread::sleep_for(std::chrono::milliseconds(1))) {
      const auto readiness = store_->readiness().value();
      if (readiness.is_ready() == ready && (!ready || readiness.remarks().empty())) return true;
    }
    return false;
  }

  bool mint(const domain::TokenId& id) {
    Added added;
    store_->add_token(id, {.minted_s = store::system_seconds()},
                      std::chrono::steady_clock::now() + std::chrono::seconds(5), added);
    return added.wait();
  }
  domain::Verdict hit(const domain::TokenId& id, const std::string& path = "/p") {
    return track_one(*store_, id, path);
  }

  // Of the node that has this token.
  RedisReply command(const domain::TokenId& id, const Arguments& arguments) {
    if (!is_cluster()) return redis_->command(arguments);
    const auto port = cluster_->port_of(domain::slot_of(id));
    for (auto* node : nodes_) {
      if (node->endpoint().port == port) return node->command(arguments);
    }
    ADD_FAILURE() << "no node has the slot";
    return {};
  }
  bool exists(const domain::TokenId& id, const std::string& key) {
    return command(id, {"EXISTS", key}).integer == 1;
  }

  std::unique_ptr<RedisServer> redis_;
  std::unique_ptr<RedisCluster> cluster_;
  std::vector<RedisServer*> nodes_;  // the masters
  store::redis::RedisSettings settings_;
  runtime::Workers loop_{1};
  std::unique_ptr<store::CounterStore> store_;
  std::unique_ptr<store::StoreContents> contents_;
};

}  // namespace tracker::tests

#endif  // TRACKER_TESTS_STORES_REDIS_KINDS_H_
