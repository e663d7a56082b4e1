#pragma once

#include <functional>
#include <memory>
#include <string>

#include "app/store_kinds.h"
#include "doors/admin_door.h"

namespace tracker::app {

/// Forgets another counter, as counter::PartitionMember::forget() does.
using Forget =
    std::function<void(const std::string& name, std::function<void(bool done, const std::string& words)>)>;

/// Opens the admin door: at `path`, if it is not empty, and in the directory of a store on disk. If it cannot listen in that
/// directory, it warns. Returns null if it listens nowhere. `open_store` must outlive it, and so must what `forget` uses. Null
/// `forget`: the service knows no other counters. Throws StartupError if it cannot listen at `path`.
std::unique_ptr<doors::AdminDoor> open_admin_door(const OpenStore& open_store, const std::string& path = "",
                                                  Forget forget = nullptr);

/// Returns what to do when everything else is drained: drain this door, if there is one, and then call `drained`.
std::function<void()> draining_last(doors::AdminDoor* door, std::function<void()> drained);

}  // namespace tracker::app
