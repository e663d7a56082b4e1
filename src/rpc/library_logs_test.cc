#include "rpc/library_logs.h"

#include <grpc/support/log.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "support/captured_log.h"

namespace tracker::rpc {
namespace {

TEST(LibraryLogsTest, WhatGrpcSaysIsALineOfOursAndRare) {
  const tests::CapturedLog log;
  log_for_libraries();
  gpr_set_log_verbosity(GPR_LOG_SEVERITY_ERROR);  // as its start does
  for (int i = 0; i < 100; ++i) gpr_log(GPR_ERROR, "a peer sent\n%s", "\x1B[2J");
  EXPECT_EQ(std::ranges::count(log.text(), '\n'), 10) << log.text();
  EXPECT_NE(log.text().find("warning gRPC: a peer sent\\x0a\\x1b[2J\n"), std::string::npos) << log.text();
}

}  // namespace
}  // namespace tracker::rpc
