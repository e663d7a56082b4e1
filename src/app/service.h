#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/system/system_error.hpp>
#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "app/service_settings.h"
#include "counter/counter.h"
#include "runtime/address.h"
#include "runtime/listener.h"

namespace tracker::app {

/// What is particular to one service, as far as its life is concerned. All are called from the main thread,
/// but for what says otherwise.
struct ServiceParts {
  const counter::ReadinessSource& readiness;
  std::string unready_in_public = {};  // instead of the reason, for those who may know no host and no file
  std::function<void()> announce_end;  // null: there is nobody to tell
  /// Stops accepting, answers what was received and then calls `drained`, from any thread.
  std::function<void(std::function<void()> drained)> drain;
  /// On SIGHUP: reads anew what it reads from files. Null: it reads none.
  std::function<void()> reread = nullptr;
};

/// A door's addresses as the log says them: `envoy=127.0.0.1:6380`, and the same again for each further one.
std::string listening_text(const std::string& door, const std::vector<runtime::Endpoint>& endpoints);

/// What comes before anything is made: forbids core dumps, and refuses to start where the system gives no random numbers
/// or too few open files, or where somebody listens already on one of its addresses or of the `others` (by their flags). Throws
/// StartupError.
void prepare_service(const ServiceSettings& settings,
                     const std::vector<std::pair<std::string, runtime::Address>>& others = {});

/// Runs a service whose doors are open: logs `listening` with its endpoints (such as `envoy=127.0.0.1:6380`),
/// serves health, and on a signal drains. Returns when it is drained; a drain that takes too long ends the
/// process, as does a second signal. `start` is called once nothing can go wrong any more. Throws StartupError.
void run_service(boost::asio::io_context& control, const ServiceSettings& settings,
                 const std::string& endpoints, const std::function<void()>& start, const ServiceParts& parts);

/// Says in words that name the setting why the machine refuses to listen.
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

/// Lets the process open as many descriptors as it may. Answers how many that are.
std::size_t raise_descriptor_limit();

}  // namespace tracker::app
