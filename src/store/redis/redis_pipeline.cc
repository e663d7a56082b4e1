#include "store/redis/redis_pipeline.h"

#include <hiredis/hiredis.h>

#include <algorithm>
#include <ctime>
#include <utility>

#include "domain/slot.h"
#include "store/redis/cluster_redirect.h"
#include "store/redis/redis_error.h"

namespace tracker::store::redis {

const domain::TokenId probe_id{{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x58, 0x73}};
const domain::TokenId far_probe_id{{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x95, 0xc4}};

namespace {

/// Redis does not accept this as a number. So it checks HINCRBY like any other one (may this user write, does this
/// Redis take writes), and then changes nothing.
constexpr std::string_view no_increment = "00";

/// Adds a token and removes it again in one atomic step. A token that exists stays.
constexpr std::string_view probe_add_script = R"(
local added = redis.pcall('HSETNX', KEYS[1], '', '0')
if type(added) == 'table' then return added end
if added == 1 then redis.pcall('DEL', KEYS[1]) end
return {}
)";

/// The same with what changes a token's record.
constexpr std::string_view probe_change_script = R"(
if redis.call('HEXISTS', KEYS[1], '') == 1 then return 0 end
local changed = redis.pcall('HSET', KEYS[1], '', '0')
if type(changed) == 'table' then return changed end
redis.pcall('DEL', KEYS[1])
return 0
)";

/// Replaces the record and the fence, if nobody else has done so.
constexpr std::string_view write_script = R"(
local record, fence = redis.call('HGET', KEYS[1], 'record'), redis.call('HGET', KEYS[1], 'fence')
if (record or '') ~= ARGV[1] or (fence or '') ~= ARGV[2] then
  return redis.error_reply('FENCED another counter has this Redis')
end
redis.call('HSET', KEYS[1], 'record', ARGV[3], 'fence', ARGV[4])
return 1
)";

/// How long Redis waits for replicas, which are much faster than this if they are well. It does nothing else on the
/// connection meanwhile. Deadlines do not shorten it: otherwise a client with a short one could put the hits of all
/// others in doubt.
constexpr auto replicas_longest = std::chrono::milliseconds(500);

constexpr std::string_view keys_of_a_scan = "1000";  // less than a millisecond of Redis

bool is_text(const redisReply* reply) {
  return reply->type == REDIS_REPLY_STRING;
}

bool is_text_or_nil(const redisReply* reply) {
  return is_text(reply) || reply->type == REDIS_REPLY_NIL;
}

bool is_error(const redisReply& reply) {
  return reply.type == REDIS_REPLY_ERROR && !is_no_script(text_of(reply));
}

bool is_of_script(const redisReply* reply) {
  return reply->type == REDIS_REPLY_INTEGER || reply->type == REDIS_REPLY_NIL || is_error(*reply);
}

bool is_zero_or_one(const redisReply& reply) {
  return reply.type == REDIS_REPLY_INTEGER && (reply.integer == 0 || reply.integer == 1);
}

bool is_array(const redisReply& reply, std::size_t elements) {
  return reply.type == REDIS_REPLY_ARRAY && reply.elements == elements;
}

/// Returns whether the reply is an array whose elements all satisfy `is_such`.
bool is_array_of(bool (*is_such)(const redisReply*), const redisReply& reply) {
  return reply.type == REDIS_REPLY_ARRAY &&
         std::all_of(reply.element, reply.element + reply.elements, is_such);
}

bool is_scan(const redisReply& reply) {
  return is_array(reply, 2) && is_text(reply.element[0]) && is_array_of(is_text, *reply.element[1]);
}

bool has_enough(long long replicas, const RedisSettings& settings) {
  return replicas >= static_cast<long long>(settings.replicas);
}

