#pragma once

#include <functional>
#include <memory>
#include <string>

#include "app/store_choice.h"
#include "doors/admin_door.h"

namespace tracker::app {

/// What the admin door of a store on disk does, by `POST`:
/// makes a backup in a directory that does not exist; the body is its absolute path, as the process that serves sees it.
inline constexpr const char* backup_at = "/backup";
/// Makes one in an empty directory, whose descriptor comes with the request; the body is what its caller calls it.
inline constexpr const char* backup_into = "/backup-into";

/// The admin door of a store on disk, in its directory; null for the other stores, and, with a warning, where it
/// cannot listen. `open_store` outlives it.
std::unique_ptr<doors::AdminDoor> open_admin_door(const OpenStore& open_store);

/// What to do when all else is drained: drains this door, too, if there is one, and then calls `drained`.
std::function<void()> draining_last(doors::AdminDoor* door, std::function<void()> drained);

}  // namespace tracker::app
