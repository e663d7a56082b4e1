#include "runtime/log_queue.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include <array>
#include <future>
#include <string>
#include <thread>

#include "runtime/log_pace.h"

namespace tracker::runtime {
namespace {

using namespace std::chrono_literals;

constexpr auto patience = 20s;

/// A pipe with as little room as there is.
class Pipe {
 public:
  Pipe() {
    EXPECT_EQ(::pipe2(ends_.data(), O_CLOEXEC), 0);
    room_ = static_cast<std::size_t>(::fcntl(ends_[1], F_SETPIPE_SZ, 4096));
  }
  ~Pipe() {
    close_reader();
    ::close(ends_[1]);
  }
  int writer() const { return ends_[1]; }
  std::size_t room() const { return room_; }
  void close_reader() {
    if (ends_[0] >= 0) ::close(std::exchange(ends_[0], -1));
  }
  std::string read_line() {
    std::string line;
    for (char c = 0; ::read(ends_[0], &c, 1) == 1 && c != '\n';) line += c;
    return line;
  }

 private:
  std::array<int, 2> ends_{};
  std::size_t room_ = 0;
};

class LogQueueTest : public testing::Test {
 protected:
  LogQueueTest() { ::signal(SIGPIPE, SIG_IGN); }
  Pipe pipe_;
};

TEST_F(LogQueueTest, WritesLineByLine) {
  LogQueue queue(pipe_.writer(), 8);
  queue.push("before the thread");
  queue.start();
  queue.push("after");
  EXPECT_EQ(pipe_.read_line(), "before the thread");
  EXPECT_EQ(pipe_.read_line(), "after");
  EXPECT_TRUE(queue.flush(patience));
}

TEST_F(LogQueueTest, NobodyWaitsForAReaderThatHasStopped) {
  LogQueue queue(pipe_.writer(), 4);
  queue.start();
  const std::string long_line(pipe_.room() - 1, 'x');
  queue.push(long_line);
  EXPECT_TRUE(queue.flush(patience)) << "the pipe is full now";
  queue.push("in the thread's hand");
  EXPECT_FALSE(queue.flush(1ms));
  for (int i = 1; i <= 100; ++i) queue.push("line " + std::to_string(i));

  EXPECT_EQ(pipe_.read_line(), long_line);
  // The thread may have taken its line only after the queue was full.
  auto line = pipe_.read_line();
  const bool taken = line == "in the thread's hand";
  if (taken) line = pipe_.read_line();
  EXPECT_EQ(line,
            std::string(taken ? "96" : "97") + " log lines were dropped, since standard error was not read");
  EXPECT_EQ(queue.dropped(), taken ? 96U : 97U);
  for (int i = 97; i <= 100; ++i) EXPECT_EQ(pipe_.read_line(), "line " + std::to_string(i));
  EXPECT_TRUE(queue.flush(patience));
}

TEST_F(LogQueueTest, ItsEndDoesNotWaitEither) {
  {
    LogQueue queue(::dup(pipe_.writer()), 4);  // its thread's own, which may end after this test
    queue.start();
    queue.push(std::string(pipe_.room() + 1, 'x'));
    EXPECT_FALSE(queue.flush(10ms));
  }
  pipe_.close_reader();  // lets the thread go
}

// Whoever shares the descriptor may have made it so: then its being full is an error of its own.
TEST_F(LogQueueTest, ADescriptorThatDoesNotBlockLosesNothing) {
  ASSERT_EQ(::fcntl(pipe_.writer(), F_SETFL, O_NONBLOCK), 0);
  LogQueue queue(pipe_.writer(), 100);
  queue.start();
  const std::string long_line(pipe_.room() / 2, 'x');
  for (int i = 0; i < 10; ++i) queue.push(long_line);
  for (int i = 0; i < 10; ++i) EXPECT_EQ(pipe_.read_line(), long_line);
  EXPECT_TRUE(queue.flush(patience));
}

TEST_F(LogQueueTest, ADescriptorThatTakesNothingStopsNothing) {
  pipe_.close_reader();
  LogQueue queue(pipe_.writer(), 100);
  queue.start();
  for (int i = 0; i < 10; ++i) queue.push("lost");
  EXPECT_TRUE(queue.flush(patience));
  EXPECT_EQ(queue.dropped(), 10U);

  const int full = ::open("/dev/full", O_WRONLY | O_CLOEXEC);
  LogQueue full_queue(full, 100);
  full_queue.start();
  for (int i = 0; i < 10; ++i) full_queue.push("lost");
  EXPECT_TRUE(full_queue.flush(patience));
  Pipe mended;
  ASSERT_GE(::dup2(mended.writer(), full), 0);
  full_queue.push("written");
  EXPECT_EQ(mended.read_line(),
            "10 log lines were dropped, since standard error could not be written: No space left on device");
  EXPECT_EQ(mended.read_line(), "written");
  EXPECT_TRUE(full_queue.flush(patience));
  ::close(full);
}

// On a busy machine the thread may get no processor for long; the last words must not be lost.
TEST_F(LogQueueTest, FlushWaitsForAThreadThatIsOnlySlow) {
  LogQueue queue(pipe_.writer(), 8);
  queue.start();
  queue.call_at(LogQueue::Clock::now(), [] { std::this_thread::sleep_for(50ms); });
  queue.push("last words");
  EXPECT_TRUE(queue.flush(1ms));
  EXPECT_EQ(pipe_.read_line(), "last words");
}

TEST_F(LogQueueTest, FlushCallsWhatIsDueLater) {
  LogQueue queue(pipe_.writer(), 8);
  queue.start();
  queue.call_at(LogQueue::Clock::now() + 1h, [&queue] { queue.push("later"); });
  EXPECT_TRUE(queue.flush(patience));
  EXPECT_EQ(pipe_.read_line(), "later");
}

TEST_F(LogQueueTest, CallsWhatIsDue) {
  LogQueue queue(pipe_.writer(), 8);
  queue.start();
  queue.call_at(LogQueue::Clock::now() + 1h, [&queue] { queue.push("much later"); });
  queue.call_at(LogQueue::Clock::now(), [&queue] { queue.push("now"); });
  EXPECT_EQ(pipe_.read_line(), "now");
}

TEST(LogPaceTest, ABurstAndThenOneInEachPeriod) {
  LogPace pace(3, 5s);
  const LogPace::Clock::time_point start(1h);
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(pace.take(start));
  EXPECT_FALSE(pace.take(start));
  EXPECT_EQ(pace.next(), start + 5s);
  EXPECT_FALSE(pace.take(start + 4s));
  EXPECT_TRUE(pace.take(start + 5s));
  EXPECT_FALSE(pace.take(start + 6s));
  const auto quiet = start + 1h;
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(pace.take(quiet));
  EXPECT_FALSE(pace.take(quiet));
}

}  // namespace
}  // namespace tracker::runtime
