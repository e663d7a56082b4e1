#include "link/link_core.h"

#include <algorithm>
#include <iterator>
#include <utility>

namespace tracker::link {

namespace {

using Kind = LinkCore::Action::Kind;

/// Returns `time + by` without overflow: a deadline may be the latest possible time.
TimePoint later(TimePoint time, std::chrono::milliseconds by) {
  return time > TimePoint::max() - by ? TimePoint::max() : time + by;
}

template <typename Commands>
void fail(Commands& commands, domain::Failure failure) {
  while (!commands.empty()) {
    const std::unique_ptr<Command> command(&commands.front());
    commands.pop_front();
    command->on_failed(failure);
  }
}

}  // namespace

LinkCore::LinkCore(const LinkSettings& settings, unsigned seed, LinkMetrics* metrics)
    : settings_(settings), metrics_(metrics), backoff_(settings.retry_first, settings.retry_longest, seed) {
  if (metrics_ != nullptr) metrics_->links.add(1);
}

/// Replies and commands are told nothing more.
LinkCore::~LinkCore() {
  const auto drop = [](Commands& commands) { commands.clear_and_dispose(std::default_delete<Command>()); };
  drop(waiting_commands_);
  drop(refused_commands_);
  if (current_) drop(current_->commands);
  for (const auto& connection : draining_) drop(connection->commands);
  for (const auto& connection : given_up_) drop(connection->commands);
}

void LinkCore::wake_by(TimePoint time) noexcept {
  wake_at_ = std::min(wake_at_, time);
}

LinkCore::Connection* LinkCore::find(ConnectionId id) noexcept {
  if (is_current(id)) return current_.get();
  const auto found =
      std::find_if(draining_.begin(), draining_.end(), [id](const auto& its) { return its->id == id; });
  return found == draining_.end() ? nullptr : found->get();
}

LinkCore::State LinkCore::state() const noexcept {
  if (current_) return current_->state;
  return connecting_ ? State::connecting : State::down;
}

bool LinkCore::can_send() const noexcept {
  return current_ && current_->state == State::ready && !current_->held;
}

bool LinkCore::window_is_open() const noexcept {
  return current_->messages.empty() || current_->bytes < settings_.window_bytes;
}

/// Whether the next message might overtake the last one.
bool LinkCore::is_overdue(TimePoint now) const noexcept {
  return settings_.overtaking && !current_->messages.empty() &&
         now >= current_->messages.back().sent + *settings_.overtaking;
}

bool LinkCore::may_overtake(TimePoint now) const noexcept {
  return is_overdue(now) && current_->heard > current_->messages.back().sent;
}

bool LinkCore::can_send_more() const noexcept {
  return can_send() && !current_->messages.empty() && window_is_open();
}

// Requests.

void LinkCore::track(const domain::HitBatch& hits, domain::TrackReply& reply) {
  if (ready_) {
    waiting_.push_back({&hits, &reply});
    wake_by(hits.deadline() - settings_.refusal_margin);
    if (settings_.overtaking && current_ && !current_->messages.empty())
      wake_by(current_->messages.back().sent + *settings_.overtaking);
  } else {
    refused_.push_back({&hits, &reply});
    undelivered_ = true;
  }
}

void LinkCore::request(std::unique_ptr<Command> command) {
  if (ready_) {
    wake_by(command->deadline() - settings_.refusal_margin);
    waiting_commands_.push_back(*command.release());
  } else {
    refused_commands_.push_back(*command.release());
    undelivered_ = true;
  }
}

void LinkCore::retire(TimePoint now) {
  if (metrics_ != nullptr && !retired_) metrics_->links.add(-1);
  retired_ = true;
  connect_at_.reset();
  become_unready("is not asked any more");
  if (current_) drain(now);
}

// Readiness.

void LinkCore::set_ready(bool ready) {
  if (metrics_ != nullptr && ready != ready_) metrics_->ready.add(ready ? 1 : -1);
  ready_ = ready;
}

void LinkCore::become_ready() {
  set_ready(true);
  reports_.push_back({Report::Kind::ready, "is reachable"});
}

void LinkCore::become_unready(std::string words) {
  set_ready(false);
  reports_.push_back({Report::Kind::not_ready, std::move(words)});
  undelivered_ = true;
  refused_.insert(refused_.end(), waiting_.begin(), waiting_.end());
  waiting_.clear();
  refused_commands_.splice(refused_commands_.end(), waiting_commands_);
}

// Connections.

void LinkCore::connect_at(TimePoint time) {
  if (retired_) return;
  connect_at_ = time;
  wake_by(time);
}

LinkCore::ConnectionId LinkCore::on_connected(TimePoint now) {
  connecting_ = false;
  current_ = std::make_unique<Connection>();
  current_->id = ++last_id_;
  current_->since = now;
  current_->heard = now;
  wake_by(now + settings_.greeting_deadline);
  const auto id = last_id_;
  if (retired_) drain(now);
  return id;
}

void LinkCore::on_not_connected(const std::string& why, TimePoint now) {
  connecting_ = false;
  if (metrics_ != nullptr) metrics_->failed_attempts.add();
  fail_attempt("is not reachable: " + why, now);
}

void LinkCore::fail_attempt(const std::string& words, TimePoint now) {
  connect_at(now + backoff_.next());
  become_unready(words);
}

/// Returns how long to wait before a connection that was open is replaced.
std::chrono::milliseconds LinkCore::pause_after(const Connection& connection, TimePoint now) {
  if (now - connection.since >= settings_.lasting) {
    backoff_.reset();
    at_once_ = true;
  }
  return std::exchange(at_once_, false) ? std::chrono::milliseconds(0) : backoff_.next();
}

void LinkCore::on_greeted(ConnectionId id, const domain::Readiness& readiness, TimePoint now) {
  if (!is_current(id) || current_->state != State::greeting) return;
  if (metrics_ != nullptr && std::exchange(greeted_, true)) metrics_->reconnects.add();
  current_->state = State::ready;
  current_->heard = now;
  current_->next_question = now + settings_.question_pause;
  wake_by(current_->next_question);
  on_readiness(id, readiness);
}

void LinkCore::on_readiness(ConnectionId id, const domain::Readiness& readiness) {
  if (!is_current(id)) return;
  current_->readiness = readiness;
  if (current_->state == State::greeting) return;
  if (readiness.is_ready()) {
    become_ready();
  } else {
    become_unready("is reachable, but " + readiness.why_not());
  }
}

void LinkCore::on_heard(ConnectionId id, TimePoint now) {
  auto* connection = find(id);
  if (connection == nullptr) return;
  undelivered_ = true;
  connection->heard = now;
  if (connection->state != State::silent) return;
  connection->state = State::ready;
  on_readiness(id, domain::Readiness(connection->readiness));
}

void LinkCore::on_question_answered(ConnectionId id, TimePoint now) {
  if (!is_current(id) || current_->state == State::greeting) return;
  current_->asked.reset();
  current_->next_question = now + settings_.question_pause;
  wake_by(current_->next_question);
}

void LinkCore::on_held(ConnectionId id, bool held) {
  if (auto* connection = find(id)) connection->held = held;
}

void LinkCore::on_command_not_done(ConnectionId id, Command& command, TimePoint now) {
  if (find(id) == nullptr) return;
  command.unlink();
  if (ready_ && command.deadline() > now) {
    waiting_commands_.push_front(command);
    wake_by(command.deadline() - settings_.refusal_margin);
  } else {
    refused_commands_.push_back(command);
    undelivered_ = true;
  }
}

void LinkCore::on_ending(ConnectionId id, TimePoint now) {
  if (!is_current(id)) return;
  if (current_->state == State::greeting) return on_lost(id, Loss::failed, "it takes no more calls", now);
  const auto pause = pause_after(*current_, now);
  connect_at(now + pause);
  if (pause <= settings_.cut_patience) {
    reports_.push_back({Report::Kind::good_news, "ends its connection; a new one is made"});
  } else {
    become_unready("is not reachable: it ends each connection at once");
  }
  drain(now);
}

void LinkCore::on_unfit(ConnectionId id, const std::string& words, TimePoint now) {
  if (!is_current(id)) return;
  if (now - current_->since >= settings_.lasting) backoff_.reset();
  fail_attempt(words, now);
  drain(now);
}

/// Drains the current connection.
void LinkCore::drain(TimePoint now) {
  question_due_ = false;
  undelivered_ = true;  // closes it if it is idle
  current_->state = State::draining;
  current_->draining_until = now + settings_.draining_max;
  wake_by(current_->draining_until);
  draining_.push_back(std::move(current_));
}

void LinkCore::on_lost(ConnectionId id, Loss loss, const std::string& words, TimePoint now) {
  if (!is_current(id)) {
    const auto found =
        std::find_if(draining_.begin(), draining_.end(), [id](const auto& its) { return its->id == id; });
    if (found == draining_.end()) return;
    give_up(std::move(*found));
    draining_.erase(found);
    return;
  }
  const auto why_not = loss == Loss::unfit ? words : "is not reachable: " + words;
  if (current_->state == State::greeting) {
    if (metrics_ != nullptr) metrics_->failed_attempts.add();
    fail_attempt(why_not, now);
  } else {
    const auto pause = pause_after(*current_, now);
    connect_at(now + pause);
    const bool is_outage = loss != Loss::cut || pause > settings_.cut_patience;
    if (ready_ && !is_outage) {
      reports_.push_back({Report::Kind::bad_news, "was disconnected (" + words + "); connecting again"});
    } else {
      become_unready(why_not);
    }
  }
  question_due_ = false;
  give_up(std::move(current_));
}

void LinkCore::give_up(ConnectionPtr connection) {
  to_close_.push_back(connection->id);
  for (const auto& message : connection->messages) {
    message.hits->settle_rest(domain::Verdict::perhaps_counted());
  }
  given_up_.push_back(std::move(connection));
  undelivered_ = true;
}

// Outcomes.

void LinkCore::deliver() {
  undelivered_ = false;
  if (current_) deliver_settled(*current_);
  for (const auto& connection : draining_) deliver_settled(*connection);
  std::erase_if(draining_, [this](const ConnectionPtr& connection) {
    if (connection->is_idle()) to_close_.push_back(connection->id);
    return connection->is_idle();
  });
  for (const auto& connection : std::exchange(given_up_, {})) {
    deliver_settled(*connection, true);
    fail(connection->commands, domain::Failure::perhaps_done);
  }
  // A reply that is refused may make a new request.
  std::swap(refused_, delivering_);
  for (const auto& [hits, reply] : delivering_) {
    reply->on_one_verdict_for_all(hits->size(), domain::Verdict::not_counted());
  }
  delivering_.clear();
  Commands refused;
  refused.swap(refused_commands_);
  fail(refused, domain::Failure::not_done);
}

void LinkCore::deliver_settled(Connection& connection, bool is_lost) {
  std::erase_if(connection.messages, [&](Message& message) {
    if (!message.hits->deliver()) return false;
    connection.bytes -= message.hits->bytes();
    if (metrics_ != nullptr && !is_lost) metrics_->round_trips.observe(connection.heard - message.sent);
    message.hits->clear();
    free_gathers_.push_back(std::move(message.hits));
    return true;
  });
}

LinkCore::Report LinkCore::take_report() {
  auto report = std::move(reports_.front());
  reports_.erase(reports_.begin());
  return report;
}

// Actions.

LinkCore::Action LinkCore::next(TimePoint now) {
  if (now >= wake_at_) look_at_the_time(now);
  if (!reports_.empty()) return {.kind = Kind::report};
  if (!to_close_.empty()) {
    const auto id = to_close_.back();
    to_close_.pop_back();
    return {.kind = Kind::close, .connection = id};
  }
  if (undelivered_) return {.kind = Kind::deliver};
  if (connect_at_ && now >= *connect_at_) {
    connect_at_.reset();
    connecting_ = true;
    return {.kind = Kind::connect};
  }
  return can_send() ? send(now) : Action{};
}

LinkCore::Action LinkCore::send(TimePoint now) {
  if (std::exchange(question_due_, false)) {
    current_->asked = now;
    wake_by(answer_due(*current_));
    return {.kind = Kind::ask, .connection = current_->id};
  }
  if (!waiting_.empty() && (window_is_open() || may_overtake(now)) && !gathers(now)) {
    const auto action = send_hits(now);
    if (action.kind != Kind::wait) return action;
  }
  return waiting_commands_.empty() ? Action{} : send_command(now);
}

/// Whether the hits that could be sent now wait for others.
bool LinkCore::gathers(TimePoint now) {
  if (!settings_.gathering || !current_->messages.empty()) return false;
  const auto& [least, most, longest] = *settings_.gathering;
  if (last_hits_ < least) return false;
  std::size_t hits = 0;
  std::size_t followers = 0;
  for (const auto& [its, reply] : waiting_) {
    if (its->deadline() < later(now, settings_.refusal_margin)) return false;
    hits += its->size();
    followers = std::max(followers, its->followers());
  }
  if (hits >= std::min(most, followers / 2)) return false;
  if (!gathers_until_) gathers_until_ = now + longest;
  if (now >= *gathers_until_) return false;
  wake_by(*gathers_until_);
  return true;
}

LinkCore::Action LinkCore::send_hits(TimePoint now) {
  auto message = new_gather();
  std::size_t taken = 0;
  for (; taken < waiting_.size() && message->bytes() < settings_.message_bytes_max; ++taken) {
    const auto& [hits, reply] = waiting_[taken];
    if (hits->deadline() > now) {
      message->add(*hits, *reply);
    } else {
      refused_.push_back(waiting_[taken]);
      undelivered_ = true;
    }
  }
  waiting_.erase(waiting_.begin(), waiting_.begin() + static_cast<std::ptrdiff_t>(taken));
  if (message->batches() == 0) {
    free_gathers_.push_back(std::move(message));
    return {.kind = undelivered_ ? Kind::deliver : Kind::wait};
  }
  for (const auto& [hits, reply] : waiting_) wake_by(hits->deadline() - settings_.refusal_margin);
  last_hits_ = message->size();
  gathers_until_.reset();
  if (metrics_ != nullptr) metrics_->message_hits.observe(message->size());
  current_->bytes += message->bytes();
  current_->messages.push_back({std::move(message), now});
  wake_by(answer_due(*current_));
  return {.kind = Kind::write_hits, .connection = current_->id, .hits = current_->messages.back().hits.get()};
}

LinkCore::Action LinkCore::send_command(TimePoint now) {
  auto& command = waiting_commands_.front();
  waiting_commands_.pop_front();
  if (command.deadline() <= now) {
    refused_commands_.push_back(command);
    undelivered_ = true;
    return {.kind = Kind::deliver};
  }
  command.sent_ = now;
  current_->commands.push_back(command);
  if (settings_.progress) wake_by(answer_due(*current_));
  return {.kind = Kind::write_command, .connection = current_->id, .command = &command};
}

std::unique_ptr<Gather> LinkCore::new_gather() {
  if (free_gathers_.empty()) return std::make_unique<Gather>();
  auto gather = std::move(free_gathers_.back());
  free_gathers_.pop_back();
  return gather;
}

// Time.

void LinkCore::look_at_the_time(TimePoint now) {
  wake_at_ = TimePoint::max();
  if (connect_at_ && *connect_at_ > now) wake_by(*connect_at_);
  look_at_draining(now);
  if (current_ && current_->state == State::greeting) {
    const auto end = current_->since + settings_.greeting_deadline;
    if (now < end) {
      wake_by(end);
    } else {
      const auto time = std::to_string(settings_.greeting_deadline.count());
      on_lost(current_->id, Loss::failed, "it has not answered the greeting within " + time + " ms", now);
    }
  } else if (current_) {
    look_at_silence(now);
  }
  if (current_ && current_->state == State::ready) look_at_question(now);
  look_at_waiting(now);
}

/// Returns when the peer should have sent something, or the latest possible time if it owes nothing.
TimePoint LinkCore::answer_due(const Connection& connection) const {
  auto due = TimePoint::max();
  if (settings_.progress) {
    if (!connection.messages.empty()) due = connection.messages.front().sent;
    if (!connection.commands.empty()) due = std::min(due, connection.commands.front().sent_);
    due = std::min(due, connection.asked.value_or(due));
    return due == TimePoint::max() ? due : later(std::max(due, connection.heard), *settings_.progress);
  }
  // What was asked while hits were in flight is due with them.
  if (connection.asked &&
      (connection.messages.empty() || *connection.asked <= connection.messages.front().sent))
    due = *connection.asked + settings_.question_deadline;
  for (const auto& message : connection.messages) {
    due = std::min(due, later(message.hits->deadline(), settings_.silence_grace));
  }
  return due;
}

TimePoint LinkCore::lost_at(const Connection& connection) const {
  const auto due = answer_due(connection);
  return settings_.progress ? due : later(due, settings_.silence_max);
}

std::string LinkCore::words_of_silence() const {
  if (!settings_.progress) return "it has not answered in time";
  return "it has not replied for " + std::to_string(settings_.progress->count()) + " ms";
}

void LinkCore::look_at_silence(TimePoint now) {
  const auto end = lost_at(*current_);
  if (now >= end) return on_lost(current_->id, Loss::failed, words_of_silence(), now);
  wake_by(end);
  const auto due = answer_due(*current_);
  if (now < due) {
    wake_by(due);
  } else if (current_->state == State::ready && current_->heard < due) {
    current_->state = State::silent;
    question_due_ = false;
    become_unready("does not answer");
  }
}

void LinkCore::look_at_question(TimePoint now) {
  if (current_->asked) return;
  if (now >= current_->next_question) {
    question_due_ = settings_.asks_while_busy || current_->messages.empty();
    current_->next_question = now + settings_.question_pause;
  }
  if (!waiting_.empty() && is_overdue(now) && !may_overtake(now)) question_due_ = true;
  wake_by(current_->next_question);
}

void LinkCore::look_at_draining(TimePoint now) {
  for (std::size_t i = 0; i < draining_.size();) {
    const auto end = std::min(draining_[i]->draining_until, lost_at(*draining_[i]));
    if (now >= end) {
      give_up(std::move(draining_[i]));
      draining_.erase(draining_.begin() + static_cast<std::ptrdiff_t>(i));
    } else {
      wake_by(end);
      ++i;
    }
  }
}

/// Refuses what would wait beyond its deadline. Skips what can be sent now.
void LinkCore::look_at_waiting(TimePoint now) {
  const auto is_late = [&](domain::Deadline deadline) {
    const auto end = deadline - settings_.refusal_margin;
    if (now < end) wake_by(end);
    return now >= end;
  };
  bool any_late = false;
  if (settings_.overtaking && !waiting_.empty() && current_ && !current_->messages.empty()) {
    const auto end = current_->messages.back().sent + *settings_.overtaking;
    if (now < end) wake_by(end);
  }
  if (!can_send() || (!window_is_open() && !may_overtake(now))) {
    std::erase_if(waiting_, [&](const Waiting& waiting) {
      if (!is_late(waiting.hits->deadline())) return false;
      refused_.push_back(waiting);
      return any_late = true;
    });
  }
  for (auto it = waiting_commands_.begin(); !can_send() && it != waiting_commands_.end();) {
    auto& command = *it++;
    if (!is_late(command.deadline())) continue;
    command.unlink();
    refused_commands_.push_back(command);
    any_late = true;
  }
  if (!any_late) return;
  undelivered_ = true;
  if (!current_ || current_->state == State::greeting) {
    become_unready("is not reachable: a new connection takes longer than hits can wait");
  }
}

}  // namespace tracker::link
