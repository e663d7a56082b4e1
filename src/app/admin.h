#pragma once

#include <functional>
#include <memory>
#include <string>

#include "app/store_kinds.h"
#include "counter/partition_member.h"
#include "doors/admin_door.h"

namespace tracker::app {

/// Declares --admin-socket.
void add_admin_socket_setting(settings::SettingTable& table, std::string& path);

/// Forgets another counter, as counter::PartitionMember::forget() does.
using Forget =
    std::function<void(const std::string& name, std::function<void(bool done, const std::string& words)>)>;

/// What the admin door reaches beside the store.
struct AdminParts {
  /// The counter, if it is one of several. Null: it owns every token.
  counter::PartitionMember* member = nullptr;
  /// Null: the service knows no other counters.
  Forget forget = nullptr;
};

/// Opens the admin door: at `path`, if it is not empty, and in the directory of a store on disk. If it cannot listen in that
/// directory, it warns. Returns null if it listens nowhere. `open_store` and what `parts` reach must outlive it. Throws StartupError if it
/// cannot listen at `path`.
std::unique_ptr<doors::AdminDoor> open_admin_door(const OpenStore& open_store, const std::string& path = "",
                                                  const AdminParts& parts = {});

/// Returns what to do when everything else is drained: drain this door, if there is one, and then call `drained`.
std::function<void()> draining_last(doors::AdminDoor* door, std::function<void()> drained);

}  // namespace tracker::app
