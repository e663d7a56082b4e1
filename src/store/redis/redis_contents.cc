#include "store/redis/redis_contents.h"

#include <hiredis/hiredis.h>

#include <algorithm>
#include <deque>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "domain/hex.h"
#include "store/redis/lowest_ids.h"
#include "store/redis/redis_durability.h"
#include "store/redis/redis_facts.h"
#include "store/redis/redis_keys.h"
#include "store/redis/redis_marks.h"
#include "store/redis/redis_nodes.h"
#include "store/redis/redis_round.h"
#include "store/redis/stored_marks.h"
#include "store/store_error.h"

namespace tracker::store::redis {

namespace {

using domain::Slot;
using domain::SlotSet;
using domain::TokenId;
using Mark = SlotMark::Kind;
using Kind = RedisNodes::Kind;

constexpr std::size_t tokens_measured = 4'096;  // at once
constexpr long long fields_of_a_page = 16'384;  // about 1 MiB, where a path has some dozens of bytes
constexpr std::size_t bytes_in_flight = 1024 * 1024;
constexpr std::size_t tasks_in_flight = 1'000;
constexpr std::size_t counts_of_a_command = 500;
constexpr std::string_view all_tokens = "tracker:*{*";
constexpr std::string_view held_tokens = "tracker:held:{*";

/// What the last two return instead of fields. A token that counts must not be replaced by one that does not, nor the reverse.
constexpr long long is_twofold = -1;

/// Gives the token the key by which it is not counted, and returns its fields. An import that did not end may have left fields
/// there.
constexpr std::string_view hold_script = R"(
if redis.call('HEXISTS', KEYS[1], '') == 1 then
  if redis.call('HEXISTS', KEYS[2], '') == 1 then return -1 end
  redis.call('RENAME', KEYS[1], KEYS[2])
end
return redis.call('HGETALL', KEYS[2])
)";

/// Gives the token back the key by which it is counted. A token that was revoked gets the key of those that have ended.
constexpr std::string_view release_script = R"(
local its = redis.call('HGET', KEYS[2], '')
if not its then return redis.call('DEL', KEYS[2]) end
if redis.call('HLEN', KEYS[1]) > 0 or redis.call('HLEN', KEYS[3]) > 0 then return -1 end
redis.call('RENAME', KEYS[2], string.find(its, ' revoked=[1-9]') and KEYS[3] or KEYS[1])
return 1
)";

/// Replaces all marks, unless somebody else has done so.
constexpr std::string_view mark_script = R"(
if (redis.call('HGET', KEYS[1], 'marks') or '') ~= ARGV[1] then return 0 end
for i, field in ipairs({'marks', 'marked', 'holds'}) do
  if ARGV[i + 1] == '' then
    redis.call('HDEL', KEYS[1], field)
  else
    redis.call('HSET', KEYS[1], field, ARGV[i + 1])
  end
end
return 1
)";

std::string origin_text(const StoredToken& token, const ExportId& export_id) {
  Origin origin{.record = token.record, .export_id = export_id};
  auto& paths = origin.record.paths.emplace();
  for (const auto& count : token.counts) paths.bytes += count.path.size();
  return origin.to_string();
}

/// Reads the reply to HGETALL. Nothing if it is no token.
std::optional<StoredToken> parse_token(const TokenId& id, const redisReply& fields) {
  if (fields.type != REDIS_REPLY_ARRAY) return std::nullopt;
  StoredToken token{.id = id};
  bool is_known = false;
  const auto key = redis_key(id);
  token.counts.reserve(fields.elements / 2);
  for (std::size_t i = 0; i + 1 < fields.elements; i += 2) {
    const auto path = string_of(*fields.element[i]);
    const auto value = string_of(*fields.element[i + 1]);
    if (path.empty()) {
      token.record = parse_origin(value, fields.elements / 2, redis_key(id)).record;
      is_known = true;
      continue;
    }
    token.counts.push_back({std::string(path), count_in(key, value)});
  }
  if (!is_known) return std::nullopt;
  token.record.paths.reset();
  std::ranges::sort(token.counts, {}, &StoredCount::path);
  return token;
}

[[noreturn]] void throw_twofold(const std::string& key) {
  throw StoreError("the token of " + key +
                   " is stored twice, also under the key that begins with tracker:held:; look at both, "
                   "and remove the one that is wrong by DEL");
}

RedisTask task_of(const TokenId& id) {
  return {domain::slot_of(id), redis_key(id)};
}

