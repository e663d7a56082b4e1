#pragma once

namespace tracker::doors {

/// The calls of the admin door of a store on disk. Each is a `POST` to this path.

/// Makes a backup in a directory that does not exist. The body is its absolute path, as the process that serves the
/// store sees it.
inline constexpr const char* backup_at = "/backup";

/// Makes a backup in an empty directory, whose descriptor comes with the request. The body is the name that the caller
/// has for it.
inline constexpr const char* backup_into = "/backup-into";

}  // namespace tracker::doors
