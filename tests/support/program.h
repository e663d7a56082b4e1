#ifndef TRACKER_TESTS_SUPPORT_PROGRAM_H_
#define TRACKER_TESTS_SUPPORT_PROGRAM_H_

#include <sys/types.h>

#include <chrono>
#include <condition_variable>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "support/deadline.h"
#include "support/endpoint.h"

namespace tracker::tests {

using Arguments = std::vector<std::string>;
using Environment = std::map<std::string, std::string>;

// The path of the tracker under test.
std::string tracker_binary();

// One run of the real tracker, or of another `executable`. Its settings come from `arguments` and `environment` only.
// Settings in the environment of the tests are removed. Start it from the test's main thread, because it dies with the
// thread that started it.
class Program {
 public:
  explicit Program(const Arguments& arguments, const Environment& environment = {},
                   const std::string& executable = tracker_binary());
  // Kills and reaps the program if it is still running.
  ~Program();
  Program(const Program&) = delete;
  Program& operator=(const Program&) = delete;

  // Waits for the `listening` line and returns its doors by name. Throws if the program ends first.
  std::map<std::string, Endpoint> wait_listening();

  // Does nothing if the program has ended. Returns from SIGSTOP when every thread has stopped.
  void send_signal(int signal);

  // Returns the exit code, or minus the signal that ended it. Returns nothing if it is still running at the deadline.
  std::optional<int> wait_exit(std::chrono::milliseconds within = patience);

  bool running();
  pid_t pid() const { return pid_; }
  std::string standard_output();
  std::string standard_error();
  // Standard output and standard error, in the order in which they arrived.
  std::string output();

 private:
  void watch(int out_fd, int err_fd);
  void read_streams(int out_fd, int err_fd);

  pid_t pid_ = 0;
  std::mutex mutex_;
  std::condition_variable changed_;
  // Protected by mutex_.
  std::string out_;
  std::string err_;
  std::string output_;
  std::optional<int> exit_code_;
  // Last, so that it starts when everything else is constructed.
  std::thread watcher_;
};

// The result of a run to its end.
struct Outcome {
  std::optional<int> exit_code;
  std::string out;
  std::string err;
};
Outcome run_to_end(const Arguments& arguments, const Environment& environment = {});

// The resident memory of a process in bytes. Throws std::runtime_error if there is no such process.
std::size_t resident_bytes(pid_t process);

// The doors in the first complete `listening` line of a log. Empty if there is none.
std::map<std::string, Endpoint> listening_doors(const std::string& log);

}  // namespace tracker::tests

#endif  // TRACKER_TESTS_SUPPORT_PROGRAM_H_
