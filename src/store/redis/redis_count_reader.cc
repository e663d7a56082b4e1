#include "store/redis/redis_count_reader.h"

#include <hiredis/hiredis.h>

#include <algorithm>
#include <chrono>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "store/lowest_paths.h"
#include "store/redis/distinct_sum.h"
#include "store/redis/lowest_ids.h"
#include "store/redis/redis_keys.h"
#include "store/redis/redis_nodes.h"
#include "store/redis/redis_round.h"
#include "store/redis/stored_marks.h"

namespace tracker::store::redis {

namespace {

using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;
using domain::SlotSet;
using domain::TokenId;
using Mark = SlotMark::Kind;
using Kind = RedisNodes::Kind;

constexpr auto pass_age_max = 60s;
constexpr std::size_t fields_of_a_step = 500;  // some dozens of KiB, where a path has some dozens of bytes
constexpr std::size_t tokens_of_a_step = 100;
constexpr int attempts_max = 5;  // while tokens get other keys
constexpr std::string_view all_tokens = "tracker:*{*";

/// Where the fields of a token are.
struct Place {
  enum class Kind : std::uint8_t { nowhere, moved, here };
  Kind kind = Kind::nowhere;
  std::string key = {};
  domain::TokenRecord record = {};
  std::size_t fields = 0;
};

/// A pattern of Redis for everything that begins like this.
std::string pattern_of(std::string_view prefix) {
  std::string pattern;
  for (const char c : prefix) {
    if (std::string_view("*?[]\\").find(c) != std::string_view::npos) pattern += '\\';
    pattern += c;
  }
  return pattern + '*';
}

class Reader final : public CountReader {
 public:
  Reader(std::unique_ptr<RedisNodes> nodes, bool proxy, std::size_t ids_max)
      : nodes_(std::move(nodes)), proxy_(proxy), ids_max_(ids_max) {}

  std::vector<TokenSummary> list(const SlotSet& slots, const std::optional<TokenId>& after,
                                 std::size_t limit) override {
    if (proxy_) {
      throw UnsupportedError(
          "a proxy does not pass on SCAN, so the tokens behind it cannot be listed; name each Redis behind "
          "it by --redis-addr, one after the other, without --redis-proxy");
    }
    if (!goes_on(slots, after)) begin_pass(slots, after);
    while (true) {
      if (pass_.done == pass_.ids.size()) {
        if (!pass_.is_more) return {};
        begin_pass(slots, pass_.ids.back());
      }
      auto tokens = next_of_pass(std::max<std::size_t>(limit, 1));
      if (tokens.empty()) continue;  // they are gone
      pass_.returned = tokens.back().id;
      return tokens;
    }
  }

  std::optional<TokenSummary> find(const TokenId& id) override {
    return at_its_place(id, [&](const Place& place) { return sum_up(id, place); });
  }

  std::optional<TokenCounts> read(const TokenId& id, const CountsQuery& query) override {
    const auto pattern = pattern_of(query.prefix);
    return at_its_place(id, [&](const Place& place) -> std::optional<TokenCounts> {
      LowestPaths lowest(query);
      const bool is_there = nodes_->scan_hash(
          domain::slot_of(id), place.key, pattern, [&] { lowest.clear(); },
          [&](std::string_view path, std::string_view value) {
            if (!path.empty()) lowest.add(path, count_in(place.key, value));
          });
      if (!is_there) return std::nullopt;
      return TokenCounts{.record = place.record, .counts = lowest.counts(), .is_more = lowest.left_out()};
    });
  }

  SlotMarks marks() override { return proxy_ ? SlotMarks{} : read_marks(*nodes_); }

  std::optional<Mark> mark_of(domain::Slot slot) override {
    if (!nodes_->is_cluster()) return CountReader::mark_of(slot);
    std::vector<RedisTask> tasks;
    add_look(tasks, slot, mark_key(slot), marked_field);
    nodes_->run(tasks, Kind::reads);
    return stored_kind(tasks.front());
  }

 private:
  /// The ids that a pass over all keys has found, and how far they are listed.
  struct Pass {
    SlotSet slots = {};
    std::vector<TokenId> ids = {};
    bool is_more = false;
    Clock::time_point begun = {};
    std::size_t done = 0;
    std::optional<TokenId> returned = {};  // the last of them
  };

  bool goes_on(const SlotSet& slots, const std::optional<TokenId>& after) const {
    return pass_.returned && pass_.returned == after && pass_.slots == slots &&
           Clock::now() - pass_.begun < pass_age_max;
  }

  void begin_pass(const SlotSet& slots, const std::optional<TokenId>& after) {
    pass_ = {};  // its memory is needed
    pass_ = find_ids(slots, after);
  }

