#include "store/redis/redis_round.h"

#include <hiredis/hiredis.h>
#include <openssl/evp.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <new>
#include <tuple>

#include "domain/hex.h"

namespace tracker::store {

const std::string_view track_script = R"(
local known = redis.pcall('HEXISTS', KEYS[1], '')
if type(known) == 'table' then return known end
if known == 0 then return false end
local counts = {}
for i = 1, #ARGV, 2 do counts[#counts + 1] = redis.pcall('HINCRBY', KEYS[1], ARGV[i], ARGV[i + 1]) end
return counts
)";

std::string_view text_of(const redisReply& reply) {
  return {reply.str, static_cast<std::size_t>(reply.len)};
}

std::string redis_key(const domain::TokenId& id) {
  return "tracker:{" + domain::to_string(id) + "}";
}

const std::string& track_script_sha1() {
  static const std::string sha1 = [] {
    std::array<unsigned char, 20> digest{};
    if (EVP_Digest(track_script.data(), track_script.size(), digest.data(), nullptr, EVP_sha1(), nullptr) !=
        1) {
      std::abort();
    }
    std::string hex;
    for (auto byte : digest) {
      hex += domain::hex_lower[byte >> 4U];
      hex += domain::hex_lower[byte & 0xFU];
    }
    return hex;
  }();
  return sha1;
}

void append_command(const std::vector<std::string_view>& arguments, std::string& out) {
  thread_local std::vector<const char*> texts;
  thread_local std::vector<std::size_t> sizes;
  texts.clear();
  sizes.clear();
  for (const auto& argument : arguments) {
    texts.push_back(argument.data());
    sizes.push_back(argument.size());
  }
  char* command = nullptr;
  const auto size =
      redisFormatCommandArgv(&command, static_cast<int>(texts.size()), texts.data(), sizes.data());
  if (size < 0) throw std::bad_alloc();
  out.append(command, static_cast<std::size_t>(size));
  redisFreeCommand(command);
}

void RedisRound::add(const domain::HitBatch& hits, TrackReply& reply) {
  if (batches_in_use_ == batches_.size()) batches_.emplace_back();
  auto& batch = batches_[batches_in_use_];
  batch.hits = &hits;
  batch.reply = &reply;
  for (std::uint32_t hit = 0; hit < hits.size(); ++hit) {
    hits_.push_back({static_cast<std::uint32_t>(batches_in_use_), hit});
  }
  ++batches_in_use_;
  undelivered_ += hits.size();
}

void RedisRound::group() {
  std::sort(hits_.begin(), hits_.end(), [this](const Hit& a, const Hit& b) {
    if (const auto ids = id(a) <=> id(b); ids != 0) return ids < 0;
    if (const int paths = path(a).compare(path(b)); paths != 0) return paths < 0;
    return std::tie(a.batch, a.hit) < std::tie(b.batch, b.hit);
  });
  for (std::uint32_t i = 0; i < hits_.size(); ++i) {
    const bool same_token = i > 0 && id(hits_[i]) == id(hits_[i - 1]);
    if (same_token && path(hits_[i]) == path(hits_[i - 1])) {
      increments_.back().end = i + 1;
      continue;
    }
    const auto increment = static_cast<std::uint32_t>(increments_.size());
    increments_.push_back({i, i + 1});
    if (same_token) {
      commands_.back().end = increment + 1;
    } else {
      commands_.push_back({increment, increment + 1});
    }
  }
}

std::string RedisRound::key(const Command& command) const {
  return redis_key(id(hits_[increments_[command.begin].begin]));
}

void RedisRound::append(std::size_t command, bool with_text, std::string& out) {
  const auto& [begin, end] = commands_[command];
  const std::string its_key = key(commands_[command]);
  arguments_.assign({with_text ? "EVAL" : "EVALSHA",
                     with_text ? track_script : std::string_view(track_script_sha1()), "1", its_key});
  numbers_.clear();
  numbers_.reserve(end - begin);
  for (auto i = begin; i < end; ++i) {
    numbers_.push_back(std::to_string(increments_[i].end - increments_[i].begin));
    arguments_.push_back(path(hits_[increments_[i].begin]));
    arguments_.push_back(numbers_.back());
  }
  append_command(arguments_, out);
}

void RedisRound::settle_all(const Increment& increment, const domain::Verdict& verdict) {
  for (auto i = increment.begin; i < increment.end; ++i) settle(hits_[i], verdict);
}

RedisRound::Trouble RedisRound::take_reply(std::size_t command, const redisReply& reply) {
  const auto& [begin, end] = commands_[command];
  if (reply.type == REDIS_REPLY_NIL) {
    give_up(command, domain::Verdict::unknown_token());
    return {};
  }
  if (reply.type != REDIS_REPLY_ARRAY || reply.elements != end - begin) {
    // The script ends with an error only before its first increment, so an error counted nothing.
    const bool is_error = reply.type == REDIS_REPLY_ERROR;
    give_up(command, is_error ? domain::Verdict::not_counted() : domain::Verdict::perhaps_counted());
    return {key(commands_[command]), is_error ? std::string(text_of(reply)) : "a reply that makes no sense"};
  }
  Trouble trouble;
  for (std::size_t i = 0; i < reply.elements; ++i) {
    const Increment& increment = increments_[begin + i];
    const redisReply& its = *reply.element[i];
    if (its.type != REDIS_REPLY_INTEGER) {
      settle_all(increment, domain::Verdict::not_counted());
      trouble = {key(commands_[command]),
                 its.type == REDIS_REPLY_ERROR ? std::string(text_of(its)) : "a count that is no number"};
      continue;
    }
    auto count = its.integer - (increment.end - increment.begin);
    for (auto hit = increment.begin; hit < increment.end; ++hit) {
      settle(hits_[hit], domain::Verdict::counted(++count));
    }
  }
  return trouble;
}

void RedisRound::give_up(std::size_t command, const domain::Verdict& verdict) {
  for (auto i = commands_[command].begin; i < commands_[command].end; ++i)
    settle_all(increments_[i], verdict);
}

bool RedisRound::deliver() {
  for (std::size_t i = 0; i < batches_in_use_; ++i) {
    auto& batch = batches_[i];
    if (batch.verdicts.empty()) continue;
    undelivered_ -= batch.verdicts.size();
    batch.reply->on_verdicts(batch.verdicts);  // the batch may be gone after this
    batch.verdicts.clear();
  }
  return undelivered_ == 0;
}

void RedisRound::clear() {
  batches_in_use_ = 0;
  hits_.clear();
  increments_.clear();
  commands_.clear();
  undelivered_ = 0;
}

}  // namespace tracker::store
