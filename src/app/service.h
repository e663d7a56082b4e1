#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/system/system_error.hpp>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "app/service_settings.h"
#include "counter/counter.h"
#include "metrics/page.h"
#include "runtime/address.h"
#include "runtime/listener.h"
#include "runtime/workers.h"

namespace tracker::app {

/// The parts of running that differ between services. They are called from the main thread, except where a comment says
/// otherwise.
struct ServiceParts {
  const counter::ReadinessSource& readiness;
  std::string unready_in_public = {};  // stands for the reason where hosts and files must not be named
  std::function<void()> announce_end;  // null: there is nobody to tell
  /// Stops accepting, answers what was received and then calls `drained`, from any thread.
  std::function<void(std::function<void()> drained)> drain;
  /// Adds what it measures to a page of metrics. Called on the thread that answers scrapes.
  std::function<void(metrics::Page& page)> report;
  /// Reads its files again, on SIGHUP. Null if it reads none.
  std::function<void()> reread = nullptr;
};

/// Returns what does both; null if both are null.
std::function<void()> both(std::function<void()> one, std::function<void()> other);

/// A door that listens, by its name in the log.
struct ListeningDoor {
  std::string name;
  std::vector<runtime::Endpoint> endpoints;
};

/// The addresses of a door as in the log: `envoy=127.0.0.1:6380`, and the same for each further address.
std::string listening_text(const std::string& door, const std::vector<runtime::Endpoint>& endpoints);

/// Call it before anything is made. Forbids core dumps. Throws StartupError if the system gives no random numbers or
/// too few open files, or if another program listens on one of the service's addresses or of the `others` (with their
/// flags).
void prepare_service(const ServiceSettings& settings, const std::vector<FlagAndAddress>& others = {});

/// Makes the workers of --threads. Throws StartupError if the machine refuses them.
std::unique_ptr<runtime::Workers> make_workers(std::size_t threads);
/// Starts them. Throws StartupError if the machine refuses the threads.
void start_workers(runtime::Workers& workers);

/// Runs a service whose `doors` are open. Logs `listening` with their endpoints (such as `envoy=127.0.0.1:6380`), serves
/// health, and drains on a signal. Returns when it is drained. A drain that takes too long, or a second signal, ends
/// the process. Calls `start` when nothing can fail any more. Throws StartupError.
void run_service(boost::asio::io_context& control, const ServiceSettings& settings,
                 std::vector<ListeningDoor> doors, const std::function<void()>& start,
                 const ServiceParts& parts);

/// Throws a StartupError that names the setting and says why the machine refuses to listen.
[[noreturn]] void throw_listen_error(const std::string& flag, const runtime::Address& address,
                                     const boost::system::error_code& error);

/// Runs `listen` and turns its boost::system::system_error into a StartupError.
template <typename Listen>
auto listening(const std::string& flag, const runtime::Address& address, Listen listen) {
  try {
    return listen();
  } catch (const boost::system::system_error& error) {
    throw_listen_error(flag, address, error.code());
  }
}

/// Whether only this machine reaches the address, whatever its name stands for. Throws StartupError where the name
/// cannot be found.
bool is_loopback(const std::string& flag, const runtime::Address& address);

/// Raises the descriptor limit of the process as far as it may. Returns the limit.
std::size_t raise_descriptor_limit();

}  // namespace tracker::app
