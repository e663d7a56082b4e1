#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "metrics/histogram.h"

namespace tracker::metrics {

/// Pairs of name and value. No value may be one that a client chooses: each makes a series.
using Labels = std::vector<std::pair<std::string, std::string>>;

/// The answer to one scrape. What is added under one name and with the same labels is summed, so each worker adds its
/// own numbers. Not synchronised.
class Page {
 public:
  Page();
  ~Page();
  Page(const Page&) = delete;
  Page& operator=(const Page&) = delete;

  /// A name keeps the help of its first call, here and below.
  void counter(const std::string& name, const std::string& help, const Labels& labels, double value);
  void gauge(const std::string& name, const std::string& help, const Labels& labels, double value);
  /// In seconds.
  void histogram(const std::string& name, const std::string& help, const Labels& labels,
                 const Durations& durations);
  void histogram(const std::string& name, const std::string& help, const Labels& labels, const Sizes& sizes);

  /// What the counters of this name have, summed by the value of this label.
  std::map<std::string, std::uint64_t> counters_by(const std::string& name, const std::string& label) const;

  /// In Prometheus' text format, version 0.0.4.
  std::string text() const;

 private:
  struct Parts;

  void add_histogram(const std::string& name, const std::string& help, const Labels& labels,
                     std::span<const std::uint64_t> bounds, std::span<const std::uint64_t> buckets,
                     double sum, double divisor);

  std::unique_ptr<Parts> parts_;
};

}  // namespace tracker::metrics