  /// A token gets another key while an export reads held slots, and the pass may then miss it. A second pass sees it by its new
  /// key.
  Pass find_ids(const SlotSet& slots, const std::optional<TokenId>& after) {
    for (int attempt = 0; attempt < attempts_max; ++attempt) {
      Pass pass{.slots = slots, .begun = Clock::now()};
      const auto marks = read_marks(*nodes_);
      const auto visible = slots & ~marks.of(Mark::moved);
      const auto held = visible & marks.of(Mark::held);
      LowestIds lowest(ids_max_, after);
      const auto visit = [&](std::string_view key) {
        const auto its = parse_key(key);
        if (!its || is_probe(its->id)) return;
        const auto slot = domain::slot_of(its->id);
        if (visible[slot] && (!its->is_held || held[slot])) lowest.add(its->id);
      };
      const auto forget = [&] { lowest.clear(); };
      nodes_->scan(all_tokens, forget, visit);
      const auto add_to_them = [] {};
      if (held.any()) nodes_->scan(all_tokens, add_to_them, visit);
      if (read_marks(*nodes_) != marks) continue;
      pass.ids = lowest.take();
      pass.ids.shrink_to_fit();
      pass.is_more = lowest.left_out();
      return pass;
    }
    throw StoreError("tokens are being moved; list them when no export or import begins or ends");
  }

  std::vector<TokenSummary> next_of_pass(std::size_t limit) {
    const auto ids = std::span(pass_.ids).subspan(pass_.done);
    const auto looked_at = ids.first(std::min({looked_at_next_, limit, ids.size()}));
    const auto places = places_of(looked_at);
    std::size_t tokens = 0;
    for (std::size_t fields = 0; tokens < looked_at.size(); ++tokens) {
      fields += places[tokens].fields;
      if (tokens > 0 && fields > fields_of_a_step) break;
    }
    auto summaries = sum_up(looked_at.first(tokens), std::span(places).first(tokens));
    pass_.done += tokens;
    looked_at_next_ = std::clamp<std::size_t>(2 * tokens, 4, tokens_of_a_step);
    return summaries;
  }

  /// Nothing: it lost this place meanwhile.
  std::optional<TokenSummary> sum_up(const TokenId& id, const Place& place) {
    DistinctSum sum(place.fields);
    do {
      const bool is_there = nodes_->scan_hash(
          domain::slot_of(id), place.key, "*", [&] { sum.begin(); },
          [&](std::string_view path, std::string_view value) { add_field(place, path, value, sum); });
      if (!is_there) return std::nullopt;
    } while (sum.end());
    return summary_of(id, place, sum);
  }

  static void add_field(const Place& place, std::string_view path, std::string_view value, DistinctSum& sum) {
    sum.add(path, path.empty() ? 0 : count_in(place.key, value));
  }

  /// One of the fields is the empty one.
  static TokenSummary summary_of(const TokenId& id, const Place& place, const DistinctSum& sum) {
    return {.id = id, .record = place.record, .paths = sum.fields() - 1, .total = sum.total()};
  }

  /// Of those that are here.
  std::vector<TokenSummary> sum_up(std::span<const TokenId> ids, std::span<const Place> places) {
    std::vector<RedisTask> tasks;
    std::vector<std::size_t> small;  // the tokens of the tasks
    for (std::size_t i = 0; i < ids.size(); ++i) {
      const auto& place = places[i];
      if (place.kind != Place::Kind::here || place.fields > fields_of_a_step) continue;
      auto& task = tasks.emplace_back(domain::slot_of(ids[i]), place.key);
      task.add({"HSCAN", place.key, "0", "COUNT", std::to_string(2 * fields_of_a_step)});
      task.add({"HLEN", place.key});
      small.push_back(i);
    }
    nodes_->run(tasks, Kind::reads);
    std::vector<TokenSummary> summaries;
    std::size_t task = 0;
    for (std::size_t i = 0; i < ids.size(); ++i) {
      if (places[i].kind != Place::Kind::here) continue;
      std::optional<TokenSummary> summary;
      if (task < small.size() && small[task] == i) summary = sum_up(ids[i], places[i], tasks[task++]);
      if (!summary) summary = find_unless_moved(ids[i]);
      if (summary) summaries.push_back(*summary);
    }
    return summaries;
  }

  /// Nothing: these are not all its fields.
  static std::optional<TokenSummary> sum_up(const TokenId& id, const Place& place, const RedisTask& task) {
    if (task.replies[1]->integer == 0) return std::nullopt;
    DistinctSum sum(place.fields);
    sum.begin();
    const auto cursor = visit_fields(*task.replies[0], [&](std::string_view path, std::string_view value) {
      add_field(place, path, value, sum);
    });
    if (cursor != "0") return std::nullopt;
    sum.end();
    return summary_of(id, place, sum);
  }

  std::optional<TokenSummary> find_unless_moved(const TokenId& id) {
    try {
      return find(id);
    } catch (const MovedError&) {
      return std::nullopt;
    }
  }

