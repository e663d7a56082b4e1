#pragma once

#include <functional>
#include <memory>
#include <string>

#include "app/store_kinds.h"
#include "doors/admin_door.h"

namespace tracker::app {

/// The admin door of a store on disk, in its directory; null for the other stores, and, with a warning, where it
/// cannot listen. `open_store` outlives it.
std::unique_ptr<doors::AdminDoor> open_admin_door(const OpenStore& open_store);

/// What to do when all else is drained: drains this door, too, if there is one, and then calls `drained`.
std::function<void()> draining_last(doors::AdminDoor* door, std::function<void()> drained);

}  // namespace tracker::app
