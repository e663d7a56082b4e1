#pragma once

namespace tracker::rpc {

/// Sends protobuf's messages to the program's log, at a limited rate because a peer can cause them. Without this,
/// protobuf writes them to standard error itself and blocks on it. Call this once, before protobuf is used.
void log_for_libraries();

}  // namespace tracker::rpc
