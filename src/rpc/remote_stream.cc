#include "rpc/remote_stream.h"

#include <algorithm>
#include <chrono>
#include <memory>
#include <utility>

namespace tracker::rpc {

namespace {

using Loss = link::LinkCore::Loss;

constexpr http2::Limits limits{.stream_window_bytes = track_window_bytes,
                               .connection_window_bytes = track_window_bytes,
                               .field_bytes_max = 64 * 1024};

/// Batches whose deadlines are not further apart than this share the earliest, and so can be counted together.
constexpr std::uint32_t deadlines_apart_ms = 10;

domain::Result<domain::Token> outcome(StatusCode code, bool not_processed,
                                      const std::optional<domain::Token>& token) {
  if (code == StatusCode::ok && token) return *token;
  return code == StatusCode::unavailable || not_processed ? domain::Failure::not_done
                                                          : domain::Failure::perhaps_done;
}

}  // namespace

void MintCommand::on_end(const Status& status, bool not_processed) {
  reply_.on_minted(outcome(status.code, not_processed, token_));
}

void ReadCommand::on_end(const Status& status, bool /*not_processed*/) {
  if (status.code != StatusCode::ok) return on_read_(failure_of(status));
  if (counts_) return on_read_(std::move(*counts_));
  on_read_(
      counter::ReadFailure{counter::ReadFailure::Kind::unavailable, "the counter's answer makes no sense"});
}

void ReadCommand::on_failed(domain::Failure /*failure*/) {
  on_read_(counter::ReadFailure{counter::ReadFailure::Kind::unavailable, "the counter did not answer"});
}

RemoteStream::RemoteStream(link::Link& link, link::LinkCore::ConnectionId id,
                           std::unique_ptr<link::Transport> transport, RemoteStreamSettings settings)
    : GrpcConnection(End::client, std::move(transport), limits, settings.calls_max),
      link_(link),
      id_(id),
      settings_(std::move(settings)) {}

// Sending.

void RemoteStream::on_connected() {
  track_ = begin_call(settings_.authority, "/tracker.v1.Counting/Track")
               .value();  // the first call cannot be refused
  told_list_ = settings_.list;
  append_opening_request(settings_.version, told_list_.get(), new_message());
  send_message(track_);
}

void RemoteStream::send(link::Gather& hits, link::TimePoint now) {
  in_flight_.push_back({++number_, &hits});
  batches_.clear();
  for (std::uint32_t i = 0; i < hits.batches(); ++i) batches_.push_back(&hits.batch(i));
  head_.number = number_;
  set_deadlines(now);
  auto& message = new_message();
  append_batch(head_, batches_, message);
  tell_list(message);
  send_message(track_);
  unflushed_ = true;
}

/// Adds the list to a TrackRequest if it has changed.
void RemoteStream::tell_list(std::string& message) {
  if (settings_.list == told_list_ || !settings_.list) return;
  told_list_ = settings_.list;
  append_list(*told_list_, message);
}

/// Of the batches that are about to be sent.
void RemoteStream::set_deadlines(link::TimePoint now) {
  auto& groups = head_.groups;
  groups.clear();
  for (const auto* batch : batches_) {
    const auto hits = static_cast<std::uint32_t>(batch->size());
    const std::uint32_t left = milliseconds_left(batch->deadline(), now);
    const bool is_near = !groups.empty() && left >= groups.back().deadline_ms &&
                         left - groups.back().deadline_ms < deadlines_apart_ms;
    if (is_near || groups.size() == deadline_groups_max) {
      groups.back().hits += hits;
      groups.back().deadline_ms = std::min(groups.back().deadline_ms, left);
    } else {
      groups.push_back({hits, left});
    }
  }
  head_.deadline_ms = std::ranges::min(groups, {}, &DeadlineGroup::deadline_ms).deadline_ms;
  if (groups.size() == 1) groups.clear();
}

bool RemoteStream::send(link::Command& command, link::TimePoint now) {
  auto& its = static_cast<CallCommand&>(command);
  const auto left = std::chrono::milliseconds(milliseconds_left(its.deadline(), now));
  const auto call = begin_call(settings_.authority, its.method(), left);
  if (!call) return false;
  commands_[*call] = &its;
  its.append_request(new_message());
  send_message(*call, true);
  unflushed_ = true;
  return true;
}

void RemoteStream::ask(link::TimePoint /*now*/) {
  tell_list(new_message());  // without a batch, it is a question
  send_message(track_);
  unflushed_ = true;
}

void RemoteStream::flush() {
  if (std::exchange(unflushed_, false)) GrpcConnection::flush();
}

// Receiving.

void RemoteStream::on_message(CallId call, std::string_view message) {
  if (call == track_) {
    return link_.on(
        [&](link::LinkCore& core) { take_response(core, message, std::chrono::steady_clock::now()); });
  }
  const auto command = commands_.find(call);
  if (command != commands_.end()) command->second->on_response(message);
}

void RemoteStream::take_response(link::LinkCore& core, std::string_view message, link::TimePoint now) {
  const auto response = read_track_response(message);
  if (!response) return core.on_lost(id_, Loss::failed, "it answers what makes no sense", now);
  const bool is_opening = response->opening && !std::exchange(opened_, true);
  if (response->facts || is_opening) settings_.on_facts(response->facts.value_or(counter::CounterFacts{}));
  if (is_opening) {
    core.on_greeted(id_, response->readiness.value_or(domain::Readiness::ready()), now);
  } else if (response->readiness) {
    core.on_readiness(id_, *response->readiness);
  }
  if (response->verdicts && !take_verdicts(*response->verdicts)) {
    return core.on_lost(id_, Loss::failed, "it answers what was not asked", now);
  }
  core.on_heard(id_, now);
  core.on_question_answered(id_, now);
}

/// Returns false for verdicts that make no sense. Then none of them is used.
bool RemoteStream::take_verdicts(std::string_view verdicts) {
  const auto its = std::ranges::find(in_flight_, number_in_verdicts(verdicts), &Sent::number);
  if (its == in_flight_.end()) return false;
  std::uint64_t number = 0;
  if (!read_verdicts(verdicts, its->hits->size(), number, verdicts_) || number != its->number) return false;
  if (!its->hits->settle(verdicts_)) return false;
  if (its->hits->is_settled()) in_flight_.erase(its);
  return true;
}

void RemoteStream::on_call_end(CallId call, const CallStatus& status) {
  link_.on([&](link::LinkCore& core) {
    const auto now = std::chrono::steady_clock::now();
    if (call != track_) return end_command(core, call, status, now);
    core.on_lost(id_, Loss::cut,
                 status.status.message.empty() ? "it ended the stream" : status.status.message, now);
  });
}

void RemoteStream::end_command(link::LinkCore& core, CallId call, const CallStatus& status,
                               link::TimePoint now) {
  const auto found = commands_.find(call);
  if (found == commands_.end()) return;
  auto* its = found->second;
  commands_.erase(found);
  if (status.not_processed && peer_ends()) {
    // The call crossed the server's GOAWAY, and the server did nothing about it (RFC 9113, section 6.8).
    core.on_command_not_done(id_, *its, now);
  } else {
    const std::unique_ptr<CallCommand> command(its);
    command->on_end(status.status, status.not_processed);
  }
  core.on_heard(id_, now);
}

void RemoteStream::on_peer_ends() {
  link_.on([this](link::LinkCore& core) { core.on_ending(id_, std::chrono::steady_clock::now()); });
}

void RemoteStream::on_lost(const std::string& reason) {
  link_.on(
      [&](link::LinkCore& core) { core.on_lost(id_, Loss::cut, reason, std::chrono::steady_clock::now()); });
}

}  // namespace tracker::rpc
