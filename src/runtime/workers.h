#pragma once

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

namespace tracker::runtime {

/// Starts a thread with a name (15 characters of it are kept); signals are left to the thread that calls this.
std::thread start_thread(const std::string& name, std::function<void()> run);

/// Throws std::system_error unless this process may have `count` more threads at once, each with memory of its own. For
/// libraries that hang, or abort, where they get none.
void require_threads(std::size_t count);

/// Asks the system to let the calling thread run as soon as it can, ahead of threads that are about to use
/// their whole slice: for work that is short and that many wait for. A hint; Linux heeds it from 6.12 on.
void run_in_short_slices() noexcept;

/// The worker threads: one event loop each. What belongs to a worker is touched by its thread alone.
class Workers {
 public:
  /// Makes the loops; nothing runs yet.
  explicit Workers(unsigned count);

  /// Stops and joins.
  ~Workers();

  std::size_t count() const noexcept { return workers_.size(); }
  boost::asio::io_context& context(std::size_t worker) noexcept { return workers_[worker]->context; }

  /// Starts the threads; signals are left to the thread that calls this.
  void start();

  /// Ends the loops, whatever still waits in them, and joins the threads. Not from a worker.
  void stop();

 private:
  struct Worker {
    // One thread runs it, and does all the I/O in it: others only post.
    boost::asio::io_context context{BOOST_ASIO_CONCURRENCY_HINT_UNSAFE_IO};
    boost::asio::executor_work_guard<boost::asio::io_context::executor_type> work{context.get_executor()};
    std::thread thread;
  };
  std::vector<std::unique_ptr<Worker>> workers_;
};

/// Stops the workers at the end of its scope: it stands behind what they work with.
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
