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

/// Counts in Redis are kept in one hash for each token, with the key `tracker:{<id>}`. It has a field for each path,
/// with the count. The empty field, which is never a path, is for tracker's own facts (the time of minting, in seconds
/// since 1970). A token is known if its hash has the empty field.
std::string redis_key(const domain::TokenId& id);

/// The script that checks a token and increments its counts in one atomic step. KEYS: the token's key. ARGV: path,
/// increment, path, increment ... Returns nil for an unknown token. Otherwise returns for each path its count, or the
/// error of this path.
extern const std::string_view track_script;
/// The SHA-1 of the script in hex, by which EVALSHA names it.
const std::string& track_script_sha1();
/// Removes a hash that belongs to no token. Returns an empty array.
extern const std::string_view tidy_script;

/// Appends one command in RESP (an array of bulk strings).
void append_command(std::initializer_list<std::string_view> arguments, std::string& out);

/// Returns the text of a reply such as an error. Valid as long as the reply.
std::string_view text_of(const redisReply& reply);

/// A message of hits as commands for Redis: one command for each token. Equal hits are merged into one increment, and
/// its result is shared out in order. Pure: bytes out, replies in, verdicts into the message. Reusable. Belongs to the
/// connection's thread.
class RedisRound {
 public:
  /// `proxy`: errors may come from a proxy in front of Redis.
  explicit RedisRound(bool proxy = false) : proxy_(proxy) {}

  /// Starts with the hits of a message. `message` must stay valid until it is settled.
  void begin(link::Gather& message);

  bool is_settled() const noexcept { return message_->is_settled(); }

  /// The number of commands. The functions below take an index less than that.
  std::uint32_t commands() const noexcept { return static_cast<std::uint32_t>(commands_.size()); }
  const domain::TokenId& token(std::uint32_t command) const { return commands_[command].token; }
  /// The increments of a command, one for each path, have the indices from first_increment() up to, not including,
  /// end_increment().
  std::uint32_t first_increment(std::uint32_t command) const { return commands_[command].begin; }
  std::uint32_t end_increment(std::uint32_t command) const { return commands_[command].end; }
  const domain::TokenId& token_of_increment(std::uint32_t increment) const {
    return token(increments_[increment].command);
  }

  /// The form in which a command is sent to Redis.
  enum class Form : std::uint8_t {
    script,       // by its hash: for a token that may not exist
    script_text,  // by its text
    plain,        // for a token that was known: HEXISTS, to check that it still is, and HINCRBY for each path
  };
  /// Only while the command has no verdict yet.
  void append(std::uint32_t command, Form form, std::string& out) const;

  /// HEXISTS found no token: the counts that still come belong to no token.
  void take_no_token(std::uint32_t command) { commands_[command].met_no_token = true; }

  /// Turns the reply to an increment, an integer or an error, into verdicts. Returns whether it was a count.
  bool take_count(std::uint32_t increment, const redisReply& reply);

  /// The same for the array of the script, which has an element for each increment. Returns the last element that was
  /// no count, or null if all were counts.
  const redisReply* take_counts(std::uint32_t command, const redisReply& reply);

  /// Gives every hit of a command or of an increment the same verdict, unless the hit has one.
  void settle_command(std::uint32_t command, const domain::Verdict& verdict);
  void settle_increment(std::uint32_t increment, const domain::Verdict& verdict);

  /// Returns the verdict that an error means for the hits of its command.
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
  /// The increments of one token: increments_[begin, end). The token is copied, because the batch of the first hit may
  /// be gone before the last reply.
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
  std::vector<Hit> hits_;  // grouped by token and path, in order within a group
  std::vector<Increment> increments_;
  std::vector<Command> commands_;
};

}  // namespace tracker::store::redis
