#pragma once

#include <cstdio>
#include <cstdlib>

/// Ends the fuzzer if a condition that must hold does not.
inline void require(bool holds, const char* what) {
  if (holds) return;
  std::fprintf(stderr, "broken: %s\n", what);
  std::abort();
}
