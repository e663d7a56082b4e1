#pragma once

#include <algorithm>
#include <chrono>

namespace tracker::runtime {

// How the calling thread shares the processors with others.

/// Asks the system to run the calling thread ahead of threads with longer time slices. For short work that many wait
/// for. A hint, which Linux heeds since 6.12.
void run_in_short_slices() noexcept;

/// Asks the system not to interrupt other threads when the calling thread has work. So where all processors are busy, more
/// work has come by its turn, and a turn costs less for each hit. On an idle processor it runs at once nevertheless. A hint.
void interrupt_nobody() noexcept;

/// Lets threads that count have the processor before the calling thread: for work that takes long. A hint.
void give_way() noexcept;

/// How long such a thread pauses between two steps, of which the last one took this long. So it has an eighth of a processor at
/// most, and wakes up 250 times a second at most: each time a worker may lose its processor for a moment.
constexpr std::chrono::steady_clock::duration pause_after(std::chrono::steady_clock::duration step) noexcept {
  return std::max<std::chrono::steady_clock::duration>(7 * step, std::chrono::milliseconds(4));
}

/// The same for a process of its own that shares the machine with services: it runs where a processor is idle, and otherwise
/// seldom. So it must hold no lock that others need. A hint.
void run_when_idle() noexcept;

}  // namespace tracker::runtime
