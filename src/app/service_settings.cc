#include "app/service_settings.h"

#include <algorithm>
#include <vector>

#include "domain/ip_address.h"
#include "runtime/cpus.h"
#include "settings/setting_values.h"
#include "settings/startup_error.h"

namespace tracker::app {

using settings::SettingTable;
using settings::StartupError;
using std::chrono_literals::operator""ms;

namespace {
constexpr std::size_t threads_max = 1024;
constexpr std::size_t million = 1'000'000;
constexpr std::size_t mebibyte = 1024 * 1024;

/// A door of this process, and how an error names it.
struct Door {
  std::string name;
  runtime::Address address;
};

bool is_every_address(const std::string& host) {
  return host.empty() || host == "0.0.0.0" || host == "::";
}

bool is_v6(const std::string& host) {
  return host.find(':') != host.npos;
}

/// Compares the texts. Where they do not tell, the machine will say that the address is in use.
bool is_same(const runtime::Address& one, const runtime::Address& other) {
  if (one.port == 0 || one.port != other.port) return false;
  if (one.host == other.host || one.host.empty() || other.host.empty()) return true;
  for (const auto& [host, second] : {std::pair(one.host, other.host), std::pair(other.host, one.host)}) {
    if (is_every_address(host) && is_v6(host) == is_v6(second)) return true;
    if (host == "localhost" && (second == "127.0.0.1" || second == "::1")) return true;
  }
  return false;
}

/// A list of addresses and networks, with commas between.
bool take_networks(std::string_view text, std::vector<domain::IpNetwork>& networks) {
  networks.clear();
  while (true) {
    const auto comma = text.find(',');
    const auto network = domain::parse_ip_network(settings::trimmed(text.substr(0, comma)));
    if (!network) return false;
    networks.push_back(*network);
    if (comma == text.npos) return true;
    text.remove_prefix(comma + 1);
  }
}

void add_mint_settings(SettingTable& table, envoy::EnvoySettings& settings) {
  table.begin_group(SettingTable::Group::limits);
  auto& mint = settings.mint;
  table.add_choice("--auth",
                   {{"open", [&mint] { mint.open = true; }}, {"closed", [&mint] { mint.open = false; }}},
                   "Whether GET /auth hands out tokens to whoever asks, or answers 403.");
  table.add_count(
      "--mint-rate", mint.rate, 0, million,
      "The number of tokens that a client gets a second, at each envoy; 0: no bound. A client is an "
      "IPv4 address or the first 64 bits of an IPv6 address. Loopback is free.",
      SettingTable::Condition{"--auth open", [&mint] { return mint.open; }});
  table.add_count(
      "--mint-burst", mint.burst, 1, million, "The number that it gets at once, after a pause.",
      SettingTable::Condition{"a --mint-rate above 0", [&mint] { return mint.open && mint.rate > 0; }});
  table.begin_group(SettingTable::Group::addresses);
  table.add({"--trusted-proxies", "",
             "The proxies that say for whom they ask, by Forwarded, X-Forwarded-For or the PROXY protocol: "
             "10.0.0.7,10.1.0.0/16,2001:db8::/32. What others say is ignored.",
             "none", "a list of addresses and networks, such as 10.0.0.7,10.1.0.0/16",
             [&settings](std::string_view text) { return take_networks(text, settings.trusted_proxies); },
             "NETWORKS"});
  table.add_switch(
      "--proxy-protocol", settings.proxy_protocol,
      "Each connection of a trusted proxy must begin with a header of the PROXY protocol, version 2.",
      SettingTable::Condition{"--trusted-proxies",
                              [&settings] { return !settings.trusted_proxies.empty(); }});
}

void add_log_settings(SettingTable& table, runtime::LogSettings& settings) {
  table.add_choice("--log-format",
                   {{"text", [&settings] { settings.format = runtime::LogFormat::text; }},
                    {"json", [&settings] { settings.format = runtime::LogFormat::json; }}},
                   "How log lines are written: as text, or as one JSON object each.");
  table.add_choice("--log-level",
                   {{"info", [&settings] { settings.level = runtime::LogLevel::info; }},
                    {"warning", [&settings] { settings.level = runtime::LogLevel::warning; }},
                    {"error", [&settings] { settings.level = runtime::LogLevel::error; }}},
                   "What is logged: everything; no more than warnings; or only why the service ends.");
}
}  // namespace

void add_service_settings(SettingTable& table, ServiceSettings& settings, const std::string& address_flag,
                          const std::string& address_environment, runtime::Address address_default,
                          const std::string& address_help) {
  using Group = SettingTable::Group;
  table.begin_group(Group::addresses);
  settings.address_flag = address_flag;
  settings.address = std::move(address_default);
  table.add_address(address_flag, address_environment, settings.address, address_help);
  table.add_address("--health-addr", "HEALTH_ADDR", settings.health_addr,
                    "Where to answer /healthz, /readyz, /version and /metrics.",
                    address_flag + " with its port + 10; none for port 0");
  table.add_switch("--health-details", settings.health_details,
                   "Lets /readyz name hosts and files also on an address off loopback.");
  table.begin_group(Group::process);
  settings.threads = std::min(runtime::usable_cpus(), threads_max);
  auto& threads = table.add_count(
      "--threads", settings.threads, 1, threads_max,
      "The number of worker threads. The default is the number of CPUs that the process may use, by its "
      "affinity and the quota of its control group.");
  threads.general_default = "the number of these CPUs";
  table.add_switch(
      "--core-dumps", settings.core_dumps,
      "Lets the process leave a core dump and be traced by its user. Its memory holds tokens and passwords.");
  add_log_settings(table, settings.log);
  table.begin_group(Group::draining);
  table.add_duration("--drain-delay", settings.drain.delay, 0ms,
                     "How long to go on, not ready, between the signal to end and draining.");
  table.add_duration("--drain-limit", settings.drain.limit, 0ms, "How long draining may take.");
}

void add_envoy_settings(SettingTable& table, envoy::EnvoySettings& settings) {
  table.begin_group(SettingTable::Group::deadlines);
  table.add_duration("--request-deadline", settings.request_deadline, 1ms,
                     "How long a request waits for its count.");
  table.add_duration("--head-deadline", settings.head_deadline, 1ms,
                     "How long a request head may take, from its first byte to its last.");
  table.add_duration("--idle-deadline", settings.idle_deadline, 1ms, "How long a connection may be idle.");
  table.add_duration("--write-deadline", settings.write_deadline, 1ms,
                     "How long a client may read nothing of its answers.");
  table.add_duration("--linger-deadline", settings.linger_deadline, 0ms,
                     "How long to read on when an answer closes a connection and its client still sends.");
  table.begin_group(SettingTable::Group::limits);
  table.add_bytes("--linger-bytes-max", settings.linger_bytes_max, 0, 1024 * mebibyte,
                  "How much to read on then.",
                  SettingTable::Condition{"a --linger-deadline above 0s",
                                          [&settings] { return settings.linger_deadline > 0ms; }});
  table.add_bytes("--request-line-bytes-max", settings.head.line_bytes_max, 16, mebibyte,
                  "The size of a request line, without its CRLF.");
  table.add_bytes("--head-bytes-max", settings.head.head_bytes_max, 256, mebibyte,
                  "The size of a whole request head.");
  table.add_count("--head-fields-max", settings.head.fields_max, 2, million,
                  "The number of header fields of a request.");
  table.add_count("--pipeline-max", settings.pipeline_max, 1, million,
                  "The number of requests of one connection that wait for their answers.");
  table.add_count(
      "--connections-max", settings.connections_max, 1, 10 * million,
      "The number of open connections. Above it, a new one takes the place of the one that has been "
      "idle for longest.");
  table.add_count("--connections-per-address-max", settings.connections_per_address_max, 0, 10 * million,
                  "The number of open connections of one client address (of IPv6, its first 64 bits); 0: no "
                  "limit. Connections of --trusted-proxies are not bounded; with --proxy-protocol, those of "
                  "each client behind them are.");
  table.add_count("--hits-max", settings.hits_max, 1, 100 * million,
                  "The number of requests in flight, of all connections.");
  add_mint_settings(table, settings);
  table.begin_group(SettingTable::Group::process);
  table.add(
      {"--access-log", "",
       "Where to write a line for each answered request; - is the standard output. SIGHUP opens the file "
       "anew.",
       "none: there is no such log", "the path of a file, or -",
       [&settings](std::string_view text) {
         settings.access_log.path = text;
         return !text.empty();
       },
       "FILE"});
  table.add_count(
      "--access-log-sample", settings.access_log.sample, 1, 1000 * million,
      "Writes a line for one in so many requests.",
      SettingTable::Condition{"--access-log", [&settings] { return !settings.access_log.path.empty(); }});
}

void require_different_addresses(const ServiceSettings& settings, const std::vector<FlagAndAddress>& others) {
  std::vector<Door> doors{{settings.address_flag, settings.address}};
  for (const auto& [flag, address] : others) doors.push_back({flag, address});
  if (const auto health = health_address(settings)) {
    const auto name = settings.health_addr
                          ? std::string("--health-addr")
                          : "--health-addr (by default the port of " + settings.address_flag + " + 10)";
    doors.push_back({name, *health});
  }
  for (auto door = doors.begin(); door != doors.end(); ++door) {
    const auto twin = std::find_if(doors.begin(), door,
                                   [&](const Door& other) { return is_same(other.address, door->address); });
    if (twin == door) continue;
    throw StartupError(StartupError::bad_setting,
                       door->name + ": " + to_string(door->address) + " is taken by " + twin->name + " " +
                           to_string(twin->address) + " of this process; choose another port");
  }
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