/// An id that no token has, in one of these slots.
domain::TokenId probe_id_in(const domain::SlotSet& slots) {
  domain::TokenId id{};
  for (std::uint32_t number = 1; !slots[domain::slot_of(id)]; ++number) {
    id.bytes[13] = static_cast<std::uint8_t>(number >> 16U);
    id.bytes[14] = static_cast<std::uint8_t>(number >> 8U);
    id.bytes[15] = static_cast<std::uint8_t>(number);
  }
  return id;
}

}  // namespace

void AddToken::send_on(RedisPipeline& pipeline) {
  pipeline.send(*this);
}

void WriteRecord::send_on(RedisPipeline& pipeline) {
  pipeline.send(*this);
}

void AskedHits::send_on(RedisPipeline& pipeline) {
  pipeline.send(*this);
}

void FindMark::send_on(RedisPipeline& pipeline) {
  pipeline.send(*this);
}

void FetchView::send_on(RedisPipeline& pipeline) {
  pipeline.send(*this);
}

void FindSlots::send_on(RedisPipeline& pipeline) {
  pipeline.send(*this);
}

RedisPipeline::RedisPipeline(const RedisSettings& settings, RedisKnowledge& knowledge)
    : settings_(settings), knowledge_(knowledge), apart_(settings.proxy || knowledge.cluster != nullptr) {}

void RedisPipeline::ask(Question question, std::initializer_list<std::string_view> command) {
  append_command(command, out_);
  due_.push_back({.question = question});
}

void RedisPipeline::greet() {
  if (settings_.proxy) return look();
  const auto& redis = settings_.redis;
  if (!redis.password.empty() && redis.user.empty()) ask(Question::log_in, {"AUTH", redis.password});
  if (!redis.password.empty() && !redis.user.empty()) {
    ask(Question::log_in, {"AUTH", redis.user, redis.password});
  }
  if (redis.database != 0) ask(Question::choose, {"SELECT", std::to_string(redis.database)});
  if (is_node()) {
    own_view_asked_ = std::chrono::steady_clock::now();
    ask(Question::own_view, {"CLUSTER", "NODES"});
    questions_due_ = due_.size() + 1;  // the rest follows in identify()
    return;
  }
  const std::string key = redis_key(probe_id);
  ask(Question::probe_script_text, {"EVAL", track_script, "1", key, any_fence, "/", no_increment});
  ask(Question::probe_together, {"EVALSHA", track_script_sha1(), "2", key, redis_key(far_probe_id), any_fence,
                                 "/", no_increment, "/", no_increment});
  probe(facts_key);  // the fence is not known yet, but the marks count
  ask(Question::probe_add, {"EVAL", probe_add_script, "1", key});
  probe_bounds(key);
  ask_for_replicas(Question::probe_replicas);
  ask_about_durability();
  questions_due_ = due_.size();
}

void RedisPipeline::look() {
  const std::size_t before = due_.size();
  if (settings_.proxy || settings_.only_views) {
    ask(Question::ping, {"PING"});
  } else {
    probe(fence());
    if (knowledge_.counts_keys) ask_for_keys();
    ask_about_durability();
  }
  questions_due_ = due_.size() - before;
}

/// Does what counting does, without effect, on keys that belong to no token.
void RedisPipeline::probe(std::string_view fence) {
  if (is_node()) {
    if (own_probe_) {
      ask(Question::probe_script,
          {"EVALSHA", track_script_sha1(), "1", redis_key(*own_probe_), fence, "/", no_increment});
      ask(Question::probe_increment, {"HINCRBY", redis_key(*own_probe_), "/", no_increment});
    }
    return;
  }
  for (const auto& id : {probe_id, knowledge_.doubtful}) {
    ask(Question::probe_script,
        {"EVALSHA", track_script_sha1(), "1", redis_key(id), fence, "/", no_increment});
  }
  ask(Question::probe_increment, {"HINCRBY", redis_key(probe_id), "/", no_increment});
}

