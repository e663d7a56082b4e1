#include "store/rocksdb/loader.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include "runtime/workers.h"

namespace tracker::store::rocksdb {

namespace {
constexpr std::size_t id_bytes = sizeof(domain::TokenId);
}

Loader::Loader(Database& database, std::function<void(std::span<Load* const>)> on_loaded)
    : database_(database),
      on_loaded_(std::move(on_loaded)),
      thread_(runtime::start_thread("loader", [this] { run(); })) {}

Loader::~Loader() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_one();
  thread_.join();
}

void Loader::load(const std::vector<Load*>& loads) {
  const std::lock_guard lock(mutex_);
  if (waiting_.empty()) changed_.notify_one();
  waiting_.insert(waiting_.end(), loads.begin(), loads.end());
}

bool Loader::load_from_memory(Load& load) {
  auto counter = database_.read_in_memory(load.key);
  if (!counter) return false;
  std::optional<Reading> token;
  if (load.wants_token() &&
      !(token = database_.read_in_memory(std::string_view(load.key).substr(0, id_bytes))))
    return false;
  load.counter = std::move(*counter);
  if (token) load.token = std::move(*token);
  return !load.needs_paths();
}

/// Takes time in proportion to their number, but is done only once for a token, as long as it can be written.
void Loader::count_paths(Load& load) {
  if (load.deadline < std::chrono::steady_clock::now()) {
    load.counter = {.kind = Reading::Kind::failed,
                    .error = "its turn came too late, many paths were counted"};
    return;
  }
  try {
    const auto token = load.key.substr(0, id_bytes);
    const auto found = counted_.find(token);
    load.paths = found != counted_.end()
                     ? found->second
                     : counted_.emplace(token, database_.count_paths(token)).first->second;
  } catch (const StoreError& error) {
    load.counter = {.kind = Reading::Kind::failed, .error = error.what()};
  }
}

bool Load::needs_paths() const {
  if (!wants_paths || counter.kind != Reading::Kind::absent ||
      !(token_known || token.kind == Reading::Kind::found))
    return false;
  const auto record = domain::decode_facts(0, token.facts);
  return record && !record->paths;
}

void Loader::run() {
  std::vector<Load*> loads;
  for (;;) {
    {
      std::unique_lock lock(mutex_);
      changed_.wait(lock, [this] { return stopping_ || !waiting_.empty(); });
      if (stopping_) return;
      loads.swap(waiting_);
    }
    for (std::size_t begin = 0; begin < loads.size(); begin += loads_at_once) {
      const auto some = std::span(loads).subspan(begin, std::min(loads_at_once, loads.size() - begin));
      read(some);
      on_loaded_(some);
    }
    loads.clear();
  }
}

void Loader::read(std::span<Load* const> loads) {
  in_time_.clear();
  keys_.clear();
  const auto now = std::chrono::steady_clock::now();
  for (auto* load : loads) {
    if (load->deadline < now) {
      load->counter = {.kind = Reading::Kind::failed, .error = "its turn came too late, the disk is slow"};
      continue;
    }
    in_time_.push_back(load);
    keys_.emplace_back(load->key);
    if (load->wants_token()) keys_.emplace_back(load->key.data(), id_bytes);
  }
  auto readings = database_.read(keys_);
  auto reading = readings.begin();
  for (auto* load : in_time_) {
    load->counter = std::move(*reading++);
    if (load->wants_token()) load->token = std::move(*reading++);
    if (load->needs_paths()) count_paths(*load);
  }
  counted_.clear();
}

}  // namespace tracker::store::rocksdb
