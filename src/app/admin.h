#pragma once

#include <functional>
#include <memory>
#include <string>

#include "app/store_kinds.h"
#include "doors/admin_door.h"

namespace tracker::app {

/// Opens the admin door of a store on disk, in its directory. Returns null for other stores, and, with a warning, if it
/// cannot listen. `open_store` must outlive it.
std::unique_ptr<doors::AdminDoor> open_admin_door(const OpenStore& open_store);

/// Returns what to do when everything else is drained: drain this door, if there is one, and then call `drained`.
std::function<void()> draining_last(doors::AdminDoor* door, std::function<void()> drained);

}  // namespace tracker::app
