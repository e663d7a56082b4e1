#include "domain/seeded_hash.h"

#include <gtest/gtest.h>

#include <array>
#include <cstdio>
#include <set>
#include <string>

namespace tracker::domain {

TEST(SeededHash, IsTheSameInTheWholeProcess) {
  EXPECT_EQ(SeededHash()("/a", 1), SeededHash()("/a", 1));
}

TEST(SeededHash, DependsOnAllOfTheKey) {
  const SeededHash hash;
  std::set<std::size_t> hashes;
  for (std::uint64_t more = 0; more < 100; ++more) {
    for (int i = 0; i < 100; ++i) hashes.insert(hash("/" + std::to_string(i), more));
  }
  EXPECT_EQ(hashes.size(), 10'000U);
}

/// Of this program, started anew.
std::string hash_of_another_process() {
  const std::string command = "'" + testing::internal::GetArgvs()[0] +
                              "' --gtest_filter=SeededHash.DISABLED_Print --gtest_also_run_disabled_tests";
  std::string output;
  auto* pipe = ::popen(command.c_str(), "r");
  std::array<char, 4096> bytes{};
  while (const auto size = std::fread(bytes.data(), 1, bytes.size(), pipe)) output.append(bytes.data(), size);
  EXPECT_EQ(::pclose(pipe), 0);
  const auto at = output.find("hash=");
  return output.substr(at, output.find('\n', at) - at);
}

TEST(SeededHash, DISABLED_Print) {
  std::printf("hash=%zu\n", SeededHash()("/a"));
}

TEST(SeededHash, IsAnotherOneInEachProcess) {
  EXPECT_NE(hash_of_another_process(), hash_of_another_process());
}

}  // namespace tracker::domain
