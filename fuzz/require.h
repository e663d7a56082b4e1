#pragma once

#include <cstdio>
#include <cstdlib>

/// Ends a fuzzer where something does not hold that must.
inline void require(bool holds, const char* what) {
  if (holds) return;
  std::fprintf(stderr, "broken: %s\n", what);
  std::abort();
}
