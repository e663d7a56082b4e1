// Kills the RocksDB store at each of its steps on disk while it is made, opened, and counts or writes a record for the
// first time, with and without a power cut then. The next start must make or open it, and nothing that was answered may
// be lost.

#include <gtest/gtest.h>
#include <signal.h>

#include <cstdint>
#include <filesystem>
#include <fstream>
#include <optional>
#include <random>
#include <sstream>
#include <stdexcept>
#include <string>
#include <utility>

#include "support/power_cut.h"
#include "support/program.h"
#include "support/temporary_directory.h"

namespace tracker::tests {
namespace {

// Far more than a start takes. It only bounds the test.
constexpr unsigned steps_max = 500;
// Tests every third step, from a random first one. So a run is short, and a few runs test them all.
constexpr unsigned stride = 3;

unsigned first_step() {
  return 1 + std::random_device{}() % stride;
}

struct Counts {
  std::int64_t lowest = 0;
  std::int64_t highest = 0;
};

struct Records {
  bool was_killed;
  std::optional<std::int64_t> found;     // when it was opened
  std::optional<std::int64_t> answered;  // that it is written
};

class StoreStepsTest : public testing::TestWithParam<bool> {
 protected:
  // Sends one more hit for each counter, by a program that is killed at this step, or ends without closing the store if
  // it gets that far. 0: it is not killed. Returns what it answered, or nothing if it was killed.
  std::optional<Counts> count(unsigned killed_at) {
    const auto [was_killed, output] = run({data_.string()}, killed_at);
    if (was_killed) return std::nullopt;
    Counts counts;
    std::istringstream(output) >> counts.lowest >> counts.highest;
    return counts;
  }

  // Writes the next record, in the same way.
  Records write_record(unsigned killed_at) {
    const auto [was_killed, output] = run({data_.string(), "record"}, killed_at);
    Records records{was_killed, std::nullopt, std::nullopt};
    std::istringstream numbers(output);
    std::int64_t number = 0;
    if (numbers >> number) records.found = number;
    if (numbers >> number) records.answered = number;
    return records;
  }

  std::string format() const {
    std::ifstream file(data_ / "FORMAT");
    std::string line;
    std::getline(file, line);
    return line;
  }

  // Returns whether it was killed, and what it printed.
  std::pair<bool, std::string> run(const Arguments& arguments, unsigned killed_at) {
    Environment environment = power_.environment();
    environment["SYNC_RECORD_MAX"] = std::to_string(killed_at);
    Program probe(arguments, environment, STORE_PROBE);
    const auto exit_code = probe.wait_exit();
    if (exit_code != 0 && exit_code != -SIGKILL) {
      throw std::runtime_error("the store cannot be used: " + probe.output());
    }
    if (GetParam() && std::filesystem::exists(data_)) power_.cut(data_);
    return {exit_code == -SIGKILL, probe.standard_output()};
  }

  const TemporaryDirectory directory_;
  const std::filesystem::path data_ = directory_.path() / "data";
  PowerCut power_{directory_.path() / "record"};
};

TEST_P(StoreStepsTest, WhileItIsMade) {
  unsigned step = first_step();
  for (; step < steps_max && !count(step); step += stride) {
    std::optional<Counts> counts;
    ASSERT_NO_THROW(counts = count(0)) << "after it was killed at step " << step;
    ASSERT_TRUE(counts);
    // Counts of the killed program were not answered.
    EXPECT_GE(counts->lowest, 1) << "after it was killed at step " << step;
    EXPECT_LE(counts->highest, 2) << "after it was killed at step " << step;
    std::filesystem::remove_all(data_);
  }
  EXPECT_GT(step, 10u) << "its steps are not seen";
  EXPECT_LT(step, steps_max);
  RecordProperty("steps", static_cast<int>(step));
}

TEST_P(StoreStepsTest, WhileItIsOpened) {
  Counts before = count(0).value();
  unsigned step = first_step();
  for (; step < steps_max; step += stride) {
    if (count(step)) break;
    std::optional<Counts> counts;
    ASSERT_NO_THROW(counts = count(0)) << "after it was killed at step " << step;
    ASSERT_TRUE(counts);
    EXPECT_GE(counts->lowest, before.lowest + 1) << "after it was killed at step " << step;
    EXPECT_LE(counts->highest, before.highest + 2) << "after it was killed at step " << step;
    before = *counts;
  }
  EXPECT_GT(step, 3u) << "its steps are not seen";
  EXPECT_LT(step, steps_max);
  RecordProperty("steps", static_cast<int>(step));
}

// Counts need no sync here. A record that was answered is there all the same, and none is there in a store that an
// earlier tracker would count in.
TEST_P(StoreStepsTest, WhileItsFirstRecordIsWritten) {
  unsigned step = first_step();
  for (; step < steps_max; step += stride) {
    SCOPED_TRACE("killed at step " + std::to_string(step));
    std::filesystem::remove_all(data_);
    ASSERT_TRUE(count(0));
    const auto killed = write_record(step);
    const auto format_then = format();
    if (killed.answered) {
      EXPECT_EQ(format_then, "tracker store, format 4");
    }
    Records after{};
    ASSERT_NO_THROW(after = write_record(0));
    ASSERT_TRUE(after.found && after.answered);
    EXPECT_GE(*after.found, killed.answered.value_or(0));
    EXPECT_LE(*after.found, 1);
    if (*after.found == 1) {
      EXPECT_EQ(format_then, "tracker store, format 4");
    }
    if (!killed.was_killed) break;
  }
  EXPECT_GT(step, 10u) << "its steps are not seen";
  EXPECT_LT(step, steps_max);
  RecordProperty("steps", static_cast<int>(step));
}

TEST_P(StoreStepsTest, ARecordThatWasAnsweredIsThere) {
  for (int number = 0; number < 5; ++number) {
    const auto records = write_record(0);
    EXPECT_EQ(records.found, number);
    EXPECT_EQ(records.answered, number + 1);
  }
}

INSTANTIATE_TEST_SUITE_P(, StoreStepsTest, testing::Bool(), [](const auto& its) {
  return its.param ? "AndThePowerGoes" : "AndTheKernelKeepsAll";
});

}  // namespace
}  // namespace tracker::tests
