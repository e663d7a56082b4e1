#pragma once

#include <functional>
#include <list>
#include <mutex>
#include <utility>

namespace tracker::runtime {

/// Ends a subscription when it is destroyed. After that no call to the subscriber is under way, and none will come.
class Subscription {
 public:
  explicit Subscription(std::function<void()> end) : end_(std::move(end)) {}
  Subscription(Subscription&& other) noexcept : end_(std::exchange(other.end_, nullptr)) {}
  Subscription& operator=(Subscription&&) = delete;
  ~Subscription() {
    if (end_) end_();
  }

 private:
  std::function<void()> end_;
};

/// A value that tells its subscribers when it changes, so that nobody has to ask again and again. It outlives its
/// subscriptions. Any thread may call it.
template <typename T>
class Observable {
 public:
  using Subscriber = std::function<void(const T&)>;

  explicit Observable(T value) : value_(std::move(value)) {}
  Observable(const Observable&) = delete;
  Observable& operator=(const Observable&) = delete;

  T value() const {
    const std::lock_guard lock(value_mutex_);
    return value_;
  }

  /// Tells the subscribers, unless `value` equals the value so far.
  void set(T value) {
    update([&] { return std::move(value); });
  }

  /// Sets what `compute` returns. Calls of update() run one after the other. So a value that is computed from several
  /// others is right in the end, if each change of one of them is followed by an update().
  template <typename Compute>
  void update(Compute compute) {
    const std::lock_guard lock(telling_mutex_);
    T value = compute();
    {
      const std::lock_guard value_lock(value_mutex_);
      if (value == value_) return;
      value_ = value;
    }
    for (const auto& subscriber : subscribers_) subscriber(value);
  }

  /// Calls `subscriber` now with the current value, and later with each new one, in their order, on the thread that
  /// sets it. These calls never overlap. They must not block, nor call this object other than value().
  [[nodiscard]] Subscription subscribe(Subscriber subscriber) const {
    const std::lock_guard lock(telling_mutex_);
    subscriber(value());
    const auto place = subscribers_.insert(subscribers_.end(), std::move(subscriber));
    return Subscription([this, place] {
      const std::lock_guard its_lock(telling_mutex_);
      subscribers_.erase(place);
    });
  }

 private:
  // Where both are held, this one was locked first.
  mutable std::mutex telling_mutex_;
  mutable std::list<Subscriber> subscribers_;  // telling_mutex_
  mutable std::mutex value_mutex_;
  T value_;  // value_mutex_
};

}  // namespace tracker::runtime
