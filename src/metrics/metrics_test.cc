#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <string>
#include <thread>

#include "metrics/batches.h"
#include "metrics/histogram.h"
#include "metrics/page.h"
#include "metrics/process.h"
#include "metrics/tally.h"

namespace tracker::metrics {
namespace {

using testing::HasSubstr;
using testing::Not;
using namespace std::chrono_literals;

TEST(Tally, IsReadByAnotherThreadWhileItGrows) {
  Tally tally;
  std::thread writer([&] {
    for (int i = 0; i < 100'000; ++i) tally.add(2);
  });
  std::uint64_t before = 0;
  while (before < 200'000) {
    const auto now = tally.value();
    ASSERT_GE(now, before);
    before = now;
  }
  writer.join();
  EXPECT_EQ(tally.value(), 200'000);
}

TEST(Level, RisesAndFalls) {
  Level level;
  level.add(3);
  level.add(-5);
  EXPECT_EQ(level.value(), -2);
  level.set(7);
  EXPECT_EQ(level.value(), 7);
}

TEST(Histogram, PutsAValueIntoTheFirstBucketThatIsLargeEnough) {
  Sizes sizes;
  sizes.observe(1);
  sizes.observe(2);
  sizes.observe(3, 10);
  sizes.observe(65'536);
  sizes.observe(65'537);
  const auto buckets = sizes.buckets();
  EXPECT_EQ(buckets[0], 1);
  EXPECT_EQ(buckets[1], 1);
  EXPECT_EQ(buckets[2], 10);
  EXPECT_EQ(buckets[16], 1);
  EXPECT_EQ(buckets[17], 1);
  EXPECT_EQ(sizes.sum(), 1 + 2 + 30 + 65'536 + 65'537);
}

TEST(Histogram, FindsTheBucketOfEveryValue) {
  for (std::size_t i = 0; i < duration_bounds.size(); ++i) {
    for (const std::uint64_t value : {duration_bounds[i] - 1, duration_bounds[i], duration_bounds[i] + 1}) {
      Histogram<duration_bounds> durations;
      durations.observe(value);
      EXPECT_EQ(durations.buckets()[value > duration_bounds[i] ? i + 1 : i], 1) << value;
    }
  }
  Histogram<duration_bounds> extremes;
  extremes.observe(0);
  extremes.observe(UINT64_MAX);
  EXPECT_EQ(extremes.buckets().front(), 1);
  EXPECT_EQ(extremes.buckets().back(), 1);
}

TEST(Histogram, TakesAClockThatWentBackForNoTime) {
  Durations durations;
  durations.observe(-1s);
  EXPECT_EQ(durations.buckets()[0], 1);
  EXPECT_EQ(durations.sum(), 0);
}

TEST(Page, SumsWhatHasTheSameNameAndLabels) {
  Page page;
  page.counter("a_total", "What a is.", {{"kind", "x"}}, 1);
  page.counter("a_total", "", {{"kind", "y"}}, 10);
  page.counter("a_total", "", {{"kind", "x"}}, 2);
  page.gauge("b", "What b is.", {}, -4);
  EXPECT_EQ(
      page.text(),
      "# HELP a_total What a is.\n# TYPE a_total counter\na_total{kind=\"x\"} 3\na_total{kind=\"y\"} 10\n"
      "# HELP b What b is.\n# TYPE b gauge\nb -4\n");
}

TEST(Page, SumsCountersByOneLabel) {
  Page page;
  page.counter("a_total", "What a is.", {{"kind", "x"}, {"client", "c"}}, 1);
  page.counter("a_total", "", {{"kind", "x"}, {"client", "d"}}, 2);
  page.counter("a_total", "", {{"kind", "y"}, {"client", "c"}}, 4);
  using Sums = std::map<std::string, std::uint64_t>;
  EXPECT_EQ(page.counters_by("a_total", "kind"), (Sums{{"x", 3}, {"y", 4}}));
  EXPECT_EQ(page.counters_by("a_total", "client"), (Sums{{"c", 5}, {"d", 2}}));
  EXPECT_EQ(page.counters_by("b_total", "kind"), Sums());
}

TEST(Page, WritesHistogramsInBaseUnitsAndCumulative) {
  Durations one;
  one.observe(20us, 3);
  Durations other;
  other.observe(20us);
  other.observe(20s);
  Page page;
  page.histogram("a_seconds", "What a is.", {}, one);
  page.histogram("a_seconds", "", {}, other);
  const auto text = page.text();
  EXPECT_THAT(text, HasSubstr("a_seconds_bucket{le=\"1e-05\"} 0\n"));
  EXPECT_THAT(text, HasSubstr("a_seconds_bucket{le=\"2.5e-05\"} 4\n"));
  EXPECT_THAT(text, HasSubstr("a_seconds_bucket{le=\"10\"} 4\n"));
  EXPECT_THAT(text, HasSubstr("a_seconds_bucket{le=\"+Inf\"} 5\n"));
  EXPECT_THAT(text, HasSubstr("a_seconds_count 5\n"));
  EXPECT_THAT(text, HasSubstr("a_seconds_sum 20.00008\n"));
}

TEST(Batches, SayWhoIsBehind) {
  Batches batches;
  batches.hits.observe(5);
  batches.durations.observe(1ms);
  Page over_store;
  batches.report(over_store, "http", Batches::Behind::store);
  EXPECT_THAT(over_store.text(), HasSubstr("tracker_batch_hits_sum{door=\"http\"} 5\n"));
  EXPECT_THAT(over_store.text(), HasSubstr("tracker_store_duration_seconds_count{door=\"http\"} 1\n"));
  Page over_counters;
  batches.report(over_counters, "http", Batches::Behind::counters);
  EXPECT_THAT(over_counters.text(), HasSubstr("tracker_counters_duration_seconds_count{door=\"http\"} 1\n"));
  EXPECT_THAT(over_counters.text(), Not(HasSubstr("tracker_store_")));
}

TEST(Process, HasWhatEveryClientLibraryHas) {
  Page page;
  report_process(page);
  for (const char* name :
       {"process_cpu_seconds_total", "process_resident_memory_bytes", "process_virtual_memory_bytes",
        "process_threads", "process_start_time_seconds", "process_open_fds", "process_max_fds"}) {
    EXPECT_THAT(page.text(), HasSubstr("\n" + std::string(name) + " ")) << name;
  }
  EXPECT_THAT(page.text(), Not(HasSubstr("process_resident_memory_bytes 0\n")));
}

}  // namespace
}  // namespace tracker::metrics
