#ifndef TRACKER_TESTS_SUPPORT_PRELOAD_H_
#define TRACKER_TESTS_SUPPORT_PRELOAD_H_

#include <filesystem>
#include <string>

namespace tracker::tests {

// The value of LD_PRELOAD that preloads this library into a program that this process starts. The path of the library
// would not work, because the dynamic linker splits LD_PRELOAD at spaces and colons. The name stays valid while this
// process runs. Throws std::runtime_error if there is no such library.
std::string preload_name(const std::filesystem::path& library);

}  // namespace tracker::tests

#endif  // TRACKER_TESTS_SUPPORT_PRELOAD_H_
