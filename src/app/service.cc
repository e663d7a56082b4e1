#include "app/service.h"

#include <sys/resource.h>

#include <memory>

#include "app/startup_error.h"
#include "doors/health_door.h"
#include "runtime/listener.h"
#include "runtime/log.h"

namespace tracker::app {

void run_service(boost::asio::io_context& control, const ServiceSettings& settings,
                 const std::string& endpoints, const std::function<void()>& start,
                 const ServiceParts& parts) {
  bool draining = false;
  std::unique_ptr<doors::HealthDoor> health;
  if (const auto address = health_address(settings)) {
    health = listening("--health-addr", *address, [&] {
      return std::make_unique<doors::HealthDoor>(
          control, *address,
          doors::HealthDoor::Answers{.version = TRACKER_VERSION,
                                     .why_not_ready = [&]() -> std::optional<std::string> {
                                       if (draining) return "draining";
                                       return parts.why_not_ready();
                                     },
                                     .remarks = parts.remarks});
    });
  }

  runtime::Drain drain(
      control, settings.drain,
      {.not_ready =
           [&] {
             draining = true;
             if (parts.announce_end) parts.announce_end();
             runtime::log_info("not ready: draining");
           },
       .drain = [&] { parts.drain([&] { drain.drained(); }); },
       .end = [&] { control.stop(); },
       .reread =
           [&] {
             if (parts.reread) return parts.reread();
             runtime::log_info("SIGHUP: this service reads no files that could be read anew");
           }});
  start();
  runtime::log_info("listening " + endpoints +
                    (health ? " " + listening_text("health", health->endpoints()) : ""));
  control.run();
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

std::size_t raise_descriptor_limit() {
  rlimit limit{};
  getrlimit(RLIMIT_NOFILE, &limit);
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
  return limit.rlim_cur;
}

}  // namespace tracker::app
