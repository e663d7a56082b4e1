#include "app/self_service.h"

#include <algorithm>
#include <string_view>
#include <system_error>
#include <utility>

#include "app/service.h"
#include "domain/target.h"
#include "runtime/priority.h"
#include "runtime/workers.h"
#include "settings/startup_error.h"

namespace tracker::app {

using settings::SettingTable;

namespace {

/// As browsers write an origin: scheme, host and perhaps port.
bool is_origin(std::string_view text) {
  for (const std::string_view scheme : {"http://", "https://"}) {
    if (!text.starts_with(scheme)) continue;
    const auto is_upper = [](char c) { return c >= 'A' && c <= 'Z'; };
    return domain::is_authority(text.substr(scheme.size())) && std::ranges::none_of(text, is_upper);
  }
  return false;
}

bool take_origins(std::string_view text, std::vector<std::string>& origins) {
  origins.clear();
  if (text == "*") {
    origins.emplace_back(text);
    return true;
  }
  while (true) {
    const auto end = text.find(',');
    if (!is_origin(text.substr(0, end))) return false;
    origins.emplace_back(text.substr(0, end));
    if (end == text.npos) return true;
    text.remove_prefix(end + 1);
  }
}

}  // namespace

void add_self_settings(SettingTable& table, SelfSettings& settings) {
  table.begin_group(SettingTable::Group::addresses);
  table.add_address("--self-addr", "SELF_ADDR", settings.address,
                    "Where to answer GET /v1/self/counts: whoever has a token reads its own counts.",
                    "none: there is no such door");
  const SettingTable::Condition with_door{"--self-addr",
                                          [&settings] { return settings.address.has_value(); }};
  table.add(
      {"--self-origins", "",
       "The origins whose pages browsers let ask there: https://a.example,https://b.example. Or * for all.",
       "none", "a list of http(s)://host[:port] in lower case, without a path; or *",
       [&settings](std::string_view text) { return take_origins(text, settings.door.origins); }, "ORIGINS",
       with_door});
  table.begin_group(SettingTable::Group::limits);
  table.add_count("--self-rate", settings.door.rate, 1, 1'000'000,
                  "How many times a second each token may ask there.", with_door);
}

SelfService::SelfService(const SelfSettings& settings, std::chrono::milliseconds request_deadline,
                         const MakeCounter& make_counter)
    : counter_(make_counter(loop_)) {
  auto door = settings.door;
  door.request_deadline = request_deadline;
  door_ = listening("--self-addr", *settings.address, [&] {
    return std::make_unique<doors::SelfDoor>(loop_, *settings.address, *counter_, std::move(door));
  });
}

SelfService::~SelfService() {
  loop_.stop();
  if (thread_.joinable()) thread_.join();
}

void SelfService::start() {
  try {
    thread_ = runtime::start_thread("self", [this] {
      runtime::give_way();
      loop_.run();
    });
  } catch (const std::system_error& error) {
    throw settings::StartupError(settings::StartupError::refused_by_the_machine,
                                 "--self-addr: no thread for it: " + error.code().message());
  }
}

std::size_t SelfService::descriptors_max() const {
  return door_->endpoints().size() * doors::SelfDoor::connections_max;
}

std::unique_ptr<SelfService> make_self_service(const SelfSettings& settings,
                                               std::chrono::milliseconds request_deadline,
                                               const SelfService::MakeCounter& make_counter) {
  if (!settings.address) return nullptr;
  return std::make_unique<SelfService>(settings, request_deadline, make_counter);
}

}  // namespace tracker::app