void RedisPipeline::identify() {
  if (settings_.proxy) {
    if (!settings_.store_name.empty()) facts_ = RedisFacts::of_name(settings_.store_name);
    return;
  }
  if (settings_.only_views) return;
  if (is_node()) {
    if (own_probe_) {
      const auto key = redis_key(*own_probe_);
      ask(Question::probe_script_text, {"EVAL", track_script, "1", key, any_fence, "/", no_increment});
      probe(any_fence);
      ask(Question::probe_add, {"EVAL", probe_add_script, "1", key});
      probe_bounds(key);
      ask_for_replicas(Question::probe_replicas);
      ask(Question::coverage, {"CONFIG", "GET", "cluster-require-full-coverage"});
    }
    ask_about_durability();
    questions_due_ = due_.size();
    return;
  }
  RedisFacts::append_questions(new_identity(), out_);
  for (const auto question : {Question::identity, Question::kept, Question::server}) {
    due_.push_back({.question = question});
  }
}

/// Whether bounds can be held. Counting goes on without them, as with an ACL of an older version.
void RedisPipeline::probe_bounds(const std::string& key) {
  const auto& rules = settings_.rules;
  if (rules.paths_max > 0 || rules.path_bytes_max > 0) {
    ask(Question::probe_bounds, {"EVAL", probe_change_script, "1", key});
    ask(Question::probe_bounds, {"HLEN", key});
    ask(Question::probe_bounds, {"HDEL", key, "/"});
  }
  ask_for_keys();
}

void RedisPipeline::ask_for_keys() {
  if (settings_.rules.tokens_max > 0) ask(Question::keys, {"DBSIZE"});
}

void RedisPipeline::ask_about_durability() {
  durability_ = {};
  RedisDurability::append_questions(out_);
  due_.insert(due_.end(), RedisDurability::config_questions, Due{.question = Question::config});
  due_.insert(due_.end(), RedisDurability::info_questions, Due{.question = Question::info});
}

void RedisPipeline::send(link::Gather& message) {
  RedisRound& round = new_round();
  round.begin(message, apart_, settings_.replicas > 0);
  for (std::uint32_t call = 0; call < round.calls(); ++call) {
    append_call({.question = Question::script, .call = call, .round = &round}, RedisRound::Form::hash);
  }
}

void RedisPipeline::send(AskedHits& hits) {
  hits.round.begin(hits.message, true, settings_.replicas > 0);
  for (std::uint32_t call = 0; call < hits.round.calls(); ++call) {
    append_call({.question = Question::script, .call = call, .round = &hits.round, .asked = &hits},
                RedisRound::Form::hash);
  }
}

void RedisPipeline::end_turn() {
  if (!std::exchange(owes_wait_, false) || settings_.replicas == 0) return;
  ask_for_replicas(Question::replicas);
  ++waits_due_;
}

void RedisPipeline::ask_for_replicas(Question question) {
  if (settings_.replicas == 0) return;
  const auto timeout = std::min<std::chrono::milliseconds>(replicas_longest, settings_.reply_deadline / 2);
  ask(question, {"WAIT", std::to_string(settings_.replicas), std::to_string(timeout.count())});
}

/// Sends a call of a round. What a node is asked on the word of another one follows ASKING.
void RedisPipeline::append_call(const Due& due, RedisRound::Form form) {
  if (due.asked != nullptr) ask(Question::asking, {"ASKING"});
  due.round->append(due.call, form, fence_for(due.round->token(due.call)), settings_.rules, out_);
  owes_wait_ = true;
  due_.push_back(due);
  due_.back().question = form == RedisRound::Form::hash ? Question::script : Question::script_text;
}

void RedisPipeline::send(FindMark& find) {
  ask(Question::mark, {"HGET", mark_key(find.slot), find.field});
  due_.back().mark = &find;
}

void RedisPipeline::send(FetchView& fetch) {
  fetch.asked = std::chrono::steady_clock::now();
  ask(Question::view, {"CLUSTER", "NODES"});
  due_.back().fetch = &fetch;
}

