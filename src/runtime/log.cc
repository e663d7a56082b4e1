#include "runtime/log.h"

#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

namespace tracker::runtime {

void open_log() {
  auto logger = spdlog::stderr_logger_mt("tracker");
  logger->set_pattern("%Y-%m-%dT%H:%M:%S.%eZ %l %v", spdlog::pattern_time_type::utc);
  spdlog::set_default_logger(std::move(logger));
}

void log_info(const std::string& line) {
  spdlog::info(line);
}
void log_warning(const std::string& line) {
  spdlog::warn(line);
}

void ChangeLog::report(const std::string& line, void (*log)(const std::string&)) {
  const std::lock_guard lock(mutex_);
  if (line == last_) return;
  last_ = line;
  log(line);
}

}  // namespace tracker::runtime
