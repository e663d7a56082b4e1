#include "runtime/line_file.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <system_error>
#include <utility>

#include "support/captured_log.h"

namespace tracker::runtime {
namespace {

using namespace std::chrono_literals;
namespace fs = std::filesystem;

constexpr std::size_t queue_bytes = 64 * 1024;
constexpr auto long_enough = 20s;

class LineFileTest : public testing::Test {
 protected:
  LineFileTest() {
    std::string name = fs::temp_directory_path() / "line_file_XXXXXX";
    if (::mkdtemp(name.data()) == nullptr) throw std::system_error(errno, std::generic_category());
    directory_ = name;
    ::signal(SIGXFSZ, SIG_IGN);
    ::signal(SIGPIPE, SIG_IGN);
  }
  ~LineFileTest() override { fs::remove_all(directory_); }

  std::string path() const { return directory_ / "lines"; }

  static std::string text_of(const fs::path& file) {
    std::ifstream stream(file);
    return {std::istreambuf_iterator<char>(stream), {}};
  }

  static void push(LineFile& file, std::string lines) {
    const auto count = static_cast<std::size_t>(std::ranges::count(lines, '\n'));
    file.push(lines, count);
    EXPECT_TRUE(lines.empty());
  }

  /// A line of 100 bytes.
  static std::string line_of(char c) {
    std::string line(100, c);
    line.back() = '\n';
    return line;
  }

