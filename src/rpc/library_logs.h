#pragma once

namespace tracker::rpc {

/// What gRPC's library and protobuf have to say goes into the program's log, at most so often, whoever makes them say
/// it; they would write to standard error themselves, and wait for it. Once, before either is used.
void log_for_libraries();

}  // namespace tracker::rpc
