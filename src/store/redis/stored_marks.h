#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "domain/slot.h"
#include "store/redis/redis_nodes.h"
#include "store/slot_marks.h"

namespace tracker::store::redis {

/// Where the marks of slots lie: all together in a Redis by itself, each in its slot in a Redis Cluster. All throw StoreError.

SlotMarks read_marks(RedisNodes& nodes);

/// Of a Redis by itself, as text, which is the value of marks_field.
std::string stored_marks(RedisNodes& nodes);
SlotMarks parse_stored(std::string_view text);

/// Of a Redis Cluster. A task for the mark of this slot, without commands yet.
RedisTask mark_task(std::size_t slot);
/// The same, which reads marked_field.
RedisTask look_at_mark(std::size_t slot);
/// Reads the value of marked_field in the key of a slot. The mark has no slots. Nothing: there is no mark.
std::optional<SlotMark> parse_stored_mark(const redisReply& reply, const std::string& key);

}  // namespace tracker::store::redis
