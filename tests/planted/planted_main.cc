// `tracker serve` with a store that is wrong on purpose: planted_tracker FAULT serve SETTINGS...

#include <CLI/CLI.hpp>
#include <exception>
#include <iostream>
#include <memory>
#include <stdexcept>
#include <string>

#include "app/envoy_service.h"
#include "app/serve.h"
#include "app/service.h"
#include "counter/local_counter.h"
#include "planted/planted_stores.h"
#include "runtime/log.h"
#include "runtime/signals.h"
#include "settings/setting_table.h"

namespace {

namespace app = tracker::app;
namespace planted = tracker::planted;
using Store = std::unique_ptr<tracker::store::CounterStore>;

Store plant(const std::string& fault, Store store) {
  if (fault == "none") return store;
  if (fault == "answers-before-the-commit")
    return std::make_unique<planted::AnswersBeforeTheCommit>(std::move(store));
  if (fault == "repeats-a-batch") return std::make_unique<planted::RepeatsABatch>(std::move(store));
  throw std::invalid_argument("no fault of that name: " + fault);
}

// The same as app::serve().
void serve(const std::string& fault, const app::ServeSettings& settings) {
  const auto workers = app::make_workers(settings.service.threads);
  auto open_store = settings.store.open(workers->context(0), settings.envoy.request_deadline, {});
  const Store store = plant(fault, std::move(open_store.store));
  tracker::counter::LocalCounter counter(*store);
  app::run_envoy(*workers, settings.service, settings.envoy,
                 {.counter_of = [&](std::size_t) -> tracker::counter::Counter& { return counter; },
                  .readiness = counter.readiness(),
                  .open_counter_door = nullptr,
                  .on_start = [&] { tracker::runtime::log_info("planted: " + fault); },
                  .on_running = nullptr,
                  .behind = tracker::metrics::Batches::Behind::store,
                  .report_behind = [&](tracker::metrics::Page& page) { store->report(page); }});
}

}  // namespace

int main(int argc, char** argv) {
  try {
    tracker::runtime::hold_signals();
    if (argc < 2) throw std::invalid_argument("planted_tracker FAULT serve SETTINGS...");
    CLI::App program;
    app::ServeSettings settings;
    tracker::settings::SettingTable table(*program.add_subcommand("serve"));
    app::add_serve_settings(table, settings);
    program.parse(argc - 1, argv + 1);
    table.read();
    tracker::runtime::open_log("planted", "");
    tracker::runtime::start_signal_thread(tracker::runtime::Process::service);
    serve(argv[1], settings);
    return 0;
  } catch (const std::exception& error) {
    std::cerr << "planted_tracker: " << error.what() << '\n';
    return 1;
  }
}
