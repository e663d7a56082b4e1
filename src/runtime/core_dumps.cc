#include "runtime/core_dumps.h"

#include <sys/prctl.h>
#include <sys/resource.h>

namespace tracker::runtime {

void forbid_core_dumps() noexcept {
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
  const rlimit none{0, 0};
  ::setrlimit(RLIMIT_CORE, &none);
  ::prctl(PR_SET_DUMPABLE, 0);
#endif
}

}  // namespace tracker::runtime
