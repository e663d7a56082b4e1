#include "store/redis/redis_token_keeper.h"

#include <hiredis/hiredis.h>

#include <array>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "store/count_reader.h"
#include "store/redis/redis_keys.h"
#include "store/redis/redis_nodes.h"
#include "store/redis/redis_round.h"
#include "store/redis/stored_marks.h"

namespace tracker::store::redis {

namespace {

using domain::Seconds;
using domain::SlotSet;
using domain::TokenId;
using domain::TokenRecord;
using domain::TokenState;
using Kind = RedisNodes::Kind;

constexpr int attempts_max = 10;  // while others change the same token
constexpr std::string_view all_tokens = "tracker:*{*";
constexpr std::string_view no_marks = "*";

/// Writes a record, and gives the token the key that it is to have. ARGV: where the marks are (key and field), and what they
/// were; the empty field as it was, and as it is to be; the last use, if it is to be noted; the key; whether the record makes no sense
/// under another key. What counting has written meanwhile stays. Returns the empty field as it is now, or 0 if the marks or the
/// record have changed.
///
/// The record is written even if the token cannot get its other key, and then the script fails, so that nobody thinks that an older
/// counter does not find it. While a slot of a cluster moves, the marks and the other key may be at the other node: then they are errors. What an export
/// holds it reads after that, with the new record.
constexpr std::string_view change_script = R"(
local mark = ARGV[1] ~= '*' and redis.pcall('HGET', ARGV[1], ARGV[2])
if type(mark) ~= 'table' and (mark or '') ~= ARGV[3] then return 0 end
local function without_counting(text)
  for _, name in ipairs({'due', 'full', 'used', 'bytes'}) do text = string.gsub(text, ' ' .. name .. '=%d+', '') end
  return text
end
local text = redis.call('HGET', KEYS[1], '')
if not text or without_counting(text) ~= without_counting(ARGV[4]) then return 0 end
local key, trouble = KEYS[1], nil
if ARGV[7] ~= key then
  local renamed = redis.pcall('RENAMENX', key, ARGV[7])
  if renamed == 1 then
    key = ARGV[7]
  elseif ARGV[8] == 'must' then
    return redis.error_reply('TRYAGAIN the token cannot get its other key now')
  elseif string.sub(ARGV[1], 1, 13) ~= 'tracker:mark:' and ARGV[1] ~= '*' then
    trouble = renamed
  end
end
local used = math.max(tonumber(string.match(text, ' used=(%d+)')) or 0, tonumber(string.match(ARGV[6], '%d+')) or 0)
local its = without_counting(ARGV[5]) .. (used > 0 and string.format(' used=%.0f', used) or '') ..
            (string.match(text, ' bytes=%d+') or '')
redis.call('HSET', key, '', its)
if type(trouble) == 'table' then return trouble end
if trouble == 0 then return redis.error_reply('ERR the token has two keys; it is revoked under one of them') end
return its
)";

/// Removes a token, or gives it another key. ARGV: the marks as above; the empty field as it was; whether it had no path;
/// the other key, if any. Returns 0 if anything has changed.
constexpr std::string_view sweep_script = R"(
local mark = ARGV[1] ~= '*' and redis.pcall('HGET', ARGV[1], ARGV[2])
if type(mark) ~= 'table' and (mark or '') ~= ARGV[3] then return 0 end
if redis.call('HGET', KEYS[1], '') ~= ARGV[4] then return 0 end
if ARGV[5] == 'unused' and redis.call('HLEN', KEYS[1]) ~= 1 then return 0 end
if ARGV[6] == '' then return redis.call('UNLINK', KEYS[1]) end
return redis.pcall('RENAMENX', KEYS[1], ARGV[6]) == 1 and 1 or 0
)";

/// A token as it was seen.
struct Seen {
  std::string key;
  std::string text;  // its empty field
  std::size_t fields = 0;
};

class Keeper final : public TokenKeeper {
 public:
  Keeper(std::unique_ptr<RedisNodes> nodes, const RedisSettings& settings)
      : nodes_(std::move(nodes)), proxy_(settings.proxy), rules_(settings.rules) {}

