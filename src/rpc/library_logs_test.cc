#include "rpc/library_logs.h"

#include <google/protobuf/stubs/logging.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "support/captured_log.h"

namespace tracker::rpc {
namespace {

TEST(LibraryLogsTest, WhatProtobufSaysIsALineOfOursAndRare) {
  const tests::CapturedLog log;
  log_for_libraries();
  for (int i = 0; i < 100; ++i) GOOGLE_LOG(ERROR) << "a peer sent\n\x1B[2J";
  EXPECT_EQ(std::ranges::count(log.text(), '\n'), 10) << log.text();
  EXPECT_NE(log.text().find("warning protobuf: a peer sent\\x0a\\x1b[2J\n"), std::string::npos) << log.text();
}

}  // namespace
}  // namespace tracker::rpc