/// Does tasks in portions.
class Tasks {
 public:
  Tasks(RedisNodes& nodes, Kind kind) : nodes_(nodes), kind_(kind) {}

  void add(RedisTask task) {
    for (const auto& command : task.commands) bytes_ += command.size();
    tasks_.push_back(std::move(task));
    if (bytes_ >= bytes_in_flight || tasks_.size() >= tasks_in_flight) run();
  }
  /// Call it at last, too.
  void run() {
    nodes_.run(tasks_, kind_);
    for (const auto& task : tasks_) {
      for (const auto& reply : task.replies) {
        if (reply->type == REDIS_REPLY_INTEGER && reply->integer == is_twofold) throw_twofold(task.key);
      }
    }
    tasks_.clear();
    bytes_ = 0;
  }

 private:
  RedisNodes& nodes_;
  const Kind kind_;
  std::vector<RedisTask> tasks_;
  std::size_t bytes_ = 0;
};

/// Which slots are read, and how.
struct ReadPlan {
  SlotSet slots;  // those that are read
  SlotSet held;   // their tokens are renamed when they are read, and what was renamed before is read, too
};

class Reader final : public TokenReader {
 public:
  Reader(std::shared_ptr<RedisNodes> nodes, const ReadPlan& plan, std::size_t ids_max)
      : nodes_(std::move(nodes)), plan_(plan), ids_max_(ids_max) {}

  std::vector<StoredToken> next() override {
    while (true) {
      if (ids_.empty() && !(is_more_ && find_ids())) {
        check_holds();
        return {};
      }
      auto tokens = read_page();
      if (!tokens.empty()) return tokens;
    }
  }

 private:
  bool is_held(const TokenId& id) const { return plan_.held[domain::slot_of(id)]; }

  /// Where a hold was lost, by a failover or by another command, tokens may have been minted that were not read.
  void check_holds() {
    const auto held = plan_.slots & plan_.held;
    if (held.none() || (held & ~read_marks(*nodes_).of(Mark::held)).none()) return;
    throw StoreError(
        "slots that were held when their tokens were first read are not held any more; begin the export "
        "anew");
  }

  /// Returns whether there are any more.
  bool find_ids() {
    LowestIds lowest(ids_max_, last_);
    const auto visit = [&](std::string_view key) {
      const auto its = parse_key(key);
      if (!its || is_probe(its->id)) return;
      const auto slot = domain::slot_of(its->id);
      if (plan_.slots[slot] && (!its->is_held || plan_.held[slot])) lowest.add(its->id);
    };
    nodes_->scan(
        all_tokens, [&] { lowest.clear(); }, visit);
    // A token that ended meanwhile, or came to life again, has got another key. In held slots none does.
    const auto add_to_them = [] {};
    if ((plan_.slots & ~plan_.held).any()) nodes_->scan(all_tokens, add_to_them, visit);
    const auto found = lowest.take();
    is_more_ = lowest.left_out();
    if (!found.empty()) last_ = found.back();
    ids_.assign(found.begin(), found.end());
    return !ids_.empty();
  }

  /// How many fields the next tokens have. A token that has ended has another key.
  void measure() {
    std::vector<RedisTask> tasks;
    std::vector<std::size_t> token_of;  // each task
    for (const auto& id : ids_) {
      if (fields_.size() == tokens_measured) break;
      const auto add = [&](std::string key) {
        auto& task = tasks.emplace_back(domain::slot_of(id), std::move(key));
        task.add({"HLEN", task.key});
        token_of.push_back(fields_.size());
      };
      add(redis_key(id));
      add(ended_key(id));
      if (is_held(id)) add(held_key(id));
      fields_.push_back(0);
    }
    nodes_->run(tasks, Kind::reads);
    for (std::size_t i = 0; i < tasks.size(); ++i) fields_[token_of[i]] += tasks[i].replies.front()->integer;
  }

  std::vector<StoredToken> read_page() {
    if (fields_.empty()) measure();
    std::vector<TokenId> ids;
    std::vector<RedisTask> tasks;
    bool writes = false;
    for (long long fields = 0;
         !fields_.empty() && (ids.empty() || fields + fields_.front() <= fields_of_a_page);) {
      const auto& id = ids.emplace_back(ids_.front());
      add_reads(id, tasks);
      writes = writes || is_held(id);
      fields += fields_.front();
      ids_.pop_front();
      fields_.pop_front();
    }
    nodes_->run(tasks, writes ? Kind::writes : Kind::reads);
    std::vector<StoredToken> tokens;
    for (std::size_t i = 0; i < ids.size(); ++i) {
      auto token = token_of(ids[i], {&tasks[2 * i], 2});
      if (!token) token = read_again(ids[i]);
      if (token) tokens.push_back(std::move(*token));
    }
    return tokens;
  }