  std::optional<TokenRecord> change(const TokenId& id, const TokenChange& change) override {
    for (int attempt = 0; attempt < attempts_max; ++attempt) {
      const auto marks = read_marks_of(id);
      const auto seen = find(id);
      if (!seen) return std::nullopt;
      auto origin = parse_origin(seen->text, seen->fields, seen->key);
      auto& record = origin.record;
      const auto now_s = rules_.now_s();
      const auto used_before = record.used_s;
      apply(change, now_s, record);
      const bool notes_use = record.used_s != used_before;
      const auto state = state_of(record, now_s);
      const auto key = proxy_ ? seen->key : key_in(id, state, seen->key);
      if (proxy_ && state == TokenState::active && seen->key != redis_key(id)) {
        throw UnsupportedError(
            "the token has the key of those that have ended, and cannot get its own back through a proxy; "
            "ask a counter "
            "that reaches its Redis without --redis-proxy");
      }
      const auto used = notes_use ? " used=" + std::to_string(record.used_s) : "";
      RedisTask task(domain::slot_of(id), seen->key);
      task.add({"EVAL", change_script, "1", seen->key, marks.key, marks.field, marks.text, seen->text,
                origin.to_string(), used, key, state == TokenState::active ? "must" : ""});
      nodes_->run({&task, 1}, Kind::writes);
      const auto& reply = *task.replies.front();
      if (reply.type == REDIS_REPLY_STRING) return parse_origin(text_of(reply), seen->fields, key).record;
    }
    throw StoreError("token " + to_string(id) + " is being changed by others all the time; ask again");
  }

  bool purge(const TokenId& id, Seconds retain_s) override {
    for (int attempt = 0; attempt < attempts_max; ++attempt) {
      const auto marks = read_marks_of(id);
      const auto seen = find(id);
      if (!seen) return true;
      const auto record = parse_origin(seen->text, seen->fields, seen->key).record;
      if (!is_outdated(record, rules_.now_s(), retain_s)) return false;
      auto task = task_to_sweep(domain::slot_of(id), *seen, marks, "");
      nodes_->run({&task, 1}, Kind::writes);
      if (task.replies.front()->integer == 1) return true;
    }
    return false;
  }

  Swept sweep(const SlotSet& slots, Seconds retain_s) override {
    if (proxy_) {
      throw UnsupportedError(
          "a proxy does not pass on SCAN, so nobody can look there for tokens that have ended; run a counter "
          "that reaches each Redis without --redis-proxy, or purge tokens one by one");
    }
    SlotSet swept = slots;
    std::string marks;  // in a cluster each script looks at those of its slot
    if (!nodes_->is_cluster()) {
      marks = stored_marks(*nodes_);
      swept &= ~parse_stored(marks).slots();
    }
    std::vector<std::string> keys;
    nodes_->scan_step(all_tokens, place_, [&](std::string_view key) { keys.emplace_back(key); });
    Swept done{.is_end = place_ == RedisNodes::ScanPlace{}};
    std::vector<RedisTask> looks;
    for (const auto& key : keys) {
      const auto its = parse_key(key);
      if (!its || its->is_held || is_probe(its->id) || !swept[domain::slot_of(its->id)]) continue;
      add_look(looks, domain::slot_of(its->id), key);
      looks.back().may_be_no_hash = true;
    }
    nodes_->run(looks, Kind::reads);
    std::vector<RedisTask> removals;
    std::vector<RedisTask> renames;
    const auto now_s = rules_.now_s();
    for (const auto& look : looks) {
      const auto seen = seen_by(look);
      if (!seen) continue;
      const auto origin = Origin::parse(seen->text, seen->fields);
      if (!origin) continue;  // a later version knows what becomes of it
      const auto id = parse_key(seen->key)->id;
      const bool is_removed = is_outdated(origin->record, now_s, retain_s);
      const auto key = key_in(id, swept_state(origin->record, now_s), seen->key);
      if (!is_removed && key == seen->key) continue;
      (is_removed ? removals : renames)
          .push_back(task_to_sweep(look.slot, *seen, marks_at(look.slot, marks),
                                   is_removed ? "" : std::string_view(key)));
    }
    for (auto* tasks : {&removals, &renames}) {
      leave_out_marked(*tasks);
      nodes_->run(*tasks, Kind::writes);
    }
    for (const auto& task : removals) {
      if (task.replies.front()->integer == 1) ++done.removed;
    }
    return done;
  }

 private:
  /// Where the marks of a token's slot are, and what they say.
  struct Marks {
    std::string_view key;
    std::string_view field;
    std::string text;
  };
  Marks marks_at(domain::Slot slot, std::string text) const {
    if (proxy_) return {no_marks, "", ""};
    if (nodes_->is_cluster()) return {mark_key(slot), marked_field, std::move(text)};
    return {facts_key, marks_field, std::move(text)};
  }

