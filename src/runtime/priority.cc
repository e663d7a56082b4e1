#include "runtime/priority.h"

#include <sched.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cstdint>

namespace tracker::runtime {

void run_in_short_slices() noexcept {
  // sched_setattr(2), which libc does not have: the ordinary policy with the shortest slice.
  struct {
    std::uint32_t size = sizeof(*this);
    std::uint32_t policy = SCHED_OTHER;
    std::uint64_t flags = 0;
    std::int32_t nice = getpriority(PRIO_PROCESS, 0);
    std::uint32_t priority = 0;
    std::uint64_t runtime_ns = 100'000;
    std::uint64_t deadline_ns = 0;
    std::uint64_t period_ns = 0;
  } attributes;
  static_cast<void>(syscall(SYS_sched_setattr, 0, &attributes, 0));
}

void interrupt_nobody() noexcept {
  const sched_param none{};
  static_cast<void>(sched_setscheduler(0, SCHED_BATCH, &none));
}

void give_way() noexcept {
  constexpr int niceness = 10;
  ::setpriority(PRIO_PROCESS, 0, niceness);  // in Linux, of this thread alone
}

void run_when_idle() noexcept {
  const sched_param none{};
  static_cast<void>(sched_setscheduler(0, SCHED_IDLE, &none));
}

}  // namespace tracker::runtime
