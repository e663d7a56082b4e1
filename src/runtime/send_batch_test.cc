#include "runtime/send_batch.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <memory>
#include <new>
#include <string>
#include <vector>

#include "runtime/descriptor.h"

namespace tracker::runtime {

/// Two ends of a stream.
class Pair {
 public:
  Pair() : Pair(make()) {}

  int ours() const { return ours_.number(); }
  void shut_theirs() const { ::shutdown(theirs_.number(), SHUT_RDWR); }
  std::string received() const {
    std::string bytes(1 << 20, '\0');
    const auto got = ::recv(theirs_.number(), bytes.data(), bytes.size(), MSG_DONTWAIT);
    return bytes.substr(0, got < 0 ? 0 : static_cast<std::size_t>(got));
  }

 private:
  explicit Pair(const std::array<int, 2>& ends) : ours_(ends[0]), theirs_(ends[1]) {}
  static std::array<int, 2> make() {
    std::array<int, 2> ends{};
    if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()) != 0) throw std::bad_alloc();
    return ends;
  }

  Descriptor ours_;
  Descriptor theirs_;
};

/// With the ring, and without: no descriptor is left for it.
class SendBatchTest : public testing::TestWithParam<bool> {
 protected:
  SendBatchTest() {
    rlimit limit{};
    ::getrlimit(RLIMIT_NOFILE, &limit);
    auto lowered = limit;
    if (!GetParam()) lowered.rlim_cur = 0;
    ::setrlimit(RLIMIT_NOFILE, &lowered);
    batch_ = std::make_unique<SendBatch>();
    ::setrlimit(RLIMIT_NOFILE, &limit);
  }

  std::unique_ptr<SendBatch> batch_;
};

TEST_P(SendBatchTest, EachSocketGetsItsBytes) {
  for (const std::size_t count : {0U, 1U, 2U, 50U, 400U}) {
    const std::vector<Pair> pairs(count);
    std::vector<std::string> texts;
    for (std::size_t i = 0; i < count; ++i) texts.push_back("text " + std::to_string(i));
    std::vector<SendBatch::Message> messages;
    for (std::size_t i = 0; i < count; ++i) messages.push_back({pairs[i].ours(), texts[i], 0});
    batch_->send(messages);
    for (std::size_t i = 0; i < count; ++i) {
      EXPECT_EQ(messages[i].sent, static_cast<ssize_t>(texts[i].size()));
      EXPECT_EQ(pairs[i].received(), texts[i]);
    }
  }
}

TEST_P(SendBatchTest, ItSaysWhatBecameOfEach) {
  const Pair good;
  const Pair full;
  const Pair gone;
  gone.shut_theirs();
  const auto much = std::string().append(10'000'000, 'x');
  std::vector<SendBatch::Message> messages{
      {full.ours(), much, 0}, {gone.ours(), "text", 0}, {-1, "text", 0}, {good.ours(), "text", 0}};
  batch_->send(messages);
  EXPECT_GT(messages[0].sent, 0);
  EXPECT_LT(messages[0].sent, static_cast<ssize_t>(much.size()));
  EXPECT_EQ(messages[1].sent, -EPIPE);
  EXPECT_EQ(messages[2].sent, -EBADF);
  EXPECT_EQ(messages[3].sent, 4);
  while (::send(full.ours(), much.data(), much.size(), MSG_DONTWAIT) > 0) {
  }
  batch_->send(messages);
  EXPECT_EQ(messages[0].sent, -EAGAIN);
  EXPECT_EQ(messages[3].sent, 4);
}

INSTANTIATE_TEST_SUITE_P(With, SendBatchTest, testing::Bool(),
                         [](const auto& with) { return with.param ? "TheRing" : "SendAlone"; });

}  // namespace tracker::runtime
