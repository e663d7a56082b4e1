// Fuzzes the core of a link with any sequence of hits, commands, events and steps of the time, including those that no
// protocol would cause. In all cases each hit must get one verdict and each command one outcome. What was handed out
// for writing must never be refused, unless the peer said that it was not done, and must never be handed out again.
// Bounds must be kept.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string_view>
#include <vector>

#include "link/link_core.h"
#include "require.h"

namespace {

using namespace tracker;
using link::LinkCore;
using namespace std::chrono_literals;
using Kind = LinkCore::Action::Kind;

/// The bytes of the input, in order. Zeros after its end.
class Choices {
 public:
  explicit Choices(std::string_view input) : left_(input) {}
  bool ended() const { return left_.empty(); }
  std::size_t next(std::size_t below) {
    if (left_.empty()) return 0;
    const auto choice = static_cast<std::uint8_t>(left_.front());
    left_.remove_prefix(1);
    return choice % below;
  }

 private:
  std::string_view left_;
};

class Run;

struct Batch final : domain::TrackReply {
  explicit Batch(Run& its_run) : run(its_run) {}
  void on_verdicts(std::span<const domain::HitVerdict> its) override;
  Run& run;
  domain::HitBatch hits;
  bool sent = false;
  bool has_begun = false;  // some of its hits have verdicts
  std::vector<std::optional<domain::Verdict>> verdicts;
  std::vector<std::optional<domain::Verdict>> said;  // what the peer said
};

struct State {
  bool sent = false;
  bool answered = false;
  std::optional<domain::Failure> failed;
};

struct Request final : link::Command {
  Request(domain::Deadline its_deadline, State& its_state) : Command(its_deadline), state(its_state) {}
  void on_failed(domain::Failure failure) override {
    require(!state.failed && !state.answered, "a command has one outcome");
    require((failure == domain::Failure::perhaps_done) == state.sent,
            "sent: perhaps; not sent: certainly not");
    state.failed = failure;
  }
  State& state;
};

struct Message {
  link::Gather* gather;
  std::vector<Batch*> batches;
  link::TimePoint sent;
};

struct Connection {
  std::deque<Message> messages;
  std::vector<Request*> commands;
  bool asked = false;
};

class Run {
 public:
  explicit Run(std::string_view input) : choices_(input), settings_(settings()), core_(settings_, 1) {}

  void run() {
    go_on();
    while (!choices_.ended() && batches_.size() < 1'000) {
      step();
      go_on();
    }
    // Then nothing happens any more except that time passes.
    for (int i = 0; i < 1'000 && !all_told(); ++i) {
      if (connecting_) {
        connecting_ = false;
        core_.on_not_connected("refused", now_);
      }
      now_ = std::max(now_ + 1ms, std::min(core_.wake_at(), now_ + 60s));
      go_on();
    }
    judge();
  }

  /// A reply was called. It may make new requests.
  void told() {
    if (choices_.next(4) == 0) track();
    if (choices_.next(8) == 0) request();
  }

 private:
  link::LinkSettings settings() {
    link::LinkSettings its;
    if (choices_.next(2) == 1) its.window_bytes = 200;
    if (choices_.next(2) == 1) its.progress = 1'000ms;
    if (choices_.next(2) == 1) its.overtaking = 50ms;
    if (choices_.next(2) == 1) its.gathering = link::LinkSettings::Gathering{2, 8, 1ms};
    its.asks_while_busy = choices_.next(2) == 1;
    if (choices_.next(2) == 1) its.cut_patience = 0ms;
    its.message_bytes_max = 300;
    return its;
  }

  void track() {
    auto& batch = batches_.emplace_back(*this);
    for (auto hits = choices_.next(6); hits > 0; --hits) batch.hits.push({}, "/path");
    batch.hits.set_deadline(deadline());
    batch.hits.set_followers(choices_.next(32));
    batch.verdicts.resize(batch.hits.size());
    batch.said.resize(batch.hits.size());
    replies_[&batch.hits] = &batch;
    core_.track(batch.hits, batch);
  }
  void request() { core_.request(std::make_unique<Request>(deadline(), requests_.emplace_back())); }
  domain::Deadline deadline() {
    switch (choices_.next(4)) {
      case 0:
        return domain::Deadline::max();
      case 1:
        return now_ - 1ms;
      case 2:
        return now_ + 100ms;
      default:
        return now_ + 2'000ms;
    }
  }

