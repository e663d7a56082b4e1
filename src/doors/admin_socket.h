#pragma once

#include <boost/asio/local/stream_protocol.hpp>
#include <string>

namespace tracker::doors {

/// Where the admin door of a data directory is: the Unix socket `admin.sock` in it. The address of a socket has
/// room for 107 bytes of path; a longer one goes by way of /proc/self/fd, as long as this lives.
class AdminSocket {
 public:
  /// Throws boost::system::system_error if the directory cannot be opened.
  explicit AdminSocket(const std::string& directory);
  ~AdminSocket();
  AdminSocket(const AdminSocket&) = delete;
  AdminSocket& operator=(const AdminSocket&) = delete;

  const std::string& path() const noexcept { return path_; }

  /// Removes what has this name in the directory that was opened, wherever that is by now.
  void remove() const noexcept;

  /// To bind to, and to connect to.
  boost::asio::local::stream_protocol::endpoint address() const;

 private:
  std::string path_;
  int directory_;
};

}  // namespace tracker::doors
