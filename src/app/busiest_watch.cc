#include "app/busiest_watch.h"

namespace tracker::app {

using counter::Busiest;

BusiestWatch::BusiestWatch(std::size_t threads)
    : busiest_(threads, Busiest::Clock::now()), collecting_("busiest", Busiest::step, [this] {
        busiest_.collect(Busiest::Clock::now());
        return Busiest::step;
      }) {}

std::unique_ptr<BusiestWatch> watch_busiest(const OpenStore& open_store, const AdminSettings& settings,
                                            std::size_t threads) {
  if (!open_store.backup && settings.socket.empty() && !settings.address) return nullptr;
  return std::make_unique<BusiestWatch>(threads);
}

}  // namespace tracker::app