  /// Two tasks: while a slot of a cluster moves, its keys are at two nodes.
  void add_reads(const TokenId& id, std::vector<RedisTask>& tasks) const {
    auto& task = tasks.emplace_back(task_of(id));
    if (is_held(id)) {
      task.add({"EVAL", hold_script, "2", task.key, held_key(id)});
    } else {
      task.add({"HGETALL", task.key});
    }
    tasks.emplace_back(domain::slot_of(id), ended_key(id)).add({"HGETALL", ended_key(id)});
  }

  static std::optional<StoredToken> token_of(const TokenId& id, std::span<const RedisTask> tasks) {
    for (const auto& task : tasks) {
      const auto& reply = *task.replies.front();
      if (reply.type == REDIS_REPLY_INTEGER) throw_twofold(task.key);
      if (auto token = parse_token(id, reply)) return token;
    }
    return std::nullopt;
  }

  /// One that has ended may have come to life between the two readings.
  std::optional<StoredToken> read_again(const TokenId& id) {
    std::vector<RedisTask> tasks;
    add_reads(id, tasks);
    nodes_->run(tasks, is_held(id) ? Kind::writes : Kind::reads);
    return token_of(id, tasks);
  }

  const std::shared_ptr<RedisNodes> nodes_;
  const ReadPlan plan_;
  const std::size_t ids_max_;
  std::deque<TokenId> ids_;       // to be read, in order
  std::deque<long long> fields_;  // of the first of them
  std::optional<TokenId> last_;
  bool is_more_ = true;
};

class RedisContents final : public StoreContents {
 public:
  RedisContents(RedisSettings settings, std::shared_ptr<RedisNodes> nodes, std::size_t ids_max)
      : settings_(std::move(settings)), nodes_(std::move(nodes)), ids_max_(ids_max) {}

  StoreFacts facts() override {
    if (nodes_->is_cluster()) return StoreFacts{.masters = nodes_->master_ids()};
    auto& client = *nodes_->clients().front();
    std::string questions;
    RedisFacts::append_questions(new_identity(), questions);
    RedisFacts its;
    for (const auto& reply : client.exchange(questions, RedisFacts::questions)) its.take(*reply);
    if (const auto facts = its.facts()) return *facts;
    throw StoreError("which store " + client.name() +
                     " is cannot be known: " + its.why_not(client.settings()));
  }

  std::string what_can_be_lost() override {
    std::string all;
    for (auto* client : nodes_->clients()) {
      std::string questions;
      RedisDurability::append_questions(questions);
      constexpr auto replies = RedisDurability::config_questions + RedisDurability::info_questions;
      RedisDurability said;
      for (const auto& reply : client->exchange(questions, replies)) said.take(*reply);
      said.follow({}, true);
      if (!said.shortfall()) continue;
      all += (all.empty() ? "" : "; ") + client->name() + ": " + said.what_a_crash_loses() +
             said.what_a_failover_loses(settings_.replicas);
    }
    return all;
  }

  std::unique_ptr<TokenReader> read(const SlotSet& slots) override {
    const auto its = marks();
    return std::make_unique<Reader>(
        nodes_, ReadPlan{.slots = slots & ~its.of(Mark::moved), .held = its.of(Mark::held)}, ids_max_);
  }

  /// In a cluster, the slots get their marks one after the other. What was interrupted is done to its end first.
  SlotMarks marks() override {
    if (!nodes_->is_cluster()) return read_marks(*nodes_);
    std::vector<RedisTask> tasks;
    tasks.push_back(intent_task());
    tasks.front().add({"HGET", intent_key, ""});
    nodes_->run(tasks, Kind::reads);
    const auto& reply = *tasks.front().replies.front();
    if (const auto intended = SlotMarks::parse(string_of(reply)); intended && !intended->empty())
      set_cluster_marks(intended->all().front());
    return read_marks(*nodes_);
  }

