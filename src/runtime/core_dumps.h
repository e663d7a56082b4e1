#pragma once

namespace tracker::runtime {

/// From now on, this process leaves no core dump, and other processes of its user cannot read its memory or trace it.
/// The memory holds tokens and a password of Redis. Does nothing in builds with sanitizers, which trace themselves.
void forbid_core_dumps() noexcept;

}  // namespace tracker::runtime
