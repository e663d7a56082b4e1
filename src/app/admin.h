#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "app/store_kinds.h"
#include "counter/busiest.h"
#include "counter/partition_member.h"
#include "doors/admin_door.h"
#include "metrics/page.h"
#include "runtime/address.h"

namespace tracker::app {

/// Where the admin door listens.
struct AdminSettings {
  std::string socket = {};  // its path; empty: none but that of a store on disk
  std::optional<runtime::Address> address = {};
  std::string keys_file = {};  // for that address
  bool insecure = false;
};

/// Declares --admin-socket, --admin-addr and what belongs to it.
void add_admin_settings(settings::SettingTable& table, AdminSettings& settings);

/// The slots whose tokens a service may change: those that are settled at a counter that is one of several; otherwise all, unless
/// several counters count in the store. Any thread. They outlive it.
std::function<domain::SlotSet()> own_slots(const OpenStore& open_store, counter::PartitionMember* member);

/// Forgets another counter, as counter::PartitionMember::forget() does.
using Forget =
    std::function<void(const std::string& name, std::function<void(bool done, const std::string& words)>)>;

/// What the admin door reaches beside the store, and tells.
struct AdminParts {
  std::string service = {};  // serve or counter
  std::string store = {};    // as --store names it
  const counter::ReadinessSource* readiness = nullptr;
  /// Adds what the doors where hits come have counted. Any thread.
  std::function<void(metrics::Page& page)> report = nullptr;
  /// The counter, if it is one of several. Null: it owns every token.
  counter::PartitionMember* member = nullptr;
  /// Mints tokens of operators. Null: nobody does.
  counter::Counter* minter = nullptr;
  counter::TokenTerms terms = {};
  /// Null: the service knows no other counters.
  Forget forget = nullptr;
  counter::Busiest* busiest = nullptr;  // null: nobody watches what is busiest
};

/// The admin door, and what to do on SIGHUP.
struct OpenAdminDoor {
  std::unique_ptr<doors::AdminDoor> door;  // null: it listens nowhere
  std::function<void()> reread = nullptr;  // null: it has no files
};

/// Opens the admin door: where the settings say, and in the directory of a store on disk. If it cannot listen in that
/// directory, it warns. `open_store` and what `parts` reach must outlive it. Throws StartupError if it cannot listen where the
/// settings say.
OpenAdminDoor open_admin_door(const OpenStore& open_store, const AdminSettings& settings = {},
                              const AdminParts& parts = {});

/// Returns what to do when everything else is drained: drain this door, if there is one, and then call `drained`.
std::function<void()> draining_last(doors::AdminDoor* door, std::function<void()> drained);

}  // namespace tracker::app
