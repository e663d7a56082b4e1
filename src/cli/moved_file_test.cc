#include "cli/moved_file.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <memory>
#include <string>
#include <thread>

#include "support/deadline.h"

namespace tracker::cli {
namespace {

using namespace std::chrono_literals;
using File = std::unique_ptr<std::FILE, decltype(&std::fclose)>;

File temporary_file() {
  return {std::tmpfile(), &std::fclose};
}

// The first line that is said about a descriptor.
std::string first_line(int descriptor, off_t bytes) {
  const auto out = temporary_file();
  const FileProgress progress(descriptor, bytes, out.get(), 1ms);
  std::string text(80, 0);
  for (const tests::Deadline deadline; !deadline.passed(); std::this_thread::sleep_for(1ms)) {
    const auto size = ::pread(::fileno(out.get()), text.data(), text.size(), 0);
    const auto end = text.find('\n');
    if (size > 0 && end != text.npos) return text.substr(0, end);
  }
  return "nothing is said";
}

TEST(FileProgress, IsSaidInLinesWhereThereIsNoTerminal) {
  const auto file = temporary_file();
  const int descriptor = ::fileno(file.get());
  ASSERT_EQ(::lseek(descriptor, 5 << 20, SEEK_SET), 5 << 20);
  EXPECT_EQ(first_line(descriptor, 0), "5 MiB written");
  EXPECT_EQ(first_line(descriptor, 20 << 20), "checking: 25 %");
}

TEST(FileProgress, IsHowLongItTakesWhereAPipeIsWritten) {
  int ends[2];
  ASSERT_EQ(::pipe(ends), 0);
  EXPECT_EQ(first_line(ends[1], 0), "writing for 0 s");
  for (const int end : ends) ::close(end);
}

}  // namespace
}  // namespace tracker::cli