void RedisPipeline::send(AddToken& token) {
  append(token, RedisRound::Form::hash);
  due_.push_back({.question = Question::add, .token = &token});
}

void RedisPipeline::append(const AddToken& token, RedisRound::Form form) {
  if (token.asking) ask(Question::asking, {"ASKING"});
  owes_wait_ = true;
  const bool by_hash = form == RedisRound::Form::hash;
  auto record = token.record;
  record.paths.emplace();  // it has none yet
  const auto text = Origin{.record = std::move(record)}.to_string();
  const auto key = redis_key(token.id);
  const auto [now, paths_max, path_bytes_max] = terms_of(settings_.rules);
  append_command(
      {by_hash ? "EVALSHA" : "EVAL", by_hash ? std::string_view(track_script_sha1()) : track_script, "1", key,
       fence_for(token.id), "", text, now, paths_max, path_bytes_max, std::to_string(knowledge_.tokens_max)},
      out_);
}

/// What is sent after it is executed after it, and so has the new fence.
void RedisPipeline::send(WriteRecord& write) {
  write.record_before = std::exchange(knowledge_.record, write.record);
  write.fence_before = std::exchange(knowledge_.fence, knowledge_.own_fence);
  write.was_taken = std::exchange(knowledge_.has_taken, true);
  if (!write.was_taken) knowledge_.fence_before = write.fence_before;
  append_command({"EVAL", write_script, "1", facts_key, write.record_before, write.fence_before, write.record,
                  knowledge_.own_fence},
                 out_);
  owes_wait_ = true;
  due_.push_back({.question = Question::write, .record = &write});
}

void RedisPipeline::send(FindSlots& find) {
  finds_.push_back(&find);
  if (finds_.size() == 1) go_on_finding();
}

void RedisPipeline::go_on_finding() {
  if (!fitness_.is_ready()) {
    while (!finds_.empty()) end_finding()->on_failed(domain::Failure::not_done);
    return;
  }
  scanning_ = true;
  ask(Question::scan, {"SCAN", finds_.front()->cursor, "MATCH", "tracker:*{*}", "COUNT", keys_of_a_scan});
}

RedisRound& RedisPipeline::new_round() {
  if (free_rounds_.empty()) {
    rounds_.push_back(std::make_unique<RedisRound>(settings_.proxy));
    return *rounds_.back();
  }
  RedisRound& round = *free_rounds_.back();
  free_rounds_.pop_back();
  return round;
}

/// Safe, because a round to which due_ refers has hits that are not settled, at that entry or at a later one.
void RedisPipeline::recycle(const Due& due) {
  if (!due.round->is_settled()) return;
  if (due.asked == nullptr) return free_rounds_.push_back(due.round);
  const std::unique_ptr<AskedHits> ended(due.asked);
  ended->message.deliver();
}

/// Judges by type and shape alone.
bool RedisPipeline::can_reply(const Due& due, const redisReply& reply) {
  if (reply.type == REDIS_REPLY_ERROR) {
    return due.question == Question::script || due.question == Question::add ||
           due.question == Question::probe_script || due.question == Question::probe_together ||
           !is_no_script(text_of(reply));
  }
  switch (due.question) {
    case Question::probe_increment:
    case Question::replicas:
    case Question::probe_replicas:
      return reply.type == REDIS_REPLY_INTEGER;
    case Question::add:
    case Question::add_text:
      return is_array(reply, 1) && (is_zero_or_one(*reply.element[0]) || is_error(*reply.element[0]));
    case Question::write:
    case Question::identity:
      return is_zero_or_one(reply);
    case Question::probe_bounds:
    case Question::keys:
      return reply.type == REDIS_REPLY_INTEGER && reply.integer >= 0;
    case Question::script:
    case Question::script_text:
      return due.round->can_return(due.call, reply);
    case Question::probe_script:
    case Question::probe_script_text:
      return is_array(reply, 1) && is_array_of(is_of_script, reply);
    case Question::probe_together:
      return is_array(reply, 2) && is_array_of(is_of_script, reply);
    case Question::probe_add:
      return is_array(reply, 0);
    case Question::scan:
      return is_scan(reply);
    case Question::mark:
      return is_text_or_nil(&reply);
    case Question::kept:
      return is_array(reply, 3) && is_array_of(is_text_or_nil, reply);
    case Question::own_view:
    case Question::view:
      return is_text(&reply);
    case Question::log_in:
    case Question::choose:
    case Question::asking:
      return reply.type == REDIS_REPLY_STATUS && text_of(reply) == "OK";
    case Question::coverage:
    case Question::config:
      return is_array_of(is_text, reply) && reply.elements % 2 == 0;
    case Question::server:
    case Question::info:
      return is_text(&reply);
    case Question::ping:
      return reply.type == REDIS_REPLY_STATUS;
  }
  return false;
}

