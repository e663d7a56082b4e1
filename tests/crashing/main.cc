// tests/crash: rounds of load, kills and judgement, started by hand.

#include <unistd.h>

#include <CLI/CLI.hpp>
#include <chrono>
#include <cstdio>
#include <filesystem>
#include <iostream>
#include <map>
#include <random>

#include "crashing/blows.h"
#include "crashing/crash_run.h"
#include "crashing/target.h"

namespace {

using namespace tracker::tests;
using Clock = std::chrono::steady_clock;

constexpr auto progress_every = std::chrono::seconds(5);
constexpr std::size_t violations_shown = 50;
constexpr std::size_t rounds_of_a_proof = 200;

struct Choice {
  std::size_t rounds = 100;
  std::uint64_t seed = std::random_device{}();
  std::string target = "serve";
  std::size_t connections = 48;
  ServeChoice serve;
  bool verbose = false;
};

void report(const CrashRun& run, const Choice& choice, const std::vector<std::string>& violations) {
  std::cout << "VIOLATED in round " << run.totals().rounds << " with --seed " << choice.seed << '\n'
            << "In that round: " << run.story() << '\n';
  for (std::size_t i = 0; i < violations.size() && i < violations_shown; ++i) {
    std::cout << "  " << violations[i] << '\n';
  }
  if (violations.size() > violations_shown) {
    std::cout << "  and " << violations.size() - violations_shown << " more\n";
  }
}

bool judged_well(const CrashRun& run, const Choice& choice, const std::vector<std::string>& violations) {
  if (violations.empty()) return true;
  report(run, choice, violations);
  return false;
}

void show_progress(const CrashRun& run, const Choice& choice) {
  std::cout << "round " << run.totals().rounds << " of " << choice.rounds << ", " << run.tokens()
            << " tokens, " << run.keys() << " keys; " << run.totals().of_load() << std::endl;
}

// Returns whether a run that is long enough to be a proof has met every kind of crash.
bool met_all_kinds(const Blows::Tally& blows, const Choice& choice) {
  if (choice.rounds < rounds_of_a_proof) return true;
  const bool with_power_cuts = choice.target == "serve" && choice.serve.power_cuts;
  const bool with_list = choice.target == "partitioned" || choice.target == "balancer";
  const bool all = blows.kills > 0 && blows.kills_in_drain > 0 && blows.kills_in_start > 0 &&
                   blows.stops > 0 && (!with_list || blows.lists > 0) &&
                   (!with_power_cuts || (blows.losing_power_cuts > 0 && blows.kills_with_table > 0));
  if (!all) std::cout << "NOT MET: one kind of crash never came, so this proves less than it should\n";
  return all;
}

bool run_rounds(CrashRun& run, const Choice& choice) {
  run.start();
  auto shown = Clock::now();
  while (run.totals().rounds < choice.rounds) {
    const bool well = judged_well(run, choice, run.round());
    if (choice.verbose) std::cout << "round " << run.totals().rounds << run.story() << std::endl;
    if (!well) return false;
    if (Clock::now() - shown < progress_every) continue;
    shown = Clock::now();
    show_progress(run, choice);
  }
  std::cout << "reading all " << run.keys() << " counts once more" << std::endl;
  if (!judged_well(run, choice, run.read_all())) return false;
  std::cout << run.totals().of_load() << '\n' << run.totals().of_blows() << '\n';
  if (!met_all_kinds(run.totals().blows, choice)) return false;
  std::cout << "all as it must be in " << run.totals().rounds << " rounds with --seed " << choice.seed
            << '\n';
  return true;
}

// Makes a new directory under the chosen one. It is kept if something was wrong.
std::filesystem::path new_directory(const std::filesystem::path& under) {
  std::string name = (under / "tracker-crash-XXXXXX").string();
  if (::mkdtemp(name.data()) == nullptr) throw std::runtime_error("cannot make a directory like " + name);
  return std::filesystem::canonical(name);
}

int run(const Choice& choice, const std::filesystem::path& under) {
  std::cout << "target " << choice.target << ", seed " << choice.seed << std::endl;
  const std::map<std::string, Target (*)(const std::string&)> over_redis{{"redis", redis_target},
                                                                         {"shared", shared_target},
                                                                         {"proxy", proxy_target},
                                                                         {"cluster", cluster_target}};
  if (const auto make = over_redis.find(choice.target); make != over_redis.end()) {
    Target target = make->second(choice.serve.program);
    CrashRun crash_run(target, choice.seed, choice.connections);
    return run_rounds(crash_run, choice) ? 0 : 1;
  }
  const auto directory = new_directory(under);
  ServeChoice serve = choice.serve;
  serve.directory = directory / "data";
  bool well = false;
  {
    Target target = choice.target == "serve" ? serve_target(serve)
                                             : partitioned_target(serve, choice.target == "balancer");
    CrashRun crash_run(target, choice.seed, choice.connections);
    well = run_rounds(crash_run, choice);
  }
  if (well) std::filesystem::remove_all(directory);
  if (!well) std::cout << "The data is kept in " << directory << '\n';
  return well ? 0 : 1;
}

}  // namespace

// NOLINTNEXTLINE(bugprone-exception-escape): whoever runs it sees what was thrown
int main(int argc, char** argv) {
  Choice choice;
  std::string under = std::filesystem::temp_directory_path();
  CLI::App program(
      "Runs tracker under a load of many connections, and kills it at random moments, also while it\n"
      "starts and drains. Starts it again on the same data, and checks after each round that no count\n"
      "was lost or given out twice.",
      "tests/crash");
  program.add_option("--rounds", choice.rounds, "The number of rounds.")->capture_default_str();
  program.add_option("--seed", choice.seed,
                     "The seed of all random choices. The default is random. It is printed.");
  program
      .add_option(
          "--target", choice.target,
          "serve (with its own store), redis (envoy, counter, Redis), partitioned (envoy, four counters with "
          "stores of their own, and a list of them that changes), balancer (the same, and a balancer), "
          "shared (envoy, two counters, one Redis), proxy (the same, with nutcracker and three Redis) or "
          "cluster "
          "(the same, with a Redis Cluster of three masters and three replicas, and --redis-replicas 1).")
      ->check(CLI::IsMember({"serve", "redis", "partitioned", "balancer", "shared", "proxy", "cluster"}))
      ->capture_default_str();
  program.add_option("--connections", choice.connections, "The number of connections of the load.")
      ->capture_default_str();
  program.add_option("--program", choice.serve.program, "Another executable than the tracker just built.");
  program.add_option("--directory", under, "serve: where the data is kept.")->capture_default_str();
  program.add_flag("!--no-power-cuts", choice.serve.power_cuts,
                   "serve: never drop data that was not synced when it is killed.");
  program.add_flag("--verbose", choice.verbose, "Print what is done in each round.");
  program.add_option("more", choice.serve.more, "serve: more settings, after --.");
  CLI11_PARSE(program, argc, argv);
  try {
    return run(choice, under);
  } catch (const std::exception& error) {
    std::cout << "with --seed " << choice.seed << ": " << error.what() << '\n';
    return 1;
  }
}
