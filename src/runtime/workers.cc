#include "runtime/workers.h"

#include <pthread.h>

#include <cassert>
#include <csignal>
#include <utility>

#include "runtime/priority.h"

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
