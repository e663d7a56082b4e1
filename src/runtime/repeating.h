#pragma once

#include <chrono>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <string>
#include <thread>

namespace tracker::runtime {

/// A thread that does something again and again, with pauses. Make it the last member of its owner, so that it ends first.
class Repeating {
 public:
  using Duration = std::chrono::steady_clock::duration;

  /// Calls `step` on the thread after `pause`, and again after each pause that it returns. `name` is the thread's.
  Repeating(const std::string& name, Duration pause, std::function<Duration()> step);
  /// Waits for the step that is running, and for no pause.
  ~Repeating();
  Repeating(const Repeating&) = delete;
  Repeating& operator=(const Repeating&) = delete;

 private:
  void run(Duration pause);

  const std::function<Duration()> step_;
  std::mutex mutex_;
  std::condition_variable changed_;
  bool ends_ = false;  // mutex_
  std::thread thread_;
};

}  // namespace tracker::runtime
