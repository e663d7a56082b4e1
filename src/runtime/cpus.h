#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace tracker::runtime {

/// How many CPUs this process may use: the number in its affinity (sched_getaffinity(2)), or less if the quotas of its
/// control groups allow less. Rounded up; at least 1.
std::size_t usable_cpus();

/// The CPU quota of a process, in CPUs: the smallest quota of its control group and of that group's ancestors. Returns
/// nothing if there is no quota. Reads `cpu.max` of cgroup v2 and `cpu.cfs_quota_us` of v1 (see cgroups(7)).
/// `memberships` is the text of /proc/self/cgroup, and `root` the directory where control groups are mounted,
/// /sys/fs/cgroup.
std::optional<double> cgroup_cpus(const std::string& root, std::string_view memberships);

}  // namespace tracker::runtime
