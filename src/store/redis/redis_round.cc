#include "store/redis/redis_round.h"

#include <hiredis/hiredis.h>
#include <openssl/evp.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdlib>
#include <tuple>

#include "domain/hex.h"
#include "store/redis/redis_error.h"

namespace tracker::store::redis {

const std::string_view track_script = R"(
local known = redis.pcall('HEXISTS', KEYS[1], '')
if type(known) == 'table' then return known end
if known == 0 then return false end
local counts = {}
for i = 1, #ARGV, 2 do counts[#counts + 1] = redis.pcall('HINCRBY', KEYS[1], ARGV[i], ARGV[i + 1]) end
return counts
)";

const std::string_view tidy_script = R"(
if redis.call('HEXISTS', KEYS[1], '') == 0 then redis.call('DEL', KEYS[1]) end
return {}
)";

std::string_view text_of(const redisReply& reply) {
  return {reply.str, static_cast<std::size_t>(reply.len)};
}

namespace {
void append_redis_key(const domain::TokenId& id, std::string& out) {
  out += "tracker:{";
  domain::append_hex(id.bytes, out);
  out += '}';
}
}  // namespace

std::string redis_key(const domain::TokenId& id) {
  std::string key;
  append_redis_key(id, key);
  return key;
}

const std::string& track_script_sha1() {
  static const std::string sha1 = [] {
    std::array<unsigned char, 20> digest{};
    if (EVP_Digest(track_script.data(), track_script.size(), digest.data(), nullptr, EVP_sha1(), nullptr) !=
        1) {
      std::abort();
    }
    std::string hex;
    domain::append_hex(digest, hex);
    return hex;
  }();
  return sha1;
}

namespace {

/// Appends a line such as `$5` or `*3`: a kind, a number, the end of the line.
void append_number(char kind, std::size_t number, std::string& out) {
  std::array<char, 24> line{kind};
  auto* end = std::to_chars(line.data() + 1, line.data() + line.size(), number).ptr;
  *end++ = '\r';
  *end++ = '\n';
  out.append(line.data(), end);
}

void append_bulk(std::string_view text, std::string& out) {
  append_number('$', text.size(), out);
  out += text;
  out += "\r\n";
}

void append_bulk(std::size_t number, std::string& out) {
  std::array<char, 20> digits;
  const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), number).ptr;
  append_bulk({digits.data(), static_cast<std::size_t>(end - digits.data())}, out);
}

}  // namespace

void append_command(std::initializer_list<std::string_view> arguments, std::string& out) {
  append_number('*', arguments.size(), out);
  for (const auto& argument : arguments) append_bulk(argument, out);
}

void RedisRound::begin(link::Gather& message) {
  message_ = &message;
  hits_.clear();
  increments_.clear();
  commands_.clear();
  for (std::uint32_t batch = 0; batch < message.batches(); ++batch) {
    const auto size = static_cast<std::uint32_t>(message.batch(batch).size());
    for (std::uint32_t hit = 0; hit < size; ++hit) hits_.push_back({batch, hit});
  }
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
    if (!same_token) commands_.push_back({id(hits_[i]), increment, increment});
    increments_.push_back({i, i + 1, commands() - 1});
    commands_.back().end = increment + 1;
  }
}

void RedisRound::append(std::uint32_t command, Form form, std::string& out) const {
  const auto& its = commands_[command];
  std::size_t key_begin = 0;  // the position in `out` of the key as an argument
  std::size_t key_end = 0;
  const auto append_key = [&] {
    key_begin = out.size();
    out += "$42\r\n";
    append_redis_key(token(command), out);
    out += "\r\n";
    key_end = out.size();
  };
  if (form == Form::plain) {
    out += "*3\r\n$7\r\nHEXISTS\r\n";
    append_key();
    out += "$0\r\n\r\n";
  } else {
    append_number('*', 4 + 2 * (its.end - its.begin), out);
    append_bulk(form == Form::script ? "EVALSHA" : "EVAL", out);
    append_bulk(form == Form::script ? std::string_view(track_script_sha1()) : track_script, out);
    append_bulk("1", out);
    append_key();
  }
  for (auto i = its.begin; i < its.end; ++i) {
    if (form == Form::plain) {
      out += "*4\r\n$7\r\nHINCRBY\r\n";
      out.append(out, key_begin, key_end - key_begin);
    }
    append_bulk(path(hits_[increments_[i].begin]), out);
    append_bulk(increments_[i].end - increments_[i].begin, out);
  }
}

domain::Verdict RedisRound::verdict_of(const redisReply& error) const {
  return is_not_executed(text_of(error), proxy_) ? domain::Verdict::not_counted()
                                                 : domain::Verdict::perhaps_counted();
}

bool RedisRound::take_count(std::uint32_t increment, const redisReply& reply) {
  const auto& its = increments_[increment];
  if (commands_[its.command].met_no_token && reply.type == REDIS_REPLY_INTEGER) {
    settle_increment(increment, domain::Verdict::unknown_token());
    return true;
  }
  // A stored count is not negative unless somebody else wrote it. Such a count is no answer.
  if (reply.type != REDIS_REPLY_INTEGER || reply.integer < its.end - its.begin) {
    settle_increment(increment, reply.type == REDIS_REPLY_INTEGER ? domain::Verdict::perhaps_counted()
                                                                  : verdict_of(reply));
    return false;
  }
  auto count = reply.integer - (its.end - its.begin);
  for (auto i = its.begin; i < its.end; ++i) settle(hits_[i], domain::Verdict::counted(++count));
  return true;
}

const redisReply* RedisRound::take_counts(std::uint32_t command, const redisReply& reply) {
  const redisReply* no_count = nullptr;
  for (std::size_t i = 0; i < reply.elements; ++i) {
    const auto increment = commands_[command].begin + static_cast<std::uint32_t>(i);
    if (!take_count(increment, *reply.element[i])) no_count = reply.element[i];
  }
  return no_count;
}

void RedisRound::settle_increment(std::uint32_t increment, const domain::Verdict& verdict) {
  const auto& its = increments_[increment];
  for (auto i = its.begin; i < its.end; ++i) settle(hits_[i], verdict);
}

void RedisRound::settle_command(std::uint32_t command, const domain::Verdict& verdict) {
  for (auto i = commands_[command].begin; i < commands_[command].end; ++i) settle_increment(i, verdict);
}

}  // namespace tracker::store::redis
