// Fuzzes the reader of Redis' replies. A model of Redis executes the commands of live rounds. Each of its replies may
// be changed in transit: replaced, doubled, left out or cut. In all cases each hit and each mint must get one verdict,
// and no hit may be sent twice. As long as nothing was changed, the verdicts must be what the model counted. Through a
// proxy nothing is sent but PING and calls of scripts with one token's key, and only PING can make the proxy unfit. The
// Redis may be a node of a cluster. Where a replica is waited for, no count is answered that it has not received.
#include <hiredis/hiredis.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdint>
#include <deque>
#include <functional>
#include <list>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "require.h"
#include "store/redis/redis_pipeline.h"
#include "store/redis/redis_replies.h"

namespace {

using namespace tracker;
using store::redis::RedisPipeline;
using Arguments = std::vector<std::string>;

/// The replacements for a reply.
constexpr std::array<std::string_view, 38> others = {
    ":0\r\n",
    ":1\r\n",
    ":2\r\n",
    ":-1\r\n",
    ":9223372036854775807\r\n",
    ":-9223372036854775808\r\n",
    ":9223372036854775808\r\n",
    "*0\r\n",
    "*1\r\n:0\r\n",
    "*1\r\n:9223372036854775807\r\n",
    "*2\r\n:-9223372036854775808\r\n:1\r\n",
    "*1\r\n*1\r\n:1\r\n",
    "*1\r\n$-1\r\n",
    "*2\r\n$-1\r\n$-1\r\n",
    "*2\r\n:1\r\n$-1\r\n",
    "*2\r\n$1\r\n7\r\n*1\r\n$42\r\ntracker:{01000000000000000000000000000000}\r\n",
    "-@user_script: 7: -OOM no\r\n",
    "*2\r\n$1\r\na\r\n$1\r\nb\r\n",
    "*3\r\n$1\r\na\r\n:1\r\n-NOSCRIPT no\r\n",
    "*-1\r\n",
    "$-1\r\n",
    "$0\r\n\r\n",
    "$3\r\na:b\r\n",
    "+OK\r\n",
    "+PONG\r\n",
    "-NOSCRIPT no\r\n",
    "-ERR Connection timed out\r\n",
    "-NOPERM no\r\n",
    "-MOVED 1 127.0.0.1:1\r\n",
    "-ASK 1 127.0.0.1:1\r\n",
    "-TRYAGAIN no\r\n",
    "-WRONGTYPE no\r\n",
    "-\r\n",
    ">2\r\n+message\r\n+x\r\n",
    "%1\r\n+a\r\n:1\r\n",
    "_\r\n",
    "HTTP/1.1 400 Bad Request\r\n",
    "\x15\x03\x03\x00\x02\x02\x0a",
};

/// The share of replies that are not changed, in 256ths.
constexpr std::size_t unchanged = 224;

/// The bytes of the input, in order, and zeros after that.
class Choices {
 public:
  explicit Choices(std::string_view input) : left_(input) {}
  bool ended() const { return left_.empty(); }
  std::size_t next() {
    if (left_.empty()) return 0;
    const auto choice = static_cast<std::uint8_t>(left_.front());
    left_.remove_prefix(1);
    return choice;
  }

 private:
  std::string_view left_;
};

/// Whether a proxy can pass this on to one Redis, or answers it itself.
bool is_for_a_proxy(const Arguments& command) {
  if (command.at(0) == "PING") return true;
  if (command.at(0) != "EVAL" && command.at(0) != "EVALSHA") return false;
  const auto keys = static_cast<std::size_t>(std::stoull(command.at(2)));
  for (std::size_t i = 0; i < keys; ++i) {
    if (command.at(3 + i) != command.at(3)) return false;
  }
  return keys > 0 && command.at(3).starts_with("tracker:{") && command.at(3 + keys) == "*";
}

/// The part of Redis that tracker uses.
class Model {
 public:
  std::string execute(const Arguments& command) {
    const std::string& name = command.at(0);
    if (name == "HSETNX") return number(1);  // of the identity
    if (name == "HINCRBY") return increment(command.at(1), command.at(2), command.at(3));
    if (name == "EVALSHA" && flushed) return "-NOSCRIPT No matching script. Please use EVAL.\r\n";
    if (name == "EVALSHA") return track(command);
    if (name == "EVAL" && command.at(1) == store::redis::track_script) {
      flushed = false;
      return track(command);
    }
    if (name == "EVAL" && command.at(3) == "tracker:store") return number(1);
    if (name == "EVAL") return "*0\r\n";  // adds a probe and removes it
    if (name == "HMGET") return "*3\r\n$32\r\n000102030405060708090a0b0c0d0e0f\r\n$-1\r\n$-1\r\n";
    if (name == "SCAN")
      return "*2\r\n" + bulk(command.at(1) == "0" ? "7" : "0") + "*1\r\n" + bulk("tracker:{x}");
    if (name == "CLUSTER") return bulk("a 127.0.0.1:6379@16379 myself,master - 0 0 1 connected 0-16383\n");
    if (name == "WAIT") {
      if (!replica_hangs) received = sent;
      return number(replica_hangs ? 0 : 1);
    }
    if (name == "CONFIG") return "*2\r\n$4\r\nsave\r\n$0\r\n\r\n";
    if (name == "INFO") return "$13\r\naof_enabled:1\r\n";
    if (name == "PING") return "+PONG\r\n";
    require(name == "AUTH" || name == "SELECT" || name == "ASKING", "a command is known");
    return "+OK\r\n";
  }

