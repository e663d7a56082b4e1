#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace tracker::runtime {

/// How many CPUs' worth of time this process may use: as many as its affinity names (sched_getaffinity(2)), or
/// what the quotas of its control groups leave of them, rounded up. At least 1.
std::size_t usable_cpus();

/// What the CPU quotas of a process's control groups leave it, in CPUs: the least of its own group's quota and of
/// those of all the groups around it. Nothing if there is no quota. Reads `cpu.max` of cgroup v2 and
/// `cpu.cfs_quota_us` of v1 (see cgroups(7)). `memberships` is what /proc/self/cgroup says, and `root` is the
/// directory where control groups are mounted, /sys/fs/cgroup.
std::optional<double> cgroup_cpus(const std::string& root, std::string_view memberships);

}  // namespace tracker::runtime