  void set_mark(const SlotMark& mark) override {
    if (nodes_->is_cluster()) {
      set_cluster_marks(mark);
    } else {
      change_marks([&](SlotMarks& its) { its.set(mark); });
    }
    if (mark.kind == Mark::importing)
      note_import(mark.export_id);  // last: the mark says that it is under way
  }

  void clear_marks(const SlotSet& slots) override {
    const auto marked = slots & marks().slots();
    if (marked.none()) return;
    release(marked);
    if (!nodes_->is_cluster()) {
      return change_marks([&](SlotMarks& its) { its.clear(slots); });
    }
    Tasks tasks(*nodes_, Kind::writes);
    for (std::size_t i = 0; i < domain::slots; ++i) {
      if (!marked[i]) continue;
      auto task = mark_task(i);
      task.add({"DEL", task.key});
      tasks.add(std::move(task));
    }
    tasks.run();
  }

  bool has_imported(const ExportId& export_id) override {
    std::vector<RedisTask> tasks;
    tasks.push_back(import_task(export_id));
    tasks.front().add({"HGET", tasks.front().key, ""});
    nodes_->run(tasks, Kind::reads);
    return tasks.front().replies.front()->type == REDIS_REPLY_STRING && !marks().is_importing(export_id);
  }

  std::vector<Presence> find(const ExportId& export_id, std::span<const StoredToken> tokens) override {
    std::vector<Presence> all(tokens.size(), Presence::absent);
    find_those_there(tokens, [&](std::size_t token, const Origin& origin) {
      const bool is_of_export = origin.export_id == export_id && all[token] != Presence::stranger;
      all[token] = is_of_export ? Presence::of_export : Presence::stranger;
    });
    return all;
  }

  void put(const ExportId& export_id, std::span<const StoredToken> tokens) override {
    const auto found = find(export_id, tokens);
    if (const auto stranger = std::ranges::find(found, Presence::stranger); stranger != found.end()) {
      const auto& token = tokens[static_cast<std::size_t>(stranger - found.begin())];
      throw StoreError("token " + to_string(token.id) +
                       " is in this store already, and did not come from this export; nothing of these "
                       "tokens was written");
    }
    Tasks tasks(*nodes_, Kind::writes);
    for (std::size_t i = 0; i < tokens.size(); ++i) {
      if (found[i] == Presence::absent) tasks.add(task_to_put(tokens[i], export_id));
    }
    tasks.run();
  }

  void remove(const SlotSet& slots) override {
    const auto its = marks();
    const auto whole = slots & its.stopped();
    const auto imported = slots & its.of(Mark::importing);
    Tasks tasks(*nodes_, Kind::writes);
    nodes_->scan(
        all_tokens, [] {},
        [&](std::string_view key) {
          const auto token = parse_key(key);
          if (!token) return;
          const auto slot = domain::slot_of(token->id);
          if (!whole[slot] && !(imported[slot] && token->is_held)) return;
          auto task = task_of(token->id);
          task.add({"UNLINK", key});
          tasks.add(std::move(task));
        });
    tasks.run();
  }

 private:
  /// Its slot is that of a token with this id.
  static RedisTask import_task(const ExportId& id) { return {domain::slot_of(TokenId{id}), import_key(id)}; }

  void note_import(const ExportId& id) {
    std::vector<RedisTask> tasks;
    tasks.push_back(import_task(id));
    tasks.front().add({"HSET", tasks.front().key, "", "begun"});
    nodes_->run(tasks, Kind::writes);
  }

  /// For a Redis by itself.
  template <typename Change>
  void change_marks(Change change) {
    for (bool is_done = false; !is_done;) {  // it is done again if somebody changed them in between
      const auto before = stored_marks(*nodes_);
      auto its = parse_stored(before);
      change(its);
      const auto after = its.to_string();
      std::vector<RedisTask> tasks;
      tasks.emplace_back(Slot{0}, std::string(facts_key))
          .add({"EVAL", mark_script, "1", facts_key, before, after, marked_text(its), holds_text(its)});
      nodes_->run(tasks, Kind::writes);
      is_done = tasks.front().replies.front()->integer == 1;
    }
  }

  static RedisTask intent_task() { return {domain::slot_of_hash_tag(intent_key), std::string(intent_key)}; }

  void note_intent(const SlotMark* mark) {
    std::vector<RedisTask> tasks;
    tasks.push_back(intent_task());
    if (mark == nullptr) {
      tasks.front().add({"DEL", intent_key});
    } else {
      SlotMarks intended;
      intended.set(*mark);
      tasks.front().add({"HSET", intent_key, "", intended.to_string()});
    }
    nodes_->run(tasks, Kind::writes);
  }

