#include "rpc/remote_link.h"

#include <algorithm>
#include <boost/asio/post.hpp>

#include "rpc/batch_message.h"
#include "rpc/remote_stream.h"

namespace tracker::rpc {

namespace {

constexpr auto retry_first = std::chrono::milliseconds(50);
constexpr auto retry_longest = std::chrono::milliseconds(2'000);
constexpr auto connect_deadline = std::chrono::milliseconds(2'000);
/// A counter whose store hangs says so just after the deadline; then it is not silent.
constexpr auto silence_grace = std::chrono::milliseconds(50);
/// A counter that says nothing for so long after a message's deadline is given up.
constexpr auto silence_max = std::chrono::milliseconds(1'000);
/// A counter that is idle is asked so often whether it is there. It also keeps gRPC's threads from the nap of
/// 100 ms that they take after a second in which nothing happened.
constexpr auto ask_pause = std::chrono::milliseconds(400);
constexpr auto ask_deadline = std::chrono::milliseconds(1'500);
constexpr std::size_t message_bytes_max = 1024 * 1024;

}  // namespace

RemoteLink::RemoteLink(boost::asio::io_context& worker, const RemoteCounterSettings& settings)
    : worker_(worker),
      settings_(settings),
      ask_timer_(worker),
      connect_timer_(worker),
      silence_timer_(worker),
      backoff_(retry_first, retry_longest) {
  set_why_not_ready("counter " + name() + " is not reachable yet");
  boost::asio::post(worker_, [this] {
    connect();
    ask_now_and_then();
  });
}

RemoteLink::~RemoteLink() {
  if (stream_) stream_->close();
}

std::string RemoteLink::name() const {
  return runtime::to_string(settings_.address);
}

std::optional<std::string> RemoteLink::why_not_ready() const {
  const std::lock_guard lock(mutex_);
  if (why_not_ready_.empty()) return std::nullopt;
  return why_not_ready_;
}

void RemoteLink::set_why_not_ready(std::string why_not) {
  ready_ = why_not.empty();
  const std::lock_guard lock(mutex_);
  why_not_ready_ = std::move(why_not);
}

void RemoteLink::connect() {
  stream_ = std::make_shared<RemoteStream>(*this, worker_, settings_.calls_per_connection);
  stream_->start(settings_.address, settings_.version);
  connect_timer_.expires_after(connect_deadline);
  connect_timer_.async_wait([this](boost::system::error_code error) {
    if (!error && !open_ && stream_) on_lost("it does not answer");
  });
}

void RemoteLink::track(const domain::HitBatch& hits, counter::TrackReply& reply) {
  const auto size = static_cast<std::uint32_t>(hits.size());
  if (!ready_) return reply.on_one_verdict_for_all(size, domain::Verdict::not_counted());
  waiting_.push_back({&hits, &reply, 0, size});
  send_waiting();
}

void RemoteLink::send_waiting() {
  if (waiting_.empty() || in_flight_.unsettled > 0) return;
  const auto now = Clock::now();
  Message& message = in_flight_;
  message.deadline = Clock::time_point::max();
  message.members.clear();
  batches_.clear();
  std::vector<Member> late;
  std::uint32_t first = 0;
  std::size_t bytes = 0;
  std::size_t taken = 0;
  for (; taken < waiting_.size() && bytes < message_bytes_max; ++taken) {
    auto& member = waiting_[taken];
    if (member.hits->deadline() <= now) {
      late.push_back(member);
      continue;
    }
    batches_.push_back(member.hits);
    bytes += member.hits->bytes();
    member.first = first;
    member.end += first;
    first = member.end;
    message.deadline = std::min(message.deadline, member.hits->deadline());
    message.members.push_back(member);
  }
  waiting_.erase(waiting_.begin(), waiting_.begin() + static_cast<std::ptrdiff_t>(taken));
  if (first > 0) {
    message.number = next_number_++;
    message.unsettled = first;
    message.settled.assign(first, false);
    stream_->write_batch({message.number, milliseconds_left(message.deadline, now)}, batches_);
    watch();
  }
  refuse(late);  // at last, since whom it answers may bring new hits
}

void RemoteLink::on_read(const v1::TrackResponse& response) {
  if (response.has_opening() && !open_) {
    open_ = true;
    backoff_.reset();
    connect_timer_.cancel();
  }
  if (response.has_readiness()) counters_why_not_ = response.readiness().why_not();
  const std::string verdicts = response.verdicts().SerializeAsString();
  hear(response.has_verdicts() ? std::optional<std::string_view>(verdicts) : std::nullopt,
       response.has_opening() || response.has_readiness());
}

void RemoteLink::on_verdicts(std::string_view verdicts) {
  hear(verdicts, false);
}

/// The counter has said something; `news` of whether it can count, maybe.
void RemoteLink::hear(std::optional<std::string_view> verdicts, bool news) {
  silent_ = false;
  asked_.reset();
  if (verdicts && !take_verdicts(*verdicts)) return on_lost("it answers what was not asked");
  if (open_ && (news || !ready_)) {
    if (counters_why_not_.empty()) {
      set_why_not_ready("");
      settings_.changes->good("counter " + name() + " is reachable");
    } else {
      set_why_not_ready("counter " + name() + ": " + counters_why_not_);
      settings_.changes->bad("counter " + name() + " is reachable, but " + counters_why_not_);
      refuse_waiting();
    }
  }
  send_waiting();
}

/// Answers false for verdicts that make no sense.
bool RemoteLink::take_verdicts(std::string_view verdicts) {
  Message& message = in_flight_;
  std::uint64_t number = 0;
  const bool understood = read_verdicts(verdicts, message.settled.size(), number, verdicts_);
  if (!understood || message.unsettled == 0 || message.number != number) return false;
  for (auto verdict = verdicts_.begin(); verdict != verdicts_.end(); ++verdict) {
    if (!message.settled[verdict->hit]) {
      message.settled[verdict->hit] = true;
      continue;
    }
    // None of it is believed: the hits before this one have no verdict yet, and get one when the stream is given up.
    while (verdict != verdicts_.begin()) message.settled[(--verdict)->hit] = false;
    return false;
  }
  settle();
  message.unsettled -= verdicts_.size();  // no sooner: those that are answered may bring new hits
  return true;
}

/// Gives each member of the message its part of verdicts_.
void RemoteLink::settle() {
  const auto by_hit = [](const domain::HitVerdict& a, const domain::HitVerdict& b) { return a.hit < b.hit; };
  if (!std::is_sorted(verdicts_.begin(), verdicts_.end(), by_hit))
    std::sort(verdicts_.begin(), verdicts_.end(), by_hit);
  auto verdict = verdicts_.begin();
  for (const auto& member : in_flight_.members) {
    const auto begin = verdict;
    for (; verdict != verdicts_.end() && verdict->hit < member.end; ++verdict) verdict->hit -= member.first;
    if (begin != verdict) member.reply->on_verdicts({begin, verdict});
  }
}

void RemoteLink::give_up() {
  if (in_flight_.unsettled == 0) return;
  verdicts_.clear();
  for (std::uint32_t hit = 0; hit < in_flight_.settled.size(); ++hit) {
    if (!in_flight_.settled[hit]) verdicts_.push_back({hit, domain::Verdict::perhaps_counted()});
  }
  settle();
  in_flight_.unsettled = 0;
}

void RemoteLink::refuse_waiting() {
  refuse(std::exchange(waiting_, {}));
}

void RemoteLink::refuse(const std::vector<Member>& members) {
  for (const auto& member : members) {
    member.reply->on_one_verdict_for_all(member.end, domain::Verdict::not_counted());
  }
}

void RemoteLink::ask_now_and_then() {
  if (open_ && in_flight_.unsettled == 0 && !asked_) {
    stream_->write({});
    asked_ = Clock::now();
    watch();
  }
  ask_timer_.expires_after(ask_pause);
  ask_timer_.async_wait([this](boost::system::error_code error) {
    if (!error) ask_now_and_then();
  });
}

/// When something should have come from the counter, if anything should.
std::optional<RemoteLink::Clock::time_point> RemoteLink::answer_due() const {
  std::optional<Clock::time_point> due;
  if (asked_) due = *asked_ + ask_deadline;
  if (in_flight_.unsettled > 0)
    due = std::min(due.value_or(Clock::time_point::max()), in_flight_.deadline + silence_grace);
  return due;
}

/// Sees to it that a counter that says nothing is noticed.
void RemoteLink::watch() {
  const auto due = answer_due();
  if (!due || std::exchange(watching_, true)) return;
  silence_timer_.expires_at(silent_ ? *due + silence_max : *due);
  silence_timer_.async_wait([this](boost::system::error_code error) {
    watching_ = false;
    if (!error) on_silence();
  });
}

void RemoteLink::on_silence() {
  const auto due = answer_due();
  const auto now = Clock::now();
  if (due && now >= *due + silence_max) return on_lost("it has not answered in time");
  if (due && now >= *due && !silent_) {
    silent_ = true;
    set_why_not_ready("counter " + name() + " does not answer");
    settings_.changes->bad("counter " + name() + " does not answer");
    refuse_waiting();
  }
  watch();
}

void RemoteLink::on_lost(const std::string& reason) {
  const auto lost = std::exchange(stream_, nullptr);
  open_ = false;
  silent_ = false;
  asked_.reset();
  const std::string why = "counter " + name() + " is not reachable: " + reason;
  set_why_not_ready(why);
  settings_.changes->bad(why);
  // Whom these answer may ask for more, and is refused.
  lost->abandon();
  give_up();
  refuse_waiting();
  connect_timer_.expires_after(backoff_.next());
  connect_timer_.async_wait([this](boost::system::error_code error) {
    if (!error) connect();
  });
}

void RemoteLink::mint(domain::Deadline deadline, counter::MintReply& reply) {
  if (!ready_) return reply.on_minted(domain::Failure::not_done);
  stream_->mint(std::chrono::milliseconds(milliseconds_left(deadline, Clock::now())), reply);
}

}  // namespace tracker::rpc
