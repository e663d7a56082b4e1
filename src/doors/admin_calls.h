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

}  // namespace tracker::doors
