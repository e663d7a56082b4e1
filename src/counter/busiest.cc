#include "counter/busiest.h"

#include <algorithm>
#include <string_view>
#include <thread>
#include <utility>

namespace tracker::counter {

namespace {

constexpr auto minute = std::chrono::seconds(60);

std::string_view bytes_of(const domain::TokenId& id) {
  return {reinterpret_cast<const char*>(id.bytes.data()), id.bytes.size()};
}

}  // namespace

struct Busiest::Sketches {
  domain::SpaceSaving tokens{capacity, sizeof(domain::TokenId)};
  domain::SpaceSaving paths{capacity, path_bytes};
};

void Busiest::Keys::merge(const Keys& other) {
  tokens.merge(other.tokens, capacity);
  paths.merge(other.paths, capacity);
}

Busiest::Busiest(std::size_t threads, Clock::time_point now)
    : shares_(threads), start_(now), collected_(now) {
  for (std::size_t i = 0; i <= threads; ++i) sketches_.push_back(std::make_unique<Sketches>());
  for (std::size_t i = 0; i < threads; ++i) shares_[i].sketches = sketches_[i].get();
  spare_ = sketches_.back().get();
}

Busiest::~Busiest() = default;

Busiest::Share& Busiest::share_of_this_thread() {
  static std::atomic<std::size_t> threads = 0;
  thread_local const std::size_t number = threads++;
  return shares_[number % shares_.size()];
}

void Busiest::add(const domain::HitBatch& hits, std::span<const domain::HitVerdict> verdicts) {
  auto& share = share_of_this_thread();
  Sketches* sketches = nullptr;
  while ((sketches = share.sketches.exchange(nullptr)) == nullptr) std::this_thread::yield();
  for (const auto& [hit, verdict] : verdicts) {
    if (verdict.kind != domain::Verdict::Kind::counted) continue;
    sketches->tokens.add(bytes_of(hits.id(hit)), domain::TokenIdHash()(hits.id(hit)));
    const auto path = hits.path(hit).substr(0, path_bytes);
    sketches->paths.add(path, hash_(path));
  }
  share.sketches.store(sketches, std::memory_order_release);
}

void Busiest::collect(Clock::time_point now) {
  const std::lock_guard lock(mutex_);
  collect_locked(now);
}

void Busiest::collect_locked(Clock::time_point now) {
  if (intervals_.empty() || collected_ - intervals_.back().begin >= step)
    intervals_.push_back({collected_, {}});
  for (auto& share : shares_) {
    Sketches* full = share.sketches;
    while (full == nullptr || !share.sketches.compare_exchange_weak(full, spare_)) {
      std::this_thread::yield();
      full = share.sketches;
    }
    spare_ = full;
    if (full->tokens.empty()) continue;
    const Keys seen{full->tokens.frequent(), full->paths.frequent()};
    full->tokens.clear();
    full->paths.clear();
    intervals_.back().keys.merge(seen);
    all_.merge(seen);
  }
  collected_ = now;
  while (!intervals_.empty() && now - intervals_.front().begin > minute) intervals_.pop_front();
}

Busiest::Periods Busiest::read(By by, Clock::time_point now) {
  const std::lock_guard lock(mutex_);
  collect_locked(now);
  Periods periods;
  periods.since_start = {now - start_, all_.by(by)};
  for (const auto& interval : intervals_) periods.last_minute.keys.merge(interval.keys.by(by), capacity);
  if (!intervals_.empty()) periods.last_minute.length = now - intervals_.front().begin;
  return periods;
}

}  // namespace tracker::counter
