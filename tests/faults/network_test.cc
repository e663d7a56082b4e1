// The network between an envoy and one of three counters fails. The envoy and the counters are in networks of their own,
// with a cable (veth) between the envoy and each counter. Skipped where this user cannot make networks.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "support/caller.h"
#include "support/health.h"
#include "support/network.h"
#include "support/partition.h"
#include "support/steady_load.h"

namespace tracker::tests {
namespace {

using testing::IsEmpty;
using Kind = SteadyLoad::Kind;

constexpr std::string_view names = "abc";

enum class Fault {
  envoys_end,    // the envoy's end of the cable is down
  counters_end,  // the counter's end is down, so the other counters do not reach it either
  answers_lost,  // hits arrive, and nothing comes back
};

class NetworkTest : public testing::TestWithParam<Fault> {
 protected:
  void SetUp() override {
    try {
      counters_.emplace();
      envoys_.emplace();
      for (const char name : names) {
        counters_->ip({"link", "add", cable(name), "type", "veth", "peer", "name", cable(name), "netns",
                       envoys_->path()});
      }
    } catch (const std::runtime_error& error) {
      GTEST_SKIP() << error.what();
    }
    for (const char name : names) {
      counters_->ip({"address", "add", host(name, 1) + "/30", "dev", cable(name)});
      envoys_->ip({"address", "add", host(name, 2) + "/30", "dev", cable(name)});
      for (const auto* end : {&*counters_, &*envoys_}) end->ip({"link", "set", cable(name), "up"});
    }
  }

  static std::string cable(char counter) { return std::string("cable-") + counter; }
  // The counter is at end 1 of its cable, and the envoy at end 2.
  static std::string host(char counter, int end) {
    return "10.0." + std::to_string(counter - 'a') + '.' + std::to_string(end);
  }

  void start_counters() {
    const Network::Stay here(*counters_);
    for (const char name : names) partition_.start_counter(name, std::string(names), {"--insecure"});
    for (const char name : names) wait_all_ready(partition_.counter(name).health);
  }

  // Cuts the envoy off from counter b.
  void cut() const {
    switch (GetParam()) {
      case Fault::envoys_end:
        return envoys_->ip({"link", "set", cable('b'), "down"});
      case Fault::counters_end:
        return counters_->ip({"link", "set", cable('b'), "down"});
      case Fault::answers_lost:  // they go to an interface that is not there
        return counters_->ip({"neighbour", "replace", host('b', 2), "lladdr", "02:00:00:00:00:00", "nud",
                              "permanent", "dev", cable('b')});
    }
  }
  void heal() const {
    switch (GetParam()) {
      case Fault::envoys_end:
        return envoys_->ip({"link", "set", cable('b'), "up"});
      case Fault::counters_end:
        return counters_->ip({"link", "set", cable('b'), "up"});
      case Fault::answers_lost:
        return counters_->ip({"neighbour", "delete", host('b', 2), "dev", cable('b')});
    }
  }

  std::optional<Network> counters_;
  std::optional<Network> envoys_;
  Partition partition_{{host('a', 1), host('b', 1), host('c', 1)}};
};

TEST_P(NetworkTest, CutsOffTheTokensOfOneCounterOnly) {
  start_counters();
  const Network::Stay beside_the_envoy(*envoys_);
  auto& envoy = partition_.start_envoy(std::string(names));
  wait_all_ready(envoy.health);
  auto& envoy_of_b = partition_.start_envoy("b", {"--threads", "1"});
  wait_readyz(envoy_of_b.health, 200, "has another list");
  std::vector<std::string> of_b;
  std::vector<std::string> others;
  for (Caller caller(envoy.door), asks_b(envoy_of_b.door); of_b.size() < 4 || others.size() < 8;) {
    const auto token = caller.mint();
    const bool is_counted = asks_b.ask(get("/owner", token)).status == 200;
    (is_counted ? of_b : others).push_back(token);
  }

  SteadyLoad cut_off(envoy.door, of_b, {"/a", "/b"});
  SteadyLoad undisturbed(envoy.door, others, {"/a", "/b"});
  cut_off.wait_for_more(Kind::counted, 200);
  cut();
  undisturbed.wait_for_more(Kind::counted, 200);
  wait_readyz(envoy.health, 200, "counter b at");
  cut_off.wait_for_more(Kind::refused, 200);
  const auto counted = cut_off.seen(Kind::counted);
  undisturbed.wait_for_more(Kind::counted, 200);
  EXPECT_EQ(cut_off.seen(Kind::counted), counted);
  heal();
  wait_all_ready(envoy.health);
  cut_off.wait_for_more(Kind::counted, 200);
  for (auto* load : {&cut_off, &undisturbed}) {
    const auto observations = load->stop();
    EXPECT_THAT(load->complaints(), IsEmpty());  // such as about an answer that came late
    EXPECT_THAT(load->lost_tokens(), IsEmpty());
    EXPECT_THAT(exactness_violations(observations, load->read_stored()), IsEmpty());
  }
  EXPECT_GT(cut_off.seen(Kind::perhaps), 0U);
  EXPECT_EQ(undisturbed.seen(Kind::refused) + undisturbed.seen(Kind::perhaps), 0U);
}

INSTANTIATE_TEST_SUITE_P(, NetworkTest,
                         testing::Values(Fault::envoys_end, Fault::counters_end, Fault::answers_lost),
                         [](const auto& fault) {
                           return fault.param == Fault::envoys_end     ? "envoys_end_is_down"
                                  : fault.param == Fault::counters_end ? "counters_end_is_down"
                                                                       : "answers_are_lost";
                         });

}  // namespace
}  // namespace tracker::tests