  /// A connection that is open, or was open.
  LinkCore::ConnectionId some_connection() { return last_id_ - std::min(last_id_, choices_.next(3)); }
  Connection* open(LinkCore::ConnectionId id) {
    const auto found = connections_.find(id);
    return found == connections_.end() ? nullptr : &found->second;
  }

  /// Not ready once in `n` times.
  domain::Readiness readiness(unsigned n) {
    return choices_.next(n) == 0 ? domain::Readiness::not_ready("no") : domain::Readiness::ready();
  }

  void step() {
    const auto id = some_connection();
    switch (choices_.next(18)) {
      case 0:
      case 1:
      case 2:
        return track();
      case 3:
        return request();
      case 4:
        now_ += std::chrono::milliseconds(choices_.next(256));
        return;
      case 5:
        now_ = std::max(now_, std::min(core_.wake_at(), now_ + 60s));
        return;
      case 6:
        if (!connecting_) return;
        connecting_ = false;
        if (choices_.next(4) == 0) return core_.on_not_connected("refused", now_);
        last_id_ = core_.on_connected(now_);
        connections_[last_id_];
        return;
      case 7:
        return core_.on_greeted(id, readiness(4), now_);
      case 8:
        return core_.on_readiness(id, readiness(2));
      case 9:
        return core_.on_question_answered(id, now_);
      case 10:
        return core_.on_held(id, choices_.next(2) == 0);
      case 11:
        return core_.on_ending(id, now_);
      case 12:
        return core_.on_unfit(id, "cannot be used", now_);
      case 13:
        return core_.on_lost(id, static_cast<LinkCore::Loss>(choices_.next(3)), "lost", now_);
      case 14:
        return answer_command(id);
      default:
        return answer(id);
    }
  }

  /// The peer sends some verdicts on some message, perhaps ones that it has sent before.
  void answer(LinkCore::ConnectionId id) {
    auto* connection = open(id);
    if (connection == nullptr || connection->messages.empty()) return core_.on_heard(id, now_);
    const auto at = choices_.next(connection->messages.size());
    auto& message = connection->messages[at];
    const bool all = choices_.next(2) == 0;
    for (std::uint32_t i = 0; i < message.batches.size(); ++i) {
      auto& batch = *message.batches[i];
      for (std::uint32_t hit = 0; hit < batch.hits.size(); ++hit) {
        if (!all && choices_.next(2) == 0) continue;
        const domain::Verdict verdict{static_cast<domain::Verdict::Kind>(choices_.next(4)), 7};
        if (!batch.said[hit]) batch.said[hit] = verdict;
        message.gather->settle(i, hit, verdict);
      }
    }
    const bool is_settled =
        std::all_of(message.batches.begin(), message.batches.end(), [](const Batch* batch) {
          return std::all_of(batch->said.begin(), batch->said.end(),
                             [](const auto& its) { return its.has_value(); });
        });
    if (is_settled) {
      connection->messages.erase(connection->messages.begin() + static_cast<std::ptrdiff_t>(at));
    }
    core_.on_heard(id, now_);
  }

  void answer_command(LinkCore::ConnectionId id) {
    auto* connection = open(id);
    if (connection == nullptr || connection->commands.empty()) return;
    auto& commands = connection->commands;
    const auto at = commands.begin() + static_cast<std::ptrdiff_t>(choices_.next(commands.size()));
    Request* command = *at;
    commands.erase(at);
    if (choices_.next(2) == 0) {
      command->state.sent = false;
      core_.on_command_not_done(id, *command, now_);
    } else {
      command->state.answered = true;
      delete command;
    }
    core_.on_heard(id, now_);
  }

