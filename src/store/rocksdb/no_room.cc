#include "store/rocksdb/no_room.h"

#include <cerrno>

namespace tracker::store::rocksdb {

std::optional<Shortage> shortage(int error) {
  switch (error) {
    case ENOSPC:
      return Shortage{error, "the disk is full", "make room, or more inodes if those are used up (df -i)"};
    case EDQUOT:
      return Shortage{error, "the disk quota is used up", "make room, or raise the quota"};
    case EFBIG:
      return Shortage{error, "a file is as large as it may be", "raise the limit of file sizes (ulimit -f)"};
    case EMFILE:
      return Shortage{error, "this process has no file descriptors left",
                      "raise the limit of open files (ulimit -n)"};
    case ENFILE:
      return Shortage{error, "the system has no file descriptors left",
                      "raise its limit (sysctl fs.file-max)"};
    default:
      return std::nullopt;
  }
}

}  // namespace tracker::store::rocksdb