  /// Throws HeldError if the slot has one.
  Marks read_marks_of(const TokenId& id) {
    const auto slot = domain::slot_of(id);
    auto marks = marks_at(slot, "");
    if (proxy_) return marks;
    RedisTask task(nodes_->is_cluster() ? slot : domain::Slot{0}, std::string(marks.key));
    task.add({"HGET", marks.key, marks.field});
    nodes_->run({&task, 1}, Kind::reads);
    marks.text = string_of(*task.replies.front());
    const bool is_marked =
        nodes_->is_cluster() ? !marks.text.empty() : parse_stored(marks.text).of(slot) != nullptr;
    if (is_marked) throw HeldError();
    return marks;
  }

  /// The scripts look at the marks, too. But while a slot of a cluster moves, its mark may be at the other node.
  void leave_out_marked(std::vector<RedisTask>& tasks) {
    if (!nodes_->is_cluster()) return;
    SlotSet slots;
    for (const auto& task : tasks) slots.set(task.slot);
    std::vector<RedisTask> looks;
    for (std::size_t slot = 0; slot < domain::slots; ++slot) {
      if (slots[slot]) looks.push_back(look_at_mark(slot));
    }
    nodes_->run(looks, Kind::reads);
    for (const auto& look : looks) {
      if (look.replies.front()->type == REDIS_REPLY_STRING) slots.reset(look.slot);
    }
    std::erase_if(tasks, [&](const RedisTask& task) { return !slots[task.slot]; });
  }

  static void add_look(std::vector<RedisTask>& tasks, domain::Slot slot, const std::string& key) {
    auto& task = tasks.emplace_back(slot, key);
    task.add({"HGET", key, ""});
    task.add({"HLEN", key});
  }
  static std::optional<Seen> seen_by(const RedisTask& look) {
    if (look.replies[0]->type != REDIS_REPLY_STRING) return std::nullopt;
    return Seen{look.key, std::string(text_of(*look.replies[0])),
                static_cast<std::size_t>(look.replies[1]->integer)};
  }

  /// A token may get its other key between two commands. So the first key is looked at twice. Each look is a task of its own:
  /// while a slot of a cluster moves, its keys are at two nodes. Throws HeldError.
  std::optional<Seen> find(const TokenId& id) {
    const auto slot = domain::slot_of(id);
    const auto key = redis_key(id);
    std::vector<RedisTask> looks;
    for (const auto& its : {key, ended_key(id), key, held_key(id)}) add_look(looks, slot, its);
    nodes_->run(looks, Kind::reads);
    for (const auto& look : looks) {
      auto seen = seen_by(look);
      if (seen && look.key == held_key(id)) throw HeldError();
      if (seen) return seen;
    }
    return std::nullopt;
  }

  /// The key that a token is to have. One that has expired keeps its own.
  static std::string key_in(const TokenId& id, TokenState state, const std::string& own) {
    if (state == TokenState::revoked) return ended_key(id);
    return state == TokenState::active ? redis_key(id) : own;
  }
  /// For the sweep one that has expired has ended like one that was revoked.
  static TokenState swept_state(const TokenRecord& record, Seconds now_s) {
    return state_of(record, now_s) == TokenState::active ? TokenState::active : TokenState::revoked;
  }

  static RedisTask task_to_sweep(domain::Slot slot, const Seen& seen, const Marks& marks,
                                 std::string_view other_key) {
    RedisTask task(slot, seen.key);
    task.add({"EVAL", sweep_script, "1", seen.key, marks.key, marks.field, marks.text, seen.text,
              seen.fields == 1 ? "unused" : "", other_key});
    return task;
  }

  const std::unique_ptr<RedisNodes> nodes_;
  const bool proxy_;
  const TokenRules rules_;
  RedisNodes::ScanPlace place_;  // where the sweep goes on
};

}  // namespace

std::unique_ptr<TokenKeeper> redis_token_keeper(const RedisSettings& settings) {
  return std::make_unique<Keeper>(std::make_unique<RedisNodes>(settings), settings);
}

std::unique_ptr<TokenKeeper> cluster_token_keeper(const RedisSettings& settings,
                                                  const std::vector<runtime::Address>& nodes) {
  return std::make_unique<Keeper>(std::make_unique<RedisNodes>(settings, nodes), settings);
}

}  // namespace tracker::store::redis
