#include "crashing/blows.h"

#include <signal.h>

#include <algorithm>
#include <chrono>
#include <stdexcept>
#include <thread>

namespace tracker::tests {
namespace {

using namespace std::chrono_literals;

constexpr auto drain_max = 20ms;
constexpr auto stop_max = 80ms;
constexpr auto between_readers_max = 20ms;
// Usually longer than a request's deadline.
constexpr auto long_stop_max = 4s;

std::string names(const std::vector<Victim*>& victims) {
  std::string text;
  for (const Victim* victim : victims) text += (text.empty() ? "" : "+") + victim->name();
  return text;
}

}  // namespace

// The draw does not depend on `max`, which may be a measured value.
void Blows::wait(std::chrono::microseconds max) {
  const auto time = max * any_of(random_, 0, 10'000) / 10'000;
  std::this_thread::sleep_for(time);
  story_ += ", after " + std::to_string(time.count()) + " us ";
}

void Blows::signal_all(const std::vector<Victim*>& victims, int signal) {
  for (Victim* victim : victims) victim->program().send_signal(signal);
}

void Blows::stop_and_go(const std::vector<Victim*>& victims, std::uint64_t long_in) {
  story_ += "stop " + names(victims);
  signal_all(victims, SIGSTOP);
  wait(one_in(random_, long_in) ? long_stop_max : stop_max);
  story_ += "go on";
  signal_all(victims, SIGCONT);
  tally_.stops += victims.size();
}

void Blows::end(const std::vector<Victim*>& victims) {
  std::vector<Victim*> in_any_order = victims;
  std::shuffle(in_any_order.begin(), in_any_order.end(), random_);
  enum { stopped = 0, drained = 1, draining = 2, ways = 10 };
  const std::uint64_t way = any_of(random_, 0, ways - 1);
  if (way == stopped) {
    story_ += "stop ";
    signal_all(in_any_order, SIGSTOP);
    wait(stop_max);
  } else if (way == drained || way == draining) {
    story_ += "drain ";
    signal_all(in_any_order, SIGTERM);
    if (way == draining) wait(drain_max);
  }
  if (way != drained) signal_all(in_any_order, SIGKILL);
  story_ += (way == drained ? "" : "kill ") + names(in_any_order);
  for (Victim* victim : victims) await_end(*victim, way == drained);
  (way == drained ? tally_.drains : tally_.kills) += victims.size();
  if (way == draining) tally_.kills_in_drain += victims.size();
  lose_some(victims);
}

// Loses all or part of what was not synced, half of the times.
void Blows::lose_some(const std::vector<Victim*>& victims) {
  // Its own random source, because the number of files is not drawn.
  Random random(random_());
  const auto keep_some = [&random](std::uintmax_t synced, std::uintmax_t all) {
    return one_in(random, 2) ? synced : any_of(random, synced, all);
  };
  const auto lose_sector = [&random] { return one_in(random, 8); };
  for (Victim* victim : victims) {
    const bool cuts = one_in(random_, 2);
    const auto lost = cuts ? victim->cut_power(keep_some, lose_sector) : victim->unsynced();
    if (!lost) continue;
    if (lost->table) ++tally_.kills_with_table;
    if (!cuts) continue;
    ++tally_.power_cuts;
    if (lost->bytes > 0) ++tally_.losing_power_cuts;
    story_ += " and lose " + lost->to_string();
  }
}

void Blows::await_end(Victim& victim, bool drained) {
  const auto exit_code = victim.program().wait_exit();
  if (exit_code == 0 || (!drained && exit_code == -SIGKILL)) return;
  // It had not started far enough to drain.
  if (exit_code == -SIGTERM && listening_doors(victim.program().output()).empty()) return;
  throw std::runtime_error(
      victim.name() + (drained ? " was drained" : " was killed") +
      (exit_code ? " and ended with " + std::to_string(*exit_code) : " and did not end") + "; it said:\n" +
      victim.program().output());
}

void Blows::change_list(ChangingList& list, const std::vector<Victim*>& readers) {
  list.change(random_);
  story_ += "list " + list.to_string();
  ++tally_.lists;
  std::vector<Victim*> in_any_order = readers;
  std::shuffle(in_any_order.begin(), in_any_order.end(), random_);
  for (Victim* reader : in_any_order) {
    wait(between_readers_max);
    if (one_in(random_, 8)) {
      end({reader});
      launch({reader});
      continue;
    }
    reader->wait_until_up();  // it may have read the list before
    reader->program().send_signal(SIGHUP);
    story_ += "to " + reader->name();
  }
  story_ += "; ";
}

void Blows::launch(const std::vector<Victim*>& victims) {
  const std::uint64_t false_starts = one_in(random_, 3) ? any_of(random_, 1, 3) : 0;
  for (std::uint64_t times = false_starts; times > 0; --times) {
    for (Victim* victim : victims) victim->launch();
    wait(victims.front()->start_time() * 5 / 4);
    story_ += "kill the starting " + names(victims);
    signal_all(victims, SIGKILL);
    for (Victim* victim : victims) await_end(*victim, false);
    tally_.kills_in_start += victims.size();
    lose_some(victims);
  }
  for (Victim* victim : victims) victim->launch();
  story_ += ", start " + names(victims);
}

}  // namespace tracker::tests
