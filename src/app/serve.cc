#include "app/serve.h"

#include <sys/resource.h>

#include <atomic>
#include <boost/asio/io_context.hpp>
#include <cstdlib>
#include <memory>
#include <thread>

#include "app/log.h"
#include "app/startup_error.h"
#include "counter/local_counter.h"
#include "doors/health_door.h"
#include "envoy/envoy.h"
#include "runtime/listener.h"
#include "runtime/workers.h"
#include "store/memory/memory_store.h"

namespace tracker::app {

namespace {

constexpr std::size_t million = 1'000'000;

/// Runs `listen`, and turns what the machine says against it into words.
template <typename Listen>
auto listening(const std::string& flag, const runtime::Address& address, Listen listen) {
  try {
    return listen();
  } catch (const boost::system::system_error& error) {
    const bool in_use = error.code() == boost::asio::error::address_in_use;
    throw StartupError(StartupError::refused_by_the_machine,
                       flag + ": cannot listen on " + to_string(address) + ": " + error.code().message() +
                           (in_use ? "; end the program that listens there, or choose another port"
                                   : "; choose an address of this machine and a port that you may use"));
  }
}

std::optional<runtime::Address> health_address(const ServeSettings& settings) {
  if (settings.health_addr) return settings.health_addr;
  if (settings.envoy_addr.port == 0) return std::nullopt;
  if (settings.envoy_addr.port > 65535 - 10) {
    throw StartupError(StartupError::bad_setting,
                       "--health-addr: the default, --envoy-addr's port + 10, is above 65535 for " +
                           to_string(settings.envoy_addr) + "; give an address");
  }
  return runtime::Address{settings.envoy_addr.host,
                          static_cast<std::uint16_t>(settings.envoy_addr.port + 10)};
}

/// Lets the process open as many descriptors as it may, and says so if that is not enough.
void make_room_for_connections(std::size_t connections_max) {
  constexpr std::size_t others = 1024 + 256;  // refused connections that linger; listeners, logs, health
  rlimit limit{};
  getrlimit(RLIMIT_NOFILE, &limit);
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
  if (limit.rlim_cur < connections_max + others) {
    log_warning("--connections-max " + std::to_string(connections_max) + " needs " +
                std::to_string(connections_max + others) + " open files, but this process may have " +
                std::to_string(limit.rlim_cur) + ": raise its limit (ulimit -n), or lower the setting");
  }
}

}  // namespace

void add_serve_settings(SettingTable& table, ServeSettings& settings) {
  table.add_address("--envoy-addr", "ENVOY_ADDR", settings.envoy_addr, "Where it listens for HTTP.");
  table.add({"--counter-addr", "COUNTER_ADDR", "Where it would listen for gRPC; not built yet.", "none",
             "possible: serve does not speak gRPC yet; leave it out",
             [](std::string_view) { return false; }});
  table.add({"--store", "", "Where the counts are kept. memory: in this process, gone when it ends.",
             "memory",
             "memory, the only store that is built yet (rocksdb:DIR, redis and redis-cluster are to come)",
             [](std::string_view text) { return text == "memory"; }});
  table.add({"--health-addr", "HEALTH_ADDR", "Where /healthz, /readyz and /version are.",
             "--envoy-addr with its port + 10; none for port 0", "host:port, [v6]:port or :port",
             [&settings](std::string_view text) {
               settings.health_addr = runtime::parse_address(text);
               return settings.health_addr.has_value();
             }});
  settings.threads = std::max(1U, std::thread::hardware_concurrency());
  table.add_count("--threads", settings.threads, 1, 1024,
                  "Worker threads. The default is the number of cores.");

  auto& envoy = settings.envoy;
  table.add_duration("--request-deadline", envoy.request_deadline, "How long a request waits for its count.");
  table.add_duration("--head-deadline", envoy.head_deadline, "From a request head's first byte to its last.");
  table.add_duration("--idle-deadline", envoy.idle_deadline, "How long a connection may be idle.");
  table.add_duration("--write-deadline", envoy.write_deadline,
                     "How long a client may take nothing of its answers.");
  table.add_duration("--linger-deadline", envoy.linger_deadline,
                     "How long a closed connection's sender is still read.");
  table.add_bytes("--linger-bytes-max", envoy.linger_bytes_max, 0, 1U << 30U, "How much of it is read.");
  table.add_bytes("--request-line-bytes-max", envoy.head.line_bytes_max, 16, 1U << 20U,
                  "The request line, without its CRLF.");
  table.add_bytes("--head-bytes-max", envoy.head.head_bytes_max, 64, 1U << 20U, "The whole request head.");
  table.add_count("--head-fields-max", envoy.head.fields_max, 1, million, "Header fields of a request.");
  table.add_count("--pipeline-max", envoy.pipeline_max, 1, million,
                  "Requests of one connection that wait for answers.");
  table.add_count("--connections-max", envoy.connections_max, 1, 10 * million, "Open connections.");
  table.add_count("--hits-max", envoy.hits_max, 1, 100 * million, "Requests in flight, of all connections.");

  table.add_duration("--drain-delay", settings.drain.delay,
                     "From the signal to end, not ready, to draining.");
  table.add_duration("--drain-limit", settings.drain.limit, "How long draining may take.");
}

int serve(const ServeSettings& settings) {
  const auto health_addr = health_address(settings);
  make_room_for_connections(settings.envoy.connections_max);

  runtime::Workers workers(static_cast<unsigned>(settings.threads));
  boost::asio::io_context control(1);
  store::MemoryStore store;
  counter::LocalCounter counter(store);
  std::atomic<bool> draining = false;

  const auto envoy = listening("--envoy-addr", settings.envoy_addr, [&] {
    return std::make_unique<envoy::Envoy>(workers, settings.envoy_addr, settings.envoy,
                                          [&counter](std::size_t) -> counter::Counter& { return counter; });
  });
  std::unique_ptr<doors::HealthDoor> health;
  if (health_addr) {
    health = listening("--health-addr", *health_addr, [&] {
      return std::make_unique<doors::HealthDoor>(
          control, *health_addr,
          doors::HealthDoor::Answers{.version = TRACKER_VERSION,
                                     .why_not_ready = [&]() -> std::optional<std::string> {
                                       return draining ? "draining" : counter.why_not_ready();
                                     }});
    });
  }

  int exit_code = 0;
  runtime::Drain drain(
      control, settings.drain,
      {.not_ready =
           [&] {
             draining = true;
             log_info("not ready: draining");
           },
       .drain = [&] { envoy->drain([&] { drain.drained(); }); },
       .end =
           [&](bool in_time) {
             if (!in_time) {
               log_warning("--drain-limit passed; the connections that are left are cut off");
               std::_Exit(exit_code);
             }
             control.stop();
           }});

  log_warning("store=memory: the counts end with this process");
  workers.start();
  envoy->start();
  log_info("listening envoy=" + runtime::to_string(envoy->endpoint()) +
           (health ? " health=" + runtime::to_string(health->endpoint()) : ""));
  control.run();
  workers.stop();
  log_info("drained");
  return exit_code;
}

}  // namespace tracker::app
