#pragma once

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <memory>
#include <mutex>
#include <unordered_set>
#include <utility>

namespace tracker::rpc {

/// Bounds the number of hits and mints under way, of all services of one server together. Half of the places are
/// reserved, in equal shares for all callers. The other half is for whoever comes first. So a caller that takes all it
/// can get still leaves every other caller its share. Any thread.
class Flight {
 public:
  /// A source of hits: the connection of an envoy, or all public calls together. It counts as a caller for its
  /// lifetime. Everything that it has in flight must leave before that ends.
  class Caller {
   public:
    explicit Caller(std::shared_ptr<Flight> flight) : flight_(std::move(flight)) { flight_->join(*this); }
    ~Caller() { flight_->part(*this); }
    Caller(const Caller&) = delete;
    Caller& operator=(const Caller&) = delete;

    /// Returns how many of `n` may be under way from now on.
    std::size_t enter(std::size_t n) noexcept { return flight_->enter(*this, n); }
    void leave(std::size_t n) noexcept { flight_->leave(*this, n); }

    const std::shared_ptr<Flight>& flight() const noexcept { return flight_; }

   private:
    friend class Flight;
    const std::shared_ptr<Flight> flight_;
    std::size_t hits_ = 0;  // protected by the flight's mutex
  };

  explicit Flight(std::size_t max) : max_(max) {}

  std::size_t hits() const noexcept {
    const std::lock_guard lock(mutex_);
    return hits_;
  }
  /// Nothing may enter any more.
  void drain() noexcept { draining_ = true; }
  bool draining() const noexcept { return draining_; }
  /// The total of calls and batches that were refused, wholly or in part.
  std::size_t refused() const noexcept { return refused_; }

 private:
  std::size_t beyond_share(const Caller& caller) const noexcept {
    return caller.hits_ - std::min(caller.hits_, share_);
  }

  std::size_t enter(Caller& caller, std::size_t n) noexcept {
    const std::lock_guard lock(mutex_);
    const std::size_t own_left = share_ - std::min(share_, caller.hits_);
    const std::size_t common_max = max_ - callers_.size() * share_;
    const std::size_t common_left = common_max - std::min(common_max, common_);
    // Shares shrink when a caller joins. There may be no place until hits that entered before that have left.
    const std::size_t left = draining_ ? 0 : max_ - std::min(max_, hits_);
    const std::size_t entered = std::min({n, own_left + common_left, left});
    set_hits(caller, caller.hits_ + entered);
    if (entered < n) ++refused_;
    return entered;
  }

  void leave(Caller& caller, std::size_t n) noexcept {
    const std::lock_guard lock(mutex_);
    set_hits(caller, caller.hits_ - n);
  }

  void set_hits(Caller& caller, std::size_t hits) noexcept {
    common_ -= beyond_share(caller);
    hits_ -= caller.hits_;
    caller.hits_ = hits;
    hits_ += hits;
    common_ += beyond_share(caller);
  }

  void join(Caller& caller) {
    const std::lock_guard lock(mutex_);
    callers_.insert(&caller);
    share_out();
  }
  void part(Caller& caller) noexcept {
    const std::lock_guard lock(mutex_);
    callers_.erase(&caller);
    share_out();
  }
  void share_out() noexcept {
    share_ = callers_.empty() ? 0 : max_ / 2 / callers_.size();
    common_ = 0;
    for (const Caller* caller : callers_) common_ += beyond_share(*caller);
  }

  const std::size_t max_;
  std::atomic<bool> draining_ = false;
  std::atomic<std::size_t> refused_ = 0;
  mutable std::mutex mutex_;
  // Protected by mutex_.
  std::unordered_set<const Caller*> callers_;
  std::size_t share_ = 0;
  std::size_t hits_ = 0;
  std::size_t common_ = 0;  // the part of hits_ beyond their callers' shares
};

}  // namespace tracker::rpc