bool RedisPipeline::take(const redisReply& reply) {
  if (due_.empty() || !can_reply(due_.front(), reply)) return false;
  const Due due = due_.front();
  due_.pop_front();
  switch (due.question) {
    case Question::script:
    case Question::script_text:
      take_script(due, reply);
      break;
    case Question::add:
    case Question::add_text:
      take_add(due, reply);
      break;
    case Question::write:
      take_write(due, reply);
      break;
    case Question::scan:
      take_scan(reply);
      break;
    case Question::asking:
      break;
    case Question::mark:
      take_mark(due, reply);
      break;
    case Question::coverage:
      if (is_array(reply, 2) && text_of(*reply.element[1]) == "yes")
        knowledge_.cluster->on_full_coverage_required();
      --questions_due_;  // durability is asked later
      break;
    case Question::own_view:
      if (const auto view = take_view(reply, own_view_asked_)) choose_own_probe(*view);
      take_question(due.question, reply);
      break;
    case Question::view: {
      const std::unique_ptr<FetchView> fetch(due.fetch);
      take_view(reply, fetch->asked);
      break;
    }
    case Question::replicas:
      take_replicas(reply);
      break;
    case Question::probe_replicas:
      judge_replicas(reply);
      take_question(due.question, reply);
      break;
    case Question::keys:
      take_keys(reply);
      take_question(due.question, reply);
      break;
    case Question::identity:
    case Question::kept:
    case Question::server:
      facts_.take(reply);  // an error does not make Redis unfit, because counting does not need it
      break;
    case Question::config:
    case Question::info:
      durability_.take(reply);
      take_question(due.question, reply);
      break;
    default:
      take_question(due.question, reply);
  }
  return true;
}

void RedisPipeline::take_script(const Due& due, const redisReply& reply) {
  RedisRound& round = *due.round;
  if (reply.type == REDIS_REPLY_ERROR && is_no_script(text_of(reply))) {  // somebody emptied the script cache
    return append_call(due, RedisRound::Form::text);
  }
  if (is_node() && reply.type == REDIS_REPLY_ERROR && take_elsewhere(due, reply)) return recycle(due);
  if (reply.type == REDIS_REPLY_ERROR) {
    const bool is_not_counted = is_not_begun(text_of(reply));
    round.settle_call(due.call,
                      is_not_counted ? domain::Verdict::not_counted() : domain::Verdict::perhaps_counted());
    meet(round.token(due.call), reply, is_not_counted);
  } else if (const auto no_count = round.take(due.call, reply)) {
    const auto& its = *no_count->reply;
    meet(no_count->token, its,
         its.type == REDIS_REPLY_ERROR && is_not_executed(text_of(its), settings_.proxy));
  }
  if (round.has_held() && (held_.empty() || held_.back().round != &round)) held_.push_back(due);
  recycle(due);
}

