#include "store/redis/redis_nodes.h"

#include <hiredis/hiredis.h>

#include <algorithm>
#include <deque>
#include <thread>
#include <utility>

#include "store/redis/cluster_redirect.h"
#include "store/redis/redis_error.h"
#include "store/redis/redis_round.h"

namespace tracker::store::redis {

namespace {

using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;

constexpr auto patience = 10s;  // for a cluster that changes, and for a Redis that comes back
constexpr auto pause_first = 20ms;
constexpr auto pause_longest = 500ms;
constexpr int passes_max = 5;
constexpr auto pass_pause = 200ms;
constexpr std::string_view keys_of_a_scan = "1000";  // less than a millisecond of Redis
constexpr std::string_view keys_of_a_step = "200";
constexpr auto scan_pause = 1ms;  // in which Redis serves others
constexpr std::size_t fields_of_a_scan_first = 100;
constexpr std::size_t fields_of_a_scan_max = 1'000;  // less than a millisecond of Redis
constexpr std::size_t bytes_of_a_scan = 64 * 1024;   // about

void append_wait(const RedisSettings& settings, std::string& out) {
  append_command(
      {"WAIT", std::to_string(settings.replicas), std::to_string(settings.reply_deadline.count() / 2)}, out);
}

}  // namespace

void RedisTask::add(std::span<const std::string_view> command) {
  append_command(command, commands.emplace_back());
}

std::string visit_fields(const redisReply& reply, const VisitField& visit) {
  if (reply.type != REDIS_REPLY_ARRAY || reply.elements != 2 ||
      reply.element[0]->type != REDIS_REPLY_STRING || reply.element[1]->type != REDIS_REPLY_ARRAY) {
    throw StoreError("Redis replies what makes no sense to HSCAN");
  }
  const auto& fields = *reply.element[1];
  for (std::size_t i = 0; i + 1 < fields.elements; i += 2)
    visit(string_of(*fields.element[i]), string_of(*fields.element[i + 1]));
  return std::string(text_of(*reply.element[0]));
}

std::int64_t count_in(const std::string& key, std::string_view value) {
  if (const auto count = count_of(value)) return *count;
  throw StoreError("Redis has a field that is no count in " + key +
                   ", for a path of this token; only another program can have written it; remove it by HDEL");
}

RedisNodes::RedisNodes(const RedisSettings& redis) : settings_(redis) {
  client_at(settings_.redis.address).begin();
}

RedisNodes::RedisNodes(const RedisSettings& settings, const std::vector<runtime::Address>& begin_with)
    : settings_(settings), begin_with_(begin_with) {
  refresh();
}

RedisClient& RedisNodes::client_at(const runtime::Address& address) {
  auto& client = clients_[runtime::to_string(address)];
  if (!client) {
    auto its = settings_;
    its.redis.address = address;
    client = std::make_unique<RedisClient>(its);
  }
  return *client;
}

RedisClient& RedisNodes::client_of(const RedisTask& task) {
  if (task.ask) return client_at(*task.ask);
  if (!is_cluster()) return client_at(settings_.redis.address);
  return client_at(map_.nodes()[map_.owner(task.slot)].address);
}

std::vector<RedisClient*> RedisNodes::clients() {
  if (!is_cluster()) return {&client_at(settings_.redis.address)};
  std::vector<RedisClient*> all;
  for (const auto& node : map_.nodes()) {
    if (node.slots > 0) all.push_back(&client_at(node.address));
  }
  return all;
}

std::set<std::string> RedisNodes::master_ids() {
  refresh();
  std::set<std::string> ids;
  for (const auto& node : map_.nodes()) {
    if (node.slots > 0) ids.insert(node.id);
  }
  return ids;
}

/// Returns the text as well.
std::string RedisNodes::ask_for_view(const runtime::Address& address, ClusterView& view) {
  auto& client = client_at(address);
  const auto asked = Clock::now();
  const auto reply = client.call({"CLUSTER", "NODES"});
  std::string text(text_of(*reply));
  const auto its = ClusterView::parse(text, address);
  if (!its)
    throw StoreError(client.name() +
                     " replies what makes no sense to CLUSTER NODES; it must be a Redis Cluster");
  if (!map_.take(*its, asked))
    throw StoreError(client.name() + " is of another Redis Cluster; name nodes of one cluster only");
  view = *its;
  return text;
}

/// Asks every master. Only it says which of its slots are on their way.
RedisNodes::Layout RedisNodes::refresh() {
  if (!is_cluster()) return {};
  Layout layout;
  std::deque<runtime::Address> to_ask;
  for (const auto& node : map_.nodes()) {
    if (node.slots > 0) to_ask.push_back(node.address);
  }
  bool asked_all = to_ask.empty();
  if (asked_all) to_ask.assign(begin_with_.begin(), begin_with_.end());
  std::map<std::string, std::string> troubles;  // by address; empty: it has told its view
  std::string trouble;
  while (!to_ask.empty()) {
    const auto address = to_ask.front();
    to_ask.pop_front();
    const auto [place, is_new] = troubles.try_emplace(runtime::to_string(address));
    if (!is_new) continue;
    try {
      ClusterView view;
      const auto text = ask_for_view(address, view);
      layout.is_moving = layout.is_moving || text.find(" [") != text.npos;
      for (const auto& master : view.masters) {
        auto& epoch = layout.epochs[master.id];
        epoch = std::max(epoch, master.epoch);
        to_ask.push_back(master.address);
      }
    } catch (const ConnectionLost& lost) {
      trouble = place->second = lost.what();
      // Others may know who has its place now.
      if (!std::exchange(asked_all, true))
        to_ask.insert(to_ask.end(), begin_with_.begin(), begin_with_.end());
    }
  }
  if (map_.is_empty()) throw ConnectionLost(trouble);
  std::size_t owned = 0;
  for (const auto& node : map_.nodes()) {
    owned += node.slots;
    if (node.slots == 0) continue;
    if (const auto its = troubles.find(runtime::to_string(node.address));
        its != troubles.end() && !its->second.empty())
      throw ConnectionLost(its->second);
  }
  if (owned < domain::slots) {
    throw StoreError(std::to_string(domain::slots - owned) +
                     " slots of the Redis Cluster have no master; run this when they have one");
  }
  layout.owners.reserve(domain::slots);
  for (std::size_t slot = 0; slot < domain::slots; ++slot)
    layout.owners.push_back(map_.owner(static_cast<domain::Slot>(slot)));
  return layout;
}

/// The wait for replicas covers what was sent before it on the same connection.
void RedisNodes::start(RedisClient& client, std::span<RedisTask* const> tasks, Kind kind) {
  client.begin();
  std::string text;
  std::size_t number = 0;
  for (const auto* task : tasks) {
    for (const auto& command : task->commands) {
      if (task->ask) append_command({"ASKING"}, text);
      number += task->ask ? 2 : 1;
      text += command;
    }
  }
  if (kind == Kind::writes && settings_.replicas > 0) {
    append_wait(settings_, text);
    ++number;
  }
  client.send(text, number);
  client.flush();
}

/// Adds those that are not done to `again`.
void RedisNodes::finish(RedisClient& client, std::span<RedisTask* const> tasks, Kind kind,
                        std::vector<RedisTask*>& again) {
  for (auto* task : tasks) {
    task->answered_by = {&client, client.connections()};
    task->replies.clear();
    for (std::size_t i = 0; i < task->commands.size(); ++i) {
      if (task->ask) client.take();
      task->replies.push_back(client.take());
    }
  }
  std::int64_t received = 0;
  if (kind == Kind::writes && settings_.replicas > 0) {
    const auto reply = client.take();
    client.check(*reply);
    received = reply->integer;
  }
  for (auto* task : tasks) {
    if (is_elsewhere(*task, client)) again.push_back(task);
  }
  if (kind == Kind::writes && received < static_cast<std::int64_t>(settings_.replicas)) {
    throw StoreError(client.name() + ": what was written reached " + std::to_string(received) + " of the " +
                     std::to_string(settings_.replicas) +
                     " replicas that --redis-replicas asks for in time; run this again when they follow");
  }
}

/// Throws for any other error.
bool RedisNodes::is_elsewhere(RedisTask& task, const RedisClient& client) const {
  task.ask.reset();
  for (const auto& reply : task.replies) {
    if (reply->type != REDIS_REPLY_ERROR) continue;
    const auto error = text_of(*reply);
    if (task.may_be_no_hash && is_wrong_type(error)) continue;
    const auto how = is_cluster() ? elsewhere_by(error) : Elsewhere::no;
    if (how == Elsewhere::no) client.check(*reply, task.key);
    if (how == Elsewhere::asked) {
      if (const auto target = target_of(error, client.settings().redis.address.host))
        task.ask = target->second;
    }
    return true;
  }
  return false;
}

void RedisNodes::run(std::span<RedisTask> tasks, Kind kind) {
  std::vector<RedisTask*> left;
  for (auto& task : tasks) left.push_back(&task);
  std::chrono::milliseconds pause = pause_first;
  for (const auto deadline = Clock::now() + patience; !left.empty();) {
    std::map<RedisClient*, std::vector<RedisTask*>> by_client;
    for (auto* task : left) by_client[&client_of(*task)].push_back(task);
    std::vector<RedisTask*> again;
    std::string trouble = "the Redis Cluster is being resharded; run this when that has ended";
    const auto lose = [&](const ConnectionLost& lost, std::vector<RedisTask*>& its) {
      trouble = lost.what();
      for (auto* task : its) task->ask.reset();
      again.insert(again.end(), its.begin(), its.end());
      its.clear();
    };
    for (auto& [client, its] : by_client) {
      try {
        start(*client, its, kind);
      } catch (const ConnectionLost& lost) {
        lose(lost, its);
      }
    }
    for (auto& [client, its] : by_client) {
      if (its.empty()) continue;
      const auto before = again.size();
      try {
        finish(*client, its, kind, again);
      } catch (const ConnectionLost& lost) {
        again.resize(before);
        lose(lost, its);
      }
    }
    left = std::move(again);
    if (left.empty()) return;
    if (Clock::now() > deadline) throw StoreError(trouble);
    std::this_thread::sleep_for(pause);
    pause = std::min<std::chrono::milliseconds>(2 * pause, pause_longest);
    try {
      refresh();
    } catch (const ConnectionLost&) {  // a replica may take its place
    }
  }
}

/// Returns the next cursor.
std::string RedisNodes::scan_keys(RedisClient& client, std::string_view cursor, std::string_view pattern,
                                  std::string_view number,
                                  const std::function<void(std::string_view key)>& visit) {
  const auto reply = client.call({"SCAN", cursor, "MATCH", pattern, "COUNT", number});
  if (reply->type != REDIS_REPLY_ARRAY || reply->elements != 2 ||
      reply->element[0]->type != REDIS_REPLY_STRING || reply->element[1]->type != REDIS_REPLY_ARRAY) {
    throw StoreError(client.name() + " replies what makes no sense to SCAN");
  }
  const auto& keys = *reply->element[1];
  for (std::size_t i = 0; i < keys.elements; ++i) {
    if (keys.element[i]->type == REDIS_REPLY_STRING) visit(text_of(*keys.element[i]));
  }
  return std::string(text_of(*reply->element[0]));
}

void RedisNodes::scan_once(std::string_view pattern, const std::function<void(std::string_view key)>& visit) {
  for (auto* client : clients()) {
    client->begin();
    const auto connection = client->connections();
    std::string cursor = "0";
    do {
      cursor = scan_keys(*client, cursor, pattern, keys_of_a_scan, visit);
      if (client->connections() != connection)
        throw ConnectionLost(client->name() + " has ended the connection; run this again when it is well");
      std::this_thread::sleep_for(scan_pause);
    } while (cursor != "0");
  }
}

/// A cursor means nothing to a Redis that was started again: then its keys are visited from the first one on.
void RedisNodes::scan_step(std::string_view pattern, ScanPlace& place,
                           const std::function<void(std::string_view key)>& visit) {
  if (place == ScanPlace{}) refresh();
  const auto nodes = clients();
  if (place.node >= nodes.size()) {
    place = {};
    return;
  }
  auto& client = *nodes[place.node];
  try {
    client.begin();
    if (client.connections() != place.connection) place.cursor = "0";
    place.connection = client.connections();
    place.cursor = scan_keys(client, place.cursor, pattern, keys_of_a_step, visit);
    if (client.connections() != place.connection) return;  // it is the cursor of another Redis, perhaps
  } catch (const ConnectionLost&) {
    place = {};  // another node may have its keys
    throw;
  }
  if (place.cursor == "0") place = {.node = place.node + 1, .connection = 0};
  if (place.node == nodes.size()) place = {};
}

/// A cursor means nothing to a Redis that was started again, or to a promoted replica. Keys that move between nodes may be missed.
void RedisNodes::scan(std::string_view pattern, const std::function<void()>& begin,
                      const std::function<void(std::string_view key)>& visit) {
  std::string trouble;
  for (int pass = 0; pass < passes_max; ++pass) {
    if (pass > 0) std::this_thread::sleep_for(pass * pass_pause);
    try {
      const auto before = refresh();
      trouble = "the Redis Cluster is being resharded, or its masters change; run this when that has ended";
      if (before.is_moving) continue;
      begin();
      scan_once(pattern, visit);
      if (refresh() == before) return;
    } catch (const ConnectionLost& lost) {
      trouble = lost.what();
    }
  }
  throw StoreError(trouble);
}

RedisNodes::Pass RedisNodes::scan_hash_once(domain::Slot slot, const std::string& key,
                                            std::string_view pattern, const VisitField& visit) {
  std::optional<RedisTask::Connection> connection;
  std::string cursor = "0";
  auto number = fields_of_a_scan_first;
  while (true) {
    RedisTask task(slot, key);
    task.add({"HSCAN", key, cursor, "MATCH", pattern, "COUNT", std::to_string(number)});
    task.add({"HLEN", key});
    run({&task, 1}, Kind::reads);
    if (connection && task.answered_by != *connection) return Pass::interrupted;
    connection = task.answered_by;
    if (task.replies[1]->integer == 0) return Pass::gone;
    std::size_t bytes = 0;
    cursor = visit_fields(*task.replies[0], [&](std::string_view field, std::string_view value) {
      visit(field, value);
      bytes += field.size() + value.size();
    });
    if (cursor == "0") return Pass::whole;
    if (bytes > bytes_of_a_scan) number = number / 2 + 1;
    if (bytes < bytes_of_a_scan / 2) number = std::min(2 * number, fields_of_a_scan_max);
    std::this_thread::sleep_for(scan_pause);
  }
}

/// A hash that got another key, or was removed, seems to have no more fields.
bool RedisNodes::scan_hash(domain::Slot slot, const std::string& key, std::string_view pattern,
                           const std::function<void()>& begin, const VisitField& visit) {
  for (int pass = 0; pass < passes_max; ++pass) {
    begin();
    const auto its = scan_hash_once(slot, key, pattern, visit);
    if (its != Pass::interrupted) return its == Pass::whole;
  }
  throw StoreError("the connection to the Redis that has " + key +
                   " ends again and again; run this again when it is well");
}

}  // namespace tracker::store::redis