  bool flushed = true;
  bool replica_hangs = false;
  std::map<std::string, std::map<std::string, std::int64_t>> hashes;
  std::map<std::string, std::int64_t> sent;      // increments of keys and paths, of known tokens or not
  std::map<std::string, std::int64_t> received;  // the same, by the replica

 private:
  static std::string bulk(const std::string& text) {
    return "$" + std::to_string(text.size()) + "\r\n" + text + "\r\n";
  }
  static std::string number(std::int64_t value) { return ":" + std::to_string(value) + "\r\n"; }
  std::map<std::string, std::int64_t>& fields(const std::string& key) { return hashes[key]; }
  bool exists(const std::string& key) const {
    const auto found = hashes.find(key);
    return found != hashes.end() && found->second.contains("");
  }
  std::string increment(const std::string& key, const std::string& path, const std::string& by) {
    if (by == "00") return "-ERR value is not an integer or out of range\r\n";
    sent[key + path] += std::stoll(by);
    return number(fields(key)[path] += std::stoll(by));
  }
  std::string track(const Arguments& command) {
    const auto keys = static_cast<std::size_t>(std::stoull(command[2]));
    std::string counts = "*" + std::to_string(keys) + "\r\n";
    for (std::size_t i = 0; i < keys; ++i) {
      const auto& key = command.at(3 + i);
      const auto& path = command.at(4 + keys + 2 * i);
      const auto& by = command.at(5 + keys + 2 * i);
      if (path.empty()) {
        counts += number(fields(key).emplace("", 0).second);
      } else if (exists(key)) {
        counts += increment(key, path, by);
      } else {
        if (by != "00") sent[key + path] += std::stoll(by);
        counts += "$-1\r\n";
      }
    }
    return counts;
  }
};

struct Hits final : store::TrackReply {
  void on_verdicts(std::span<const domain::HitVerdict> its) override {
    for (const auto& [hit, verdict] : its) {
      require(hit < verdicts.size(), "a verdict is about a hit that there is");
      require(!verdicts[hit].has_value(), "a hit has one verdict");
      verdicts[hit] = verdict;
      if (verdict.kind == domain::Verdict::Kind::counted)
        on_counted(store::redis::redis_key(batch.id(hit)) + std::string(batch.path(hit)));
    }
  }
  std::function<void(const std::string& counter)> on_counted;
  domain::HitBatch batch;
  std::vector<std::optional<domain::Verdict>> verdicts;
};

struct Mint final : store::AddReply {
  void on_added(domain::Result<void> added) override {
    require(!outcome.has_value(), "a mint has one outcome");
    outcome = added;
  }
  std::optional<domain::Result<void>> outcome;
};

struct Record final : store::WriteReply {
  void on_written(domain::Result<void> /*written*/) override {
    require(!answered, "a record has one outcome");
    answered = true;
  }
  bool answered = false;
};

struct Search final : store::SlotsReply {
  void on_slots(domain::Result<domain::SlotSet> /*slots*/) override {
    require(!answered, "a search has one outcome");
    answered = true;
  }
  bool answered = false;
};

struct NoListener final : store::redis::ClusterListener {
  void on_view(const store::redis::ClusterView& /*view*/,
               std::chrono::steady_clock::time_point /*asked*/) override {}
  void on_moved(domain::Slot /*slot*/, const runtime::Address& /*to*/) override {}
  void on_asked_elsewhere(domain::Slot /*slot*/, const runtime::Address& /*to*/) override {}
  void on_full_coverage_required() override {}
};

/// The first byte of the input says what kind of Redis it is: bit 0 a proxy, otherwise bit 1 a node of a cluster and bit
/// 2 one with a replica.
store::redis::RedisSettings settings_by(std::size_t choice) {
  const bool proxy = choice % 2 == 1;
  return {.redis = {}, .proxy = proxy, .replicas = !proxy && (choice & 4U) != 0 ? 1U : 0U};
}

class Run {
 public:
  explicit Run(std::string_view input)
      : kind_(Choices(input).next()), choices_(input), settings_(settings_by(kind_)) {
    choices_.next();
    if (is_node()) knowledge_.cluster = &listener_;
  }