void RedisPipeline::take_replicas(const redisReply& reply) {
  --waits_due_;
  judge_replicas(reply);
  const bool safe = reply.type == REDIS_REPLY_INTEGER && has_enough(reply.integer, settings_);
  for (const Due& due : std::exchange(held_, {})) {
    if (due.round != nullptr) {
      due.round->release(safe);
      recycle(due);
    } else if (due.token != nullptr) {
      tell_added(due, safe);
    } else {
      tell_written(due, safe);
    }
  }
}

/// A write that has reached too few replicas makes this Redis unfit, so that no more are answered by "perhaps". The next
/// greeting writes again.
void RedisPipeline::judge_replicas(const redisReply& reply) {
  if (reply.type == REDIS_REPLY_ERROR) {
    become_unfit("it refuses WAIT, which --redis-replicas needs: " + explain(text_of(reply), settings_));
  } else if (!has_enough(reply.integer, settings_)) {
    become_unfit("its last write reached " + std::to_string(reply.integer) + " of the " +
                 std::to_string(settings_.replicas) + " replicas that --redis-replicas asks for in time");
  }
}

/// Takes the word of a node that another node, or this one later, is to be asked. Returns false if the error says something
/// else.
bool RedisPipeline::take_elsewhere(const Due& due, const redisReply& reply) {
  const auto how = elsewhere_by(text_of(reply));
  if (how == Elsewhere::no) return false;
  const auto target = target_of(text_of(reply), settings_.redis.address.host);
  if (how == Elsewhere::moved && target) knowledge_.cluster->on_moved(target->first, target->second);
  if (how == Elsewhere::asked && target)
    knowledge_.cluster->on_asked_elsewhere(target->first, target->second);
  if (due.round != nullptr) due.round->settle_call(due.call, not_counted_here(how));
  return true;
}

/// Tells the listener the view of this node. Each view has the time of its own question: a later one would make it newer
/// than it is.
std::optional<ClusterView> RedisPipeline::take_view(const redisReply& reply,
                                                    std::chrono::steady_clock::time_point asked) {
  if (reply.type == REDIS_REPLY_ERROR) {
    become_unfit(explain(text_of(reply), settings_));
    return std::nullopt;
  }
  auto view = ClusterView::parse(text_of(reply), settings_.redis.address);
  if (view) {
    knowledge_.cluster->on_view(*view, asked);
  } else {
    become_unfit("it replies what makes no sense to CLUSTER NODES");
  }
  return view;
}

void RedisPipeline::choose_own_probe(const ClusterView& view) {
  const auto own = std::ranges::find(view.masters, view.myself, &ClusterView::Master::id);
  if (own == view.masters.end()) return;
  domain::SlotSet slots;
  for (const auto& [first, last] : own->slots) {
    for (std::size_t slot = first; slot <= last; ++slot) slots.set(slot);
  }
  own_probe_ = probe_id_in(slots);
}

void RedisPipeline::take_mark(const Due& due, const redisReply& reply) {
  using enum FindMark::Place;
  const std::unique_ptr<FindMark> find(due.mark);
  if (reply.type != REDIS_REPLY_ERROR) return find->reply(is_text(&reply) ? here : unknown);
  take_elsewhere(due, reply);
  // A user who may not read the marks sees none.
  const bool is_not_here = elsewhere_by(text_of(reply)) == Elsewhere::asked || is_denied(text_of(reply));
  find->reply(is_not_here ? elsewhere : unknown);
}

