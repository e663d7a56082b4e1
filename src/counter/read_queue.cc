#include "counter/read_queue.h"

#include <chrono>
#include <exception>
#include <system_error>
#include <utility>

#include "domain/slot.h"
#include "runtime/priority.h"
#include "runtime/workers.h"

namespace tracker::counter {

namespace {
using Kind = ReadFailure::Kind;
}  // namespace

ReadQueue::ReadQueue(MakeReader make_reader, std::function<domain::Seconds()> now_s)
    : make_reader_(std::move(make_reader)), now_s_(std::move(now_s)) {}

ReadQueue::~ReadQueue() {
  {
    const std::lock_guard lock(mutex_);
    ends_ = true;
  }
  changed_.notify_all();
  if (thread_.joinable()) thread_.join();
}

void ReadQueue::read(const domain::TokenId& id, const store::CountsQuery& query, domain::Deadline deadline,
                     const OnRead& on_read) {
  if (const auto failure = put({id, query, deadline, on_read})) on_read(*failure);
}

/// Returns why it does not wait, if so.
std::optional<ReadFailure> ReadQueue::put(Read read) {
  const std::lock_guard lock(mutex_);
  if (waiting_.size() >= waiting_max) return ReadFailure{Kind::busy, "too many others wait to read"};
  try {
    if (!thread_.joinable()) thread_ = runtime::start_thread("reader", [this] { run(); });
  } catch (const std::system_error& error) {
    return ReadFailure{Kind::unavailable, "no thread to read with: " + error.code().message()};
  }
  waiting_.push_back(std::move(read));
  changed_.notify_one();
  return std::nullopt;
}

/// Waits for the next one. Returns nothing at the end.
std::optional<ReadQueue::Read> ReadQueue::take() {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [this] { return ends_ || !waiting_.empty(); });
  if (ends_) return std::nullopt;
  auto read = std::move(waiting_.front());
  waiting_.pop_front();
  return read;
}

void ReadQueue::run() {
  runtime::give_way();
  while (const auto read = take()) read->on_read(outcome_of(*read));
}

ReadOutcome ReadQueue::outcome_of(const Read& read) {
  if (read.deadline <= std::chrono::steady_clock::now())
    return ReadFailure{Kind::unavailable, "its turn to read came too late"};
  try {
    return read_now(read);
  } catch (const store::UnsupportedError& error) {
    return ReadFailure{Kind::unsupported, error.what()};
  } catch (const std::exception& error) {
    return ReadFailure{Kind::unavailable, error.what()};
  }
}

ReadOutcome ReadQueue::read_now(const Read& read) {
  if (!reader_) reader_ = make_reader_();
  // A mark that is set from now on takes nothing away that was answered before.
  const auto mark = reader_->mark_of(domain::slot_of(read.id));
  const ReadFailure moves{Kind::unavailable, "tokens are moving from or to this store"};
  if (mark && mark != store::SlotMark::Kind::importing) return moves;
  if (auto counts = reader_->read(read.id, read.query)) {
    if (state_of(counts->record, now_s_()) == domain::TokenState::active) return std::move(*counts);
    return ReadFailure{Kind::unknown_token};
  }
  return mark ? moves : ReadFailure{Kind::unknown_token};  // it may still be imported
}

}  // namespace tracker::counter
