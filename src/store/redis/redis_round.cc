#include "store/redis/redis_round.h"

#include <hiredis/hiredis.h>
#include <openssl/evp.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdlib>
#include <tuple>

#include "domain/hex.h"
#include "domain/path.h"
#include "store/redis/redis_error.h"

namespace tracker::store::redis {

// pcall, so that an error fails its own increment alone. A user who may not read the marks sees none, and one who may not read
// records judges by none: the ACL may be of an older version. Nearly every call is of known paths of tokens that are not due.
// So the functions are only made when they are needed: to make them takes as long as to count a hit.
const std::string_view track_script = R"(
local KEYS, ARGV, call, match, find = KEYS, ARGV, redis.pcall, string.match, string.find
local marks = ARGV[1]
if marks ~= '*' and string.sub(marks, 1, 8) ~= 'tracker:' then
  marks = 'tracker:store'
  local fence = call('HGET', marks, 'fence')
  if type(fence) ~= 'string' then fence = '' end
  if fence ~= ARGV[1] then return redis.error_reply('FENCED another counter has this Redis') end
end
local terms = 2 * #KEYS + 2
local now = tonumber(ARGV[terms]) or 0

-- Of the token at hand: its key; what its empty field has now, and had; whether it is known; the numbers of its record, if they
-- were needed; whether its use is to be noted; whether it is full.
local key, text, before, known, facts, uses, full

local function make_functions()
  local paths_max, bytes_max = tonumber(ARGV[terms + 1]) or 0, tonumber(ARGV[terms + 2]) or 0
  -- A token with no more paths than this cannot have too many bytes, since a path has 8192 at most. So its bytes need not be
  -- known. Only the first tracker's paths may be longer, and a token that was imported with such paths has its bytes.
  local sure_paths = bytes_max == 0 and math.huge or math.floor(bytes_max / 8192)

  local function read_facts()
    if facts then return end
    facts = {expires = 0, idle = 0, used = 0, revoked = 0}
    for name, value in string.gmatch(text, ' ([%l_]+)=(%d+)') do facts[name] = tonumber(value) end
  end

  local function set(name, value)
    facts[name] = value
    local first, last = find(text, ' ' .. name .. '=%d+')
    if not first then
      first = find(text, ' [%l_]+=') or #text + 1
      last = first - 1
    end
    local fact = string.format(' %s=%.0f', name, value)
    text = string.sub(text, 1, first - 1) .. fact .. string.sub(text, last + 1)
  end

  local function drop(name)
    facts[name] = nil
    text = string.gsub(text, ' ' .. name .. '=%d+', '')
  end

  local function step()
    return facts.idle == 0 and 3600 or math.min(math.max(math.floor(facts.idle / 8), 1), 3600)
  end

  local function end_of()
    local ends = math.huge
    if facts.expires > 0 then ends = facts.expires end
    if facts.idle > 0 then
      local used = math.max(facts.used, tonumber(match(text, '^%d+')) or 0)
      ends = math.min(ends, used + facts.idle + step())
    end
    if facts.use_by and facts.use_by < ends and facts.bytes == 0 and call('HLEN', key) == 1 then
      ends = facts.use_by
    end
    return ends
  end

  local function is_of_later_version()
    return match(text, '^%d* v=') or match(text, '^%d* %x+ v=')
  end

  -- 1: its hits are counted. false: it is unknown, or has ended.
  local function look(path)
    if type(text) == 'table' then
      text = nil
      local its = call('HEXISTS', key, '')
      if its ~= 0 then return its end
    end
    if text then
      if is_of_later_version() then return {err = 'NEWER a later version of tracker wrote what is known of this token'} end
      read_facts()
      if facts.revoked > 0 or end_of() <= now then return false end
      uses, full = now >= facts.used + step(), facts.full
      return 1
    end
    if path == '' and marks ~= '*' and call('HEXISTS', 'tracker:ended:' .. string.sub(key, 9), '') == 1 then return 0 end
    local its = marks ~= '*' and call('HGET', marks, path == '' and 'holds' or 'marked')
    return type(its) == 'string' and {err = 'HELD ' .. its}
  end

  local function number_of_paths()
    local fields = call('HLEN', key)
    return type(fields) == 'number' and fields - 1 or 0
  end

  -- Whether the bytes are within the bound, however long this path is. `paths`: with this one.
  local function is_short(paths)
    return paths <= sure_paths and (bytes_max == 0 or not facts.bytes or facts.bytes <= (paths - 1) * 8192)
  end