void RedisPipeline::take_add(const Due& due, const redisReply& reply) {
  const bool is_of_whole_call = reply.type == REDIS_REPLY_ERROR;
  if (is_of_whole_call && is_no_script(text_of(reply))) {
    append(*due.token, RedisRound::Form::text);
    due_.push_back({.question = Question::add_text, .token = due.token});
    return;
  }
  if (!is_of_whole_call && reply.element[0]->type == REDIS_REPLY_INTEGER) {
    if (settings_.replicas > 0) return held_.push_back(due);
    return tell_added(due, true);
  }
  const std::unique_ptr<AddToken> token(due.token);
  if (is_of_whole_call && is_node() && take_elsewhere(due, reply))
    return token->on_failed(domain::Failure::not_done);
  const auto& its = is_of_whole_call ? reply : *reply.element[0];
  const bool is_not_done =
      is_of_whole_call ? is_not_begun(text_of(its)) : is_not_executed(text_of(its), settings_.proxy);
  token->is_refused = is_held(text_of(its)) || is_too_many_tokens(text_of(its));
  if (!token->is_refused) meet(token->id, its, is_not_done);
  if (is_too_many_tokens(text_of(its))) knowledge_.has_room = false;
  token->on_failed(is_not_done ? domain::Failure::not_done : domain::Failure::perhaps_done);
}

void RedisPipeline::tell_added(const Due& due, bool safe) {
  const std::unique_ptr<AddToken> token(due.token);
  if (!safe) return token->on_failed(domain::Failure::perhaps_done);
  token->reply.on_added({});
}

/// Only that somebody else has this Redis makes it unfit, because counting does not need this command.
void RedisPipeline::take_write(const Due& due, const redisReply& reply) {
  if (reply.type == REDIS_REPLY_INTEGER) {
    if (settings_.replicas > 0) return held_.push_back(due);
    return tell_written(due, true);
  }
  const std::unique_ptr<WriteRecord> write(due.record);
  knowledge_.record = write->record_before;
  knowledge_.fence = write->fence_before;
  knowledge_.has_taken = write->was_taken;
  if (is_fenced(text_of(reply))) become_unfit(explain(text_of(reply), settings_));
  trouble_ = {"the record was not written", explain(text_of(reply), settings_)};
  write->on_failed(domain::Failure::not_done);
}

void RedisPipeline::tell_written(const Due& due, bool safe) {
  const std::unique_ptr<WriteRecord> write(due.record);
  if (!safe) return write->on_failed(domain::Failure::perhaps_done);
  knowledge_.written = write->record;
  write->reply.on_written({});
}

void RedisPipeline::take_scan(const redisReply& reply) {
  scanning_ = false;
  if (reply.type == REDIS_REPLY_ERROR) {
    trouble_ = {"the slots of its tokens are not known", explain(text_of(reply), settings_)};
    return end_finding()->on_failed(domain::Failure::not_done);
  }
  auto& find = *finds_.front();
  const auto& keys = *reply.element[1];
  for (std::size_t i = 0; i < keys.elements; ++i) {
    const auto its = parse_key(text_of(*keys.element[i]));
    if (its) find.slots.set(domain::slot_of(its->id));
  }
  find.cursor = text_of(*reply.element[0]);
  if (find.cursor != "0") return;
  const auto ended = end_finding();
  ended->reply.on_slots(ended->slots);
}

bool RedisPipeline::take_fence() {
  if (!facts_.facts()) return true;
  const auto& fence = facts_.fence();
  if (knowledge_.has_taken && fence != knowledge_.own_fence && fence != knowledge_.fence_before) return false;
  knowledge_.fence = fence;
  knowledge_.record = facts_.record();
  return true;
}

std::unique_ptr<FindSlots> RedisPipeline::end_finding() {
  std::unique_ptr<FindSlots> ended(finds_.front());
  finds_.pop_front();
  return ended;
}

