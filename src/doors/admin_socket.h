#pragma once

#include <sys/types.h>

#include <boost/asio/local/stream_protocol.hpp>
#include <string>

#include "runtime/descriptor.h"

namespace tracker::doors {

/// The Unix socket of an admin door. The address of a socket has room for 107 bytes of path. A longer path goes through
/// /proc/self/fd, which works as long as this object lives.
class AdminSocket {
 public:
  /// `admin.sock` in a data directory, and the socket with that path. Both throw boost::system::system_error if the directory
  /// cannot be opened.
  static AdminSocket in(const std::string& directory);
  static AdminSocket at(const std::string& path);

  const std::string& path() const noexcept { return path_; }

  /// The address to bind or to connect to. Throws boost::system::system_error if even the file's name is too long.
  boost::asio::local::stream_protocol::endpoint address() const;

  // The rest concerns the file in the directory that was opened, wherever that directory is now.

  int directory() const noexcept { return directory_.number(); }
  const std::string& file() const noexcept { return file_; }

 private:
  AdminSocket(std::string path, const std::string& directory, std::string file);

  std::string path_;
  std::string file_;
  runtime::Descriptor directory_;
};

/// A socket that this process listens at, with mode 0600 from its first moment. The file is removed at the end, unless
/// another one has taken its place.
class AdminListener {
 public:
  /// In a data directory that belongs to this process alone, so a socket that is there already belongs to no process and is
  /// replaced. Throws boost::system::system_error if it cannot listen.
  static AdminListener in_own(const std::string& directory);

  /// Replaces a socket that no process serves. Throws boost::system::system_error: ENOENT or ENOTDIR if there is no such
  /// directory, EADDRINUSE if another process serves the socket, ENOTSOCK if something else is there.
  static AdminListener at(const std::string& path);

  AdminListener(AdminListener&&) noexcept = default;
  AdminListener& operator=(AdminListener&&) = delete;
  ~AdminListener();

  const AdminSocket& socket() const noexcept { return socket_; }

  /// Leaves the listening descriptor to the caller. The file stays.
  int release() noexcept { return listening_.release(); }

  /// Removes the file.
  void remove() noexcept;

 private:
  explicit AdminListener(AdminSocket socket);

  AdminSocket socket_;
  runtime::Descriptor listening_;
  ino_t file_number_ = 0;  // 0: there is no file
};

}  // namespace tracker::doors
