#include "rpc/remote_stream.h"

#include <algorithm>
#include <utility>

#include "rpc/remote_link.h"

namespace tracker::rpc {

namespace {

constexpr auto greeting_deadline = std::chrono::milliseconds(2'000);
/// A counter whose store hangs says so just after the deadline; then it is not silent.
constexpr auto silence_grace = std::chrono::milliseconds(50);
/// A counter that says nothing for so long after a message's deadline is given up.
constexpr auto silence_max = std::chrono::milliseconds(1'000);
/// A counter that is idle is asked so often whether it is there.
constexpr auto ask_pause = std::chrono::milliseconds(400);
constexpr auto ask_deadline = std::chrono::milliseconds(1'500);
/// More than any hit's deadline.
constexpr auto leaving_max = std::chrono::milliseconds(10'000);

/// A window must hold a message of 8 MiB while less than half of it is given back.
constexpr http2::Limits limits{.stream_window_bytes = 16 * 1024 * 1024,
                               .connection_window_bytes = 16 * 1024 * 1024,
                               .field_bytes_max = 64 * 1024};

boost::system::result<domain::Token, domain::Failure> outcome(StatusCode code, bool not_processed,
                                                              const std::optional<domain::Token>& token) {
  if (code == StatusCode::ok && token) return *token;
  return code == StatusCode::unavailable || not_processed ? domain::Failure::not_done
                                                          : domain::Failure::perhaps_done;
}

}  // namespace

RemoteStream::RemoteStream(RemoteLink& link, boost::asio::io_context& worker, runtime::Socket socket,
                           std::uint32_t calls_max)
    : GrpcConnection(End::client, std::move(socket), limits, calls_max),
      link_(&link),
      ask_timer_(worker),
      silence_timer_(worker),
      end_timer_(worker) {}

std::shared_ptr<RemoteStream> RemoteStream::self() {
  return std::static_pointer_cast<RemoteStream>(shared_from_this());
}

void RemoteStream::start(const std::string& authority, const std::string& version) {
  authority_ = authority;
  version_ = version;
  give_up_after(greeting_deadline, "it has not answered the greeting within " +
                                       std::to_string(greeting_deadline.count()) + " ms");
  begin();
}

void RemoteStream::on_connected() {
  track_ = begin_call(authority_, "/tracker.v1.Counting/Track").value();  // it is the first
  append_opening_request(version_, new_message());
  send_message(track_);
}

void RemoteStream::give_up_after(std::chrono::milliseconds time, const std::string& reason) {
  end_timer_.expires_after(time);
  end_timer_.async_wait([self = self(), reason](boost::system::error_code error) {
    if (!error) self->on_lost(reason);
  });
}

void RemoteStream::on_message(CallId call, std::string_view message) {
  if (link_ == nullptr) return;
  if (call != track_) {
    const auto mint = mints_.find(call);
    if (mint != mints_.end()) mint->second.token = read_minted(message);
    return;
  }
  const auto response = read_track_response(message);
  if (!response) return on_lost("it answers what makes no sense");
  if (response->opening_version && !std::exchange(open_, true)) {
    end_timer_.cancel();
    ask_later();
  }
  if (response->why_not_ready) counters_why_not_ = *response->why_not_ready;
  const bool news = response->opening_version || response->why_not_ready;
  if (response->verdicts && !take_verdicts(*response->verdicts))
    return on_lost("it answers what was not asked");
  hear(news);
}

/// The counter has said something; `news` of whether it can count, maybe.
void RemoteStream::hear(bool news) {
  silent_ = false;
  asked_.reset();
  if (link_ != nullptr && open_) link_->on_heard(*this, news);
  leave_if_done();
}

void RemoteStream::on_peer_ends() {
  if (link_ != nullptr) link_->on_ending(*this);
}

void RemoteStream::on_lost(const std::string& reason) {
  if (link_ != nullptr) link_->on_lost(*this, reason);
}

void RemoteStream::leave() {
  leaving_ = true;
  ask_timer_.cancel();
  give_up_after(leaving_max, "it has not ended its connection in time");
  leave_if_done();
}

void RemoteStream::leave_if_done() {
  if (leaving_ && in_flight_.batches() == 0 && mints_.empty()) on_lost("all was answered");
}

void RemoteStream::abandon() {
  link_ = nullptr;
  close();
  for (auto* timer : {&ask_timer_, &silence_timer_, &end_timer_}) timer->cancel();
  for (const auto& [call, mint] : std::exchange(mints_, {})) {
    mint.reply->on_minted(domain::Failure::perhaps_done);
  }
  in_flight_.settle_rest(domain::Verdict::perhaps_counted());
  in_flight_.deliver();
}

// Hits.

void RemoteStream::send() {
  batches_.clear();
  for (std::uint32_t i = 0; i < in_flight_.batches(); ++i) batches_.push_back(&in_flight_.batch(i));
  append_batch({++number_, milliseconds_left(in_flight_.deadline(), Clock::now())}, batches_, new_message());
  send_message(track_);
  flush();
  watch();
}

/// Answers false for verdicts that make no sense. None of them is believed then: hits without a verdict get one when the
/// stream is given up.
bool RemoteStream::take_verdicts(std::string_view verdicts) {
  std::uint64_t number = 0;
  const bool understood = read_verdicts(verdicts, in_flight_.size(), number, verdicts_);
  if (!understood || in_flight_.batches() == 0 || number != number_ || !in_flight_.settle(verdicts_))
    return false;
  if (in_flight_.deliver()) in_flight_.clear();
  return true;
}

// Mints.

bool RemoteStream::mint(domain::Deadline deadline, counter::MintReply& reply) {
  const auto left = std::chrono::milliseconds(milliseconds_left(deadline, Clock::now()));
  const auto call = begin_call(authority_, "/tracker.v1.Counting/Mint", left);
  if (!call) return false;
  mints_[*call] = {.reply = &reply, .deadline = deadline, .token = {}};
  new_message();  // a MintRequest says nothing
  send_message(*call, true);
  flush();
  return true;
}

void RemoteStream::on_call_end(CallId call, const CallStatus& status) {
  if (call == track_) {
    return on_lost(status.status.message.empty() ? "it ended the stream" : status.status.message);
  }
  const auto mint = mints_.find(call);
  if (mint == mints_.end()) return;
  const Mint its = std::move(mint->second);
  mints_.erase(mint);
  // It crossed the end of the connection, and nothing was done about it (RFC 9113, section 6.8).
  if (status.not_processed && peer_ends()) return link_->mint(its.deadline, *its.reply);
  its.reply->on_minted(outcome(status.status.code, status.not_processed, its.token));
  leave_if_done();
}

// Silence.

void RemoteStream::ask_later() {
  ask_timer_.expires_after(ask_pause);
  ask_timer_.async_wait([self = self()](boost::system::error_code error) {
    if (error || self->link_ == nullptr || self->leaving_) return;
    if (self->in_flight_.batches() == 0 && !self->asked_) {
      self->asked_ = Clock::now();
      self->new_message();  // an empty TrackRequest
      self->send_message(self->track_);
      self->flush();
      self->watch();
    }
    self->ask_later();
  });
}

/// When something should have come from the counter, if anything should.
std::optional<RemoteStream::Clock::time_point> RemoteStream::answer_due() const {
  std::optional<Clock::time_point> due;
  if (asked_) due = *asked_ + ask_deadline;
  if (in_flight_.batches() > 0)
    due = std::min(due.value_or(Clock::time_point::max()), in_flight_.deadline() + silence_grace);
  return due;
}

/// Sees to it that a counter that says nothing is noticed.
void RemoteStream::watch() {
  if (watching_ || link_ == nullptr) return;
  const auto due = answer_due();
  if (!due) return;
  watching_ = true;
  silence_timer_.expires_at(silent_ ? *due + silence_max : *due);
  silence_timer_.async_wait([self = self()](boost::system::error_code error) {
    self->watching_ = false;
    if (!error) self->on_silence();
  });
}

void RemoteStream::on_silence() {
  if (link_ == nullptr) return;
  const auto due = answer_due();
  const auto now = Clock::now();
  if (due && now >= *due + silence_max) return on_lost("it has not answered in time");
  if (due && now >= *due && !std::exchange(silent_, true)) link_->on_silent(*this);
  watch();
}

}  // namespace tracker::rpc
