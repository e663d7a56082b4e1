#pragma once

#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>
#include <vector>

#include "domain/hit_batch.h"
#include "domain/verdict.h"
#include "link/gather.h"
#include "store/counter_store.h"

struct redisReply;

namespace tracker::store::redis {

/// How counts are kept in Redis: one hash for each token, its key `tracker:{<id>}`; a field for each path,
/// with the count; and the empty field, which no path can name, for tracker's own facts (the time of minting,
/// in seconds since 1970). A token is known if its hash has the empty field.
std::string redis_key(const domain::TokenId& id);

/// The script that checks a token and increments its counts in one atomic step. KEYS: the token's key; ARGV:
/// path, increment, path, increment ... Answers nil for an unknown token, otherwise for each path its count,
/// or the error that this one met.
extern const std::string_view track_script;
/// Its SHA-1 in hex, by which EVALSHA names it.
const std::string& track_script_sha1();
/// Removes a hash that is no token's. Answers an empty array.
extern const std::string_view tidy_script;

/// Appends one command in RESP (an array of bulk strings).
void append_command(std::initializer_list<std::string_view> arguments, std::string& out);

/// What a reply of text, such as an error, says. Valid as long as the reply.
std::string_view text_of(const redisReply& reply);

/// A message of hits as Redis is asked: one command for each token, equal hits merged into one increment and its result
/// shared out in order. Pure: bytes out, replies in, verdicts into the message. Used again. Belongs to the connection's
/// thread.
class RedisRound {
 public:
  /// `proxy`: errors may be those of a proxy before Redis.
  explicit RedisRound(bool proxy = false) : proxy_(proxy) {}

  /// Begins with the hits of a message, which stays valid until it is settled.
  void begin(link::Gather& message);

  bool is_settled() const noexcept { return message_->is_settled(); }

  /// The commands, by their indices.
  std::uint32_t commands() const noexcept { return static_cast<std::uint32_t>(commands_.size()); }
  const domain::TokenId& token(std::uint32_t command) const { return commands_[command].token; }
  /// The increments of a command, one for each path, by their indices in the round: from the first up to the end.
  std::uint32_t first_increment(std::uint32_t command) const { return commands_[command].begin; }
  std::uint32_t end_increment(std::uint32_t command) const { return commands_[command].end; }
  const domain::TokenId& token_of_increment(std::uint32_t increment) const {
    return token(increments_[increment].command);
  }

  /// How a command is put to Redis.
  enum class Form : std::uint8_t {
    script,       // by its hash: for a token of which it is not known whether there is one
    script_text,  // by its text
    plain,        // for a token that was known: HEXISTS, to see that it still is, and HINCRBY for each path
  };
  /// Only while the command has no verdict yet.
  void append(std::uint32_t command, Form form, std::string& out) const;

  /// HEXISTS met no token: the counts that still come are nobody's.
  void take_no_token(std::uint32_t command) { commands_[command].met_no_token = true; }

  /// Takes the reply to an increment, an integer or an error, into verdicts. Answers whether it was a count.
  bool take_count(std::uint32_t increment, const redisReply& reply);

  /// The same of the script's array, which has an element for each increment. Answers the last element that was no
  /// count; null: all were.
  const redisReply* take_counts(std::uint32_t command, const redisReply& reply);

  /// Gives every hit of a command, or of an increment, the same verdict, unless it has one.
  void settle_command(std::uint32_t command, const domain::Verdict& verdict);
  void settle_increment(std::uint32_t increment, const domain::Verdict& verdict);

  /// What an error says of the hits that it was replied to.
  domain::Verdict verdict_of(const redisReply& error) const;

 private:
  struct Hit {
    std::uint32_t batch;
    std::uint32_t hit;
  };
  /// The hits of one token and path: hits_[begin, end).
  struct Increment {
    std::uint32_t begin;
    std::uint32_t end;
    std::uint32_t command;
  };
  /// The increments of one token: increments_[begin, end). The token stands here, since the batch of the first
  /// hit may be gone before the last reply.
  struct Command {
    domain::TokenId token;
    std::uint32_t begin;
    std::uint32_t end;
    bool met_no_token = false;
  };

  const domain::TokenId& id(const Hit& hit) const { return message_->batch(hit.batch).id(hit.hit); }
  std::string_view path(const Hit& hit) const { return message_->batch(hit.batch).path(hit.hit); }
  void settle(const Hit& hit, const domain::Verdict& verdict) {
    message_->settle(hit.batch, hit.hit, verdict);
  }

  const bool proxy_;
  link::Gather* message_ = nullptr;
  std::vector<Hit> hits_;  // grouped by token and path, in order within them
  std::vector<Increment> increments_;
  std::vector<Command> commands_;
};

}  // namespace tracker::store::redis
