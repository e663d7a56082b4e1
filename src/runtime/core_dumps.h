#pragma once

namespace tracker::runtime {

/// From now on this process leaves no core, and no other process of the same user may read its memory or trace it: there
/// are tokens in it, and a password of Redis. Not in builds with sanitizers, which trace themselves.
void forbid_core_dumps() noexcept;

}  // namespace tracker::runtime
