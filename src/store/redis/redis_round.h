#pragma once

#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>
#include <vector>

#include "domain/hit_batch.h"
#include "domain/verdict.h"
#include "store/counter_store.h"

struct redisReply;

namespace tracker::store {

/// How counts are kept in Redis: one hash for each token, its key `tracker:{<id>}`; a field for each path,
/// with the count; and the empty field, which no path can name, for tracker's own facts (the time of minting,
/// in seconds since 1970). A token is known if its hash has the empty field.
std::string redis_key(const domain::TokenId& id);

/// The script that checks a token and increments its counts in one atomic step. KEYS: the token's key; ARGV:
/// path, increment, path, increment ... Answers nil for an unknown token, otherwise for each path its count,
/// or the error that this one met.
extern const std::string_view track_script;
/// Removes a hash that is no token's.
extern const std::string_view tidy_script;
/// Its SHA-1 in hex, by which EVALSHA names it.
const std::string& track_script_sha1();

/// Appends one command in RESP (an array of bulk strings).
void append_command(std::initializer_list<std::string_view> arguments, std::string& out);

/// What a reply of text, such as an error, says. Valid as long as the reply.
std::string_view text_of(const redisReply& reply);

/// A Redis that says this writes nothing for anybody: a replica, one that loads, is full or cannot save.
bool is_unfit(std::string_view error);

/// Whether a command that got this error was certainly not executed. Without a proxy it was not; a proxy also
/// has errors of its own, such as that Redis is late, and Redis may execute the command after all.
bool is_not_executed(std::string_view error, bool proxy);

/// All the hits that wait when the connection can send: one command for each token, equal hits merged into one
/// increment and its result shared out in order. Pure: bytes out, replies in. Used again after clear().
/// Belongs to the connection's thread.
class RedisRound {
 public:
  /// `proxy`: errors may be those of a proxy before Redis.
  explicit RedisRound(bool proxy = false) : proxy_(proxy) {}

  /// Before encode(). Valid until the last verdict.
  void add(const domain::HitBatch& hits, TrackReply& reply);

  /// Groups what was added; call once.
  void group();

  /// After group().
  std::size_t commands() const noexcept { return commands_.size(); }
  const domain::TokenId& token(std::size_t command) const { return commands_[command].token; }

  /// How a command is put to Redis.
  enum class Form : std::uint8_t {
    script,       // by its hash: for a token of which it is not known whether there is one
    script_text,  // by its text
    plain,        // for a token that was known: HEXISTS, to see that it still is, and HINCRBY for each path
  };
  void append(std::size_t command, Form form, std::string& out);
  /// How many replies it will have, in the form in which it was appended.
  std::size_t replies(std::size_t command) const noexcept {
    const auto& its = commands_[command];
    return its.form == Form::plain ? 1 + its.end - its.begin : 1;
  }

  /// What went wrong with a command; no error: nothing.
  struct Trouble {
    std::string key;
    std::string error;
    bool perhaps_counted = false;

    domain::Verdict verdict() const {
      return perhaps_counted ? domain::Verdict::perhaps_counted() : domain::Verdict::not_counted();
    }
  };
  /// Of a reply to a command on this key that is not what was asked for.
  static Trouble trouble_of(const domain::TokenId& token, const redisReply& reply, bool proxy);

  /// Takes a reply to a command, the how manieth of them, into verdicts.
  Trouble take_reply(std::size_t command, std::size_t part, const redisReply& reply);

  /// A plain command met no token, after all: what it wrote is to be tidied up.
  bool met_no_token(std::size_t command) const noexcept { return commands_[command].met_no_token; }

  /// Gives every hit of a command the same verdict, or every hit that one of its replies was about.
  void give_up(std::size_t command, const domain::Verdict& verdict);
  void give_up(std::size_t command, std::size_t part, const domain::Verdict& verdict);

  /// Hands the verdicts that were taken since the last time to their batches. Answers true if all have
  /// theirs.
  bool deliver();

  void clear();

 private:
  struct Hit {
    std::uint32_t batch;
    std::uint32_t hit;
  };
  struct Batch {
    const domain::HitBatch* hits;
    TrackReply* reply;
    std::vector<domain::HitVerdict> verdicts;  // not delivered yet
  };
  /// The hits of one token and path: hits_[begin, end).
  struct Increment {
    std::uint32_t begin;
    std::uint32_t end;
  };
  /// The increments of one token: increments_[begin, end). The token stands here, since the batch of the first
  /// hit may be gone before the last reply.
  struct Command {
    domain::TokenId token;
    std::uint32_t begin;
    std::uint32_t end;
    Form form = Form::script;
    bool met_no_token = false;
  };

  const domain::TokenId& id(const Hit& hit) const { return batches_[hit.batch].hits->id(hit.hit); }
  std::string_view path(const Hit& hit) const { return batches_[hit.batch].hits->path(hit.hit); }
  void settle(const Hit& hit, const domain::Verdict& verdict) {
    batches_[hit.batch].verdicts.push_back({hit.hit, verdict});
  }
  void settle_all(const Increment& increment, const domain::Verdict& verdict);
  void settle_counted(const Increment& increment, std::int64_t count);
  Trouble take_count(std::size_t command, std::size_t path, const redisReply& reply);
  Trouble take_plain(std::size_t command, std::size_t part, const redisReply& reply);

  const bool proxy_;
  std::vector<Batch> batches_;
  std::size_t batches_in_use_ = 0;  // the others keep their memory
  std::vector<Hit> hits_;           // grouped by token and path, in order within them
  std::vector<Increment> increments_;
  std::vector<Command> commands_;
  std::size_t undelivered_ = 0;  // hits
};

}  // namespace tracker::store
