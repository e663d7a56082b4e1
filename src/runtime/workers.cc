#include "runtime/workers.h"

#include <pthread.h>

#include <csignal>
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

Workers::Workers(unsigned count) {
  for (unsigned i = 0; i < count; ++i) workers_.push_back(std::make_unique<Worker>());
}

Workers::~Workers() {
  stop();
}

void Workers::start() {
  for (std::size_t i = 0; i < workers_.size(); ++i) {
    auto& worker = *workers_[i];
    worker.thread = start_thread("worker-" + std::to_string(i), [&worker] { worker.context.run(); });
  }
}

void Workers::stop() {
  for (auto& worker : workers_) worker->context.stop();
  for (auto& worker : workers_) {
    if (worker->thread.joinable()) worker->thread.join();
  }
}

}  // namespace tracker::runtime