/// Takes the reply to one question of a greeting or a look.
void RedisPipeline::take_question(Question question, const redisReply& reply) {
  look_done_ = --questions_due_ == 0;
  if (reply.type == REDIS_REPLY_ARRAY) take_probe(reply);
  if (reply.type != REDIS_REPLY_ERROR) return;
  const auto error = text_of(reply);
  if (is_node() && take_probe_elsewhere(error)) return;
  switch (question) {
    case Question::log_in:
      become_unfit(explain_login(error, settings_));
      return;
    case Question::choose:
      become_unfit(explain(error, settings_) + ": it has no database " +
                   std::to_string(settings_.redis.database) + " for --redis-addr (REDIS_ADDR)");
      return;
    case Question::probe_increment:
      if (is_unfit(error))
        become_unfit(explain(error, settings_));  // the other errors say that it is no number
      return;
    case Question::probe_together:
      if (is_cross_slot(error)) {
        apart_ = true;
        return;
      }
      [[fallthrough]];
    case Question::probe_script:
    case Question::probe_script_text:
    case Question::probe_add:
      if (!is_no_script(error) && !is_wrong_type(error)) become_unfit(explain(error, settings_));
      return;
    case Question::probe_bounds:
    case Question::keys:
      return miss_bounds(error);
    case Question::ping:
      if (is_unfit(error)) become_unfit(explain(error, settings_));
      return;  // any other error is a sign of life, too
    default:
      return;  // durability stays unknown without an answer
  }
}

void RedisPipeline::take_keys(const redisReply& reply) {
  knowledge_.counts_keys = reply.type == REDIS_REPLY_INTEGER;
  if (!knowledge_.counts_keys) return;
  knowledge_.keys = static_cast<std::uint64_t>(reply.integer);
  knowledge_.has_room = knowledge_.tokens_max == 0 || knowledge_.keys < knowledge_.tokens_max;
}

/// What is there counts all the same.
void RedisPipeline::miss_bounds(std::string_view error) {
  if (fitness_.is_ready() && !is_wrong_type(error))
    trouble_ = {"bounds on paths and tokens cannot be held, nor idle limits extended",
                explain(error, settings_)};
}

/// Takes what a node says of its probe, if it is about the cluster. A slot that has moved is no fault. A node that executes
/// nothing now is unfit. Returns false if the error says something else.
bool RedisPipeline::take_probe_elsewhere(std::string_view error) {
  const auto how = elsewhere_by(error);
  if (how == Elsewhere::again) become_unfit("it says " + printable(error));
  return how != Elsewhere::no;
}

/// The errors in it say that a key is of another type, that the increment is no number, that tokens are held, or that Redis is
/// unfit.
void RedisPipeline::take_probe(const redisReply& reply) {
  for (std::size_t i = 0; i < reply.elements; ++i) {
    const auto& element = *reply.element[i];
    if (element.type != REDIS_REPLY_ERROR) continue;
    if (is_node() && take_probe_elsewhere(text_of(element))) continue;
    if (is_all_held(text_of(element))) become_unfit(explain_all_held());
    if (is_unfit(text_of(element))) become_unfit(explain(text_of(element), settings_));
  }
}

/// Keeps the first reason. Others may follow from it.
void RedisPipeline::become_unfit(std::string why_not) {
  if (fitness_.is_ready()) fitness_ = domain::Readiness::not_ready(std::move(why_not));
}

/// Records what went wrong with a command on this token's key.
void RedisPipeline::meet(const domain::TokenId& id, const redisReply& reply, bool is_not_counted) {
  const std::string what = (is_not_counted ? "not counted: " : "perhaps counted: ") + redis_key(id);
  if (reply.type != REDIS_REPLY_ERROR) {
    trouble_ = {what, "the count is less than what was added to it"};
    return;
  }
  const auto error = text_of(reply);
  if (is_unfit(error) && !settings_.proxy) {  // other Redis behind a proxy may be fit
    become_unfit(explain(error, settings_));
    knowledge_.doubtful = id;
    return;
  }
  trouble_ = {what, printable(error)};
}

RedisDurability RedisPipeline::take_look() {
  look_done_ = false;
  return std::exchange(durability_, {});
}

RedisPipeline::Trouble RedisPipeline::take_trouble() {
  return *std::exchange(trouble_, std::nullopt);
}

}  // namespace tracker::store::redis
