// tests/failovers: measures what the failovers of a Redis Cluster lose, started by hand.

#include <signal.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <chrono>
#include <cstdint>
#include <iostream>
#include <map>
#include <random>
#include <set>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "crashing/count_reader.h"
#include "crashing/key_space.h"
#include "crashing/recorded_load.h"
#include "support/caller.h"
#include "support/cluster_fleet.h"

namespace {

using namespace std::chrono_literals;
using namespace tracker::tests;
using Clock = std::chrono::steady_clock;

constexpr std::size_t first_tokens = 20;
constexpr auto failover_max = 30s;

struct Choice {
  std::size_t failovers = 20;
  std::size_t replicas = 0;
  std::size_t connections = 32;
  std::uint64_t seed = std::random_device{}();
  bool pause = false;
};

// What one failover did, or all together.
struct Losses {
  std::size_t answered = 0;
  std::size_t refused = 0;
  std::size_t perhaps = 0;
  std::size_t counts = 0;  // that were answered, and are not stored or were given out again
  std::size_t tokens = 0;  // that were handed out, and are unknown
  std::size_t minted = 0;

  void add(const Losses& other) {
    answered += other.answered;
    refused += other.refused;
    perhaps += other.perhaps;
    counts += other.counts;
    tokens += other.tokens;
    minted += other.minted;
  }
  std::string to_string() const {
    return std::to_string(answered) + " counts answered, " + std::to_string(refused) + " refused, " +
           std::to_string(perhaps) + " perhaps; lost: " + std::to_string(counts) +
           " counts that were answered, " + std::to_string(tokens) + " of " + std::to_string(minted) +
           " tokens";
  }
};

// Compares what was answered for each key with what is stored.
Losses judge(const Recorded& recorded, const Readings& readings, const KeySpace& keys) {
  Losses losses;
  std::map<std::size_t, std::vector<std::int64_t>> answered;
  for (const auto& hit : recorded.hits) {
    ++(hit.counted() ? losses.answered : hit.perhaps() ? losses.perhaps : losses.refused);
    if (hit.counted()) answered[hit.key].push_back(hit.count);
  }
  std::map<std::size_t, std::int64_t> stored;
  for (const auto& [key, count] : readings.counts) stored[key] = count - 1;
  for (auto& [key, counts] : answered) {
    std::ranges::sort(counts);
    const auto distinct = static_cast<std::size_t>(std::ranges::unique(counts).begin() - counts.begin());
    losses.counts += counts.size() - distinct;
    const auto above = std::ranges::upper_bound(
        counts.begin(), counts.begin() + static_cast<std::ptrdiff_t>(distinct), stored[key]);
    losses.counts += static_cast<std::size_t>(counts.begin() + static_cast<std::ptrdiff_t>(distinct) - above);
  }
  losses.minted = keys.tokens();
  return losses;
}

class Run {
 public:
  explicit Run(const Choice& choice) : choice_(choice), random_(choice.seed), fleet_(1, choice.replicas) {
    fleet_.start_envoy();
  }

  Losses fail_over(std::size_t number) {
    KeySpace keys;
    const auto& envoy = fleet_.envoy().door;
    Caller caller(envoy);
    for (std::size_t i = 0; i < first_tokens; ++i) keys.add_token(caller.mint());
    RecordedLoad load(envoy, keys, random_(), choice_.connections);
    require(load.wait_for_counted(2'000), "nothing is counted");
    std::this_thread::sleep_for(std::chrono::milliseconds(any_of(random_, 0, 300)));

    const auto slot = static_cast<std::uint16_t>(any_of(random_, 0, 16'383));
    const auto master = fleet_.node_of(slot);
    const auto took = replace(master, slot);
    fleet_.wait_until_all_counts();
    require(load.wait_for_counted(2'000), "nothing is counted any more");
    Recorded recorded = load.stop();
    settle();
    const auto losses = judge_stored(recorded, keys);
    std::cout << "failover " << number << ": a replica has the slots after " << took.count() << " ms; "
              << losses.to_string() << std::endl;
    return losses;
  }

 private:
  static void require(bool holds, const char* complaint) {
    if (!holds) throw std::runtime_error(complaint);
  }

  // Ends or stops the master, waits for another one, and lets the old one go on. Returns how long its slots had none.
  std::chrono::milliseconds replace(std::size_t master, std::uint16_t slot) {
    auto& cluster = fleet_.cluster();
    auto& node = cluster.node(master);
    const auto asked = master == 0 ? 1U : 0U;
    const auto since = Clock::now();
    if (choice_.pause) {
      node.send_signal(SIGSTOP);
    } else {
      node.kill();
    }
    while (cluster.port_of(slot, asked) == node.endpoint().port) {
      require(Clock::now() - since < failover_max, "no replica is promoted");
      std::this_thread::sleep_for(5ms);
    }
    const auto took = std::chrono::duration_cast<std::chrono::milliseconds>(Clock::now() - since);
    std::this_thread::sleep_for(std::chrono::milliseconds(any_of(random_, 0, 500)));
    if (choice_.pause) {
      node.send_signal(SIGCONT);
    } else {
      node.start_again();
    }
    cluster.wait_until_well();
    return took;
  }

  // Returns when nothing is under way that could still be counted.
  void settle() {
    std::this_thread::sleep_for(2'500ms);  // longer than any request's deadline
  }

  Losses judge_stored(const Recorded& recorded, KeySpace& keys) {
    std::set<std::size_t> wanted;
    for (const auto& hit : recorded.hits) wanted.insert(hit.key);
    for (std::size_t token = 0; token < keys.tokens(); ++token) wanted.insert(keys.own_key(token));
    const auto readings = read_counts(fleet_.envoy().door, keys, {wanted.begin(), wanted.end()});
    auto losses = judge(recorded, readings, keys);
    for (std::size_t token = 0; token < keys.tokens(); ++token) {
      const auto is_own = [&](const Reading& reading) { return reading.key == keys.own_key(token); };
      if (std::ranges::none_of(readings.counts, is_own)) ++losses.tokens;
    }
    return losses;
  }

  const Choice choice_;
  Random random_;
  ClusterFleet fleet_;
};

}  // namespace

int main(int argc, char** argv) {
  Choice choice;
  CLI::App program(
      "Starts a Redis Cluster of three masters with a replica each, a counter and an envoy. Ends one master "
      "after\n"
      "another under load, waits for its replica to be promoted, and counts what was answered and is lost.",
      "tests/failovers");
  program.add_option("--failovers", choice.failovers, "How many.")->capture_default_str();
  program
      .add_option("--redis-replicas", choice.replicas,
                  "What the counter is given: 0, or 1 to wait for the replica.")
      ->check(CLI::Range(0, 1))
      ->capture_default_str();
  program.add_option("--connections", choice.connections, "The number of connections of the load.")
      ->capture_default_str();
  program.add_option("--seed", choice.seed,
                     "The seed of all random choices. The default is random. It is printed.");
  program.add_flag("--pause", choice.pause,
                   "Stop the master and let it go on later, in place of killing it.");
  CLI11_PARSE(program, argc, argv);
  try {
    std::cout << "seed " << choice.seed << ", Redis with appendfsync always, --redis-replicas "
              << choice.replicas << ", masters are " << (choice.pause ? "paused" : "killed") << std::endl;
    Run run(choice);
    Losses all;
    for (std::size_t i = 1; i <= choice.failovers; ++i) all.add(run.fail_over(i));
    std::cout << "all " << choice.failovers << ": " << all.to_string() << '\n';
    return 0;
  } catch (const std::exception& error) {
    std::cout << error.what() << '\n';
    return 1;
  }
}