  /// A mark that forbids more than the one before takes effect in one step.
  void set_cluster_marks(const SlotMark& mark) {
    note_intent(&mark);
    const auto text = mark_text(mark);
    Tasks tasks(*nodes_, Kind::writes);
    for (std::size_t i = 0; i < domain::slots; ++i) {
      if (!mark.slots[i]) continue;
      auto task = mark_task(i);
      if (mark.kind == Mark::importing) {
        task.add({"HSET", task.key, marked_field, text});
        task.add({"HDEL", task.key, holds_field});
      } else {
        task.add({"HSET", task.key, marked_field, text, holds_field, text});
      }
      tasks.add(std::move(task));
    }
    tasks.run();
    note_intent(nullptr);
  }

  /// Gives the tokens of these slots back the keys by which they count.
  void release(const SlotSet& slots) {
    Tasks tasks(*nodes_, Kind::writes);
    nodes_->scan(
        held_tokens, [] {},
        [&](std::string_view key) {
          const auto token = parse_key(key);
          if (!token || !token->is_held || !slots[domain::slot_of(token->id)]) return;
          auto task = task_of(token->id);
          task.add({"EVAL", release_script, "3", task.key, key, ended_key(token->id)});
          tasks.add(std::move(task));
        });
    tasks.run();
  }

  /// Calls `found(i, origin)` for each tokens[i] that Redis has, by any key.
  template <typename Found>
  void find_those_there(std::span<const StoredToken> tokens, Found found) {
    constexpr auto tokens_in_flight = tasks_in_flight / 3;
    for (std::size_t begin = 0; begin < tokens.size(); begin += tokens_in_flight) {
      const auto portion = tokens.subspan(begin, std::min(tokens.size() - begin, tokens_in_flight));
      std::vector<RedisTask> tasks;
      for (const auto& token : portion) {
        for (auto key : {redis_key(token.id), held_key(token.id), ended_key(token.id)}) {
          auto& task = tasks.emplace_back(domain::slot_of(token.id), std::move(key));
          task.add({"HGET", task.key, ""});
        }
      }
      nodes_->run(tasks, Kind::reads);
      for (std::size_t i = 0; i < tasks.size(); ++i) {
        const auto& reply = *tasks[i].replies.front();
        if (reply.type == REDIS_REPLY_STRING)
          found(begin + i / 3, parse_origin(text_of(reply), 1, tasks[i].key));
      }
    }
  }

  /// The empty field comes last: what was interrupted is no token, and is removed by the next attempt.
  static RedisTask task_to_put(const StoredToken& token, const ExportId& export_id) {
    auto task = task_of(token.id);
    const auto key = held_key(token.id);
    const auto origin = origin_text(token, export_id);
    task.add({"DEL", key});
    std::size_t at = 0;
    do {
      const auto end = std::min(at + counts_of_a_command, token.counts.size());
      std::vector<std::string> numbers;
      for (auto i = at; i < end; ++i) numbers.push_back(std::to_string(token.counts[i].count));
      std::vector<std::string_view> command{"HSET", key};
      for (auto i = at; i < end; ++i) command.insert(command.end(), {token.counts[i].path, numbers[i - at]});
      at = end;
      if (at == token.counts.size()) command.insert(command.end(), {"", origin});
      task.add(command);
    } while (at < token.counts.size());
    return task;
  }

  const RedisSettings settings_;
  const std::shared_ptr<RedisNodes> nodes_;
  const std::size_t ids_max_;
};

}  // namespace

std::unique_ptr<StoreContents> redis_contents(const RedisSettings& settings, std::size_t ids_max) {
  if (settings.proxy) {
    throw StoreError(
        "a proxy does not pass on what moving tokens needs; name each Redis behind it by --redis-addr, one "
        "after the other, without --redis-proxy");
  }
  return std::make_unique<RedisContents>(settings, std::make_shared<RedisNodes>(settings), ids_max);
}

std::unique_ptr<StoreContents> cluster_contents(const RedisSettings& settings,
                                                const std::vector<runtime::Address>& nodes,
                                                std::size_t ids_max) {
  return std::make_unique<RedisContents>(settings, std::make_shared<RedisNodes>(settings, nodes), ids_max);
}

}  // namespace tracker::store::redis
