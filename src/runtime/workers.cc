#include "runtime/workers.h"

#include <pthread.h>

#include <csignal>
#include <string>

namespace tracker::runtime {

Workers::Workers(unsigned count) {
  for (unsigned i = 0; i < count; ++i) workers_.push_back(std::make_unique<Worker>());
}

Workers::~Workers() {
  stop();
}

void Workers::start() {
  sigset_t all;
  sigset_t before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);  // the new threads inherit this
  for (std::size_t i = 0; i < workers_.size(); ++i) {
    auto& worker = *workers_[i];
    worker.thread = std::thread([&worker] { worker.context.run(); });
    pthread_setname_np(worker.thread.native_handle(), ("worker-" + std::to_string(i)).substr(0, 15).c_str());
  }
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

void Workers::stop() {
  for (auto& worker : workers_) worker->context.stop();
  for (auto& worker : workers_) {
    if (worker->thread.joinable()) worker->thread.join();
  }
}

}  // namespace tracker::runtime