  fs::path directory_;
};

TEST_F(LineFileTest, AppendsInOrderToAFileOfThisUserAlone) {
  ::close(::open(path().c_str(), O_WRONLY | O_CREAT, 0600));
  std::ofstream(path()) << "before\n";
  {
    LineFile file(path(), "the file", queue_bytes);
    push(file, "1\n2\n");
    push(file, "3\n");
    EXPECT_TRUE(file.flush(long_enough));
    EXPECT_EQ(text_of(path()), "before\n1\n2\n3\n");
    push(file, "the end waits for it\n");
  }
  EXPECT_TRUE(text_of(path()).ends_with("\nthe end waits for it\n"));
  LineFile made(path() + "2", "the file", queue_bytes);
  struct stat status {};
  ASSERT_EQ(::stat((path() + "2").c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0077U, 0U);
}

TEST_F(LineFileTest, WhatCannotBeOpenedIsAnError) {
  EXPECT_THROW(LineFile(directory_, "the file", queue_bytes), std::system_error);
  EXPECT_THROW(LineFile(directory_ / "none" / "lines", "the file", queue_bytes), std::system_error);
}

TEST_F(LineFileTest, OpensAnewWhatWasMovedAway) {
  const tests::CapturedLog log;
  LineFile file(path(), "the file", queue_bytes);
  push(file, "old\n");
  ASSERT_TRUE(file.flush(long_enough));
  fs::rename(path(), path() + ".1");
  push(file, "still old\n");
  file.reopen();
  ASSERT_TRUE(file.flush(long_enough));
  push(file, "new\n");
  ASSERT_TRUE(file.flush(long_enough));
  EXPECT_EQ(text_of(path() + ".1"), "old\nstill old\n");
  EXPECT_EQ(text_of(path()), "new\n");
  EXPECT_NE(log.text().find(" info SIGHUP: opened the file again: " + path()), std::string::npos)
      << log.text();
}

TEST_F(LineFileTest, GoesOnWithTheOldFileIfItCannotOpenItAnew) {
  const tests::CapturedLog log;
  LineFile file(path(), "the file", queue_bytes);
  fs::rename(path(), path() + ".1");
  fs::create_directory(path());
  file.reopen();
  push(file, "goes on\n");
  EXPECT_TRUE(file.flush(long_enough));
  EXPECT_EQ(text_of(path() + ".1"), "goes on\n");
  EXPECT_NE(log.text().find(" warning SIGHUP: the file stays open as it was: " + path() +
                            " cannot be opened: Is a "),
            std::string::npos)
      << log.text();
}

TEST_F(LineFileTest, NobodyWaitsForAPipeWhoseReaderHasStopped) {
  ASSERT_EQ(::mkfifo(path().c_str(), 0600), 0);
  const int reader = ::open(path().c_str(), O_RDWR | O_NONBLOCK | O_CLOEXEC);
  ::fcntl(reader, F_SETPIPE_SZ, 4096);
  const tests::CapturedLog log;
  LineFile file(path(), "the file", queue_bytes);
  for (int i = 0; i < 2'000; ++i) push(file, line_of('x'));  // three times what pipe and queue hold
  EXPECT_FALSE(file.flush(1ms));
  EXPECT_NE(log.text().find(" of the file w"), std::string::npos) << log.text();
  EXPECT_NE(log.text().find("dropped, since it takes them too slowly\n"), std::string::npos) << log.text();

  std::array<char, 4096> buffer{};
  std::string got;
  while (!file.flush(1ms)) {
    const auto size = ::read(reader, buffer.data(), buffer.size());
    if (size > 0) got.append(buffer.data(), static_cast<std::size_t>(size));
  }
  for (ssize_t size = 0; (size = ::read(reader, buffer.data(), buffer.size())) > 0;) {
    got.append(buffer.data(), static_cast<std::size_t>(size));
  }
  ::close(reader);
  EXPECT_GE(got.size(), queue_bytes / 100 * 100);
  EXPECT_LT(got.size(), 2'000U * 100);
  for (; !got.empty(); got.erase(0, 100)) ASSERT_EQ(got.substr(0, 100), line_of('x')) << "not a whole line";
}

// As standard output and standard error do that are one pipe.
TEST_F(LineFileTest, LinesOfTwoWritersOfAPipeStayWhole) {
  ASSERT_EQ(::mkfifo(path().c_str(), 0600), 0);
  const int reader = ::open(path().c_str(), O_RDWR | O_NONBLOCK | O_CLOEXEC);
  ::fcntl(reader, F_SETPIPE_SZ, 4096);
  LineFile one(path(), "the file", queue_bytes);
  LineFile other(path(), "the file", queue_bytes);
  constexpr std::size_t lines = 500;
  for (auto [file, c] : {std::pair(&one, 'a'), std::pair(&other, 'b')}) {
    std::string many;
    for (std::size_t i = 0; i < lines; ++i) many += line_of(c);
    push(*file, many);
  }
  std::array<char, 4096> buffer{};
  std::string got;
  while (got.size() < 2 * lines * 100) {
    const auto size = ::read(reader, buffer.data(), buffer.size());
    if (size > 0) got.append(buffer.data(), static_cast<std::size_t>(size));
  }
  ::close(reader);
  for (; !got.empty(); got.erase(0, 100)) ASSERT_EQ(got.substr(0, 100), line_of(got.front()));
}

TEST_F(LineFileTest, ItsEndSaysWhatItCouldNotWrite) {
  ASSERT_EQ(::mkfifo(path().c_str(), 0600), 0);
  const int reader = ::open(path().c_str(), O_RDWR | O_NONBLOCK | O_CLOEXEC);
  ::fcntl(reader, F_SETPIPE_SZ, 4096);
  const tests::CapturedLog log;
  {
    LineFile file(path(), "the file", queue_bytes);
    for (int i = 0; i < 100; ++i) push(file, line_of('x'));
  }
  EXPECT_NE(log.text().find(" lines of the file were dropped, since it takes them too slowly\n"),
            std::string::npos)
      << log.text();
  ::close(reader);
}

TEST_F(LineFileTest, WhatAFullDiskDoesNotTakeIsCounted) {
  const tests::CapturedLog log;
  LineFile file("/dev/full", "the file", queue_bytes);
  push(file, "1\n2\n3\n");
  EXPECT_TRUE(file.flush(long_enough));
  EXPECT_NE(log.text().find(" warning 3 lines of the file were dropped, since it could not be written: No "
                            "space left on device\n"),
            std::string::npos)
      << log.text();
}

TEST_F(LineFileTest, AWriteThatFailedInTheMiddleSpoilsNoOtherLine) {
  LineFile file(path(), "the file", queue_bytes);
  rlimit before{};
  ASSERT_EQ(::getrlimit(RLIMIT_FSIZE, &before), 0);
  const rlimit fifteen_bytes{15, before.rlim_max};
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &fifteen_bytes), 0);
  push(file, "0123456789\n0123456789\n");
  const bool flushed = file.flush(long_enough);
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &before), 0);
  EXPECT_TRUE(flushed);
  push(file, "next\n");
  EXPECT_TRUE(file.flush(long_enough));
  EXPECT_EQ(text_of(path()), "0123456789\n0123\nnext\n");
}

}  // namespace
}  // namespace tracker::runtime
