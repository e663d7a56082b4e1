#include "app/store_kinds.h"

#include "runtime/log.h"
#include "settings/startup_error.h"

namespace tracker::app {

std::vector<std::unique_ptr<StoreKind>> store_kinds() {
  std::vector<std::unique_ptr<StoreKind>> kinds;
  kinds.push_back(rocksdb_kind());
  kinds.push_back(memory_kind());
  kinds.push_back(redis_kind());
  return kinds;
}

void log_note(const OpenStore& open_store) {
  if (!open_store.note.empty()) runtime::log_info(open_store.note);
}

void refuse_durability(const std::string& why) {
  throw settings::StartupError(settings::StartupError::bad_setting, "--require-durability: " + why);
}

}  // namespace tracker::app