  local function is_bounded(path, paths)
    if paths_max > 0 and paths > paths_max then return true end
    if is_short(paths) then return false end
    if not facts.bytes then
      local all, bytes = call('HKEYS', key), 0
      if all.err then return false end
      for _, its in ipairs(all) do
        if its ~= path then bytes = bytes + #its end
      end
      facts.bytes = bytes
    end
    return facts.bytes + #path > bytes_max
  end

  local function too_many()
    return {err = 'PATHS this token has as many paths as it may'}
  end

  -- A full token is not written for each path that it does not get. One that gets a path, because the bounds were raised, is
  -- no longer full.
  local function refuses(path)
    if call('HEXISTS', key, path) ~= 0 then return false end
    if is_bounded(path, number_of_paths() + 1) then return too_many() end
    full = nil
    drop('full')
    return false
  end

  -- The path was new. Most new paths change nothing of the record. The first one ends the time until which the token had to be
  -- used. The record is kept short, because Redis keeps a hash in little memory only if no value in it is longer than 64 bytes.
  local function admit(path, count)
    if not text then return count end
    local paths = number_of_paths()
    local has_place = paths_max == 0 or paths <= paths_max
    if has_place and paths <= sure_paths and not find(text, ' bytes=', 1, true) then return count end
    read_facts()
    if is_bounded(path, paths) and call('HDEL', key, path) == 1 then
      full = 1
      set('full', 1)
      return too_many()
    end
    if is_short(paths) then
      drop('bytes')
    elseif facts.bytes then
      facts.bytes = facts.bytes + #path
    end
    if facts.use_by then drop('use_by') end
    return count
  end

  local function note_use()
    uses = nil
    set('used', now)
  end

  local function keep()
    if facts.bytes then set('bytes', facts.bytes) end
    if full then
      text = string.gsub(text, ' due=%d+', '')
    elseif find(text, '=', 1, true) then
      set('due', math.min(facts.used + step(), end_of()))
    end
    if text ~= before then call('HSET', key, '', text) end
  end

  return look, refuses, admit, note_use, keep
end

local counts, look, refuses, admit, note_use, keep = {}
for i = 1, #KEYS do
  local path, by = ARGV[2 * i], ARGV[2 * i + 1]
  if KEYS[i] ~= key then
    if facts and known == 1 then keep() end
    key = KEYS[i]
    text = call('HGET', key, '')
    before, facts, uses, full = text, nil, nil, nil
    local due = type(text) == 'string' and (match(text, ' due=(%d+)') or not find(text, '=', 1, true) and 'never')
    if due == 'never' or due and now < due + 0 then
      known = 1
    else
      if not look then look, refuses, admit, note_use, keep = make_functions() end
      known = look(path)
    end
  end
  if path == '' then
    local tokens_max = tonumber(ARGV[terms + 3]) or 0
    local keys = not known and tokens_max > 0 and call('DBSIZE')
    if type(keys) == 'number' and keys >= tokens_max then known = {err = 'TOKENS there are as many as there may be'} end
    counts[i] = known or call('HSETNX', key, '', by)
  elseif known == 1 then
    local count = full and refuses(path) or call('HINCRBY', key, path, by)
    if count == 1 or by ~= '1' and count == by + 0 then
      if not look then look, refuses, admit, note_use, keep = make_functions() end
      count = admit(path, count)
    end
    if uses and type(count) == 'number' then note_use() end
    counts[i] = count
  else
    counts[i] = known
  end
end
if facts and known == 1 then keep() end
return counts
)";

static_assert(domain::path_bytes_max == 8192, "track_script knows this number");

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

std::array<std::string, 3> terms_of(const TokenRules& rules) {
  return {std::to_string(rules.now_s()), std::to_string(rules.paths_max),
          std::to_string(rules.path_bytes_max)};
}

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

void RedisRound::append(std::uint32_t call, Form form, std::string_view fence, const TokenRules& rules,
                        std::string& out) const {
  const auto [begin, end] = calls_[call];
  const auto terms = terms_of(rules);
  append_number('*', 4 + 3 * (end - begin) + terms.size(), out);
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
  for (const auto& term : terms) append_bulk(term, out);
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

/// Returns whether it was a count, nil, HELD or PATHS.
bool RedisRound::take_element(const Increment& increment, const redisReply& element) {
  if (element.type == REDIS_REPLY_NIL) {
    settle(increment, domain::Verdict::unknown_token());
    return true;
  }
  if (element.type == REDIS_REPLY_ERROR && is_too_many_paths(text_of(element))) {
    settle(increment, domain::Verdict::too_many_paths());
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
