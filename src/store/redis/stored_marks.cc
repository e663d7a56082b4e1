#include "store/redis/stored_marks.h"

#include <hiredis/hiredis.h>

#include <algorithm>
#include <utility>
#include <vector>

#include "store/redis/redis_keys.h"
#include "store/redis/redis_marks.h"
#include "store/redis/redis_round.h"
#include "store/store_error.h"

namespace tracker::store::redis {

namespace {

constexpr std::size_t slots_at_once = 512;  // so that no Redis is busy with it for long

}  // namespace

std::string stored_marks(RedisNodes& nodes) {
  const auto reply = nodes.clients().front()->call({"HGET", facts_key, marks_field});
  return std::string(string_of(*reply));
}

SlotMarks parse_stored(std::string_view text) {
  if (auto its = SlotMarks::parse(text)) return std::move(*its);
  throw StoreError("the field " + std::string(marks_field) + " of " + std::string(facts_key) +
                   " has no marks that tracker knows; a newer version may have written it");
}

RedisTask mark_task(std::size_t slot) {
  return {static_cast<domain::Slot>(slot), mark_key(static_cast<domain::Slot>(slot))};
}

RedisTask look_at_mark(std::size_t slot) {
  auto look = mark_task(slot);
  look.add({"HGET", look.key, marked_field});
  return look;
}

std::optional<SlotMark> parse_stored_mark(const redisReply& reply, const std::string& key) {
  if (reply.type == REDIS_REPLY_NIL) return std::nullopt;
  if (auto mark = parse_mark(string_of(reply))) return mark;
  throw StoreError(key + " has no mark that tracker knows; a newer version may have written it");
}

SlotMarks read_marks(RedisNodes& nodes) {
  if (!nodes.is_cluster()) return parse_stored(stored_marks(nodes));
  SlotMarks all;
  for (std::size_t begin = 0; begin < domain::slots; begin += slots_at_once) {
    const auto end = std::min<std::size_t>(begin + slots_at_once, domain::slots);
    std::vector<RedisTask> tasks;
    for (auto slot = begin; slot < end; ++slot) tasks.push_back(look_at_mark(slot));
    nodes.run(tasks, RedisNodes::Kind::reads);
    for (auto slot = begin; slot < end; ++slot) {
      const auto& task = tasks[slot - begin];
      auto mark = parse_stored_mark(*task.replies.front(), task.key);
      if (!mark) continue;
      mark->slots.set(slot);
      all.set(*mark);
    }
  }
  return all;
}

}  // namespace tracker::store::redis