  void run() {
    connect();
    for (int step = 0; step < 200 && !choices_.ended(); ++step) {
      const auto choice = choices_.next();
      switch (choice < 128 ? choice % 8 : 8 + choice % 2) {
        case 8:
          model_.replica_hangs = settings_.replicas > 0 && !model_.replica_hangs;
          break;
        case 9:
          if (is_node()) track_after_ask();
          break;
        case 0:
          pipeline_->look();
          break;
        case 1:
          mint();
          break;
        case 2:
          model_.flushed = true;
          break;
        case 3:
          model_.hashes.erase(store::redis::redis_key(id()));
          break;
        case 4:
          if (!settings_.proxy && !is_node()) ask_something_else();
          break;
        default:
          track();
      }
      if (choices_.next() % 2 == 0 && !exchange()) {
        lose();
        connect();
      }
    }
    if (exchange()) {
      require(changed_ || !pipeline_->is_waiting(), "each reply is taken");
    }
    lose();
    judge();
  }

 private:
  bool is_node() const { return !settings_.proxy && (kind_ & 2U) != 0; }
  domain::TokenId id() { return {{static_cast<std::uint8_t>(choices_.next() % 3)}}; }

  void connect() {
    replies_.emplace();
    shifted_ = false;
    identified_ = false;
    pipeline_.emplace(settings_, knowledge_);
    pipeline_->greet();
  }

  /// Does what the link does when a connection is lost.
  void lose() {
    for (auto& message : messages_) {
      message.settle_rest(domain::Verdict::perhaps_counted());
      message.deliver();
    }
    messages_.clear();
    requests_.clear_and_dispose([](link::Command* token) {
      token->on_failed(domain::Failure::perhaps_done);
      delete token;
    });
  }

  void mint() {
    auto& its = *mints_.emplace_back(std::make_unique<Mint>());
    auto& token = *new store::redis::AddToken(id(), {.minted_s = 1}, domain::Deadline::max(), its);
    requests_.push_back(token);
    pipeline_->send(token);
  }

  void ask_something_else() {
    if (choices_.next() % 2 == 0) {
      auto& its = *records_.emplace_back(std::make_unique<Record>());
      auto& write = *new store::redis::WriteRecord("record", domain::Deadline::max(), its);
      requests_.push_back(write);
      pipeline_->send(write);
    } else {
      auto& its = *searches_.emplace_back(std::make_unique<Search>());
      auto& find = *new store::redis::FindSlots(its);
      requests_.push_back(find);
      pipeline_->send(find);
    }
  }

  Hits& new_hits() {
    auto& its = *hits_.emplace_back(std::make_unique<Hits>());
    its.on_counted = [this](const std::string& counter) { judge_answer(counter); };
    for (std::size_t hits = choices_.next() % 5 + 1; hits > 0; --hits) {
      const auto token = id();
      const std::string path = "/" + std::to_string(choices_.next() % 3);
      its.batch.push(token, path);
      ++tracked_[store::redis::redis_key(token) + path];
    }
    its.verdicts.resize(its.batch.size());
    return its;
  }

  void track() {
    auto& message = messages_.emplace_back();
    for (std::size_t more = choices_.next() % 3 + 1; more > 0; --more) {
      auto& its = new_hits();
      message.add(its.batch, its);
    }
    pipeline_->send(message);
  }

  void track_after_ask() {
    auto& its = new_hits();
    auto& asked = *new store::redis::AskedHits(its.batch, its);
    requests_.push_back(asked);
    pipeline_->send(asked);
  }

  /// Has the model execute what was sent and the pipeline take the replies. Returns false when the connection has
  /// ended.
  bool exchange() {
    for (pipeline_->end_turn(); !pipeline_->out().empty(); pipeline_->end_turn()) {
      store::redis::RedisReplies commands;  // commands have the form of replies
      commands.feed(pipeline_->out());
      std::string bytes;
      bool goes_on = true;
      while (const auto* command = commands.next()) {
        Arguments arguments;
        for (std::size_t i = 0; i < command->elements; ++i) {
          arguments.emplace_back(command->element[i]->str, command->element[i]->len);
        }
        require(!settings_.proxy || is_for_a_proxy(arguments), "a proxy can pass it on");
        if (goes_on) goes_on = change(model_.execute(arguments), arguments.at(0) == "EVALSHA", bytes);
      }
      require(!commands.broken(), "what is said are commands");
      pipeline_->out().clear();
      if (!hear(bytes) || !goes_on) return false;
    }
    return true;
  }

