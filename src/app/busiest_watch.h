#pragma once

#include <cstddef>
#include <memory>

#include "app/admin.h"
#include "counter/busiest.h"
#include "runtime/repeating.h"

namespace tracker::app {

/// What is busiest, with a thread that has it collected now and then.
class BusiestWatch {
 public:
  /// `threads` is how many threads count.
  explicit BusiestWatch(std::size_t threads);

  counter::Busiest& busiest() noexcept { return busiest_; }

 private:
  counter::Busiest busiest_;
  runtime::Repeating collecting_;
};

/// Null: there will be no admin door, at which one could ask.
std::unique_ptr<BusiestWatch> watch_busiest(const OpenStore& open_store, const AdminSettings& settings,
                                            std::size_t threads);

}  // namespace tracker::app
