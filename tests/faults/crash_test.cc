// A few rounds of load, kills and judgement, and tests that the judgement sees what it must see. For longer runs by
// hand: tests/crash.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <iostream>
#include <random>
#include <string>
#include <vector>

#include "crashing/crash_run.h"
#include "crashing/target.h"
#include "support/temporary_directory.h"

namespace tracker::tests {
namespace {

using testing::AnyOf;
using testing::Contains;
using testing::HasSubstr;
using testing::IsEmpty;

constexpr std::size_t rounds = 20;
constexpr std::size_t rounds_of_many_programs = 2;

std::uint64_t new_seed() {
  const std::uint64_t seed = std::random_device{}();
  std::cout << "seed " << seed << std::endl;
  return seed;
}

void expect_exact(CrashRun& run, std::uint64_t seed, std::size_t rounds_number = rounds) {
  run.start();
  for (std::size_t round = 1; round <= rounds_number; ++round) {
    ASSERT_THAT(run.round(), IsEmpty())
        << "in round " << round << " with seed " << seed << ": " << run.story();
  }
  EXPECT_THAT(run.read_all(), IsEmpty()) << "at the end, with seed " << seed;
  std::cout << run.totals().of_load() << '\n' << run.totals().of_blows() << '\n';
  EXPECT_GT(run.totals().counted, rounds_number) << "there was hardly any load";
}

// Returns the violations of the first round that has any, among this many rounds. Empty if all are right.
std::vector<std::string> first_violations(const ServeChoice& choice, std::size_t rounds_max) {
  Target target = serve_target(choice);
  CrashRun run(target, new_seed());
  run.start();
  for (std::size_t round = 1; round <= rounds_max; ++round) {
    std::vector<std::string> violations = run.round();
    if (violations.empty()) continue;
    std::cout << "seen in round " << round << ": " << violations.front() << '\n';
    return violations;
  }
  return {};
}

class CrashTest : public testing::Test {
 protected:
  ServeChoice choice() const { return {.directory = directory_.path() / "data"}; }
  ServeChoice planted(const std::string& fault) const {
    ServeChoice planted = choice();
    planted.program = PLANTED_TRACKER;
    planted.before = {fault};
    return planted;
  }
  ServeChoice with_durability(const std::string& durability, bool power_cuts = true) const {
    ServeChoice with = choice();
    with.more = {"--durability", durability};
    with.power_cuts = power_cuts;
    return with;
  }

 private:
  TemporaryDirectory directory_;
};

TEST_F(CrashTest, ServeKeepsWhatItAnswered) {
  const std::uint64_t seed = new_seed();
  Target target = serve_target(choice());
  CrashRun run(target, seed);
  expect_exact(run, seed);
}

TEST_F(CrashTest, EnvoyCounterAndRedisKeepWhatTheyAnswered) {
  const std::uint64_t seed = new_seed();
  Target target = redis_target();
  CrashRun run(target, seed);
  expect_exact(run, seed);
}

TEST_F(CrashTest, CountersWithAListThatChangesKeepWhatTheyAnswered) {
  const std::uint64_t seed = new_seed();
  Target target = partitioned_target(choice(), false);
  CrashRun run(target, seed);
  expect_exact(run, seed, rounds_of_many_programs);
}

TEST_F(CrashTest, CountersOfABalancerKeepWhatTheyAnswered) {
  const std::uint64_t seed = new_seed();
  Target target = partitioned_target(choice(), true);
  CrashRun run(target, seed);
  expect_exact(run, seed, rounds_of_many_programs);
}

TEST_F(CrashTest, CountersOnARedisClusterKeepWhatTheyAnswered) {
  const std::uint64_t seed = new_seed();
  Target target = cluster_target();
  CrashRun run(target, seed);
  expect_exact(run, seed, rounds_of_many_programs);
}

// Judges the harness: each fault must be seen soon, and named. A program that is killed before it has committed what it
// answered loses that count, or gives it out again.
const auto is_loss = AnyOf(HasSubstr("counts were lost"), HasSubstr("the count went backwards"),
                           HasSubstr("was answered, but"), HasSubstr("a token that was handed out"),
                           HasSubstr("was given out twice"), HasSubstr("had been answered"));

TEST_F(CrashTest, SeesAnswersBeforeTheCommit) {
  EXPECT_THAT(first_violations(planted("answers-before-the-commit"), 20), Contains(is_loss));
}

// Seen at the end of a key's counts, or as a gap if others were counted after it.
TEST_F(CrashTest, SeesARepeatedBatch) {
  const auto is_surplus =
      AnyOf(HasSubstr("too much was counted"), HasSubstr("requests of unknown fate can have been those"));
  EXPECT_THAT(first_violations(planted("repeats-a-batch"), 20), Contains(is_surplus));
}

TEST_F(CrashTest, SeesNothingWhereNothingIsPlanted) {
  EXPECT_THAT(first_violations(planted("none"), 3), IsEmpty());
}

// Data in the kernel outlives the process, but not a power cut. If an answer left before the fsync that covers it,
// ServeKeepsWhatItAnswered would see this, too.
TEST_F(CrashTest, SeesThatAPowerCutTakesWhatWasNotSynced) {
  EXPECT_THAT(first_violations(with_durability("none"), 10), Contains(is_loss));
}

TEST_F(CrashTest, SeesThatAPowerCutTakesTheLastInterval) {
  EXPECT_THAT(first_violations(with_durability("interval:60000"), 10), Contains(is_loss));
}

TEST_F(CrashTest, AKillTakesNothingThatTheKernelHolds) {
  EXPECT_THAT(first_violations(with_durability("none", false), 3), IsEmpty());
}

}  // namespace
}  // namespace tracker::tests
