#include "store/rocksdb/slot_search.h"

#include <chrono>
#include <utility>

#include "runtime/workers.h"

namespace tracker::store::rocksdb {

namespace {
constexpr std::size_t tokens_of_step = 128;
}

SlotSearch::SlotSearch(Database& database)
    : database_(database), thread_(runtime::start_thread("slot-search", [this] { run(); })) {}

SlotSearch::~SlotSearch() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_one();
  thread_.join();
}

void SlotSearch::find(SlotsReply& reply) {
  {
    const std::lock_guard lock(mutex_);
    waiting_.push_back(&reply);
  }
  changed_.notify_one();
}

/// One search answers all that waited when it began.
void SlotSearch::run() {
  for (;;) {
    std::vector<SlotsReply*> replies;
    {
      std::unique_lock lock(mutex_);
      changed_.wait(lock, [this] { return stopping_ || !waiting_.empty(); });
      if (waiting_.empty()) return;
      replies.swap(waiting_);
    }
    const auto slots = search();
    for (auto* reply : replies) reply->on_slots(slots);
  }
}

domain::Result<domain::SlotSet> SlotSearch::search() {
  domain::SlotSet slots;
  domain::TokenId first{};
  while (!slots.all()) {
    const auto begin = std::chrono::steady_clock::now();
    const auto tokens = database_.tokens_from(first, tokens_of_step);
    if (!tokens) return domain::Failure::not_done;
    for (const auto& id : *tokens) slots.set(domain::slot_of(id));
    if (tokens->size() < tokens_of_step) break;
    first = tokens->back();  // it is found once more, which changes nothing
    if (!pause(std::chrono::steady_clock::now() - begin)) return domain::Failure::not_done;
  }
  return slots;
}

/// Returns false if the thread must end.
bool SlotSearch::pause(std::chrono::steady_clock::duration how_long) {
  std::unique_lock lock(mutex_);
  return !changed_.wait_for(lock, how_long, [this] { return stopping_; });
}

}  // namespace tracker::store::rocksdb
