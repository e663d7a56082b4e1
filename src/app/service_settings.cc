#include "app/service_settings.h"

#include <algorithm>

#include "app/startup_error.h"
#include "runtime/cpus.h"

namespace tracker::app {

using std::chrono_literals::operator""ms;

namespace {
constexpr std::size_t threads_max = 1024;
constexpr std::size_t million = 1'000'000;
constexpr std::size_t mebibyte = 1024 * 1024;
}  // namespace

void add_service_settings(SettingTable& table, ServiceSettings& settings, const std::string& address_flag,
                          const std::string& address_environment, runtime::Address address_default,
                          const std::string& address_help, const std::string& threads_help) {
  settings.address_flag = address_flag;
  settings.address = std::move(address_default);
  table.add_address(address_flag, address_environment, settings.address, address_help);
  table.add({"--health-addr", "HEALTH_ADDR", "Where /healthz, /readyz and /version are.",
             address_flag + " with its port + 10; none for port 0", "host:port, [v6]:port or :port",
             [&settings](std::string_view text) {
               settings.health_addr = runtime::parse_address(text);
               return settings.health_addr.has_value();
             }});
  settings.threads = std::min(runtime::usable_cpus(), threads_max);
  table.add_count("--threads", settings.threads, 1, threads_max, threads_help);
  table.add_duration("--drain-delay", settings.drain.delay, 0ms,
                     "From the signal to end, not ready, to draining.");
  table.add_duration("--drain-limit", settings.drain.limit, 0ms, "How long draining may take.");
}

void add_envoy_settings(SettingTable& table, envoy::EnvoySettings& settings) {
  table.add_duration("--request-deadline", settings.request_deadline, 1ms,
                     "How long a request waits for its count.");
  table.add_duration("--head-deadline", settings.head_deadline, 1ms,
                     "From a request head's first byte to its last.");
  table.add_duration("--idle-deadline", settings.idle_deadline, 1ms, "How long a connection may be idle.");
  table.add_duration("--write-deadline", settings.write_deadline, 1ms,
                     "How long a client may take nothing of its answers.");
  table.add_duration("--linger-deadline", settings.linger_deadline, 0ms,
                     "How long a closed connection's sender is still read.");
  table.add_bytes("--linger-bytes-max", settings.linger_bytes_max, 0, 1024 * mebibyte,
                  "How much of it is read.");
  table.add_bytes("--request-line-bytes-max", settings.head.line_bytes_max, 16, mebibyte,
                  "The request line, without its CRLF.");
  table.add_bytes("--head-bytes-max", settings.head.head_bytes_max, 256, mebibyte, "The whole request head.");
  table.add_count("--head-fields-max", settings.head.fields_max, 2, million, "Header fields of a request.");
  table.add_count("--pipeline-max", settings.pipeline_max, 1, million,
                  "Requests of one connection that wait for their answers.");
  table.add_count("--connections-max", settings.connections_max, 1, 10 * million,
                  "Open connections. A new one takes the place of the one that is idle for longest.");
  table.add_count("--connections-per-address-max", settings.connections_per_address_max, 0, 10 * million,
                  "Open connections of one client address (IPv6: of its first 64 bits); 0: no limit. A "
                  "proxy is one address.");
  table.add_count("--hits-max", settings.hits_max, 1, 100 * million,
                  "Requests in flight, of all connections.");
}

std::optional<runtime::Address> health_address(const ServiceSettings& settings) {
  if (settings.health_addr) return settings.health_addr;
  if (settings.address.port == 0) return std::nullopt;
  if (settings.address.port > 65535 - 10) {
    throw StartupError(StartupError::bad_setting,
                       "--health-addr: the default, the port of " + settings.address_flag + " " +
                           to_string(settings.address) + " + 10, is above 65535; give an address");
  }
  return runtime::Address{settings.address.host, static_cast<std::uint16_t>(settings.address.port + 10)};
}

}  // namespace tracker::app
