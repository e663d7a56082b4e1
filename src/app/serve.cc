#include "app/serve.h"

#include "app/envoy_service.h"
#include "counter/local_counter.h"
#include "runtime/log.h"
#include "store/memory/memory_store.h"

namespace tracker::app {

void add_serve_settings(SettingTable& table, ServeSettings& settings) {
  add_service_settings(table, settings.service, "--envoy-addr", "ENVOY_ADDR", {"127.0.0.1", 6380},
                       "Where it listens for HTTP.");
  table.add({"--counter-addr", "COUNTER_ADDR", "Where it would listen for gRPC; not built yet.", "none",
             "possible: serve does not speak gRPC yet; leave it out",
             [](std::string_view) { return false; }});
  table.add({"--store", "", "Where the counts are kept. memory: in this process, gone when it ends.",
             "memory",
             "memory, the only store that is built yet (rocksdb:DIR, redis and redis-cluster are to come)",
             [](std::string_view text) { return text == "memory"; }});
  add_envoy_settings(table, settings.envoy);
}

void serve(const ServeSettings& settings) {
  const auto workers = make_workers(settings.service.threads);
  store::MemoryStore store;
  counter::LocalCounter counter(store);
  run_envoy(*workers, settings.service, settings.envoy,
            {.counter_of = [&](std::size_t) -> counter::Counter& { return counter; },
             .why_not_ready = [&] { return counter.why_not_ready(); },
             .on_start = [] { runtime::log_warning("store=memory: the counts end with this process"); }});
  runtime::log_info("drained");
}

}  // namespace tracker::app
