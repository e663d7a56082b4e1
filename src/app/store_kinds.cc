#include "app/store_kinds.h"

#include <utility>

#include "runtime/log.h"
#include "settings/startup_error.h"

namespace tracker::app {

std::vector<std::unique_ptr<StoreKind>> store_kinds() {
  std::vector<std::unique_ptr<StoreKind>> kinds;
  kinds.push_back(rocksdb_kind());
  kinds.push_back(memory_kind());
  for (auto& kind : redis_kinds()) kinds.push_back(std::move(kind));
  return kinds;
}

void require_whole_store(const OpenStore& open_store) {
  const auto facts = open_store.store->facts().value();
  if (!facts || facts->record.empty()) return;
  throw settings::StartupError(
      settings::StartupError::bad_setting,
      "--peers: the store has counted some of the tokens only, as one of several counters; "
      "start tracker counter with the same --peers and --name as before");
}

std::unique_ptr<counter::ReadQueue> make_read_queue(const OpenStore& open_store,
                                                    const counter::TokenTerms& terms) {
  if (!open_store.reader) return nullptr;
  return std::make_unique<counter::ReadQueue>(open_store.reader, terms.now_s);
}

void log_note(const OpenStore& open_store) {
  if (!open_store.note.empty()) runtime::log_info(open_store.note);
}

void refuse_durability(const std::string& why) {
  throw settings::StartupError(settings::StartupError::bad_setting, "--require-durability: " + why);
}

}  // namespace tracker::app
