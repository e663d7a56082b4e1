#include "metrics/process.h"

#include <sys/resource.h>
#include <unistd.h>

#include <cstdint>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <optional>
#include <sstream>
#include <system_error>

namespace tracker::metrics {

namespace {

namespace fs = std::filesystem;

/// The fields of /proc/self/stat that are used here (proc(5)).
struct Stat {
  double user_ticks = 0;
  double system_ticks = 0;
  double threads = 0;
  double start_ticks = 0;  // after the machine started
  double virtual_bytes = 0;
  double resident_pages = 0;
};

std::optional<Stat> read_stat() {
  std::ifstream file("/proc/self/stat");
  const std::string text{std::istreambuf_iterator<char>(file), {}};
  const auto name_end = text.rfind(')');  // the name before it may hold anything
  if (name_end == text.npos) return std::nullopt;
  std::istringstream fields(text.substr(name_end + 1));
  std::string skipped;
  Stat stat;
  const auto skip = [&](int count) {
    while (count-- > 0) fields >> skipped;
  };
  skip(11);  // from state to cmajflt
  fields >> stat.user_ticks >> stat.system_ticks;
  skip(4);  // cutime, cstime, priority, nice
  fields >> stat.threads;
  skip(1);  // itrealvalue
  fields >> stat.start_ticks >> stat.virtual_bytes >> stat.resident_pages;
  return fields ? std::optional(stat) : std::nullopt;
}

/// When the machine started, in seconds since 1970.
std::optional<double> boot_time_s() {
  std::ifstream file("/proc/stat");
  for (std::string line; std::getline(file, line);) {
    if (line.starts_with("btime ")) return std::stod(line.substr(6));
  }
  return std::nullopt;
}

std::optional<double> open_descriptors() {
  std::error_code error;
  double count = -1;  // the one that reads the directory
  for (fs::directory_iterator entry("/proc/self/fd", error), end; !error && entry != end;
       entry.increment(error)) {
    ++count;
  }
  return error ? std::nullopt : std::optional(count);
}

}  // namespace

void report_process(Page& page) {
  if (const auto stat = read_stat()) {
    const auto ticks_per_s = static_cast<double>(::sysconf(_SC_CLK_TCK));
    page.counter("process_cpu_seconds_total", "Total user and system CPU time spent in seconds.", {},
                 (stat->user_ticks + stat->system_ticks) / ticks_per_s);
    page.gauge("process_resident_memory_bytes", "Resident memory size in bytes.", {},
               stat->resident_pages * static_cast<double>(::sysconf(_SC_PAGESIZE)));
    page.gauge("process_virtual_memory_bytes", "Virtual memory size in bytes.", {}, stat->virtual_bytes);
    page.gauge("process_threads", "Number of OS threads in the process.", {}, stat->threads);
    if (const auto boot = boot_time_s()) {
      page.gauge("process_start_time_seconds", "Start time of the process since unix epoch in seconds.", {},
                 *boot + stat->start_ticks / ticks_per_s);
    }
  }
  if (const auto count = open_descriptors()) {
    page.gauge("process_open_fds", "Number of open file descriptors.", {}, *count);
  }
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) == 0) {
    page.gauge("process_max_fds", "Maximum number of open file descriptors.", {},
               static_cast<double>(limit.rlim_cur));
  }
}

}  // namespace tracker::metrics
