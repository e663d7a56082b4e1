#pragma once

#include <boost/asio/local/stream_protocol.hpp>
#include <string>

namespace tracker::doors {

/// The Unix socket of a data directory's admin door: `admin.sock` in that directory. The address of a socket has room
/// for 107 bytes of path. A longer path goes through /proc/self/fd, which works as long as this object lives.
class AdminSocket {
 public:
  /// Throws boost::system::system_error if the directory cannot be opened.
  explicit AdminSocket(const std::string& directory);
  ~AdminSocket();
  AdminSocket(const AdminSocket&) = delete;
  AdminSocket& operator=(const AdminSocket&) = delete;

  const std::string& path() const noexcept { return path_; }

  /// Removes the file of this name from the directory that was opened, wherever that directory is now.
  void remove() const noexcept;

  /// The address to bind or to connect to.
  boost::asio::local::stream_protocol::endpoint address() const;

 private:
  std::string path_;
  int directory_;
};

}  // namespace tracker::doors
