#include "app/service.h"

#include <sys/resource.h>

#include <algorithm>
#include <boost/asio/post.hpp>
#include <chrono>
#include <memory>
#include <optional>
#include <random>
#include <system_error>

#include "app/version.h"
#include "domain/token.h"
#include "doors/health_door.h"
#include "metrics/process.h"
#include "runtime/core_dumps.h"
#include "runtime/listener.h"
#include "runtime/log.h"
#include "runtime/printable.h"
#include "settings/startup_error.h"

namespace tracker::app {

using settings::StartupError;

namespace {

void require_random_numbers() {
  try {
    static_cast<void>(domain::random_token());
    static_cast<void>(std::random_device{}());
  } catch (const std::exception&) {
    throw StartupError(
        StartupError::refused_by_the_machine,
        "the system gives no random numbers, and tokens are made of them; allow getrandom(2), which a "
        "seccomp profile or a sandbox may forbid");
  }
}

/// Libraries abort if they get none.
void require_descriptors(std::size_t threads) {
  const std::size_t least = 64 + 8 * threads;
  const auto limit = raise_descriptor_limit();
  if (limit >= least) return;
  throw StartupError(StartupError::refused_by_the_machine,
                     "the limit of open files is " + std::to_string(limit) + ", and --threads " +
                         std::to_string(threads) + " needs " + std::to_string(least) +
                         " at least; raise it (ulimit -n)");
}

void require_free(const std::string& flag, const runtime::Address& address) {
  listening(flag, address, [&] { runtime::require_free(address); });
}

/// Runs what makes `threads` loops or threads.
template <typename Make>
auto with_room_for(std::size_t threads, Make make) {
  try {
    return make();
  } catch (const std::system_error& error) {
    throw StartupError(StartupError::refused_by_the_machine,
                       "--threads " + std::to_string(threads) + ": " + error.code().message() + "; lower it");
  }
}

void log_listening(const std::vector<ListeningDoor>& doors) {
  std::string line = "listening";
  runtime::LogFields fields;
  for (const auto& door : doors) {
    line += " " + listening_text(door.name, door.endpoints);
    std::string addresses;
    for (const auto& endpoint : door.endpoints)
      addresses += (addresses.empty() ? "" : ",") + runtime::to_string(endpoint);
    fields.emplace_back(door.name, addresses);
  }
  runtime::log_info(line, fields);
}

/// What every service measures.
void report_program(metrics::Page& page) {
  page.gauge("tracker_build_info", "What this program was built from; always 1.",
             {{"version", TRACKER_VERSION}, {"commit", commit}}, 1);
  page.counter("tracker_log_lines_dropped_total",
               "Lines of the log that were dropped because standard error was not read.", {},
               static_cast<double>(runtime::log_lines_dropped()));
  metrics::report_process(page);
}

/// As /readyz tells it. Where anybody may ask, reason and remarks name nothing.
domain::Readiness for_readyz(const domain::Readiness& readiness, bool tells_details,
                             const std::string& in_public) {
  if (readiness.is_ready()) {
    if (tells_details) {
      auto remarks = readiness.remarks();
      for (auto& remark : remarks) remark = runtime::printable(remark);
      return domain::Readiness::ready(readiness.since(), std::move(remarks));
    }
    if (readiness.remarks().empty()) return readiness;
    return domain::Readiness::ready(
        readiness.since(),
        {"some hits are refused; the log says why, and so does this answer with --health-details"});
  }
  const auto why_not =
      tells_details ? runtime::printable(readiness.why_not())
                    : in_public + "; the log names what, and so does this answer with --health-details";
  return domain::Readiness::not_ready(why_not, readiness.since());
}

}  // namespace

void prepare_service(const ServiceSettings& settings, const std::vector<FlagAndAddress>& others) {
  if (!settings.core_dumps) runtime::forbid_core_dumps();
  require_descriptors(settings.threads);
  require_random_numbers();
  require_free(settings.address_flag, settings.address);
  for (const auto& [flag, address] : others) require_free(flag, address);
  if (const auto health = health_address(settings)) require_free("--health-addr", *health);
}

std::unique_ptr<runtime::Workers> make_workers(std::size_t threads) {
  return with_room_for(threads,
                       [=] { return std::make_unique<runtime::Workers>(static_cast<unsigned>(threads)); });
}

void start_workers(runtime::Workers& workers) {
  with_room_for(workers.count(), [&] { workers.start(); });
}

void run_service(boost::asio::io_context& control, const ServiceSettings& settings,
                 std::vector<ListeningDoor> doors, const std::function<void()>& start,
                 const ServiceParts& parts) {
  std::unique_ptr<doors::HealthDoor> health;
  std::optional<runtime::Subscription> readiness_to_health;  // until it drains
  if (const auto address = health_address(settings)) {
    const bool tells_details = settings.health_details || is_loopback("--health-addr", *address);
    const auto told = [&, tells_details](const domain::Readiness& readiness) {
      return for_readyz(readiness, tells_details, parts.unready_in_public);
    };
    health = listening("--health-addr", *address, [&] {
      return std::make_unique<doors::HealthDoor>(
          control, *address, TRACKER_VERSION, told(parts.readiness.value()), [&parts](metrics::Page& page) {
            report_program(page);
            parts.report(page);
          });
    });
    readiness_to_health.emplace(parts.readiness.subscribe([&, told](const domain::Readiness& readiness) {
      boost::asio::post(control, [&, readiness = told(readiness)] {
        if (readiness_to_health) health->set_readiness(readiness);
      });
    }));
  }

  runtime::Drain drain(control, settings.drain,
                       {.not_ready =
                            [&] {
                              readiness_to_health.reset();
                              const auto now = std::chrono::system_clock::now();
                              if (health)
                                health->set_readiness(domain::Readiness::not_ready("draining", now));
                              if (parts.announce_end) parts.announce_end();
                              runtime::log_info("not ready: draining");
                            },
                        .drain = [&] { parts.drain([&] { drain.drained(); }); },
                        .end = [&] { control.stop(); },
                        .reread =
                            [&] {
                              if (parts.reread) return parts.reread();
                              runtime::log_info("SIGHUP: this service reads no files");
                            }});
  start();
  if (health) doors.push_back({"health", health->endpoints()});
  log_listening(doors);
  control.run();
}

std::function<void()> both(std::function<void()> one, std::function<void()> other) {
  if (!one || !other) return one ? std::move(one) : std::move(other);
  return [one = std::move(one), other = std::move(other)] {
    one();
    other();
  };
}

std::string listening_text(const std::string& door, const std::vector<runtime::Endpoint>& endpoints) {
  std::string text;
  for (const auto& endpoint : endpoints) text += " " + door + "=" + runtime::to_string(endpoint);
  return text.substr(1);
}

void throw_listen_error(const std::string& flag, const runtime::Address& address,
                        const boost::system::error_code& error) {
  std::string remedy = "choose an address of this machine and a port that you may use";
  if (error == boost::asio::error::address_in_use) {
    remedy = "end the program that listens there, or choose another port";
  } else if (error == boost::system::errc::too_many_files_open ||
             error == boost::system::errc::too_many_files_open_in_system) {
    remedy = "raise the limit of open files (ulimit -n), or lower --threads";
  }
  throw StartupError(StartupError::refused_by_the_machine, flag + ": cannot listen on " + to_string(address) +
                                                               ": " + error.message() + "; " + remedy);
}

bool is_loopback(const std::string& flag, const runtime::Address& address) {
  return listening(flag, address, [&] {
    const auto endpoints = runtime::resolve_all(address);
    return std::ranges::all_of(endpoints,
                               [](const auto& endpoint) { return endpoint.address().is_loopback(); });
  });
}

std::size_t raise_descriptor_limit() {
  rlimit limit{};
  getrlimit(RLIMIT_NOFILE, &limit);
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
  return limit.rlim_cur;
}

}  // namespace tracker::app
