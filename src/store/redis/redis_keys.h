#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include "domain/slot.h"
#include "domain/token_id.h"
#include "domain/token_record.h"
#include "store/slot_marks.h"

namespace tracker::store::redis {

/// Counts in Redis are kept in one hash for each token, with the key `tracker:{<id>}`. It has a field for each path,
/// with the count. The empty field, which is never a path, is for tracker's own facts (Origin). A token is known if its hash
/// has the empty field.
std::string redis_key(const domain::TokenId& id);
void append_redis_key(const domain::TokenId& id, std::string& out);

/// The key of a token that is not counted: it was read for an export, or is being imported. So a counter of any version
/// finds it unknown. It has the hash tag of redis_key(), and so the same slot.
std::string held_key(const domain::TokenId& id);

/// The key of a token that was revoked, or has expired and was swept. So a counter of a version that knows no ends finds it
/// unknown, too. It has the same hash tag.
std::string ended_key(const domain::TokenId& id);

/// The token of one of these three keys.
struct KeyOfToken {
  domain::TokenId id{};
  bool is_held = false;
  bool is_ended = false;
};
/// Returns nothing for any other key.
std::optional<KeyOfToken> parse_key(std::string_view key);

/// What the empty field of a token has: `MINTED[ EXPORTID][ FACTS]`. Old versions wrote the time alone, and did not care what
/// it was. They read the time, whatever follows it. FACTS are those of domain::encode_facts(), but for the number of paths,
/// which the hash has. track_script adds two of its own, which it makes again when they are missing:
/// - `due=T`: until then a hit on a known path changes no fact, and the token does not end.
/// - `full=1`: a new path was refused. So the script asks before it adds one.
/// It leaves two out: `use_by` once there is a path, and `bytes` while the paths are so few that they cannot have too many.
struct Origin {
  domain::TokenRecord record = {};
  std::optional<ExportId> export_id = {};  // of an imported token

  /// `fields`: how many the hash has. Nothing: a later version of tracker wrote it.
  static std::optional<Origin> parse(std::string_view text, std::size_t fields);
  std::string to_string() const;
};
/// The same. Throws StoreError in place of nothing. `key`: for the error.
Origin parse_origin(std::string_view text, std::size_t fields, std::string_view key);

/// Whether no token has this id, because it is one of those with which a store probes. Where DEL is denied, their keys stay.
bool is_probe(const domain::TokenId& id);

/// The key of a hash beside the tokens' hashes. Its fields say which store this is (RedisFacts), and which slots have
/// marks.
inline constexpr std::string_view facts_key = "tracker:store";

/// In a Redis Cluster, the key of the hash that has the mark of this slot, and is itself in this slot. It is
/// `tracker:mark:{<n>}` with the smallest decimal number n whose slot this is. Any thread.
const std::string& mark_key(domain::Slot slot);

/// The key of a hash that exists once an import of this export was begun here.
std::string import_key(const ExportId& id);

/// In a Redis Cluster, the key of a hash whose empty field has the mark that is being given to slots.
inline constexpr std::string_view intent_key = "tracker:intent";

/// The fields of a hash with marks. The script looks at their values only to know whether they exist.
inline constexpr std::string_view marks_field = "marks";    // in facts_key: all marks
inline constexpr std::string_view marked_field = "marked";  // exists while there is a mark
inline constexpr std::string_view holds_field = "holds";  // exists while there is a mark that forbids minting
/// The value of the last two in facts_key while every slot is held or has moved.
inline constexpr std::string_view all_slots = "all";

}  // namespace tracker::store::redis
