// The micro-benchmarks: micro_bench [--benchmark_filter=REGEX] [--benchmark_repetitions=N] ...
#include <benchmark/benchmark.h>

#include <cstdio>

namespace {

/// Prints the results, and records whether a benchmark found its result wrong. Google Benchmark itself exits with 0
/// then.
class Reporter final : public benchmark::ConsoleReporter {
 public:
  Reporter() : ConsoleReporter(OO_Tabular) {}

  void ReportRuns(const std::vector<Run>& runs) override {
    for (const auto& run : runs) wrong_ = wrong_ || run.error_occurred;
    ConsoleReporter::ReportRuns(runs);
  }

  bool wrong() const noexcept { return wrong_; }

 private:
  bool wrong_ = false;
};

}  // namespace

int main(int argc, char** argv) {
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 2;
  Reporter reporter;
  if (benchmark::RunSpecifiedBenchmarks(&reporter) == 0) {
    std::fputs("no benchmark was run\n", stderr);
    return 1;
  }
  return reporter.wrong() ? 1 : 0;
}
