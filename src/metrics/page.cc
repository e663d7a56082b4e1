#include "metrics/page.h"

#include <prometheus/text_serializer.h>

#include <algorithm>
#include <limits>

namespace tracker::metrics {

using prometheus::ClientMetric;
using prometheus::MetricFamily;
using prometheus::MetricType;

namespace {

constexpr double nanoseconds_in_a_second = 1e9;

std::vector<ClientMetric::Label> to_prometheus(const Labels& labels) {
  std::vector<ClientMetric::Label> its;
  for (const auto& [name, value] : labels) its.push_back({name, value});
  return its;
}

}  // namespace

struct Page::Parts {
  ClientMetric& metric(const std::string& name, const std::string& help, MetricType type,
                       const Labels& labels) {
    auto family = std::ranges::find(families, name, &MetricFamily::name);
    if (family == families.end()) family = families.insert(family, {name, help, type, {}});
    const auto its_labels = to_prometheus(labels);
    const auto found = std::ranges::find(family->metric, its_labels, &ClientMetric::label);
    if (found != family->metric.end()) return *found;
    family->metric.emplace_back().label = its_labels;
    return family->metric.back();
  }

  std::vector<MetricFamily> families;
};

Page::Page() : parts_(std::make_unique<Parts>()) {}
Page::~Page() = default;

void Page::counter(const std::string& name, const std::string& help, const Labels& labels, double value) {
  parts_->metric(name, help, MetricType::Counter, labels).counter.value += value;
}

void Page::gauge(const std::string& name, const std::string& help, const Labels& labels, double value) {
  parts_->metric(name, help, MetricType::Gauge, labels).gauge.value += value;
}

void Page::histogram(const std::string& name, const std::string& help, const Labels& labels,
                     const Durations& durations) {
  add_histogram(name, help, labels, duration_bounds, durations.buckets(), durations.sum(),
                nanoseconds_in_a_second);
}

void Page::histogram(const std::string& name, const std::string& help, const Labels& labels,
                     const Sizes& sizes) {
  add_histogram(name, help, labels, size_bounds, sizes.buckets(), sizes.sum(), 1);
}

/// Bounds and sum are divided by `divisor`.
void Page::add_histogram(const std::string& name, const std::string& help, const Labels& labels,
                         std::span<const std::uint64_t> bounds, std::span<const std::uint64_t> buckets,
                         double sum, double divisor) {
  auto& histogram = parts_->metric(name, help, MetricType::Histogram, labels).histogram;
  histogram.bucket.resize(buckets.size());
  std::uint64_t cumulative = 0;
  for (std::size_t i = 0; i < buckets.size(); ++i) {
    cumulative += buckets[i];
    histogram.bucket[i].cumulative_count += cumulative;
    histogram.bucket[i].upper_bound = i < bounds.size() ? static_cast<double>(bounds[i]) / divisor
                                                        : std::numeric_limits<double>::infinity();
  }
  histogram.sample_count += cumulative;
  histogram.sample_sum += sum / divisor;
}

std::map<std::string, std::uint64_t> Page::counters_by(const std::string& name,
                                                       const std::string& label) const {
  std::map<std::string, std::uint64_t> sums;
  const auto family = std::ranges::find(parts_->families, name, &MetricFamily::name);
  if (family == parts_->families.end()) return sums;
  for (const auto& metric : family->metric) {
    const auto its = std::ranges::find(metric.label, label, &ClientMetric::Label::name);
    if (its != metric.label.end()) sums[its->value] += static_cast<std::uint64_t>(metric.counter.value);
  }
  return sums;
}

std::string Page::text() const {
  return prometheus::TextSerializer().Serialize(parts_->families);
}

}  // namespace tracker::metrics
