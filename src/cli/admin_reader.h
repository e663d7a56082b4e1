#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "app/store_choice.h"
#include "runtime/address.h"
#include "settings/setting_table.h"

namespace tracker::cli {

/// Which admin doors a command asks.
struct AdminDoorSettings {
  std::string socket = {};                       // its path; empty: none was given
  std::vector<runtime::Address> addresses = {};  // over TCP, instead of a socket
  std::string key_file = {};                     // for these
  app::StoreChoice store = {};                   // its directory has a socket
};

/// Declares --admin-socket, --admin, --admin-key-file and --store. `settings` outlives the table.
void add_admin_door_settings(settings::SettingTable& table, AdminDoorSettings& settings);

/// A connection to one admin door, over a socket or TCP, for what can be read and changed below /v1/. Its
/// functions block.
class AdminReader {
 public:
  ~AdminReader();

  struct Answer {
    unsigned status = 0;
    std::string body;
  };
  enum class Method : std::uint8_t { get, post, patch, remove };
  /// Asks for a target. Throws StartupError if there is no answer within a minute, or the door refuses the key.
  Answer ask(Method method, const std::string& target, const std::string& body = "");
  Answer get(const std::string& target) { return ask(Method::get, target); }

  /// How errors call it.
  const std::string& name() const noexcept { return name_; }

 private:
  friend std::vector<std::unique_ptr<AdminReader>> open_admin_readers(const AdminDoorSettings& settings);
  class Connection;
  AdminReader(std::string name, std::unique_ptr<Connection> connection);

  const std::string name_;
  const std::unique_ptr<Connection> connection_;
};

/// Connects to all of them. Throws StartupError.
std::vector<std::unique_ptr<AdminReader>> open_admin_readers(const AdminDoorSettings& settings);

/// The detail of an answer that is a problem (RFC 9457).
std::string detail_of(const AdminReader::Answer& answer);

}  // namespace tracker::cli
