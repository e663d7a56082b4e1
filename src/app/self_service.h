#pragma once

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "counter/counter.h"
#include "doors/self_door.h"
#include "runtime/address.h"
#include "settings/setting_table.h"

namespace tracker::app {

struct SelfSettings {
  std::optional<runtime::Address> address;  // nothing: there is no such door
  doors::SelfDoorSettings door;
};

/// Declares them. `settings` must outlive the table.
void add_self_settings(settings::SettingTable& table, SelfSettings& settings);

/// The self door, with a thread and a counter of its own, so that it does not slow counting.
class SelfService {
 public:
  /// The counter that is read. It may use the loop, which has stopped before it ends.
  using MakeCounter = std::function<std::unique_ptr<counter::Counter>(boost::asio::io_context& loop)>;

  /// Listens. Throws StartupError if it cannot.
  SelfService(const SelfSettings& settings, std::chrono::milliseconds request_deadline,
              const MakeCounter& make_counter);
  ~SelfService();

  /// Begins to serve. Throws StartupError if the machine refuses the thread.
  void start();

  std::vector<runtime::Endpoint> endpoints() const { return door_->endpoints(); }
  /// The descriptors that its connections may take.
  std::size_t descriptors_max() const;

  /// As SelfDoor::drain().
  void drain(std::function<void()> drained) { door_->drain(std::move(drained)); }

 private:
  boost::asio::io_context loop_{1};
  const boost::asio::executor_work_guard<boost::asio::io_context::executor_type> work_{loop_.get_executor()};
  std::unique_ptr<doors::SelfDoor> door_;
  std::unique_ptr<counter::Counter> counter_;  // ends before the door
  std::thread thread_;
};

/// Null: `settings` want none.
std::unique_ptr<SelfService> make_self_service(const SelfSettings& settings,
                                               std::chrono::milliseconds request_deadline,
                                               const SelfService::MakeCounter& make_counter);

}  // namespace tracker::app
