#pragma once

#include <vector>

#include "app/admin.h"
#include "doors/admin_door.h"

namespace tracker::app {

/// The calls of the admin door that read or move the tokens of the store, if it has contents. Both must outlive them.
void add_move_calls(const OpenStore& open_store, const AdminParts& parts,
                    std::vector<doors::AdminDoor::Call>& calls);

}  // namespace tracker::app
