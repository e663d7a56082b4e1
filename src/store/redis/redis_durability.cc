#include "store/redis/redis_durability.h"

#include <hiredis/hiredis.h>

#include <array>
#include <utility>
#include <vector>

#include "store/redis/redis_error.h"
#include "store/redis/redis_round.h"

namespace tracker::store::redis {

namespace {

/// The names that INFO has for the same facts.
constexpr std::array<std::pair<std::string_view, std::string_view>, 6> names_of_info = {{
    {"aof_enabled", "appendonly"},
    {"aof_rewrite_in_progress", "aof_rewrite_in_progress"},
    {"aof_rewrite_scheduled", "aof_rewrite_scheduled"},
    {"aof_last_bgrewrite_status", "aof_last_bgrewrite_status"},
    {"maxmemory", "maxmemory"},
    {"maxmemory_policy", "maxmemory-policy"},
}};

constexpr std::array<std::pair<std::string_view, std::string_view>, 4> full_durability = {{
    {"appendonly", "yes"},
    {"appendfsync", "always"},
    {"no-appendfsync-on-rewrite", "no"},
    {"maxmemory-policy", "noeviction"},
}};

std::string_view name_of_info(std::string_view name) {
  for (const auto& [info, config] : names_of_info) {
    if (name == info) return config;
  }
  return {};
}

/// Whether INFO describes a replica under this name, such as slave0.
bool is_replica(std::string_view name) {
  constexpr std::string_view begin = "slave";
  return name.size() > begin.size() && name.starts_with(begin) && name[begin.size()] >= '0' &&
         name[begin.size()] <= '9';
}

/// Calls `take(name, value)` for each line `name:value`.
template <typename Take>
void read_info(std::string_view text, Take take) {
  while (!text.empty()) {
    const auto end = text.find("\r\n");
    const auto line = text.substr(0, end);
    text.remove_prefix(end == text.npos ? text.size() : end + 2);
    if (const auto colon = line.find(':'); colon != line.npos)
      take(line.substr(0, colon), line.substr(colon + 1));
  }
}

}  // namespace

void RedisDurability::append_questions(std::string& out) {
  // Uses patterns, because only Redis 7 and later takes several names at once.
  for (const auto* pattern : {"*append*", "maxmemory*", "save"}) {
    append_command({"CONFIG", "GET", pattern}, out);
  }
  append_command({"INFO", "persistence"}, out);
  append_command({"INFO", "memory"}, out);
  append_command({"INFO", "replication"}, out);
}

void RedisDurability::take(const redisReply& reply) {
  if (reply.type == REDIS_REPLY_ARRAY) {
    for (std::size_t i = 0; i + 1 < reply.elements; i += 2) {
      facts_.emplace(text_of(*reply.element[i]), printable(text_of(*reply.element[i + 1])));
    }
  } else if (reply.type == REDIS_REPLY_STRING) {
    read_info(text_of(reply), [this](std::string_view name, std::string_view value) {
      if (name == "role" && value == "master") online_replicas_ = 0;
      if (online_replicas_ && is_replica(name) && value.find(",state=online,") != value.npos)
        ++*online_replicas_;
      if (name == "aof_enabled") value = value == "1" ? "yes" : "no";
      if (const auto config = name_of_info(name); !config.empty()) facts_.emplace(config, printable(value));
    });
  } else if (reply.type == REDIS_REPLY_ERROR && refusal_.empty()) {
    refusal_ = printable(text_of(reply));
  }
}

void RedisDurability::follow(const RedisDurability& before, bool on_connecting) {
  const bool rewritten = is("aof_rewrite_in_progress", "0") && is("aof_rewrite_scheduled", "0") &&
                         is("aof_last_bgrewrite_status", "ok");
  // On a new connection, nothing distinguishes the first rewrite from a later one.
  const bool may_be_first = on_connecting || before.is("appendonly", "no") || before.file_incomplete_;
  file_incomplete_ = is("appendonly", "yes") && !rewritten && may_be_first;
}

std::string_view RedisDurability::fact(std::string_view name) const {
  const auto found = facts_.find(name);
  return found == facts_.end() ? std::string_view() : std::string_view(found->second);
}

std::string RedisDurability::what_a_crash_loses() const {
  return loss() + eviction() + settings();
}

std::string RedisDurability::what_a_failover_loses(std::size_t awaited) const {
  if (!online_replicas_) {
    return awaited == 0 ? "" : "; how many replicas it has is not known: " + why_unknown();
  }
  const auto replicas = *online_replicas_;
  if (awaited == 0 && replicas == 0) return {};
  const auto has =
      "; it has " + std::to_string(replicas) + (replicas == 1 ? " replica" : " replicas") + ", and ";
  if (awaited == 0)
    return has + "a failover loses what the promoted one has not received yet, for --redis-replicas is 0";
  if (replicas < awaited) return has + "--redis-replicas asks for " + std::to_string(awaited);
  if (replicas > awaited) {
    return has + "a failover may lose what was answered, for only " + std::to_string(awaited) +
           " of them must have received it: --redis-replicas must be the number of those that can be "
           "promoted";
  }
  return has +
         "a failover loses nothing that was answered, provided that they append as this one should, and "
         "that no other Redis can be promoted";
}

std::string RedisDurability::loss() const {
  if (fact("appendonly").empty()) return "what a crash of this Redis loses is not known: " + why_unknown();
  if (is("appendonly", "no")) {
    if (!facts_.contains("save"))
      return "a crash of this Redis loses all since its last snapshot, if it makes any";
    return is("save", "") ? "a crash of this Redis loses all tokens and counts"
                          : "a crash of this Redis loses all since its last snapshot";
  }
  if (file_incomplete_) {
    return "a crash of this Redis may lose as much as if it did not append: " + why_incomplete();
  }
  if (is("appendfsync", "always")) {
    if (is("no-appendfsync-on-rewrite", "no")) {
      return "neither a crash of this Redis nor a power cut loses anything that was answered";
    }
    return "a crash of this Redis loses nothing that was answered; nor does a power cut, but while it "
           "rewrites "
           "its file: then what the system has not written yet, about the last 30 s";
  }
  if (is("appendfsync", "everysec")) {
    return "a crash of this Redis loses nothing that was answered, or the last 2 s where its disk is slow; a "
           "power cut about the last second, or more where its disk is slow";
  }
  if (is("appendfsync", "no")) {
    return "a crash of this Redis loses nothing that was answered; a power cut what the system has not "
           "written yet, about the last 30 s";
  }
  return "a crash of this Redis loses the last 2 s at most; what a power cut loses is not known: " +
         why_unknown();
}

std::string RedisDurability::eviction() const {
  const auto policy = fact("maxmemory-policy");
  if (policy.empty()) return "; whether it may evict tokens and their counts is not known";
  if (!policy.starts_with("allkeys-")) return {};  // tracker's keys never expire
  return is("maxmemory", "0") ? "; with a maxmemory it would evict tokens and their counts"
                              : "; whenever it is full it evicts tokens and their counts";
}

std::string RedisDurability::settings() const {
  std::vector<std::string_view> names = {"appendonly", "appendfsync", "no-appendfsync-on-rewrite"};
  if (is("appendonly", "no")) names = {"appendonly", "save"};
  names.insert(names.end(), {"maxmemory-policy", "maxmemory"});
  std::string list;
  for (const auto& name : names) {
    if (!facts_.contains(name)) continue;
    list += list.empty() ? " (" : ", ";
    list.append(name).append(" ").append(fact(name).empty() ? "\"\"" : fact(name));
  }
  return list.empty() ? list : list + ")";
}

std::string RedisDurability::why_unknown() const {
  return refusal_.empty() ? "it does not say" : "it says " + refusal_;
}

std::string RedisDurability::why_incomplete() const {
  std::string why = "its append-only file may be incomplete until it has been rewritten (BGREWRITEAOF)";
  if (fact("aof_rewrite_in_progress").empty() || fact("aof_rewrite_scheduled").empty()) {
    why += ", and whether it is being rewritten is not known: " + why_unknown();
  }
  return why;
}

std::optional<std::string> RedisDurability::shortfall() const {
  std::string list;
  bool unknown = false;
  for (const auto& [name, value] : full_durability) {
    if (is(name, value)) continue;
    list += list.empty() ? "" : ", ";
    list.append(name).append(" is ").append(fact(name).empty() ? "not known" : fact(name));
    list.append(" and must be ").append(value);
    if (fact(name).empty()) unknown = true;
  }
  if (unknown) list += ": " + why_unknown();
  if (list.empty() && file_incomplete_) list = why_incomplete();
  if (list.empty()) return std::nullopt;
  return list;
}

}  // namespace tracker::store::redis
