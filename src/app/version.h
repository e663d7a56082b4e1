#pragma once

#include <string>

namespace tracker::app {

/// The commit that this program was built from, with `-dirty` where it had changes besides; `unknown` outside git.
extern const char* const commit;

/// `tracker 0.1.0 (commit 3316fca0c6d5)`.
inline std::string version_text() {
  return std::string("tracker " TRACKER_VERSION " (commit ") + commit + ")";
}

}  // namespace tracker::app
