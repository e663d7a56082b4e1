#include "rpc/library_logs.h"

#include <google/protobuf/stubs/logging.h>
#include <grpc/support/log.h>

#include <cstdlib>
#include <string>
#include <string_view>

#include "runtime/log.h"

namespace tracker::rpc {

namespace {

/// Never destroyed: the libraries' threads outlive main().
runtime::RareLog& rare_log() {
  static auto& the_log = *new runtime::RareLog;
  return the_log;
}

void log_for_grpc(gpr_log_func_args* line) {
  const std::string_view message = line->message;
  if (message.starts_with("assertion failed")) {  // next it would abort
    runtime::log_failure(
        "gRPC's library gives up (" + std::string(message) +
        "), most likely for lack of threads or memory; raise the limit of threads (ulimit -u, or the "
        "container's pids) or of memory (ulimit -v)");
    runtime::exit_now(EXIT_FAILURE);
  }
  if (line->severity == GPR_LOG_SEVERITY_ERROR) rare_log().warning("gRPC: " + std::string(message));
}

void log_for_protobuf(google::protobuf::LogLevel level, const char* /*file*/, int /*line*/,
                      const std::string& message) {
  if (level >= google::protobuf::LOGLEVEL_WARNING) rare_log().warning("protobuf: " + message);
}

}  // namespace

void log_for_libraries() {
  gpr_set_log_function(log_for_grpc);
  google::protobuf::SetLogHandler(log_for_protobuf);
}

}  // namespace tracker::rpc
