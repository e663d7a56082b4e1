#pragma once

#include <chrono>
#include <cstddef>

#include "envoy/access_log.h"
#include "envoy/request_head.h"

namespace tracker::envoy {

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
  AccessLogSettings access_log;
};

}  // namespace tracker::envoy
