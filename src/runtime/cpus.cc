#include "runtime/cpus.h"

#include <sched.h>

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <fstream>
#include <sstream>
#include <vector>

namespace tracker::runtime {

namespace {

using Quota = std::optional<double>;

void lower(Quota& least, Quota quota) {
  if (quota) least = std::min(least.value_or(*quota), *quota);
}

/// Reads a file such as `200000 100000` or `max 100000`: microseconds of CPU time, and the period, in microseconds.
Quota quota_v2(const std::string& group) {
  std::ifstream file(group + "/cpu.max");
  double quota_us = 0;
  double period_us = 0;
  if (!(file >> quota_us >> period_us) || quota_us <= 0 || period_us <= 0) return std::nullopt;
  return quota_us / period_us;
}

Quota quota_v1(const std::string& group) {
  double quota_us = 0;
  double period_us = 0;
  if (!(std::ifstream(group + "/cpu.cfs_quota_us") >> quota_us) || quota_us <= 0) return std::nullopt;
  if (!(std::ifstream(group + "/cpu.cfs_period_us") >> period_us) || period_us <= 0) return std::nullopt;
  return quota_us / period_us;
}

/// The smallest quota of the group and its ancestors, up to the root. A container may see only some of them, or see its
/// own group as the root. A group that is not visible counts as having no quota.
Quota least_quota(const std::string& root, std::string group, Quota (*quota_of)(const std::string& group)) {
  Quota least;
  if (group.find("/..") != group.npos) group.clear();  // it is outside of what this process sees
  for (;;) {
    lower(least, quota_of(root + group));
    const auto slash = group.rfind('/');
    if (slash == group.npos) return least;
    group.resize(slash);
  }
}

bool names_cpu(std::string_view controllers) {
  return ("," + std::string(controllers) + ",").find(",cpu,") != std::string::npos;
}

std::size_t cpus_of_affinity() {
  for (std::size_t cpus_max = 1024; cpus_max <= 1024 * 1024;
       cpus_max *= 2) {  // a larger machine needs more room
    std::vector<cpu_set_t> set(CPU_ALLOC_SIZE(cpus_max) / sizeof(cpu_set_t));
    const auto bytes = set.size() * sizeof(cpu_set_t);
    if (::sched_getaffinity(0, bytes, set.data()) == 0)
      return static_cast<std::size_t>(CPU_COUNT_S(bytes, set.data()));
    if (errno != EINVAL) break;
  }
  return 1;
}

}  // namespace

Quota cgroup_cpus(const std::string& root, std::string_view memberships) {
  Quota least;
  std::istringstream lines{std::string(memberships)};
  for (std::string line; std::getline(lines, line);) {  // number:controllers:group
    const auto first = line.find(':');
    const auto second = line.find(':', first + 1);
    if (first == line.npos || second == line.npos) continue;
    const auto controllers = line.substr(first + 1, second - first - 1);
    const auto group = line.substr(second + 1);
    if (controllers.empty()) {
      lower(least, least_quota(root, group, quota_v2));
    } else if (names_cpu(controllers)) {
      for (const auto& mount : {std::string("cpu"), controllers}) {
        lower(least, least_quota(root + "/" + mount, group, quota_v1));
      }
    }
  }
  return least;
}

std::size_t usable_cpus() {
  std::ostringstream memberships;
  memberships << std::ifstream("/proc/self/cgroup").rdbuf();
  const auto cpus = cpus_of_affinity();
  const auto quota = cgroup_cpus("/sys/fs/cgroup", memberships.str());
  return std::max<std::size_t>(1, quota ? std::min(cpus, static_cast<std::size_t>(std::ceil(*quota))) : cpus);
}

}  // namespace tracker::runtime
