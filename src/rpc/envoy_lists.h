#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <vector>

#include "counter/counter.h"
#include "counter/counter_list.h"
#include "runtime/log.h"
#include "runtime/observable.h"

namespace tracker::rpc {

/// The lists by which connected envoys partition the tokens, compared with the list of this counter. Where the owners
/// differ, a remark says so as long as such an envoy is connected, and the log says so once. Any thread.
class EnvoyLists : public std::enable_shared_from_this<EnvoyLists> {
 public:
  /// This counter's list. Null: it has none, and none differs from it.
  void set_own(counter::CounterListPtr list);

  /// An envoy has this list until the returned value is destroyed. That keeps this object alive. Only of a shared object.
  [[nodiscard]] runtime::Subscription enter(const counter::CounterList& list);

  /// Always ready. It has a remark for each list that differs; those beyond a few are only numbered.
  const counter::ReadinessSource& remarks() const noexcept { return remarks_; }

 private:
  struct Seen {
    std::string described;
    std::size_t envoys = 0;  // streams that have it
  };

  void leave(std::uint64_t fingerprint);
  void tell();
  std::vector<std::string> differences();

  counter::ReadinessSource remarks_{domain::Readiness::ready()};

  std::mutex mutex_;
  counter::CounterListPtr own_;         // mutex_
  std::map<std::uint64_t, Seen> seen_;  // mutex_; by the fingerprints of their tables
  std::set<std::string> logged_;        // mutex_
  runtime::RareLog log_;
};

}  // namespace tracker::rpc
