#include "app/store_kinds.h"
#include "settings/startup_error.h"
#include "store/memory/memory_store.h"

namespace tracker::app {

namespace {

class MemoryKind final : public StoreKind {
 public:
  std::string name() const override { return "memory"; }
  std::string help() const override { return "in this process, gone when it ends"; }
  bool parse(std::string_view text) override { return text == "memory"; }

  OpenStore open(boost::asio::io_context& /*loop*/, const OpenSettings& settings) const override {
    if (settings.require_durability) {
      refuse_durability("--store memory loses all when the process ends; choose another store");
    }
    auto store = std::make_unique<store::memory::MemoryStore>(settings.rules);
    auto& memory = *store;
    return {.store = std::move(store),
            .note = "store=memory: the counts end with this process",
            .contents = [&memory] { return memory.contents(); },
            .reader = [&memory] { return memory.reader(); },
            .keeper = [&memory] { return memory.keeper(); }};
  }

  std::shared_ptr<store::StoreContents> open_contents(bool /*makes*/) const override {
    throw settings::StartupError(
        settings::StartupError::bad_setting,
        "--store memory: its counts are in the process that counts; give the --admin-socket of that process");
  }
};

}  // namespace

std::unique_ptr<StoreKind> memory_kind() {
  return std::make_unique<MemoryKind>();
}

}  // namespace tracker::app
