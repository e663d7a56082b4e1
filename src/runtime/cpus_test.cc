#include "runtime/cpus.h"

#include <gtest/gtest.h>
#include <sched.h>

#include <filesystem>
#include <fstream>
#include <thread>

namespace tracker::runtime {

/// A directory of control groups as the kernel would show them.
class CpusTest : public testing::Test {
 protected:
  CpusTest() {
    std::string name = testing::TempDir() + "cgroup-XXXXXX";
    root_ = ::mkdtemp(name.data());
  }
  ~CpusTest() override { std::filesystem::remove_all(root_); }

  void write(const std::string& file, const std::string& text) const {
    const auto path = root_ + "/" + file;
    std::filesystem::create_directories(std::filesystem::path(path).parent_path());
    std::ofstream(path) << text << '\n';
  }

  std::string root_;
};

TEST_F(CpusTest, TheQuotaOfItsGroupCounts) {
  write("a/cpu.max", "150000 100000");
  EXPECT_EQ(cgroup_cpus(root_, "0::/a\n"), 1.5);
  EXPECT_EQ(cgroup_cpus(root_, "0::/b\n"), std::nullopt);
}

TEST_F(CpusTest, TheLeastQuotaOfAllTheGroupsAroundItCounts) {
  write("a/cpu.max", "400000 100000");
  write("a/b/cpu.max", "50000 25000");
  write("a/b/c/cpu.max", "max 100000");
  write("a/b/c/d/cpu.max", "300000 100000");
  EXPECT_EQ(cgroup_cpus(root_, "0::/a/b/c/d\n"), 2);
  EXPECT_EQ(cgroup_cpus(root_, "0::/a/b/c\n"), 2);
  EXPECT_EQ(cgroup_cpus(root_, "0::/a\n"), 4);
}

TEST_F(CpusTest, AContainerSeesItsOwnGroupAsTheRoot) {
  write("cpu.max", "250000 100000");
  EXPECT_EQ(cgroup_cpus(root_, "0::/\n"), 2.5);
  EXPECT_EQ(cgroup_cpus(root_, "0::/docker/of-the-host\n"), 2.5);
  EXPECT_EQ(cgroup_cpus(root_, "0::/../../elsewhere\n"), 2.5);
}

TEST_F(CpusTest, NoQuotaIsNone) {
  write("cpu.max", "max 100000");
  write("a/cpu.max", "nonsense");
  write("b/cpu.max", "0 0");
  write("c/cpu.max", "");
  for (const auto* memberships :
       {"0::/\n", "0::/a\n", "0::/b\n", "0::/c\n", "", "\n", "0\n", "0:\n", "1:memory:/a\n"}) {
    EXPECT_EQ(cgroup_cpus(root_, memberships), std::nullopt) << memberships;
  }
  EXPECT_EQ(cgroup_cpus(root_ + "/nowhere", "0::/a\n"), std::nullopt);
}

TEST_F(CpusTest, TheQuotasOfVersion1CountToo) {
  write("cpu,cpuacct/a/cpu.cfs_quota_us", "300000");
  write("cpu,cpuacct/a/cpu.cfs_period_us", "100000");
  write("cpu,cpuacct/a/b/cpu.cfs_quota_us", "-1");
  write("cpu,cpuacct/a/b/cpu.cfs_period_us", "100000");
  write("cpuset/a/b/cpu.cfs_quota_us", "100000");
  write("cpuset/a/b/cpu.cfs_period_us", "100000");
  EXPECT_EQ(cgroup_cpus(root_, "5:cpuset:/a/b\n4:cpu,cpuacct:/a/b\n0::/a/b\n"), 3);
}

TEST_F(CpusTest, AffinityCounts) {
  std::thread([] {  // affinity is the thread's own
    cpu_set_t set;
    ASSERT_EQ(::sched_getaffinity(0, sizeof set, &set), 0);
    std::size_t allowed = static_cast<std::size_t>(CPU_COUNT(&set));
    EXPECT_LE(usable_cpus(), allowed);
    for (int cpu = 0; cpu < CPU_SETSIZE && allowed > 1; ++cpu) {
      if (!CPU_ISSET(cpu, &set)) continue;
      CPU_CLR(cpu, &set);
      --allowed;
      ASSERT_EQ(::sched_setaffinity(0, sizeof set, &set), 0);
      EXPECT_LE(usable_cpus(), allowed);
    }
    EXPECT_EQ(usable_cpus(), 1U);
  })
      .join();
}

}  // namespace tracker::runtime
