#pragma once

#include <condition_variable>
#include <memory>
#include <mutex>
#include <thread>

#include "app/admin.h"
#include "counter/busiest.h"

namespace tracker::app {

/// What is busiest, with a thread that has it collected now and then.
class BusiestWatch {
 public:
  /// `threads` is how many threads count.
  explicit BusiestWatch(std::size_t threads);
  ~BusiestWatch();
  BusiestWatch(const BusiestWatch&) = delete;
  BusiestWatch& operator=(const BusiestWatch&) = delete;

  counter::Busiest& busiest() noexcept { return busiest_; }

 private:
  void run();

  counter::Busiest busiest_;
  std::mutex mutex_;
  std::condition_variable changed_;
  bool ends_ = false;  // mutex_
  std::thread thread_;
};

/// Null: there will be no admin door, at which one could ask.
std::unique_ptr<BusiestWatch> watch_busiest(const OpenStore& open_store, const AdminSettings& settings,
                                            std::size_t threads);

}  // namespace tracker::app
