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

// The path of the tracker that is tested.
std::string tracker_binary();

// One run of the real tracker, or of another `executable` that it needs. Its settings come from `arguments`
// and `environment` alone: the settings of whoever runs the tests are taken out. Start it from the test's
// main thread: it dies with the thread that started it.
class Program {
 public:
  explicit Program(const Arguments& arguments, const Environment& environment = {},
                   const std::string& executable = tracker_binary());
  // Kills and reaps the program if it still runs.
  ~Program();
  Program(const Program&) = delete;
  Program& operator=(const Program&) = delete;

  // Waits for the `listening` line and returns its doors by name. Throws if the program ends first.
  std::map<std::string, Endpoint> wait_listening();

  // Nothing happens if it has ended already.
  void send_signal(int signal);

  // The exit code, or minus the signal that ended it; nothing if it still runs at the deadline.
  std::optional<int> wait_exit(std::chrono::milliseconds within = patience);

  bool running();
  pid_t pid() const { return pid_; }
  std::string standard_output();
  std::string standard_error();
  // Both, in the order in which they arrived.
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
  // Last, so that it starts when everything else is there.
  std::thread watcher_;
};

// A run to its end.
struct Outcome {
  std::optional<int> exit_code;
  std::string out;
  std::string err;
};
Outcome run_to_end(const Arguments& arguments, const Environment& environment = {});

// How many bytes of memory a process has resident. Throws std::runtime_error if there is no such process.
std::size_t resident_bytes(pid_t process);

// The doors in the first complete `listening` line of a log; empty if there is none.
std::map<std::string, Endpoint> listening_doors(const std::string& log);

}  // namespace tracker::tests

#endif  // TRACKER_TESTS_SUPPORT_PROGRAM_H_
