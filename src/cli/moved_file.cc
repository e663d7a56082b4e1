#include "cli/moved_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <system_error>
#include <vector>

#include "cli/refusal.h"

namespace tracker::cli {

using std::chrono::steady_clock;
using namespace std::chrono_literals;

namespace {

constexpr std::string_view standard = "-";
constexpr const char* clear_line = "\r\033[K";

/// Copies the standard input into a file without a name.
runtime::Descriptor spooled() {
  const char* given = std::getenv("TMPDIR");
  const std::string directory = given != nullptr ? given : "/tmp";
  runtime::Descriptor file(::open(directory.c_str(), O_TMPFILE | O_RDWR | O_CLOEXEC, 0600));
  if (!file.is_open()) {
    refuse(directory + ": cannot make a temporary file: " + error_text(errno) +
           "; set TMPDIR to another directory");
  }
  std::vector<char> buffer(std::size_t{1} << 20U);
  for (;;) {
    const auto bytes = ::read(0, buffer.data(), buffer.size());
    if (bytes < 0) refuse("-: cannot read the standard input: " + error_text(errno));
    if (bytes == 0) return file;
    if (::write(file.number(), buffer.data(), static_cast<std::size_t>(bytes)) != bytes)
      refuse(directory + ": cannot keep the standard input: " + error_text(errno));
  }
}

}  // namespace

FileProgress::FileProgress(int descriptor, off_t bytes, std::FILE* out, std::chrono::milliseconds pause)
    : descriptor_(descriptor),
      bytes_(bytes),
      out_(out),
      is_terminal_(::isatty(::fileno(out)) == 1),
      pause_(pause > 0ms    ? pause
             : is_terminal_ ? 1s
                            : 10s),
      begin_(steady_clock::now()),
      thread_([this] { run(); }) {}

FileProgress::~FileProgress() {
  {
    const std::lock_guard lock(mutex_);
    has_ended_ = true;
  }
  changed_.notify_one();
  thread_.join();
  if (is_terminal_) std::fputs(clear_line, out_);
}

void FileProgress::run() {
  std::unique_lock lock(mutex_);
  while (!changed_.wait_for(lock, pause_, [this] { return has_ended_; })) {
    const auto line = is_terminal_ ? clear_line + words() : words() + "\n";
    std::fputs(line.c_str(), out_);
    std::fflush(out_);
  }
}

std::string FileProgress::words() {
  const auto at = ::lseek(descriptor_, 0, SEEK_CUR);
  const auto now = steady_clock::now();
  const auto seconds = [](auto time) {
    return std::to_string(std::chrono::round<std::chrono::seconds>(time).count()) + " s";
  };
  if (at < 0) return "writing for " + seconds(now - begin_);  // to a pipe
  if (bytes_ == 0) return std::to_string(at >> 20U) + " MiB written";
  if (at < last_) second_begin_ = now;
  last_ = at;
  const double part = static_cast<double>(at) / static_cast<double>(bytes_);
  auto words = std::string(second_begin_ ? "importing: " : "checking: ") +
               std::to_string(static_cast<int>(100 * part)) + " %";
  if (second_begin_ && part > 0.01)
    words += ", about " + seconds((now - *second_begin_) * ((1 - part) / part)) + " left";
  return words;
}

NewFile::NewFile(const std::string& path)
    : path_(path),
      part_(path + ".part"),
      is_standard_(path == standard),
      file_(is_standard_ ? runtime::Descriptor(-1) : make(path_, part_)) {}

runtime::Descriptor NewFile::make(const std::string& path, const std::string& part) {
  std::error_code ignored;
  if (std::filesystem::exists(path, ignored)) refuse(path + ": the file exists; name one that does not");
  runtime::Descriptor file(::open(part.c_str(), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (!file.is_open()) refuse(part + ": cannot make it: " + error_text(errno));
  return file;
}

NewFile::~NewFile() {
  if (!is_standard_ && !is_finished_ && file_.is_open()) ::unlink(part_.c_str());
}

void NewFile::finish() {
  is_finished_ = true;
  if (is_standard_) return;
  if (::fsync(file_.number()) != 0) refuse(part_ + ": cannot sync it: " + error_text(errno));
  if (::link(part_.c_str(), path_.c_str()) != 0 || ::unlink(part_.c_str()) != 0)
    refuse(path_ + ": cannot make it: " + error_text(errno) + "; what was written is in " + part_);
  const auto parent = std::filesystem::absolute(path_).parent_path();
  const runtime::Descriptor directory(::open(parent.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (directory.is_open()) ::fsync(directory.number());
}

runtime::Descriptor open_to_import(const std::string& path) {
  if (path == standard) return spooled();
  runtime::Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!file.is_open()) refuse(path + ": cannot open it: " + error_text(errno));
  struct stat status {};
  if (::fstat(file.number(), &status) != 0 || !S_ISREG(status.st_mode)) {
    refuse(path + ": it is not a regular file, and is read twice; give - and the file by the standard input");
  }
  return file;
}

}  // namespace tracker::cli
