// tests/reshardings: measures what moving slots of a Redis Cluster costs its clients, and what a failover in the middle of a
// move does. Started by hand.

#include <CLI/CLI.hpp>
#include <exception>
#include <iostream>
#include <random>
#include <string>

#include "crashing/key_space.h"
#include "crashing/resharding.h"

namespace {

using namespace tracker::tests;

struct Choice {
  std::size_t slots = 4'000;
  std::size_t tokens = 1'000;
  std::size_t failovers = 4;
  std::size_t replicas = 0;
  bool early = false;
  std::uint64_t seed = std::random_device{}();
};

// Returns whether nothing was wrong.
bool move_there_and_back(Resharding& resharding, const Choice& choice) {
  const auto done = resharding.there_and_back(choice.slots, choice.tokens);
  std::cout << choice.slots << " slots with " << done.tokens << " tokens: there in " << done.there.count()
            << " ms, back in " << done.back.count() << " ms; " << done.answers.to_string()
            << "; the longest answer took " << done.longest.count() << " ms" << std::endl;
  for (const auto& violation : done.violations) std::cout << "  WRONG: " << violation << '\n';
  return done.violations.empty();
}

}  // namespace

// NOLINTNEXTLINE(bugprone-exception-escape): whoever runs it sees what was thrown
int main(int argc, char** argv) {
  Choice choice;
  CLI::App program(
      "Starts a Redis Cluster of three masters with a replica each, a counter and an envoy. Moves slots to "
      "another\n"
      "master and back under load, by redis-cli, and judges every answer. Then it kills masters in the "
      "middle of the\n"
      "move of a slot, the one that gives it and the one that takes it in turn, and says what is refused or "
      "lost\n"
      "before and after redis-cli --cluster fix.",
      "tests/reshardings");
  program.add_option("--slots", choice.slots, "How many slots move there and back; 0: none.")
      ->check(CLI::Range(0, 5'000))
      ->capture_default_str();
  program.add_option("--tokens", choice.tokens, "How many tokens are in them.")->capture_default_str();
  program.add_option("--failovers", choice.failovers, "How many masters are killed.")->capture_default_str();
  program.add_flag("--early", choice.early,
                   "Try redis-cli --cluster fix also while the master that was killed is still away.");
  program
      .add_option("--redis-replicas", choice.replicas,
                  "What the counter is given: 0, or 1 to wait for the replica.")
      ->check(CLI::Range(0, 1))
      ->capture_default_str();
  program.add_option("--seed", choice.seed,
                     "The seed that chooses the slots. The default is random. It is printed.");
  CLI11_PARSE(program, argc, argv);
  try {
    std::cout << "seed " << choice.seed << ", Redis with appendfsync always, --redis-replicas "
              << choice.replicas << std::endl;
    Random random(choice.seed);
    Resharding resharding(choice.replicas);
    bool is_well = choice.slots == 0 || move_there_and_back(resharding, choice);
    for (std::size_t i = 0; i < choice.failovers; ++i) {
      const bool gives = i % 2 == 0;
      const auto slot = static_cast<std::uint16_t>(any_of(random, 0, 16'383));
      const auto failover = resharding.fail_over(
          slot, gives ? Resharding::Dies::source : Resharding::Dies::target, choice.early);
      std::cout << "killed the master that " << (gives ? "gives" : "takes") << ": " << failover.to_string()
                << std::endl;
    }
    return is_well ? 0 : 1;
  } catch (const std::exception& error) {
    std::cout << error.what() << '\n';
    return 1;
  }
}
