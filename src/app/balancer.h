#pragma once

#include "app/list_settings.h"
#include "app/port_settings.h"
#include "app/redis_login.h"
#include "app/service_settings.h"
#include "settings/setting_table.h"

namespace tracker::app {

/// The settings of `tracker balancer`.
struct BalancerSettings {
  ServiceSettings service;
  ListSettings counters{.flag = "--counters"};
  bool by_cluster = false;  // the slots follow a Redis Cluster's masters
  RedisLogin redis;
  bool insecure = false;
  PortSettings port;
};

/// Declares the settings; `settings` outlives the table.
void add_balancer_settings(settings::SettingTable& table, BalancerSettings& settings);

/// Runs the external load balancer, which tells envoys, counters and others who owns which token, until it is drained.
/// Throws StartupError.
void run_balancer(const BalancerSettings& settings);

}  // namespace tracker::app