  /// A token may get another key between two commands. So the first key is looked at twice, and the mark before and after. Each
  /// look is a task of its own: while a slot of a cluster moves, its keys are at two nodes.
  std::vector<Place> places_of(std::span<const TokenId> ids) {
    const bool marks_are_together = !proxy_ && !nodes_->is_cluster();
    std::vector<RedisTask> tasks;
    if (marks_are_together) add_look(tasks, domain::Slot{0}, facts_key, marks_field);
    for (const auto& id : ids) add_looks(tasks, id);
    if (marks_are_together) add_look(tasks, domain::Slot{0}, facts_key, marks_field);
    nodes_->run(tasks, Kind::reads);
    SlotMarks before;
    SlotMarks after;
    std::span looks(tasks);
    if (marks_are_together) {
      before = parse_stored(string_of(*looks.front().replies[0]));
      after = parse_stored(string_of(*looks.back().replies[0]));
      looks = looks.subspan(1, looks.size() - 2);
    }
    std::vector<Place> places;
    const auto of_each = ids.empty() ? 0 : looks.size() / ids.size();
    for (std::size_t i = 0; i < ids.size(); ++i) {
      auto its = looks.subspan(i * of_each, of_each);
      MarksAround marks{kind_of(before.of(domain::slot_of(ids[i]))),
                        kind_of(after.of(domain::slot_of(ids[i])))};
      if (nodes_->is_cluster()) {
        marks = {stored_kind(its.front()), stored_kind(its.back())};
        its = its.subspan(1, its.size() - 2);
      }
      places.push_back(place_of(ids[i], its, marks));
    }
    return places;
  }

  static void add_look(std::vector<RedisTask>& tasks, domain::Slot slot, std::string_view key,
                       std::string_view field) {
    auto& task = tasks.emplace_back(slot, std::string(key));
    task.add({"HGET", key, field});
    task.add({"HLEN", key});
  }

  void add_looks(std::vector<RedisTask>& tasks, const TokenId& id) const {
    const auto slot = domain::slot_of(id);
    const auto key = redis_key(id);
    if (nodes_->is_cluster()) add_look(tasks, slot, mark_key(slot), marked_field);
    for (const auto& its : {key, ended_key(id), held_key(id), key}) add_look(tasks, slot, its, "");
    if (nodes_->is_cluster()) add_look(tasks, slot, mark_key(slot), marked_field);
  }

  /// What marked the slot before and after its token was looked for.
  struct MarksAround {
    std::optional<Mark> before;
    std::optional<Mark> after;
  };
  static std::optional<Mark> kind_of(const SlotMark* mark) {
    return mark == nullptr ? std::nullopt : std::optional(mark->kind);
  }
  static std::optional<Mark> stored_kind(const RedisTask& look) {
    const auto mark = parse_stored_mark(*look.replies[0], look.key);
    return kind_of(mark ? &*mark : nullptr);
  }

  Place place_of(const TokenId& id, std::span<const RedisTask> looks, const MarksAround& marks) const {
    const auto is_at = [&](std::size_t look) { return looks[look].replies[0]->type == REDIS_REPLY_STRING; };
    const auto here = [&](std::size_t look) {
      const auto& its = looks[look];
      const auto fields = static_cast<std::size_t>(its.replies[1]->integer);
      return Place{.kind = Place::Kind::here,
                   .key = its.key,
                   .record = parse_origin(string_of(*its.replies[0]), fields, its.key).record,
                   .fields = fields};
    };
    constexpr std::size_t first = 0, ended = 1, held = 2, again = 3;
    if (marks.before == Mark::moved) return {Place::Kind::moved};
    if (is_at(first)) return here(first);
    if (is_at(ended)) return here(ended);
    if (is_at(held) && (marks.before == Mark::held || marks.after == Mark::held)) return here(held);
    if (is_at(again)) return here(again);
    if (marks.after == Mark::moved) return {Place::Kind::moved};
    if (is_at(held) && proxy_) {
      throw StoreError("token " + to_string(id) +
                       " is being moved, and through a proxy nobody sees how; ask the Redis that has it, by "
                       "--redis-addr without --redis-proxy");
    }
    return {};
  }

  /// Calls `read` with the place of the token until it returns something. Nothing: there is no such token.
  template <typename Read>
  auto at_its_place(const TokenId& id, Read read) -> decltype(read(Place())) {
    for (int attempt = 0; attempt < attempts_max; ++attempt) {
      const auto place = places_of({&id, 1}).front();
      if (place.kind == Place::Kind::nowhere) return std::nullopt;
      if (place.kind == Place::Kind::moved) throw MovedError();
      if (auto its = read(place)) return its;
    }
    throw StoreError("token " + to_string(id) + " is being moved; ask again when that has ended");
  }

  const std::unique_ptr<RedisNodes> nodes_;
  const bool proxy_;
  const std::size_t ids_max_;
  Pass pass_;
  std::size_t looked_at_next_ = 4;
};

}  // namespace

std::unique_ptr<CountReader> redis_count_reader(const RedisSettings& settings, std::size_t ids_max) {
  return std::make_unique<Reader>(std::make_unique<RedisNodes>(settings), settings.proxy, ids_max);
}

std::unique_ptr<CountReader> cluster_count_reader(const RedisSettings& settings,
                                                  const std::vector<runtime::Address>& nodes,
                                                  std::size_t ids_max) {
  return std::make_unique<Reader>(std::make_unique<RedisNodes>(settings, nodes), false, ids_max);
}

}  // namespace tracker::store::redis
