#include "app/busiest_watch.h"

#include "runtime/workers.h"

namespace tracker::app {

using counter::Busiest;

BusiestWatch::BusiestWatch(std::size_t threads)
    : busiest_(threads, Busiest::Clock::now()),
      thread_(runtime::start_thread("busiest", [this] { run(); })) {}

BusiestWatch::~BusiestWatch() {
  {
    const std::lock_guard lock(mutex_);
    ends_ = true;
  }
  changed_.notify_all();
  thread_.join();
}

void BusiestWatch::run() {
  std::unique_lock lock(mutex_);
  while (!changed_.wait_for(lock, Busiest::step, [this] { return ends_; }))
    busiest_.collect(Busiest::Clock::now());
}

std::unique_ptr<BusiestWatch> watch_busiest(const OpenStore& open_store, const AdminSettings& settings,
                                            std::size_t threads) {
  if (!open_store.backup && settings.socket.empty() && !settings.address) return nullptr;
  return std::make_unique<BusiestWatch>(threads);
}

}  // namespace tracker::app
