#include "runtime/workers.h"

#include <pthread.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cassert>
#include <csignal>
#include <cstdint>
#include <utility>

namespace tracker::runtime {

std::thread start_thread(const std::string& name, std::function<void()> run) {
  sigset_t all;
  sigset_t before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);  // the new thread inherits this
  std::thread thread;
  try {
    thread = std::thread(std::move(run));
  } catch (...) {
    pthread_sigmask(SIG_SETMASK, &before, nullptr);
    throw;
  }
  pthread_setname_np(thread.native_handle(), name.substr(0, 15).c_str());
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  return thread;
}

void run_in_short_slices() noexcept {
  // sched_setattr(2), which libc does not have: the ordinary policy with the shortest slice.
  struct {
    std::uint32_t size = sizeof(*this);
    std::uint32_t policy = SCHED_OTHER;
    std::uint64_t flags = 0;
    std::int32_t nice = getpriority(PRIO_PROCESS, 0);
    std::uint32_t priority = 0;
    std::uint64_t runtime_ns = 100'000;
    std::uint64_t deadline_ns = 0;
    std::uint64_t period_ns = 0;
  } attributes;
  static_cast<void>(syscall(SYS_sched_setattr, 0, &attributes, 0));
}

void give_way() noexcept {
  constexpr int niceness = 10;
  ::setpriority(PRIO_PROCESS, 0, niceness);  // in Linux, of this thread alone
}

Workers::Workers(unsigned count) {
  for (unsigned i = 0; i < count; ++i) workers_.push_back(std::make_unique<Worker>());
}

Workers::~Workers() {
  stop();
}

void interrupt_nobody() noexcept {
  const sched_param none{};
  static_cast<void>(sched_setscheduler(0, SCHED_BATCH, &none));
}

std::vector<boost::asio::io_context*> Workers::contexts() {
  std::vector<boost::asio::io_context*> contexts;
  for (auto& worker : workers_) contexts.push_back(&worker->context);
  return contexts;
}

void Workers::start() {
  try {
    for (std::size_t i = 0; i < workers_.size(); ++i) {
      auto& worker = *workers_[i];
      worker.thread = start_thread("worker-" + std::to_string(i), [&worker] {
        interrupt_nobody();
        worker.context.run();
      });
    }
  } catch (...) {
    stop();  // before anything that they use is gone
    throw;
  }
}

void Workers::stop() {
  for (auto& worker : workers_) worker->context.stop();
  for (auto& worker : workers_) {
    assert(worker->thread.get_id() != std::this_thread::get_id());
    if (worker->thread.joinable()) worker->thread.join();
  }
}

}  // namespace tracker::runtime
