#ifndef TRACKER_TESTS_SUPPORT_TEMPORARY_DIRECTORY_H_
#define TRACKER_TESTS_SUPPORT_TEMPORARY_DIRECTORY_H_

#include <filesystem>

namespace tracker::tests {

// A new directory. It is removed at the end with its contents.
class TemporaryDirectory {
 public:
  TemporaryDirectory();
  ~TemporaryDirectory();
  TemporaryDirectory(const TemporaryDirectory&) = delete;
  TemporaryDirectory& operator=(const TemporaryDirectory&) = delete;

  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

}  // namespace tracker::tests

#endif  // TRACKER_TESTS_SUPPORT_TEMPORARY_DIRECTORY_H_
