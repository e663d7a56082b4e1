#include "runtime/ready_set.h"

#include <gtest/gtest.h>
#include <sys/socket.h>

#include <array>
#include <vector>

namespace tracker::runtime {

struct ReadinessRecorder final : Pollable {
  void on_ready(const Readiness& ready) override { told.push_back(ready); }
  std::vector<Readiness> told;
};

class ReadySetTest : public testing::Test {
 protected:
  ReadySetTest() {
    std::array<int, 2> pair{};
    EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair.data()), 0);
    ours_ = pair[0];
    theirs_ = pair[1];
    set_.add(ours_, recorder_);
  }
  ~ReadySetTest() override {
    ::close(ours_);
    if (theirs_ >= 0) ::close(theirs_);
  }

  /// All that is told until nothing more is ready.
  std::vector<Readiness> told() {
    recorder_.told.clear();
    while (context_.poll() > 0) {
    }
    return recorder_.told;
  }

  boost::asio::io_context context_{1};
  ReadySet set_{context_, [this] { set_.tell(); }};
  ReadinessRecorder recorder_;
  int ours_ = -1;
  int theirs_ = -1;
};

TEST_F(ReadySetTest, TellsOnceEachTimeThatReadinessComes) {
  const auto first = told();
  ASSERT_EQ(first.size(), 1U);
  EXPECT_FALSE(first.front().readable);
  EXPECT_TRUE(first.front().writable);
  EXPECT_TRUE(told().empty());

  for (int round = 0; round < 3; ++round) {
    ASSERT_EQ(::send(theirs_, "x", 1, 0), 1);
    const auto next = told();
    ASSERT_EQ(next.size(), 1U) << "although what came before was not read";
    EXPECT_TRUE(next.front().readable);
    EXPECT_FALSE(next.front().hung_up);
    EXPECT_TRUE(told().empty());
  }
}

TEST_F(ReadySetTest, TellsTheEnd) {
  told();
  ::close(theirs_);
  theirs_ = -1;
  const auto end = told();
  ASSERT_EQ(end.size(), 1U);
  EXPECT_TRUE(end.front().readable);
  EXPECT_TRUE(end.front().hung_up);
}

}  // namespace tracker::runtime
