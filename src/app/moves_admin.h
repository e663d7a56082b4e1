#pragma once

#include <string>
#include <vector>

#include "app/admin.h"
#include "doors/admin_door.h"

namespace tracker::app {

/// The calls of the admin door that read or move the tokens of the store, if it has contents. Both must outlive them.
void add_move_calls(const OpenStore& open_store, const AdminParts& parts,
                    std::vector<doors::AdminDoor::Call>& calls);

/// Before another counter is forgotten: removes from the store what is of no use then, and returns its slots. Empty: nothing
/// is, or nothing is known of that counter. Throws store::StoreError.
domain::SlotSet empty_for_forgetting(const OpenStore& open_store, const counter::PartitionMember& member,
                                     const std::string& name);

}  // namespace tracker::app
