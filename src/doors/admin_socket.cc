#include "doors/admin_socket.h"

#include <fcntl.h>
#include <sys/un.h>
#include <unistd.h>

#include <boost/system/system_error.hpp>
#include <cerrno>

namespace tracker::doors {

namespace {
constexpr const char* name = "/admin.sock";
}

AdminSocket::AdminSocket(const std::string& directory)
    : path_(directory + name), directory_(::open(directory.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC)) {
  if (directory_ < 0) {
    throw boost::system::system_error(errno, boost::system::system_category(), directory);
  }
}

AdminSocket::~AdminSocket() {
  ::close(directory_);
}

void AdminSocket::remove() const noexcept {
  ::unlinkat(directory_, name + 1, 0);
}

boost::asio::local::stream_protocol::endpoint AdminSocket::address() const {
  if (path_.size() < sizeof(sockaddr_un::sun_path)) return {path_};
  return {"/proc/self/fd/" + std::to_string(directory_) + name};
}

}  // namespace tracker::doors
