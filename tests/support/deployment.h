#ifndef TRACKER_TESTS_SUPPORT_DEPLOYMENT_H_
#define TRACKER_TESTS_SUPPORT_DEPLOYMENT_H_

#include <gtest/gtest.h>

#include <iosfwd>
#include <memory>
#include <string>
#include <vector>

#include "support/endpoint.h"
#include "support/program.h"
#include "support/redis_server.h"

namespace tracker::tests {

// Running programs that together are one tracker: `serve` alone, or an envoy with what it needs.
class Deployment {
 public:
  // The programs are in the order in which they were started. The last one is the envoy that clients ask. The Redis
  // belongs to them.
  explicit Deployment(std::vector<std::unique_ptr<Program>> programs,
                      std::unique_ptr<RedisServer> redis = nullptr);

  const Endpoint& envoy() const { return envoy_; }
  // The health door of that envoy.
  const Endpoint& health() const { return health_; }
  // The program with both doors.
  Program& front() { return *programs_.back(); }

  bool all_running() const;

  // Ends the programs as an operator would, the envoy first. Each must end well.
  void end();

 private:
  std::unique_ptr<RedisServer> redis_;
  std::vector<std::unique_ptr<Program>> programs_;
  Endpoint envoy_;
  Endpoint health_;
};

struct DeploymentKind {
  const char* name;
  // `envoy_flags` go to the program that speaks HTTP.
  std::unique_ptr<Deployment> (*start)(const Arguments& envoy_flags);
};
std::ostream& operator<<(std::ostream& out, const DeploymentKind& kind);

// All kinds. What holds for one must hold for all.
const std::vector<DeploymentKind>& deployment_kinds();

// Names the tests.
std::string deployment_name(const testing::TestParamInfo<DeploymentKind>& info);

// A test that runs over each kind.
class DeploymentTest : public testing::TestWithParam<DeploymentKind> {
 protected:
  // The deployment without special flags that all tests of the process share.
  static Deployment& shared();
  // Starts another deployment, for one test.
  static std::unique_ptr<Deployment> start(const Arguments& envoy_flags = {});

  void TearDown() override;
  // Ends the shared one as an operator would, so that a late report of a sanitizer fails the suite.
  static void TearDownTestSuite();
};

}  // namespace tracker::tests

// Runs the tests of `fixture`, a DeploymentTest, over every kind.
#define TRACKER_OVER_ALL_DEPLOYMENTS(fixture)                                                \
  INSTANTIATE_TEST_SUITE_P(, fixture, testing::ValuesIn(tracker::tests::deployment_kinds()), \
                           tracker::tests::deployment_name)

#endif  // TRACKER_TESTS_SUPPORT_DEPLOYMENT_H_
