#pragma once

#include <array>
#include <cstdint>
#include <initializer_list>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "domain/hit_batch.h"
#include "domain/verdict.h"
#include "link/gather.h"
#include "store/counter_store.h"
#include "store/redis/redis_keys.h"
#include "store/token_rules.h"

struct redisReply;

namespace tracker::store::redis {

/// The script that counts the hits of one or more tokens in one atomic step, or makes a token known. ARGV begins with
/// the fence, or in its place with the key that has the marks of the tokens' slot. Who gives a fence need not name
/// facts_key. For each increment there is a key in KEYS, and a path and a number in ARGV. The increments of one token
/// follow each other. The empty path makes the token known: in place of the number is its record (Origin). At the end of ARGV
/// are the time, and how many paths, and bytes of paths, a token may have (0: any number). Behind that, where a token is made
/// known, is how many keys this Redis may have with it.
///
/// Returns an array with an element for each increment: the count, nil if the token is unknown or has ended, or the error of
/// this increment. That is HELD if a mark forbids to mint, or to say that the token is unknown, PATHS if the token has as
/// many paths as it may, and TOKENS if there are as many keys as there may be. Does nothing and returns the error FENCED if
/// the fence is not the one that stands in Redis.
///
/// It judges a record as domain::end_of() and TokenRules::allow_path() do. A token of an older version, which has no facts,
/// gets some with its next new path.
extern const std::string_view track_script;
/// The SHA-1 of the script in hex, by which EVALSHA names it.
const std::string& track_script_sha1();

/// A fence that fits whatever stands there. No marks are looked at. A proxy leads to several Redis, which have neither.
inline constexpr std::string_view any_fence = "*";

/// The end of ARGV, but for the number of keys.
std::array<std::string, 3> terms_of(const TokenRules& rules);

/// Appends one command in RESP (an array of bulk strings).
void append_command(std::span<const std::string_view> arguments, std::string& out);
inline void append_command(std::initializer_list<std::string_view> arguments, std::string& out) {
  append_command(std::span(arguments.begin(), arguments.size()), out);
}

/// Returns the text of a reply such as an error. Valid as long as the reply.
std::string_view text_of(const redisReply& reply);
/// The same for a string. Empty: the reply is something else.
std::string_view string_of(const redisReply& reply);
/// Reads a count, as HINCRBY and INCR keep it. Nothing: it is none.
std::optional<std::int64_t> count_of(std::string_view text);

/// A message of hits as calls of the script. Equal hits are merged into one increment, and its result is shared out in
/// order. Pure: bytes out, replies in, verdicts into the message. Reusable. Belongs to the connection's thread.
class RedisRound {
 public:
  /// A call takes no more than this many increments, and no further one once its paths have this many bytes. Redis
  /// serves nobody else meanwhile: 256 increments take it less than a millisecond.
  static constexpr std::uint32_t increments_max = 256;
  static constexpr std::size_t path_bytes_max = 64 * 1024;

  /// `proxy`: errors may come from a proxy in front of Redis.
  explicit RedisRound(bool proxy = false) : proxy_(proxy) {}

  /// Starts with the hits of a message. `message` must stay valid until it is settled. `apart`: the keys of a call must
  /// share a slot, so each token has calls of its own. `holds`: counts are kept until release().
  void begin(link::Gather& message, bool apart, bool holds = false);

  bool is_settled() const noexcept { return message_->is_settled(); }

  /// The number of calls. The functions below take an index less than that.
  std::uint32_t calls() const noexcept { return static_cast<std::uint32_t>(calls_.size()); }

  /// The first token of a call.
  const domain::TokenId& token(std::uint32_t call) const { return token_of(calls_[call].begin); }

  /// The form in which a call is sent to Redis.
  enum class Form : std::uint8_t {
    hash,  // names the script by its hash
    text,
  };
  /// Only while the call has no verdict yet.
  void append(std::uint32_t call, Form form, std::string_view fence, const TokenRules& rules,
              std::string& out) const;

  /// Returns whether the script can have returned this, judged by type and shape alone.
  bool can_return(std::uint32_t call, const redisReply& reply) const;

  /// What came in place of a count: an error, or a number that is none.
  struct NoCount {
    domain::TokenId token;
    const redisReply* reply;  // an element of the reply
  };
  /// Turns what the script returned into verdicts. Returns the last element that was neither a count nor nil nor HELD nor
  /// PATHS, if there was one.
  std::optional<NoCount> take(std::uint32_t call, const redisReply& reply);

  /// Returns whether there are counts that wait for release(), which settles their hits: by their counts if the counts are
  /// `safe`, otherwise as perhaps counted.
  bool has_held() const noexcept { return !held_.empty(); }
  void release(bool safe);

  /// Gives every hit of a call the same verdict, unless the hit has one.
  void settle_call(std::uint32_t call, const domain::Verdict& verdict);

 private:
  struct Hit {
    std::uint32_t batch;
    std::uint32_t hit;
  };
  struct Held {
    Hit hit;
    std::int64_t count;
  };
  /// The hits of one token and path: hits_[begin, end).
  struct Increment {
    std::uint32_t begin;
    std::uint32_t end;
    std::uint32_t token;
  };
  /// increments_[begin, end).
  struct Call {
    std::uint32_t begin;
    std::uint32_t end;
  };

  const domain::TokenId& id(const Hit& hit) const { return message_->batch(hit.batch).id(hit.hit); }
  std::string_view path(const Hit& hit) const { return message_->batch(hit.batch).path(hit.hit); }
  const domain::TokenId& token_of(std::uint32_t increment) const {
    return tokens_[increments_[increment].token];
  }
  void divide(bool apart);
  bool take_element(const Increment& increment, const redisReply& element);
  void settle(const Increment& increment, const domain::Verdict& verdict);

  const bool proxy_;
  link::Gather* message_ = nullptr;
  std::vector<Hit> hits_;                // grouped by token and path, in order within a group
  std::vector<domain::TokenId> tokens_;  // copies, because a batch may be gone before the last reply
  std::vector<Increment> increments_;
  std::vector<Call> calls_;
  bool holds_ = false;
  std::vector<Held> held_;
};

}  // namespace tracker::store::redis
