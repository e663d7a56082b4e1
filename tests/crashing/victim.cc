#include "crashing/victim.h"

#include <algorithm>
#include <utility>

namespace tracker::tests {

ServiceVictim::ServiceVictim(std::string name, std::string door, Arguments arguments)
    : name_(std::move(name)), door_(std::move(door)), arguments_(std::move(arguments)) {}

void ServiceVictim::watch(const std::filesystem::path& directory) {
  directory_ = directory;
  power_ = std::make_unique<PowerCut>(directory.string() + ".synced");
}

void ServiceVictim::launch() {
  const Variant variant = variants_.empty() ? Variant{} : variants_[starts_++ % variants_.size()];
  Arguments arguments = arguments_;
  arguments.insert(arguments.end(), variant.arguments.begin(), variant.arguments.end());
  Environment environment = power_ ? power_->environment() : Environment{};
  environment.insert(variant.environment.begin(), variant.environment.end());
  launched_ = std::chrono::steady_clock::now();
  was_up_ = false;
  program_ = std::make_unique<Program>(arguments, environment, executable_);
}

void ServiceVictim::wait_until_up() {
  if (was_up_) return;
  health_ = program_->wait_listening().at("health");
  was_up_ = true;
  const auto took = std::chrono::steady_clock::now() - launched_;
  // It may have been up long before anybody asked.
  start_time_ = std::min(std::chrono::duration_cast<std::chrono::microseconds>(took), start_time_ * 2);
}

std::optional<PowerCut::Lost> ServiceVictim::unsynced() {
  if (!power_ || !std::filesystem::exists(directory_)) return std::nullopt;
  return power_->unsynced(directory_);
}

std::optional<PowerCut::Lost> ServiceVictim::cut_power(const PowerCut::Keep& keep,
                                                       const PowerCut::LoseSector& lose_sector) {
  if (!power_ || !std::filesystem::exists(directory_)) return std::nullopt;
  return power_->cut(directory_, keep, lose_sector);
}

RedisVictim::RedisVictim(std::string name)
    : name_(std::move(name)),
      server_(RedisServer::Keeps::everything,
              {"--auto-aof-rewrite-min-size", "1mb", "--auto-aof-rewrite-percentage", "50"}) {}

}  // namespace tracker::tests
