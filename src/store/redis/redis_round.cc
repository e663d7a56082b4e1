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

// pcall, so that an error fails its own increment alone. A user who may not read the marks sees none: the ACL may be of an older
// version.
const std::string_view track_script = R"(
local KEYS, ARGV, call = KEYS, ARGV, redis.pcall
local marks = ARGV[1]
if marks ~= '*' and string.sub(marks, 1, 8) ~= 'tracker:' then
  marks = 'tracker:store'
  local fence = call('HGET', marks, 'fence')
  if type(fence) ~= 'string' then fence = '' end
  if fence ~= ARGV[1] then return redis.error_reply('FENCED another counter has this Redis') end
end
local counts, key, known = {}, nil, nil
for i = 1, #KEYS do
  if KEYS[i] ~= key then
    key = KEYS[i]
    known = call('HEXISTS', key, '')
    if known == 0 then
      local its = marks ~= '*' and call('HGET', marks, ARGV[2 * i] == '' and 'holds' or 'marked')
      known = type(its) == 'string' and {err = 'HELD ' .. its}
    end
  end
  local path = ARGV[2 * i]
  if path == '' then
    counts[i] = known or call('HSETNX', key, '', ARGV[2 * i + 1])
  elseif known == 1 then
    counts[i] = call('HINCRBY', key, path, ARGV[2 * i + 1])
  else
    counts[i] = known
  end
end
return counts
)";

std::string_view text_of(const redisReply& reply) {
  return {reply.str, static_cast<std::size_t>(reply.len)};
}

std::string_view string_of(const redisReply& reply) {
  return reply.type == REDIS_REPLY_STRING ? text_of(reply) : std::string_view();
}