  /// Appends the reply to the bytes, changed or not. Returns false if nothing more comes.
  bool change(const std::string& reply, bool is_script, std::string& bytes) {
    const auto choice = choices_.next();
    if (choice < unchanged) {
      lied_ |= shifted_ && reply.starts_with("-NOSCRIPT");
      bytes += reply;
      return true;
    }
    changed_ = true;
    switch (choice % 5) {
      case 0:
      case 1: {
        const auto other = others[choices_.next() % others.size()];
        if (is_script || shifted_) lied_ |= other.starts_with("-NOSCRIPT");
        bytes += other;
        return true;
      }
      case 2:
        shifted_ = true;
        lied_ |= reply.starts_with("-NOSCRIPT");
        bytes += reply + reply;
        return true;
      case 3:
        shifted_ = true;
        return true;
      default:
        bytes += reply.substr(0, choices_.next() % (reply.size() + 1));
        return false;
    }
  }

  bool hear(std::string_view bytes) {
    const std::size_t piece = choices_.next() % 64 + 1;
    while (!bytes.empty()) {
      replies_->feed(bytes.substr(0, piece));
      bytes.remove_prefix(std::min(piece, bytes.size()));
      while (const auto* reply = replies_->next()) {
        if (!pipeline_->take(*reply)) return false;
      }
      std::erase_if(messages_, [](link::Gather& message) { return message.deliver(); });
      if (pipeline_->has_looked()) pipeline_->take_look();
      if (!identified_ && !pipeline_->is_waiting()) {
        identified_ = true;
        pipeline_->identify();
      }
      if (pipeline_->is_finding()) pipeline_->go_on_finding();
      if (pipeline_->has_trouble()) pipeline_->take_trouble();
      if (replies_->broken()) return false;
    }
    return true;
  }

  /// A count of this counter is answered now.
  void judge_answer(const std::string& counter) {
    const auto answered = ++answered_[counter];
    if (settings_.replicas == 0 || changed_) return;
    const auto received = model_.received.find(counter);
    require(received != model_.received.end() && answered <= received->second,
            "what is answered was received by the replica");
  }

  void judge() const {
    for (const auto& record : records_) require(record->answered, "a record has its outcome");
    for (const auto& search : searches_) require(search->answered, "a search has its outcome");
    for (const auto& mint : mints_) {
      require(mint->outcome.has_value(), "a mint has its outcome");
      require(changed_ || *mint->outcome != domain::Result<void>(domain::Failure::not_done),
              "the model mints");
    }
    std::map<std::string, std::int64_t> counted;
    for (const auto& hits : hits_) {
      for (std::size_t hit = 0; hit < hits->verdicts.size(); ++hit) {
        require(hits->verdicts[hit].has_value(), "a hit has its verdict");
        require(changed_ || hits->verdicts[hit]->kind != domain::Verdict::Kind::not_counted,
                "the model counts");
        const bool is_counted = hits->verdicts[hit]->kind == domain::Verdict::Kind::counted;
        counted[store::redis::redis_key(hits->batch.id(hit)) + std::string(hits->batch.path(hit))] +=
            is_counted;
      }
    }
    for (const auto& [counter, sent] : model_.sent) {
      require(lied_ || sent <= tracked_.at(counter), "no hit is sent twice");
      require(changed_ || counted[counter] <= sent, "what is answered was counted");
    }
  }

  const std::size_t kind_;
  Choices choices_;
  NoListener listener_;
  Model model_;
  const store::redis::RedisSettings settings_;
  store::redis::RedisKnowledge knowledge_;
  std::optional<RedisPipeline> pipeline_;  // of this connection
  std::list<link::Gather> messages_;       // in flight
  boost::intrusive::list<link::Command, boost::intrusive::constant_time_size<false>> requests_;  // in flight
  std::optional<store::redis::RedisReplies> replies_;
  std::vector<std::unique_ptr<Hits>> hits_;
  std::vector<std::unique_ptr<Mint>> mints_;
  std::map<std::string, std::int64_t> tracked_;
  std::map<std::string, std::int64_t> answered_;
  std::vector<std::unique_ptr<Record>> records_;
  std::vector<std::unique_ptr<Search>> searches_;
  bool identified_ = false;  // on this connection
  bool changed_ = false;     // a reply was changed
  bool shifted_ = false;     // replies of this connection answer other commands
  bool lied_ = false;  // the reply was NOSCRIPT although the script was executed, which nobody can detect
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  Run({reinterpret_cast<const char*>(data), size}).run();
  return 0;
}
