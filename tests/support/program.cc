#include "support/program.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <boost/process/args.hpp>
#include <boost/process/child.hpp>
#include <boost/process/env.hpp>
#include <boost/process/environment.hpp>
#include <boost/process/exe.hpp>
#include <boost/process/extend.hpp>
#include <boost/process/io.hpp>
#include <boost/process/posix.hpp>
#include <fstream>
#include <sstream>
#include <stdexcept>
#include <string_view>
#include <system_error>

namespace tracker::tests {
namespace {

namespace bp = boost::process;

struct Pipe {
  int read_end = -1;
  int write_end = -1;

  Pipe() {
    std::array<int, 2> ends{};
    if (::pipe2(ends.data(), O_CLOEXEC) != 0)
      throw std::system_error(errno, std::generic_category(), "pipe2");
    read_end = ends[0];
    write_end = ends[1];
  }
};

bp::environment clean_environment(const Environment& additions) {
  const bp::environment inherited = boost::this_process::environment();
  bp::environment result = inherited;
  for (const auto& entry : inherited) {
    const std::string name = entry.get_name();
    if (name.starts_with("TRACKER_") || name.ends_with("_ADDR")) result.erase(name);
  }
  for (const auto& [name, value] : additions) result[name] = value;
  return result;
}

pid_t start(const std::string& executable, const Arguments& arguments, const Environment& additions,
            const Pipe& out, const Pipe& err) {
  bp::environment environment = clean_environment(additions);
  bp::child child(
      bp::exe = executable, bp::args = arguments, environment, bp::std_in < bp::null,
      bp::posix::fd.bind(STDOUT_FILENO, out.write_end), bp::posix::fd.bind(STDERR_FILENO, err.write_end),
      // If a test is killed, no program stays behind.
      bp::extend::on_exec_setup = [](auto&) { ::prctl(PR_SET_PDEATHSIG, SIGKILL); });
  const pid_t pid = child.id();
  child.detach();  // watch() reaps it
  return pid;
}

int exit_code_of(int status) {
  return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

}  // namespace

std::string tracker_binary() {
  return TRACKER_BINARY;
}

Program::Program(const Arguments& arguments, const Environment& environment, const std::string& executable) {
  const Pipe out;
  const Pipe err;
  pid_ = start(executable, arguments, environment, out, err);
  ::close(out.write_end);
  ::close(err.write_end);
  watcher_ = std::thread([this, out, err] { watch(out.read_end, err.read_end); });
}

Program::~Program() {
  send_signal(SIGKILL);
  watcher_.join();
}

void Program::watch(int out_fd, int err_fd) {
  read_streams(out_fd, err_fd);
  ::close(out_fd);
  ::close(err_fd);
  siginfo_t info{};
  while (::waitid(P_PID, static_cast<id_t>(pid_), &info, WEXITED | WNOWAIT) != 0 && errno == EINTR) {
  }
  // Reaps under the lock, so that send_signal never reaches a pid that already belongs to another process.
  const std::lock_guard lock(mutex_);
  int status = 0;
  ::waitpid(pid_, &status, 0);
  exit_code_ = exit_code_of(status);
  changed_.notify_all();
}

void Program::read_streams(int out_fd, int err_fd) {
  std::array<pollfd, 2> streams{{{out_fd, POLLIN, 0}, {err_fd, POLLIN, 0}}};
  std::array<char, 4096> buffer{};
  while (streams[0].fd >= 0 || streams[1].fd >= 0) {
    if (::poll(streams.data(), streams.size(), -1) < 0) continue;
    for (pollfd& stream : streams) {
      if (stream.fd < 0 || stream.revents == 0) continue;
      const ssize_t size = ::read(stream.fd, buffer.data(), buffer.size());
      if (size <= 0) {
        stream.fd = -1;
        continue;
      }
      const std::string_view text(buffer.data(), static_cast<std::size_t>(size));
      const std::lock_guard lock(mutex_);
      (stream.fd == out_fd ? out_ : err_).append(text);
      output_.append(text);
      changed_.notify_all();
    }
  }
}

std::map<std::string, Endpoint> Program::wait_listening() {
  std::unique_lock lock(mutex_);
  std::map<std::string, Endpoint> doors;
  changed_.wait_until(lock, Deadline().end(), [&] {
    doors = listening_doors(output_);
    return !doors.empty() || exit_code_;
  });
  if (doors.empty()) throw std::runtime_error("the program does not listen; it said:\n" + output_);
  return doors;
}

void Program::send_signal(int signal) {
  const std::lock_guard lock(mutex_);
  if (exit_code_) return;
  ::kill(pid_, signal);
  if (signal != SIGSTOP) return;
  // The kernel tells the parent of a stop, or an end, that is complete: a thread on another processor goes on for a while.
  siginfo_t info{};
  while (::waitid(P_PID, static_cast<id_t>(pid_), &info, WSTOPPED | WEXITED | WNOWAIT) != 0 &&
         errno == EINTR) {
  }
}

std::optional<int> Program::wait_exit(std::chrono::milliseconds within) {
  std::unique_lock lock(mutex_);
  changed_.wait_until(lock, Deadline(within).end(), [&] { return exit_code_.has_value(); });
  return exit_code_;
}

bool Program::running() {
  const std::lock_guard lock(mutex_);
  return !exit_code_;
}

std::string Program::standard_output() {
  const std::lock_guard lock(mutex_);
  return out_;
}

std::string Program::standard_error() {
  const std::lock_guard lock(mutex_);
  return err_;
}

std::string Program::output() {
  const std::lock_guard lock(mutex_);
  return output_;
}

Outcome run_to_end(const Arguments& arguments, const Environment& environment) {
  Program program(arguments, environment);
  const std::optional<int> exit_code = program.wait_exit();
  return {exit_code, program.standard_output(), program.standard_error()};
}

std::size_t resident_bytes(pid_t process) {
  std::ifstream status("/proc/" + std::to_string(process) + "/status");
  for (std::string word; status >> word;) {
    std::size_t kilobytes = 0;
    if (word == "VmRSS:" && status >> kilobytes) return kilobytes << 10U;
  }
  throw std::runtime_error("the memory of process " + std::to_string(process) + " is not known");
}

std::map<std::string, Endpoint> listening_doors(const std::string& log) {
  constexpr std::string_view mark = "listening ";
  for (std::size_t begin = 0, end = 0; (end = log.find('\n', begin)) != std::string::npos; begin = end + 1) {
    std::string line = log.substr(begin, end - begin);
    const auto at = line.find(mark);
    if (at == std::string::npos) continue;
    line.resize(std::min(line.size(), line.find('"', at)));  // where the line is JSON
    std::map<std::string, Endpoint> doors;
    std::istringstream words(line.substr(at + mark.size()));
    for (std::string word; words >> word;) {
      const auto equals = word.find('=');
      if (equals == std::string::npos) break;
      doors[word.substr(0, equals)] = Endpoint::parse(word.substr(equals + 1));
    }
    if (!doors.empty()) return doors;
  }
  return {};
}

}  // namespace tracker::tests
