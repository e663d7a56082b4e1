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

}  // namespace tracker::runtime
