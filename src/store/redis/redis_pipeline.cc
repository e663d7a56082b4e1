#include "store/redis/redis_pipeline.h"

#include <hiredis/hiredis.h>

#include <algorithm>
#include <ctime>
#include <utility>

#include "store/redis/redis_error.h"

namespace tracker::store::redis {

const domain::TokenId probe_id{{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x58, 0x73}};
const domain::TokenId far_probe_id{{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x95, 0xc4}};

namespace {

constexpr std::size_t known_tokens_max = 1'000'000;  // about 40 MB

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

bool is_empty_array(const redisReply& reply) {
  return reply.type == REDIS_REPLY_ARRAY && reply.elements == 0;
}

bool is_count_or_error(const redisReply* reply) {
  return reply->type == REDIS_REPLY_INTEGER ||
         (reply->type == REDIS_REPLY_ERROR && !is_no_script(text_of(*reply)));
}

bool is_text(const redisReply* reply) {
  return reply->type == REDIS_REPLY_STRING;
}

/// Returns whether the reply is an array whose elements all satisfy `is_such`.
bool is_array_of(bool (*is_such)(const redisReply*), const redisReply& reply) {
  return reply.type == REDIS_REPLY_ARRAY &&
         std::all_of(reply.element, reply.element + reply.elements, is_such);
}

}  // namespace

RedisPipeline::RedisPipeline(const RedisSettings& settings, RedisKnowledge& knowledge)
    : settings_(settings), knowledge_(knowledge) {}

void RedisPipeline::ask(Question question, std::initializer_list<std::string_view> command) {
  append_command(command, out_);
  due_.push_back({.question = question});
}

void RedisPipeline::greet() {
  const auto& redis = settings_.redis;
  if (!redis.password.empty() && redis.user.empty()) ask(Question::log_in, {"AUTH", redis.password});
  if (!redis.password.empty() && !redis.user.empty()) {
    ask(Question::log_in, {"AUTH", redis.user, redis.password});
  }
  if (redis.database != 0) ask(Question::choose, {"SELECT", std::to_string(redis.database)});
  const std::string key = redis_key(probe_id);
  ask(Question::probe_script_text, {"EVAL", track_script, "1", key});
  probe();
  ask(Question::probe_add, {"EVAL", probe_add_script, "1", key});
  ask_about_durability();
  questions_due_ = due_.size();
}

void RedisPipeline::look() {
  const std::size_t before = due_.size();
  if (settings_.proxy) ask(Question::ping, {"PING"});
  if (!settings_.proxy || std::exchange(in_doubt_, false)) probe();
  ask_about_durability();
  questions_due_ = due_.size() - before;
}

/// Does what counting does, without effect, on keys that belong to no token.
void RedisPipeline::probe() {
  const std::string key = redis_key(probe_id);
  ask(Question::probe_script, {"EVALSHA", track_script_sha1(), "1", key});
  ask(Question::probe_increment, {"HINCRBY", key, "/", no_increment});
  ask(Question::probe_exists, {"HEXISTS", redis_key(knowledge_.doubtful), ""});
}

void RedisPipeline::ask_about_durability() {
  durability_ = {};
  if (settings_.proxy) return;  // a proxy would answer for itself
  RedisDurability::append_questions(out_);
  due_.insert(due_.end(), RedisDurability::config_questions, Due{.question = Question::config});
  due_.insert(due_.end(), RedisDurability::info_questions, Due{.question = Question::info});
}

void RedisPipeline::send(link::Gather& message) {
  RedisRound& round = new_round();
  round.begin(message);
  for (std::uint32_t command = 0; command < round.commands(); ++command) send_command(round, command);
}

void RedisPipeline::send_command(RedisRound& round, std::uint32_t command) {
  if (!knowledge_.tokens.contains(round.token(command))) {
    round.append(command, RedisRound::Form::script, out_);
    due_.push_back({.question = Question::script, .index = command, .round = &round});
    return;
  }
  round.append(command, RedisRound::Form::plain, out_);
  due_.push_back({.question = Question::exists, .index = command, .round = &round});
  for (auto i = round.first_increment(command); i < round.end_increment(command); ++i) {
    due_.push_back({.question = Question::increment, .index = i, .round = &round});
  }
}

void RedisPipeline::send(AddToken& token) {
  append_command({"HSETNX", redis_key(token.id), "", std::to_string(std::time(nullptr))}, out_);
  due_.push_back({.question = Question::add, .token = &token});
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
void RedisPipeline::recycle_if_settled(RedisRound& round) {
  if (round.is_settled()) free_rounds_.push_back(&round);
}

/// Judges by type and shape alone.
bool RedisPipeline::can_reply(const Due& due, const redisReply& reply) {
  if (reply.type == REDIS_REPLY_ERROR) {
    return due.question == Question::script || due.question == Question::probe_script ||
           !is_no_script(text_of(reply));
  }
  switch (due.question) {
    case Question::increment:
    case Question::probe_increment:
      return reply.type == REDIS_REPLY_INTEGER;
    case Question::exists:
    case Question::add:
    case Question::probe_exists:
      return reply.type == REDIS_REPLY_INTEGER && (reply.integer == 0 || reply.integer == 1);
    case Question::script:
    case Question::script_text:
      return reply.type == REDIS_REPLY_NIL ||
             (is_array_of(is_count_or_error, reply) &&
              reply.elements == due.round->end_increment(due.index) - due.round->first_increment(due.index));
    case Question::probe_script:
    case Question::probe_script_text:
      return reply.type == REDIS_REPLY_NIL || is_empty_array(reply);
    case Question::probe_add:
    case Question::tidy_up:
      return is_empty_array(reply);
    case Question::log_in:
    case Question::choose:
      return reply.type == REDIS_REPLY_STATUS && text_of(reply) == "OK";
    case Question::config:
      return is_array_of(is_text, reply) && reply.elements % 2 == 0;
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
    case Question::increment:
      if (!due.round->take_count(due.index, reply)) meet(due.round->token_of_increment(due.index), reply);
      recycle_if_settled(*due.round);
      break;
    case Question::exists:
      take_exists(due, reply);
      break;
    case Question::script:
    case Question::script_text:
      take_script(due, reply);
      break;
    case Question::add:
      take_add(due, reply);
      break;
    case Question::tidy_up:
      break;  // the hash was removed or stays; it belongs to no token
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

/// If it is an error, the commands after this one report the error about the key again.
void RedisPipeline::take_exists(const Due& due, const redisReply& reply) {
  const auto& id = due.round->token(due.index);
  if (reply.type == REDIS_REPLY_ERROR) return meet(id, reply);
  if (reply.integer == 1) return;
  // A known token is gone: somebody emptied this Redis. The commands that follow write a hash that belongs to no token.
  due.round->take_no_token(due.index);
  knowledge_.tokens.erase(id);
  append_command({"EVAL", tidy_script, "1", redis_key(id)}, out_);
  due_.push_back({.question = Question::tidy_up});
}

void RedisPipeline::take_script(const Due& due, const redisReply& reply) {
  RedisRound& round = *due.round;
  if (reply.type == REDIS_REPLY_ERROR && is_no_script(text_of(reply))) {  // somebody emptied the script cache
    round.append(due.index, RedisRound::Form::script_text, out_);
    due_.push_back({.question = Question::script_text, .index = due.index, .round = &round});
    return;
  }
  const auto& id = round.token(due.index);
  if (reply.type == REDIS_REPLY_NIL) {
    round.settle_command(due.index, domain::Verdict::unknown_token());
  } else if (reply.type == REDIS_REPLY_ERROR) {
    // The script fails as a whole only before its first increment, so it counted nothing.
    round.settle_command(due.index, round.verdict_of(reply));
    meet(id, reply);
  } else {
    know(id);
    if (const auto* no_count = round.take_counts(due.index, reply)) meet(id, *no_count);
  }
  recycle_if_settled(round);
}

void RedisPipeline::take_add(const Due& due, const redisReply& reply) {
  const std::unique_ptr<AddToken> token(due.token);
  if (reply.type == REDIS_REPLY_INTEGER) {
    know(token->id);
    return token->reply.on_added({});
  }
  meet(token->id, reply);
  token->on_failed(is_not_executed(text_of(reply), settings_.proxy) ? domain::Failure::not_done
                                                                    : domain::Failure::perhaps_done);
}

/// Takes the reply to one question of a greeting or a look.
void RedisPipeline::take_question(Question question, const redisReply& reply) {
  look_done_ = --questions_due_ == 0;
  if (reply.type != REDIS_REPLY_ERROR) return;
  const auto error = text_of(reply);
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
    case Question::probe_script:
    case Question::probe_script_text:
    case Question::probe_exists:
    case Question::probe_add:
      if (!is_no_script(error) && !is_wrong_type(error)) become_unfit(explain(error, settings_));
      return;
    default:
      return;  // durability stays unknown without an answer; an error to PING is a sign of life
  }
}

void RedisPipeline::know(const domain::TokenId& id) {
  auto& tokens = knowledge_.tokens;
  if (tokens.size() >= known_tokens_max) tokens.clear();
  tokens.insert(id);
}

/// Keeps the first reason. Others may follow from it.
void RedisPipeline::become_unfit(std::string why_not) {
  if (fitness_.is_ready()) fitness_ = domain::Readiness::not_ready(std::move(why_not));
}

/// Records what went wrong with a command on this token's key.
void RedisPipeline::meet(const domain::TokenId& id, const redisReply& reply) {
  if (reply.type != REDIS_REPLY_ERROR) {
    trouble_ = {redis_key(id), "the count is less than what was added to it", true};
    return;
  }
  const auto error = text_of(reply);
  if (is_unfit(error)) {
    if (!settings_.proxy) {
      become_unfit(explain(error, settings_));
      knowledge_.doubtful = id;
      return;
    }
    in_doubt_ = true;  // other Redis behind the proxy may be fit
  }
  trouble_ = {redis_key(id), printable(error), !is_not_executed(error, settings_.proxy)};
}

RedisDurability RedisPipeline::take_look() {
  look_done_ = false;
  return std::exchange(durability_, {});
}

RedisPipeline::Trouble RedisPipeline::take_trouble() {
  return *std::exchange(trouble_, std::nullopt);
}

}  // namespace tracker::store::redis
