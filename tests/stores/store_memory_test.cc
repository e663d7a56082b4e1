// The durable store's memory is bounded, whatever the number of counters.

#include <gtest/gtest.h>

#include <string>

#include "support/caller.h"
#include "support/program.h"
#include "support/request.h"
#include "support/temporary_directory.h"

namespace tracker::tests {
namespace {

constexpr std::size_t path_bytes = 300;

void count_new_paths(RawClient& client, const std::string& token, int begin, int end) {
  constexpr int at_once = 100;
  for (; begin < end; begin += at_once) {
    std::string requests;
    for (int i = 0; i < at_once; ++i) {
      requests += get("/" + std::to_string(begin + i) + std::string(path_bytes, 'x'), token);
    }
    ASSERT_TRUE(client.send(requests));
    for (int i = 0; i < at_once; ++i) ASSERT_EQ(client.read_answer().status, 200);
  }
}

TEST(StoreMemoryTest, IsBoundedWhateverTheNumberOfCounters) {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  GTEST_SKIP() << "a sanitizer keeps memory for itself";
#endif
  const TemporaryDirectory temporary;
  Program program({"serve", "--store", "rocksdb:" + (temporary.path() / "store").string(), "--envoy-addr",
                   "127.0.0.1:0", "--health-addr", "127.0.0.1:0", "--cache-bytes", "8MiB", "--paths-max", "0",
                   "--token-bytes-max", "0"});
  const Endpoint envoy = program.wait_listening().at("envoy");
  const std::string token = Caller(envoy).mint();
  RawClient client(envoy);
  constexpr int warm = 40'000;
  constexpr int all = 140'000;
  count_new_paths(client, token, 0, warm);
  const auto before = resident_bytes(program.pid());
  count_new_paths(client, token, warm, all);
  EXPECT_LT(resident_bytes(program.pid()), before + (all - warm) * path_bytes / 4);
}

}  // namespace
}  // namespace tracker::tests
