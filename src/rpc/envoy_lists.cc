#include "rpc/envoy_lists.h"

#include <chrono>
#include <utility>

namespace tracker::rpc {

namespace {
constexpr std::size_t remarks_max = 4;
constexpr std::size_t logged_max = 1'000;
}  // namespace

void EnvoyLists::set_own(counter::CounterListPtr list) {
  {
    const std::lock_guard lock(mutex_);
    own_ = std::move(list);
  }
  tell();
}

runtime::Subscription EnvoyLists::enter(const counter::CounterList& list) {
  const auto fingerprint = list.table().fingerprint();
  {
    const std::lock_guard lock(mutex_);
    auto& its = seen_[fingerprint];
    if (its.envoys++ == 0) its.described = list.described();
  }
  tell();
  return runtime::Subscription([self = shared_from_this(), fingerprint] { self->leave(fingerprint); });
}

void EnvoyLists::leave(std::uint64_t fingerprint) {
  {
    const std::lock_guard lock(mutex_);
    const auto its = seen_.find(fingerprint);
    if (--its->second.envoys == 0) seen_.erase(its);
  }
  tell();
}

void EnvoyLists::tell() {
  remarks_.update(
      [this] { return domain::Readiness::ready(std::chrono::system_clock::now(), differences()); });
}

std::vector<std::string> EnvoyLists::differences() {
  const std::lock_guard lock(mutex_);
  std::vector<std::string> words;
  if (!own_) return words;
  for (const auto& [fingerprint, its] : seen_) {
    if (fingerprint == own_->table().fingerprint()) continue;
    words.push_back("an envoy has another list, " + its.described + ", than this counter, " +
                    own_->described() +
                    ": hits of tokens whose owners differ are refused until both have one list");
    if (logged_.size() >= logged_max) logged_.clear();
    if (logged_.insert(words.back()).second) log_.warning(words.back());
  }
  if (words.size() > remarks_max) {
    const auto more = words.size() - remarks_max;
    words.resize(remarks_max);
    words.push_back("envoys have " + std::to_string(more) + " further lists that differ from this counter's");
  }
  return words;
}

}  // namespace tracker::rpc