  void go_on() {
    for (int actions = 0;; ++actions) {
      require(actions < 10'000, "it comes to an end");
      const auto action = core_.next(now_);
      if (action.kind == Kind::wait) break;
      act(action);
    }
    require(core_.wake_at() > now_, "it does not wait for the past");
  }

  void act(const LinkCore::Action& action) {
    switch (action.kind) {
      case Kind::connect:
        require(!connecting_, "one attempt at a time");
        connecting_ = true;
        break;
      case Kind::write_hits:
        write(*action.hits, connections_.at(action.connection));
        break;
      case Kind::write_command: {
        auto& command = static_cast<Request&>(*action.command);
        require(!command.state.sent, "a command is sent once");
        require(command.deadline() > now_, "no command is sent late");
        command.state.sent = true;
        connections_.at(action.connection).commands.push_back(&command);
        break;
      }
      case Kind::ask:
        require(open(action.connection) != nullptr, "an open connection is asked");
        break;
      case Kind::close:
        require(connections_.erase(action.connection) == 1, "a connection is closed once");
        break;
      case Kind::deliver:
        core_.deliver();
        break;
      case Kind::report:
        core_.take_report();
        break;
      case Kind::wait:
        break;
    }
  }

  void write(link::Gather& gather, Connection& connection) {
    std::size_t in_flight = 0;
    for (const auto& message : connection.messages) in_flight += message.gather->bytes();
    const bool overtakes = settings_.overtaking && !connection.messages.empty() &&
                           now_ >= connection.messages.back().sent + *settings_.overtaking;
    require(connection.messages.empty() || overtakes ||
                in_flight < std::max<std::size_t>(settings_.window_bytes, 1),
            "the window is kept");
    Message message{&gather, {}, now_};
    std::size_t bytes = 0;
    for (std::uint32_t i = 0; i < gather.batches(); ++i) {
      auto& batch = *replies_.at(&gather.batch(i));
      require(!batch.sent, "a batch is sent once");
      require(batch.hits.deadline() > now_, "no batch is sent late");
      require(bytes < settings_.message_bytes_max, "a message is bounded");
      bytes += batch.hits.bytes();
      batch.sent = true;
      message.batches.push_back(&batch);
    }
    require(!message.batches.empty(), "a message has hits");
    connection.messages.push_back(std::move(message));
  }

  bool all_told() const {
    return std::all_of(batches_.begin(), batches_.end(),
                       [](const Batch& batch) {
                         return std::all_of(batch.verdicts.begin(), batch.verdicts.end(),
                                            [](const auto& its) { return its.has_value(); });
                       }) &&
           std::all_of(requests_.begin(), requests_.end(),
                       [](const State& state) { return state.failed || state.answered; });
  }

  void judge() const {
    for (const auto& batch : batches_) {
      for (std::size_t hit = 0; hit < batch.verdicts.size(); ++hit) {
        const auto& verdict = batch.verdicts[hit];
        // A batch without a deadline may wait for the peer forever.
        const bool may_wait = !batch.sent && batch.hits.deadline() == domain::Deadline::max();
        require(verdict.has_value() || may_wait || is_endless(batch), "each hit has a verdict");
        if (!verdict) continue;
        const auto expected = batch.said[hit].value_or(batch.sent ? domain::Verdict::perhaps_counted()
                                                                  : domain::Verdict::not_counted());
        require(*verdict == expected, "a verdict is the peer's, or says whether it was sent");
      }
    }
  }
  /// The batch was sent without a deadline, to a peer that is given up by deadlines alone.
  bool is_endless(const Batch& batch) const {
    return !settings_.progress && batch.hits.deadline() == domain::Deadline::max();
  }

  Choices choices_;
  const link::LinkSettings settings_;
  std::deque<Batch> batches_;
  std::deque<State> requests_;
  std::map<const domain::HitBatch*, Batch*> replies_;
  link::TimePoint now_{1h};
  LinkCore core_;
  LinkCore::ConnectionId last_id_ = 0;
  std::map<LinkCore::ConnectionId, Connection> connections_;
  bool connecting_ = false;
};

void Batch::on_verdicts(std::span<const domain::HitVerdict> its) {
  for (const auto& [hit, verdict] : its) {
    require(hit < verdicts.size(), "a verdict is about a hit that there is");
    require(!verdicts[hit].has_value(), "a hit has one verdict");
    verdicts[hit] = verdict;
  }
  run.told();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  Run({reinterpret_cast<const char*>(data), size}).run();
  return 0;
}
