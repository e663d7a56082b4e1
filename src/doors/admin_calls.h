#pragma once

namespace tracker::doors {

/// The calls of the admin door. Each is a `POST` to this path.

// Of a store on disk.

/// Makes a backup in a directory that does not exist. The body is its absolute path, as the process that serves the
/// store sees it.
inline constexpr const char* backup_at = "/backup";

/// Makes a backup in an empty directory, whose descriptor comes with the request. The body is the name that the caller
/// has for it.
inline constexpr const char* backup_into = "/backup-into";

// Of every process that has the door.

/// Forgets another counter. The body is its name. The answer says what is lost by it.
inline constexpr const char* slots_forget = "/slots/forget";

// Of every process that counts in a store of its own. What they get and answer: transfer/requests.h.

/// Writes an export into the file whose descriptor comes with the request.
inline constexpr const char* export_tokens = "/export";
/// The counters that should have tokens of this one: a name in each line.
inline constexpr const char* lost_owners = "/export/lost";
/// Refuses unless slots are held for an export. The body is its id.
inline constexpr const char* is_held = "/export/held";
/// Ends the hold of an export. The body is its id.
inline constexpr const char* end_hold = "/export/unhold";
/// Removes what has arrived elsewhere.
inline constexpr const char* drop_tokens = "/export/drop";
/// Imports the file whose descriptor comes with the request. The answer is the receipt.
inline constexpr const char* import_tokens = "/import";

}  // namespace tracker::doors
