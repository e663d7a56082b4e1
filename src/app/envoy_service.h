#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "app/admin.h"
#include "app/descriptor_budget.h"
#include "app/self_service.h"
#include "app/service_settings.h"
#include "counter/counter.h"
#include "envoy/envoy_settings.h"
#include "metrics/batches.h"
#include "metrics/page.h"
#include "rpc/counter_door.h"
#include "runtime/line_file.h"
#include "runtime/workers.h"

namespace tracker::app {

/// What is behind the HTTP door.
struct EnvoyParts {
  std::function<counter::Counter&(std::size_t worker)> counter_of;
  const counter::ReadinessSource& readiness;
  std::string unready_in_public = {};      // see ServiceParts
  std::size_t store_files = 0;             // that it may have open
  ConnectionBudget counter_connections{};  // that a gRPC door beside it would like to have
  /// Opens that door, with so many connections; null, or an answer of null: there is none.
  std::function<std::unique_ptr<rpc::CounterDoor>(boost::asio::io_context& control,
                                                  const ConnectionBudget& budget)>
      open_counter_door;
  /// Opens the admin door of a service whose other doors report this; null: there is none.
  std::function<OpenAdminDoor(std::function<void(metrics::Page& page)> report)> open_admin_door = nullptr;
  SelfService* self = nullptr;             // null: there is none
  std::function<void()> on_start;          // once nothing can go wrong any more
  std::function<void()> on_running;        // once they run, before it accepts; null: there is nothing to do
  std::function<void()> reread = nullptr;  // see ServiceParts
  std::unique_ptr<runtime::LineFile> access_log = nullptr;  // null: there is none
  metrics::Batches::Behind behind;                          // who gives the verdicts
  /// What they measure. See ServiceParts.
  std::function<void(metrics::Page& page)> report_behind;
};

/// Opens what --access-log names; null if it names nothing. Throws StartupError.
std::unique_ptr<runtime::LineFile> open_access_log(const envoy::EnvoySettings& settings);

/// Runs the HTTP door over these counters until it is drained, for every command that has one. The workers have stopped
/// when it returns. Throws StartupError.
void run_envoy(runtime::Workers& workers, const ServiceSettings& service, envoy::EnvoySettings settings,
               const EnvoyParts& parts);

}  // namespace tracker::app
