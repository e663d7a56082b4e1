#include "crashing/crash_run.h"

#include <algorithm>
#include <functional>
#include <set>
#include <stdexcept>

#include "crashing/blows.h"
#include "crashing/count_reader.h"
#include "support/caller.h"

namespace tracker::tests {
namespace {

constexpr std::chrono::milliseconds load_max{150};
constexpr std::size_t first_tokens = 4;
constexpr std::size_t cold_keys_read = 200;

// The random source of one round. A round does not depend on how much earlier rounds have drawn.
Random random_of(std::uint64_t seed, std::size_t round) {
  std::seed_seq sequence{seed, seed >> 32, std::uint64_t{round}};
  return Random(sequence);
}

}  // namespace

std::string CrashTotals::of_load() const {
  return std::to_string(counted) + " counted, " + std::to_string(refused) + " refused, " +
         std::to_string(perhaps) + " perhaps, " + std::to_string(connections) + " connections; " +
         std::to_string(readings) + " counts read, " + std::to_string(perhaps_of_readings) +
         " of them not at once";
}

std::string CrashTotals::of_blows() const {
  return std::to_string(blows.kills) + " kills (" + std::to_string(blows.kills_in_drain) +
         " while draining) and " + std::to_string(blows.kills_in_start) + " while starting, " +
         std::to_string(blows.kills_with_table) + " of all these within a flush or compaction; " +
         std::to_string(blows.drains) + " drains, " + std::to_string(blows.stops) + " stops; " +
         std::to_string(blows.power_cuts) + " power cuts, of which " +
         std::to_string(blows.losing_power_cuts) + " took something; " + std::to_string(blows.lists) +
         " lists of counters";
}

CrashRun::CrashRun(Target& target, std::uint64_t seed, std::size_t connections)
    : target_(target),
      seed_(seed),
      connections_(connections),
      random_(random_of(seed, 0)),
      ledger_([this](std::size_t key) { return keys_.name(key); }) {}

void CrashRun::start() {
  std::vector<Victim*> all;
  for (auto& victim : target_.victims) all.push_back(victim.get());
  Blows(random_, story_, totals_.blows).launch(all);
  wait_until_ready(target_);
  Caller caller(target_.envoy);
  for (std::size_t i = 0; i < first_tokens; ++i) keys_.add_token(caller.mint());
}

std::vector<std::string> CrashRun::round() {
  random_ = random_of(seed_, ++totals_.rounds);
  story_.clear();
  try {
    RecordedLoad load(target_.envoy, keys_, random_(), connections_);
    strike_under(load);
    const Recorded recorded = load.stop();
    wait_until_ready(target_);
    account(recorded);
    return read_and_judge(recorded, keys_to_read(recorded));
  } catch (const std::exception& error) {
    return {error.what()};
  }
}

// Some blows, and a last one that ends everything in which hits can wait, so that nothing is counted after it.
void CrashRun::strike_under(RecordedLoad& load) {
  Blows blows(random_, story_, totals_.blows);
  for (std::uint64_t times = any_of(random_, 0, 2); times > 0; --times) {
    blows.wait(load_max);
    change_list();
    strike_some(load);
  }
  if (!load.wait_for_counted(any_of(random_, 1, 100)))
    throw std::runtime_error("nothing is counted any more");
  blows.wait(load_max);
  change_list();
  auto last = target_.holders;
  for (auto& victim : target_.victims) {
    const bool holds = std::find(last.begin(), last.end(), victim.get()) != last.end();
    if (!holds && one_in(random_, 2)) last.push_back(victim.get());
  }
  blows.end(last);
  blows.launch(last);
}

// Gives another list of counters, if there is one, now and then. The next blow meets programs that are adopting it.
void CrashRun::change_list() {
  if (!target_.list || !one_in(random_, 2)) return;
  Blows(random_, story_, totals_.blows).change_list(*target_.list, target_.list_readers);
}

void CrashRun::strike_some(RecordedLoad& load) {
  Blows blows(random_, story_, totals_.blows);
  const auto victims = some_victims();
  if (one_in(random_, 3)) return blows.stop_and_go(victims, target_.long_stop_in);
  blows.end(victims);
  blows.launch(victims);
  if (one_in(random_, 4)) return;  // the next blow meets programs that are starting
  for (Victim* victim : victims) victim->wait_until_up();
  if (one_in(random_, 2)) return;
  if (!load.wait_for_counted(any_of(random_, 1, 100)))
    throw std::runtime_error("nothing is counted any more");
}

// Returns at least one victim.
std::vector<Victim*> CrashRun::some_victims() {
  std::vector<Victim*> some;
  while (some.empty()) {
    for (auto& victim : target_.victims) {
      if (one_in(random_, 2)) some.push_back(victim.get());
    }
  }
  return some;
}

void CrashRun::account(const Recorded& recorded) {
  for (const Observation& hit : recorded.hits) {
    ++(hit.counted() ? totals_.counted : hit.perhaps() ? totals_.perhaps : totals_.refused);
  }
  totals_.minted += recorded.minted.size();
  totals_.connections += recorded.connections;
}

// Returns the keys that were touched, those of the new tokens, and some of the others.
std::vector<std::size_t> CrashRun::keys_to_read(const Recorded& recorded) {
  std::set<std::size_t> wanted;
  for (const Observation& hit : recorded.hits) wanted.insert(hit.key);
  for (const std::size_t token : recorded.minted) wanted.insert(keys_.own_key(token));
  for (std::size_t i = 0; i < cold_keys_read && keys_.keys() > 0; ++i) {
    wanted.insert(any_of(random_, 0, keys_.keys() - 1));
  }
  return {wanted.begin(), wanted.end()};
}

std::vector<std::string> CrashRun::read_and_judge(const Recorded& recorded,
                                                  const std::vector<std::size_t>& wanted) {
  std::function<void()> reach_others;
  if (target_.list) reach_others = [this] { turn_list(target_); };
  const Readings readings = read_counts(target_.envoy, keys_, wanted, reach_others);
  totals_.readings += readings.counts.size();
  totals_.perhaps_of_readings +=
      static_cast<std::size_t>(std::count_if(readings.others.begin(), readings.others.end(),
                                             [](const Observation& other) { return other.perhaps(); }));
  std::vector<Observation> observations = recorded.hits;
  observations.insert(observations.end(), readings.others.begin(), readings.others.end());
  std::vector<std::string> violations = recorded.complaints;
  const auto add = [&](const std::vector<std::string>& more) {
    violations.insert(violations.end(), more.begin(), more.end());
  };
  add(readings.complaints);
  add(ledger_.judge(std::move(observations), readings.counts));
  return violations;
}

std::vector<std::string> CrashRun::read_all() {
  std::vector<std::size_t> all(keys_.keys());
  for (std::size_t key = 0; key < all.size(); ++key) all[key] = key;
  return read_and_judge({}, all);
}

}  // namespace tracker::tests
