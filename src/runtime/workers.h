#pragma once

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

namespace tracker::runtime {

/// Starts a thread with a name, cut to 15 characters. The thread blocks all signals.
std::thread start_thread(const std::string& name, std::function<void()> run);

/// The worker threads, with one event loop each. What belongs to a worker is touched only by its thread.
class Workers {
 public:
  /// Makes the loops. Nothing runs yet.
  explicit Workers(unsigned count);

  /// Stops and joins.
  ~Workers();

  std::size_t count() const noexcept { return workers_.size(); }
  boost::asio::io_context& context(std::size_t worker) noexcept { return workers_[worker]->context; }
  std::vector<boost::asio::io_context*> contexts();  // of all workers, in order

  /// Starts the threads. They block all signals, and interrupt_nobody().
  void start();

  /// Ends the loops, even if work waits in them, and joins the threads. Must not be called from a worker.
  void stop();

 private:
  struct Worker {
    // One thread runs it and does all I/O in it. Other threads only post.
    boost::asio::io_context context{BOOST_ASIO_CONCURRENCY_HINT_UNSAFE_IO};
    boost::asio::executor_work_guard<boost::asio::io_context::executor_type> work{context.get_executor()};
    std::thread thread;
  };
  std::vector<std::unique_ptr<Worker>> workers_;
};

/// Stops the workers at the end of its scope. Declare it after everything that they use.
class StopAtEnd {
 public:
  explicit StopAtEnd(Workers& workers) : workers_(workers) {}
  ~StopAtEnd() { workers_.stop(); }
  StopAtEnd(const StopAtEnd&) = delete;
  StopAtEnd& operator=(const StopAtEnd&) = delete;

 private:
  Workers& workers_;
};

}  // namespace tracker::runtime
