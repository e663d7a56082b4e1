#include "doors/admin_socket.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <boost/system/system_error.hpp>
#include <cerrno>
#include <chrono>
#include <thread>
#include <utility>

namespace tracker::doors {

namespace {

[[noreturn]] void refuse(int error, const std::string& what) {
  throw boost::system::system_error(error, boost::system::system_category(), what);
}

runtime::Descriptor new_socket() {
  return runtime::Descriptor(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
}

/// The number of the socket file. 0: there is no file. Throws if it is no socket.
ino_t number_of(const AdminSocket& socket) {
  struct stat status {};
  if (::fstatat(socket.directory(), socket.file().c_str(), &status, AT_SYMLINK_NOFOLLOW) != 0) {
    if (errno == ENOENT) return 0;
    refuse(errno, socket.path());
  }
  if (!S_ISSOCK(status.st_mode)) refuse(ENOTSOCK, socket.path());
  return status.st_ino;
}

/// Locks the directory until the descriptor is closed. Of two processes that find a stale socket at the same time, one must
/// not remove what the other has made. They need the lock for a moment only. A directory that may not be read, or that a
/// store has locked for long, is not locked.
runtime::Descriptor locked(const AdminSocket& socket) {
  runtime::Descriptor lock(::openat(socket.directory(), ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  for (int tries_left = 50; lock.is_open() && tries_left > 0; --tries_left) {
    if (::flock(lock.number(), LOCK_EX | LOCK_NB) == 0 || errno != EWOULDBLOCK) break;
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  return lock;
}

void remove_stale(const AdminSocket& socket) {
  if (number_of(socket) == 0) return;
  const auto connection = new_socket();
  const auto address = socket.address();
  if (::connect(connection.number(), address.data(), static_cast<socklen_t>(address.size())) == 0 ||
      errno == EAGAIN) {  // many wait there already
    refuse(EADDRINUSE, socket.path());
  }
  if (errno != ECONNREFUSED) refuse(errno, socket.path());
  ::unlinkat(socket.directory(), socket.file().c_str(), 0);
}

}  // namespace

AdminSocket AdminSocket::in(const std::string& directory) {
  return {directory + "/admin.sock", directory, "admin.sock"};
}

AdminSocket AdminSocket::at(const std::string& path) {
  const auto slash = path.rfind('/');
  if (slash == path.npos) return {path, ".", path};
  return {path, path.substr(0, slash + 1), path.substr(slash + 1)};
}

AdminSocket::AdminSocket(std::string path, const std::string& directory, std::string file)
    : path_(std::move(path)),
      file_(std::move(file)),
      directory_(::open(directory.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC)) {
  if (!directory_.is_open()) refuse(errno, directory);
}

boost::asio::local::stream_protocol::endpoint AdminSocket::address() const {
  if (path_.size() < sizeof(sockaddr_un::sun_path)) return {path_};
  return {"/proc/self/fd/" + std::to_string(directory_.number()) + "/" + file_};
}

AdminListener::AdminListener(AdminSocket socket) : socket_(std::move(socket)), listening_(new_socket()) {
  // bind() makes the file with the mode of the socket, so the file never has another one. umask() would also change the
  // files that other threads make meanwhile.
  ::fchmod(listening_.number(), S_IRUSR | S_IWUSR);
  const auto address = socket_.address();
  if (::bind(listening_.number(), address.data(), static_cast<socklen_t>(address.size())) != 0)
    refuse(errno, socket_.path());
  file_number_ = number_of(socket_);
  if (::listen(listening_.number(), SOMAXCONN) != 0) {
    const int error = errno;
    remove();
    refuse(error, socket_.path());
  }
}

AdminListener AdminListener::in_own(const std::string& directory) {
  auto socket = AdminSocket::in(directory);
  ::unlinkat(socket.directory(), socket.file().c_str(), 0);
  return AdminListener(std::move(socket));
}

AdminListener AdminListener::at(const std::string& path) {
  auto socket = AdminSocket::at(path);
  const auto lock = locked(socket);
  remove_stale(socket);
  return AdminListener(std::move(socket));
}

AdminListener::~AdminListener() {
  if (socket_.directory() >= 0) remove();  // it was not moved from
}

void AdminListener::remove() noexcept {
  struct stat status {};
  const auto number = std::exchange(file_number_, 0);
  if (number == 0 ||
      ::fstatat(socket_.directory(), socket_.file().c_str(), &status, AT_SYMLINK_NOFOLLOW) != 0)
    return;
  if (status.st_ino == number) ::unlinkat(socket_.directory(), socket_.file().c_str(), 0);
}

}  // namespace tracker::doors
