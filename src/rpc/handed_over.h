#pragma once

#include <sys/types.h>

#include <cstddef>
#include <vector>

#include "runtime/deadlines.h"

namespace tracker::rpc {

/// Counts the connections whose sockets gRPC's library was given: it closes them without a word. Not synchronised.
class HandedOver {
 public:
  explicit HandedOver(std::size_t max) : max_(max) {}

  /// Before the library is given it.
  void add(int socket);

  /// Whether there are as many as there may be. A place that becomes free is seen a moment later.
  bool full(runtime::Clock::time_point now);

 private:
  struct Entry {
    int socket;
    ino_t number;  // which socket has that descriptor: another one may have it later
  };

  const std::size_t max_;
  std::vector<Entry> entries_;
  runtime::Clock::time_point look_at_;  // again, not before
};

}  // namespace tracker::rpc
