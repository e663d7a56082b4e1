#include "rpc/library_logs.h"

#include <google/protobuf/stubs/logging.h>

#include <string>

#include "runtime/log.h"

namespace tracker::rpc {

namespace {

/// Never destroyed: protobuf may log after main().
runtime::RareLog& rare_log() {
  static auto& the_log = *new runtime::RareLog;
  return the_log;
}

void log_for_protobuf(google::protobuf::LogLevel level, const char* /*file*/, int /*line*/,
                      const std::string& message) {
  if (level >= google::protobuf::LOGLEVEL_WARNING) rare_log().warning("protobuf: " + message);
}

}  // namespace

void log_for_libraries() {
  google::protobuf::SetLogHandler(log_for_protobuf);
}

}  // namespace tracker::rpc
