#pragma once

#include <chrono>
#include <cstddef>
#include <vector>

#include "domain/ip_address.h"
#include "envoy/access_log.h"
#include "envoy/request_head.h"

namespace tracker::envoy {

/// Who gets a token, and how often.
struct MintSettings {
  bool open = true;         // whoever asks at /auth
  std::size_t rate = 10;    // tokens a second for each client; 0: no bound
  std::size_t burst = 100;  // tokens at once
};

/// The limits and deadlines of the HTTP interface, and its log.
struct EnvoySettings {
  HeadLimits head;
  std::size_t pipeline_max = 128;               // requests of one connection that wait for their answers
  std::size_t connections_max = 10'000;         // of the process, as are the next three
  std::size_t refused_connections_max = 1024;   // more, which wait for a place or end; no setting
  std::size_t connections_per_address_max = 0;  // 0: no limit
  std::size_t hits_max = 65'536;                // hits and mints in flight
  std::size_t linger_bytes_max = 64 * 1024;
  std::chrono::milliseconds request_deadline{2'000};
  std::chrono::milliseconds head_deadline{10'000};
  std::chrono::milliseconds idle_deadline{75'000};
  std::chrono::milliseconds write_deadline{10'000};
  std::chrono::milliseconds linger_deadline{1'000};
  std::chrono::milliseconds active_for{250};  // how long an answer protects a place; no setting
  MintSettings mint;
  std::vector<domain::IpNetwork> trusted_proxies;  // that say whom they ask for
  bool proxy_protocol = false;                     // they say it by the PROXY protocol, too
  AccessLogSettings access_log;
};

}  // namespace tracker::envoy
