#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <memory>
#include <optional>
#include <string>

#include "doors/admin_socket.h"
#include "settings/setting_table.h"

namespace tracker::cli {

/// The setting --admin-socket of a command: the path of the socket of a process that runs. Begins the group of addresses.
void add_admin_socket_setting(settings::SettingTable& table, std::string& path, const std::string& help,
                              const std::string& default_text,
                              std::optional<settings::SettingTable::Condition> condition = std::nullopt);

/// A connection to the admin socket of a process that runs, for calls that change things. They may take hours, and are done
/// without the process if none is there. Its functions block.
class AdminClient {
 public:
  /// Returns nothing if no process listens there. Throws StartupError if it may not be asked.
  static std::optional<AdminClient> connect(const doors::AdminSocket& admin);

  struct Answer {
    bool is_known;  // false: the process does not know the call
    bool done;
    std::string text;
  };
  /// Makes a call, with the descriptor if there is one. Throws boost::system::system_error if the process goes away.
  Answer ask(const std::string& call, const std::string& body, int descriptor = -1);

  int native_handle() { return socket_.native_handle(); }

 private:
  using Socket = boost::asio::local::stream_protocol::socket;

  AdminClient(std::unique_ptr<boost::asio::io_context> context, Socket socket);

  std::unique_ptr<boost::asio::io_context> context_;
  Socket socket_;
};

}  // namespace tracker::cli
