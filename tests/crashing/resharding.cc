#include "crashing/resharding.h"

#include <algorithm>
#include <map>
#include <stdexcept>
#include <thread>

#include "domain/slot.h"
#include "domain/token.h"
#include "domain/token_id.h"
#include "store/redis/redis_keys.h"
#include "support/caller.h"
#include "support/deadline.h"
#include "support/steady_load.h"

namespace tracker::tests {
namespace {

using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;
using Kind = SteadyLoad::Kind;

constexpr auto path = "/p";
constexpr std::size_t some_answers = 1'000;
constexpr std::size_t tokens_of_a_slot = 40;
constexpr auto promotion_max = 30s;

std::chrono::milliseconds since(Clock::time_point begin) {
  return std::chrono::duration_cast<std::chrono::milliseconds>(Clock::now() - begin);
}

Answers answers_of(const std::vector<Observation>& observations) {
  Answers answers;
  for (const auto& its : observations) {
    ++(its.counted()       ? answers.counted
       : its.perhaps()     ? answers.perhaps
       : its.status == 401 ? answers.unknown
                           : answers.refused);
  }
  return answers;
}

std::string key_of(const std::string& token) {
  return store::redis::redis_key(domain::token_id(domain::parse_token(token).value()));
}

// One request for each token.
std::vector<Observation> ask_each(const Endpoint& envoy, const std::vector<std::string>& tokens) {
  std::vector<Observation> observations;
  Caller caller(envoy);
  for (std::size_t key = 0; key < tokens.size(); ++key) {
    const auto answer = caller.ask(get(path, tokens[key]));
    observations.push_back(
        {.key = key, .status = answer.status, .count = answer.status == 200 ? count_in(answer) : 0});
  }
  return observations;
}

// Tokens in slots that `is_wanted` accepts, each written into the Redis that has its slot.
template <typename IsWanted>
std::vector<std::string> make_tokens(const RedisServer& redis, std::size_t number, IsWanted is_wanted) {
  std::vector<std::string> tokens;
  while (tokens.size() < number) {
    const auto token = domain::random_token();
    if (!is_wanted(domain::slot_of(domain::token_id(token)))) continue;
    tokens.push_back(domain::to_string(token));
    const auto reply = redis.command({"HSETNX", key_of(tokens.back()), "", "0"});
    if (reply.is_error) throw std::runtime_error("Redis says " + reply.text);
  }
  return tokens;
}

std::size_t third_master(const ClusterFleet& fleet, std::size_t one, std::size_t other) {
  for (std::uint16_t slot = 0; slot < domain::slots; slot += 1'000) {
    if (const auto node = fleet.node_of(slot); node != one && node != other) return node;
  }
  throw std::runtime_error("there are two masters only");
}

// Whether `redis-cli --cluster fix` succeeds.
bool fixes(const RedisCluster& cluster, std::size_t asked, Arguments flags) {
  flags.emplace_back("--cluster-yes");
  try {
    cluster.manage("fix", asked, flags);
    return true;
  } catch (const std::runtime_error&) {
    return false;
  }
}

// Of answered counts: those above what is stored, and those that were given out more than once.
std::size_t lost(std::vector<std::int64_t> counts, std::int64_t stored) {
  std::ranges::sort(counts);
  const auto distinct = std::unique(counts.begin(), counts.end());
  const auto above = std::upper_bound(counts.begin(), distinct, stored);
  return static_cast<std::size_t>((counts.end() - distinct) + (distinct - above));
}

}  // namespace

std::string Answers::to_string() const {
  return std::to_string(counted) + " counted, " + std::to_string(unknown) + " times 401, " +
         std::to_string(refused) + " times 503, " + std::to_string(perhaps) + " times 504";
}

Resharding::ThereAndBack Resharding::there_and_back(std::size_t slots, std::size_t tokens_number) {
  auto& cluster = fleet_.cluster();
  const auto tokens = make_tokens(cluster.node(0), tokens_number, [&](auto slot) { return slot < slots; });
  SteadyLoad load(fleet_.envoy().door, tokens, {path});
  load.wait_for_more(Kind::counted, some_answers);
  ThereAndBack done;
  done.tokens = tokens.size();
  const auto move = [&](std::size_t from, std::size_t to) {
    const auto begin = Clock::now();
    cluster.reshard(from, to, slots);
    const auto took = since(begin);
    for (const Deadline deadline; cluster.port_of(0, 2) != cluster.node(to).endpoint().port;) {
      if (deadline.passed()) throw std::runtime_error("the slots have not moved");
      std::this_thread::sleep_for(5ms);
    }
    load.wait_for_more(Kind::counted, some_answers);
    return took;
  };
  done.there = move(0, 1);
  done.back = move(1, 0);
  const auto observations = load.stop();
  done.answers = answers_of(observations);
  for (const auto& its : observations)
    done.longest = std::max(done.longest,
                            std::chrono::duration_cast<std::chrono::milliseconds>(its.answered - its.sent));
  done.violations = load.complaints();
  for (auto& its : exactness_violations(observations, load.read_stored()))
    done.violations.push_back(std::move(its));
  for (auto& its : load.lost_tokens()) done.violations.push_back("a lost token, " + std::move(its));
  return done;
}

Resharding::Failover Resharding::fail_over(std::uint16_t slot, Dies dies, bool early) {
  auto& cluster = fleet_.cluster();
  const auto elsewhere = static_cast<std::uint16_t>((slot + domain::slots / 2) % domain::slots);
  const auto from = fleet_.node_of(slot);
  const auto to = fleet_.node_of(elsewhere);
  const auto third = third_master(fleet_, from, to);
  const auto dying = dies == Dies::source ? from : to;
  const auto dying_port = cluster.node(dying).endpoint().port;
  const auto its_slot = dies == Dies::source ? slot : elsewhere;
  const auto tokens =
      make_tokens(cluster.node(from), tokens_of_a_slot, [&](auto its) { return its == slot; });
  std::vector<Observation> all;
  const auto stop = [&](SteadyLoad& load) {
    const auto observations = load.stop();
    all.insert(all.end(), observations.begin(), observations.end());
    return answers_of(observations);
  };
  Failover failover;
  failover.tokens = tokens.size();
  const auto& envoy = fleet_.envoy().door;
  {
    SteadyLoad load(envoy, tokens, {path});
    load.wait_for_more(Kind::counted, some_answers);
    cluster.begin_move(slot, from, to);
    std::vector<std::string> half;
    for (std::size_t i = 0; i < tokens.size() / 2; ++i) half.push_back(key_of(tokens[i]));
    cluster.migrate(half, from, to);
    load.wait_for_more(Kind::counted, some_answers);
    cluster.node(dying).kill();
    // The one that takes the slot believes until it is fixed that the dead one has it.
    for (const Deadline deadline(promotion_max); cluster.port_of(its_slot, third) == dying_port;) {
      if (deadline.passed()) throw std::runtime_error("no replica is promoted");
      std::this_thread::sleep_for(5ms);
    }
    if (!early) {
      cluster.node(dying).start_again();
      cluster.wait_until_well();
      fleet_.wait_until_all_counts();
    }
    failover.until_promoted = stop(load);
  }
  if (early) {
    cluster.wait_until_well({dying});
    auto& tried = failover.tried_early.emplace();
    tried.succeeded = fixes(cluster, third, {});
    tried.forced = !tried.succeeded && fixes(cluster, third, {"--cluster-fix-with-unreachable-masters"});
    fleet_.wait_until_all_counts();
    const auto answers = ask_each(envoy, tokens);
    tried.answers = answers_of(answers);
    all.insert(all.end(), answers.begin(), answers.end());
    cluster.node(dying).start_again();
    cluster.wait_until_well();
    fleet_.wait_until_all_counts();
  }
  const auto of_each = ask_each(envoy, tokens);
  failover.until_fixed = answers_of(of_each);
  all.insert(all.end(), of_each.begin(), of_each.end());
  // The nodes may need a moment until they agree.
  for (const Deadline deadline; !fixes(cluster, 0, {});) {
    if (deadline.passed()) throw std::runtime_error("redis-cli --cluster fix goes on failing");
    std::this_thread::sleep_for(100ms);
  }
  {
    SteadyLoad load(envoy, tokens, {path});
    load.wait_for_more(Kind::counted, some_answers);
    failover.after = stop(load);
  }
  std::map<std::size_t, std::vector<std::int64_t>> counts;
  for (const auto& its : all) {
    if (its.counted()) counts[its.key].push_back(its.count);
  }
  Caller caller(envoy);
  for (std::size_t key = 0; key < tokens.size(); ++key) {
    const auto answer = caller.ask(get(path, tokens[key]));
    if (answer.status != 200) ++failover.tokens_lost;
    failover.counts_lost += lost(counts[key], answer.status == 200 ? count_in(answer) - 1 : 0);
  }
  return failover;
}

std::string Resharding::Failover::to_string() const {
  return "a slot with " + std::to_string(tokens) +
         " tokens, half of them moved\n  until a replica is promoted: " + until_promoted.to_string() +
         (tried_early
              ? "\n  redis-cli --cluster fix before the master is back: " +
                    std::string(tried_early->succeeded ? "succeeds" : "fails") +
                    (tried_early->forced ? ", and succeeds with --cluster-fix-with-unreachable-masters"
                                         : "") +
                    "; then " + tried_early->answers.to_string()
              : "") +
         "\n  then, of one request for each token: " + until_fixed.to_string() +
         "\n  after redis-cli --cluster fix: " + after.to_string() +
         "\n  lost: " + std::to_string(counts_lost) + " counts that were answered, " +
         std::to_string(tokens_lost) + " tokens";
}

}  // namespace tracker::tests