std::optional<std::int64_t> count_of(std::string_view text) {
  std::int64_t count = 0;
  const auto* end = text.data() + text.size();
  const auto [read_to, error] = std::from_chars(text.data(), end, count);
  if (error != std::errc() || read_to != end || count < 0) return std::nullopt;
  return count;
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

void append_command(std::span<const std::string_view> arguments, std::string& out) {
  append_number('*', arguments.size(), out);
  for (const auto& argument : arguments) append_bulk(argument, out);
}

void RedisRound::begin(link::Gather& message, bool apart, bool holds) {
  message_ = &message;
  holds_ = holds;
  hits_.clear();
  tokens_.clear();
  increments_.clear();
  for (std::uint32_t batch = 0; batch < message.batches(); ++batch) {
    const auto size = static_cast<std::uint32_t>(message.batch(batch).size());
    for (std::uint32_t hit = 0; hit < size; ++hit) hits_.push_back({batch, hit});
  }
  std::sort(hits_.begin(), hits_.end(), [this](const Hit& a, const Hit& b) {
    if (id(a) != id(b)) return id(a) < id(b);
    if (const int paths = path(a).compare(path(b)); paths != 0) return paths < 0;
    return std::tie(a.batch, a.hit) < std::tie(b.batch, b.hit);
  });
  for (std::uint32_t i = 0; i < hits_.size(); ++i) {
    const bool same_token = i > 0 && id(hits_[i]) == id(hits_[i - 1]);
    if (same_token && path(hits_[i]) == path(hits_[i - 1])) {
      increments_.back().end = i + 1;
      continue;
    }
    if (!same_token) tokens_.push_back(id(hits_[i]));
    increments_.push_back({i, i + 1, static_cast<std::uint32_t>(tokens_.size() - 1)});
  }
  divide(apart);
}

/// Divides the increments into calls.
void RedisRound::divide(bool apart) {
  calls_.clear();
  std::size_t bytes = 0;  // of the paths of the last call
  for (std::uint32_t i = 0; i < increments_.size(); ++i) {
    const bool goes_on = i > 0 && i - calls_.back().begin < increments_max && bytes < path_bytes_max &&
                         !(apart && increments_[i].token != increments_[i - 1].token);
    if (!goes_on) {
      calls_.push_back({i, i});
      bytes = 0;
    }
    calls_.back().end = i + 1;
    bytes += path(hits_[increments_[i].begin]).size();
  }
}

void RedisRound::append(std::uint32_t call, Form form, std::string_view fence, std::string& out) const {
  const auto [begin, end] = calls_[call];
  append_number('*', 4 + 3 * (end - begin), out);
  append_bulk(form == Form::hash ? "EVALSHA" : "EVAL", out);
  append_bulk(form == Form::hash ? std::string_view(track_script_sha1()) : track_script, out);
  append_bulk(end - begin, out);
  for (auto i = begin; i < end; ++i) {
    out += "$42\r\n";
    append_redis_key(token_of(i), out);
    out += "\r\n";
  }
  append_bulk(fence, out);
  for (auto i = begin; i < end; ++i) {
    append_bulk(path(hits_[increments_[i].begin]), out);
    append_bulk(increments_[i].end - increments_[i].begin, out);
  }
}

bool RedisRound::can_return(std::uint32_t call, const redisReply& reply) const {
  const auto [begin, end] = calls_[call];
  if (reply.type != REDIS_REPLY_ARRAY || reply.elements != end - begin) return false;
  for (auto i = begin; i < end; ++i) {
    const auto& element = *reply.element[i - begin];
    const bool is_nil = element.type == REDIS_REPLY_NIL;
    const bool is_error = element.type == REDIS_REPLY_ERROR && !is_no_script(text_of(element));
    if (!is_nil && !is_error && element.type != REDIS_REPLY_INTEGER) return false;
    // A token is known, or it is not.
    if (i > begin && increments_[i].token == increments_[i - 1].token &&
        is_nil != (reply.element[i - begin - 1]->type == REDIS_REPLY_NIL)) {
      return false;
    }
  }
  return true;
}

std::optional<RedisRound::NoCount> RedisRound::take(std::uint32_t call, const redisReply& reply) {
  std::optional<NoCount> no_count;
  for (std::uint32_t i = 0; i < reply.elements; ++i) {
    const auto increment = calls_[call].begin + i;
    if (!take_element(increments_[increment], *reply.element[i])) {
      no_count = {token_of(increment), reply.element[i]};
    }
  }
  return no_count;
}

/// Returns whether it was a count, nil or HELD.
bool RedisRound::take_element(const Increment& increment, const redisReply& element) {
  if (element.type == REDIS_REPLY_NIL) {
    settle(increment, domain::Verdict::unknown_token());
    return true;
  }
  if (element.type == REDIS_REPLY_ERROR) {
    settle(increment, is_not_executed(text_of(element), proxy_) ? domain::Verdict::not_counted()
                                                                : domain::Verdict::perhaps_counted());
    return is_held(text_of(element));  // as it should be while tokens move
  }
  // A stored count is not negative unless somebody else wrote it. Such a count is no answer.
  const auto size = increment.end - increment.begin;
  if (element.integer < size) {
    settle(increment, domain::Verdict::perhaps_counted());
    return false;
  }
  auto count = element.integer - size;
  for (auto i = increment.begin; i < increment.end; ++i) {
    ++count;
    if (holds_) {
      held_.push_back({hits_[i], count});
    } else {
      message_->settle(hits_[i].batch, hits_[i].hit, domain::Verdict::counted(count));
    }
  }
  return true;
}

void RedisRound::release(bool safe) {
  for (const auto& [hit, count] : held_) {
    message_->settle(hit.batch, hit.hit,
                     safe ? domain::Verdict::counted(count) : domain::Verdict::perhaps_counted());
  }
  held_.clear();
}

void RedisRound::settle(const Increment& increment, const domain::Verdict& verdict) {
  for (auto i = increment.begin; i < increment.end; ++i) {
    message_->settle(hits_[i].batch, hits_[i].hit, verdict);
  }
}

void RedisRound::settle_call(std::uint32_t call, const domain::Verdict& verdict) {
  for (auto i = calls_[call].begin; i < calls_[call].end; ++i) settle(increments_[i], verdict);
}

}  // namespace tracker::store::redis
