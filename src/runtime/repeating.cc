#include "runtime/repeating.h"

#include <utility>

#include "runtime/workers.h"

namespace tracker::runtime {

Repeating::Repeating(const std::string& name, Duration pause, std::function<Duration()> step)
    : step_(std::move(step)), thread_(start_thread(name, [this, pause] { run(pause); })) {}

Repeating::~Repeating() {
  {
    const std::lock_guard lock(mutex_);
    ends_ = true;
  }
  changed_.notify_one();
  thread_.join();
}

void Repeating::run(Duration pause) {
  std::unique_lock lock(mutex_);
  while (!changed_.wait_for(lock, pause, [this] { return ends_; })) {
    lock.unlock();
    pause = step_();
    lock.lock();
  }
}

}  // namespace tracker::runtime
