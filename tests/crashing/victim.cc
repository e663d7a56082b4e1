#include "crashing/victim.h"

#include <utility>

namespace tracker::tests {

ServiceVictim::ServiceVictim(std::string door, Arguments arguments, std::string executable)
    : ServiceVictim(std::move(door), std::move(arguments), std::move(executable), {}) {}

ServiceVictim::ServiceVictim(std::string door, Arguments arguments, std::string executable,
                             std::filesystem::path directory)
    : door_(std::move(door)),
      arguments_(std::move(arguments)),
      executable_(std::move(executable)),
      directory_(std::move(directory)) {
  if (!directory_.empty()) power_ = std::make_unique<PowerCut>(directory_.string() + ".synced");
}

void ServiceVictim::launch() {
  program_ =
      std::make_unique<Program>(arguments_, power_ ? power_->environment() : Environment{}, executable_);
}

void ServiceVictim::wait_until_up() {
  health_ = program_->wait_listening().at("health");
}

std::optional<std::string> ServiceVictim::cut_power() {
  if (!power_) return std::nullopt;
  return power_->cut(directory_).to_string();
}

RedisVictim::RedisVictim()
    : server_(RedisServer::Keeps::everything,
              {"--auto-aof-rewrite-min-size", "1mb", "--auto-aof-rewrite-percentage", "50"}) {}

}  // namespace tracker::tests
