#include "store/redis/cluster_store.h"

#include <algorithm>
#include <atomic>
#include <boost/asio/dispatch.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <condition_variable>
#include <map>
#include <mutex>
#include <set>
#include <utility>

#include "domain/slot.h"
#include "domain/sub_batch.h"
#include "link/link.h"
#include "runtime/deadlines.h"
#include "runtime/log.h"
#include "store/redis/cluster_listener.h"
#include "store/redis/redis_channel.h"
#include "store/redis/redis_keys.h"
#include "store/store_metrics.h"

namespace tracker::store::redis {

namespace {

using namespace std::chrono_literals;
using domain::Readiness;
using domain::Slot;
using domain::Verdict;
using TimePoint = ClusterMap::TimePoint;

constexpr int redirects_max = 5;
constexpr auto pause_first =
    10ms;  // before a hit is sent for the third time; each further pause is twice as long
constexpr auto pause_longest = 160ms;
constexpr auto refusal_margin = 20ms;  // before a deadline
constexpr auto view_pause = 1'000ms;   // between two looks at the cluster
constexpr auto view_pause_shortest = 50ms;
constexpr auto silence_max = 1'000ms;
constexpr auto add_redirects_max = 5;

std::chrono::milliseconds pause_after(int tries) {
  if (tries == 0) return 0ms;
  return std::min<std::chrono::milliseconds>(pause_first * (1 << std::min(tries - 1, 8)), pause_longest);
}

/// A node that is silent for a second may have been replaced meanwhile. What it executes when it goes on is lost then.
link::LinkSettings link_settings(const RedisSettings& settings) {
  return {.retry_longest = 1'000ms,
          .cut_patience = 0ms,
          .window_bytes = 8 * 1024 * 1024,
          .progress = std::min<std::chrono::milliseconds>(settings.reply_deadline, silence_max),
          .question_pause = 500ms,
          .asks_while_busy = true};
}

RedisSettings settings_of(const RedisSettings& settings, const runtime::Address& address) {
  auto its = settings;
  its.redis.address = address;
  return its;
}

}  // namespace

/// All of it but wait_until_ready() and the calls of other threads belongs to the loop's thread.
class ClusterStore::Parts final : private ClusterListener {
 public:
  Parts(boost::asio::io_context& loop, RedisSettings settings, const std::vector<runtime::Address>& nodes);
  ~Parts();

  boost::asio::io_context& loop() { return loop_; }
  const StoreFactsSource& facts() const { return facts_; }
  const ReadinessSource& readiness() const { return readiness_; }
  const runtime::Observable<ClusterSlots>& slots() const { return slots_; }
  void ask_also(const std::vector<runtime::Address>& nodes);

  void track(const domain::HitBatch& hits, TrackReply& reply) { divide(hits, reply, nullptr); }
  void add(const domain::TokenId& id, const domain::TokenRecord& record, domain::Deadline deadline,
           AddReply& reply);
  void set_password(const std::string& password);
  // Any thread.
  const link::LinkMetrics& metrics() const { return metrics_; }
  std::uint64_t keys() const { return keys_; }  // of all masters
  std::uint64_t tokens_max() const { return settings_.rules.tokens_max; }

 private:
  struct Node;
  class Part;
  class Adding;

  // What the nodes say.
  void on_view(const ClusterView& view, TimePoint asked) override;
  void on_moved(Slot slot, const runtime::Address& to) override;
  void on_asked_elsewhere(Slot slot, const runtime::Address& to) override;
  void on_full_coverage_required() override;
  void on_readiness(Node& node, const Readiness& readiness);
  void tell();
  void share_tokens();
  void tell_slots();
  Node& node_at(const runtime::Address& address);
  Node* find(const runtime::Address& address) const;
  void retire_unused();
  void fetch();
  void fetch_at(TimePoint time);

  // Where hits go.
  bool counts(std::uint16_t index) const;
  Node* route(Slot slot) const;
  Node* node_asked_for(Slot slot) const;
  void divide(const domain::HitBatch& hits, TrackReply& reply, Part* from);
  void send(Part& part);
  struct Attempt;
  Part& new_part(TrackReply& whole, domain::Deadline deadline, const Attempt& attempt);
  void take_back(Part& part) { free_.push_back(&part); }
  bool may_try_again(const Part& part, Elsewhere how) const;
  void try_again(Part& part);
  void ask_for_mark(Slot slot, std::string_view field, domain::Deadline deadline,
                    const FindMark::Reply& reply) const;
  void seek_mark(Slot slot, Part& part);
  void at(TimePoint time, std::function<void()> action);
  void wait_for_first_due();

  boost::asio::io_context& loop_;
  RedisSettings settings_;
  link::LinkMetrics metrics_;  // of the links to all nodes
  std::atomic<std::uint64_t> keys_ = 0;
  ClusterMap map_;
  std::map<std::string, std::unique_ptr<Node>> nodes_;  // by their addresses
  std::vector<std::unique_ptr<Node>> former_;           // a link must not end before its loop
  std::vector<Node*> by_index_;                         // of the map
  std::map<Slot, runtime::Address> moved_;              // since the last view
  std::map<Slot, runtime::Address> asked_;
  bool strange_ = false;   // another cluster was seen
  bool coverage_ = false;  // it was logged that a node wants all slots to have masters

  std::vector<std::unique_ptr<Part>> parts_;  // all there are
  std::vector<Part*> free_;
  std::multimap<TimePoint, std::function<void()>> due_;
  boost::asio::steady_timer again_;  // for the first of them
  boost::asio::steady_timer fetching_;
  TimePoint fetched_{};
  TimePoint next_fetch_ = TimePoint::max();

  std::map<std::string, std::string> ids_;  // of nodes, by the addresses at which they were asked
  runtime::Observable<ClusterSlots> slots_{ClusterSlots{}};
  StoreFactsSource facts_{std::nullopt};
  ReadinessSource readiness_{Readiness::not_ready("no node of the cluster has been reached yet")};
};

struct ClusterStore::Parts::Node {
  Node(Parts& parts, const runtime::Address& its_address)
      : address(its_address),
        shared(parts.loop_, settings_of(parts.settings_, its_address)),
        link(parts.loop_, {.name = "Redis node at " + runtime::to_string(its_address),
                           .address = its_address,
                           .settings = link_settings(parts.settings_),
                           .changes = &changes,
                           .metrics = &parts.metrics_,
                           .make_channel = [this](auto id, std::unique_ptr<link::Transport> transport) {
                             return std::make_shared<RedisChannel>(shared, link, id, std::move(transport));
                           }}) {
    shared.knowledge.cluster = &parts;
    of_room.emplace(shared.room.subscribe([&parts](const Readiness& /*its*/) { parts.tell(); }));
    to_parts.emplace(
        link.readiness().subscribe([this, &parts](const Readiness& its) { parts.on_readiness(*this, its); }));
  }

  const runtime::Address address;
  RedisShared shared;
  runtime::ChangeLog changes;
  link::Link link;
  bool is_to_begin_with = false;
  bool is_asked_too = false;
  bool is_ready = false;
  TimePoint ready_since{};  // it counts only if another master has confirmed it since then
  Readiness readiness = Readiness::not_ready("it is not known yet");
  std::optional<runtime::Subscription> to_parts;
  std::optional<runtime::Subscription> of_room;
};

/// How often hits were sent, and why they are to be sent again.
struct ClusterStore::Parts::Attempt {
  int redirects = 0;
  int tries = 0;  // redirects and refusals
  Elsewhere how = Elsewhere::no;
  /// Where ASK leads, an unknown token may be one whose slot is marked at the node that said ASK. So that one is asked for
  /// the mark, and then the other one for the token once more.
  bool mark_was_sought = false;
};

/// The hits of a batch that go to one node, or that wait to be sent again.
class ClusterStore::Parts::Part final : public domain::SubBatch {
 public:
  explicit Part(Parts& parts) : parts_(parts) {}

  Node* node = nullptr;  // null while they wait
  Attempt attempt;

  void on_verdicts(std::span<const domain::HitVerdict> verdicts) override {
    std::vector<domain::HitVerdict> certain;
    Part* again[2] = {};  // of hits for which ASK came, and of others
    std::map<Slot, Part*> unknown;
    for (const auto& [hit, verdict] : verdicts) {
      if (attempt.how == Elsewhere::asked && !attempt.mark_was_sought &&
          verdict.kind == Verdict::Kind::unknown_token) {
        auto*& part = unknown[domain::slot_of(hits().id(hit))];
        if (part == nullptr) part = &parts_.new_part(whole(), hits().deadline(), attempt);
        part->push(hits(), hit, number(hit));
        leave(1);
        continue;
      }
      const auto its = elsewhere(verdict);
      if (its == Elsewhere::no || !parts_.may_try_again(*this, its)) {
        certain.push_back({hit, its == Elsewhere::no ? verdict : Verdict::not_counted()});
        continue;
      }
      auto*& part = again[its == Elsewhere::asked ? 0 : 1];
      if (part == nullptr) {
        part = &parts_.new_part(whole(), hits().deadline(),
                                {.redirects = attempt.redirects + (its == Elsewhere::again ? 0 : 1),
                                 .tries = attempt.tries + 1,
                                 .how = its});
      }
      part->push(hits(), hit, number(hit));
      leave(1);
    }
    if (!certain.empty()) pass_on(certain);
    if (is_settled()) parts_.take_back(*this);
    for (auto* part : again) {
      if (part != nullptr) parts_.try_again(*part);
    }
    for (const auto& [slot, part] : unknown) parts_.seek_mark(slot, *part);
  }

  /// The verdict on all its hits.
  void settle(const Verdict& verdict) {
    std::vector<domain::HitVerdict> verdicts;
    for (std::uint32_t hit = 0; hit < hits().size(); ++hit) verdicts.push_back({hit, verdict});
    pass_on(verdicts);
    parts_.take_back(*this);
  }

  /// Its hits are in other parts now.
  void give_away() { leave(hits().size()); }

 private:
  Parts& parts_;
};

/// A token on its way to its node. Deletes itself.
class ClusterStore::Parts::Adding final : public AddReply {
 public:
  Adding(Parts& parts, const domain::TokenId& id, domain::TokenRecord record, domain::Deadline deadline,
         AddReply& reply)
      : parts_(parts), id_(id), record_(std::move(record)), deadline_(deadline), reply_(reply) {}

  void send() {
    const auto slot = domain::slot_of(id_);
    // Not each time, because the owner may have finished the move.
    if (tries_ % 2 == 0 || !parts_.asked_.contains(slot)) return send(parts_.route(slot), false);
    parts_.ask_for_mark(slot, holds_field, deadline_, [this, slot](FindMark::Place place) {
      is_refused_ = place == FindMark::Place::here;
      if (place != FindMark::Place::elsewhere) return on_added(domain::Failure::not_done);
      send(parts_.node_asked_for(slot), true);
    });
  }

  /// To add a token twice harms nobody, but what was perhaps added is told as such.
  void on_added(domain::Result<void> added) override {
    if (sent_ != nullptr) is_refused_ = std::exchange(sent_, nullptr)->is_refused;
    const auto at = TimePoint::clock::now() + pause_after(tries_);
    if (added || added.error() != domain::Failure::not_done || is_refused_ || tries_ == add_redirects_max ||
        at + refusal_margin > deadline_) {
      const std::unique_ptr<Adding> self(this);
      return reply_.on_added(added);
    }
    ++tries_;
    parts_.at(at, [this] { send(); });
  }

 private:
  void send(Node* node, bool asking) {
    if (node == nullptr) return on_added(domain::Failure::not_done);
    auto token = std::make_unique<AddToken>(id_, record_, deadline_, *this, asking);
    sent_ = token.get();
    node->link.request(std::move(token));
  }

  Parts& parts_;
  const domain::TokenId id_;
  const domain::TokenRecord record_;
  const domain::Deadline deadline_;
  AddReply& reply_;
  const AddToken* sent_ = nullptr;  // until its answer has been heard
  bool is_refused_ = false;
  int tries_ = 0;
};

ClusterStore::Parts::Parts(boost::asio::io_context& loop, RedisSettings settings,
                           const std::vector<runtime::Address>& nodes)
    : loop_(loop), settings_(std::move(settings)), again_(loop), fetching_(loop) {
  for (const auto& address : nodes) node_at(address).is_to_begin_with = true;
  tell();
  fetch_at(TimePoint::clock::now() + view_pause);
}

ClusterStore::Parts::~Parts() = default;

void ClusterStore::Parts::set_password(const std::string& password) {
  settings_.redis.password = password;
  for (auto& [address, node] : nodes_) node->shared.settings.redis.password = password;
}

// What the nodes say.

ClusterStore::Parts::Node* ClusterStore::Parts::find(const runtime::Address& address) const {
  const auto found = nodes_.find(runtime::to_string(address));
  return found == nodes_.end() ? nullptr : found->second.get();
}

ClusterStore::Parts::Node& ClusterStore::Parts::node_at(const runtime::Address& address) {
  if (auto* node = find(address)) return *node;
  auto node = std::make_unique<Node>(*this, address);  // it tells its readiness at once
  return *nodes_.emplace(runtime::to_string(address), std::move(node)).first->second;
}

void ClusterStore::Parts::ask_also(const std::vector<runtime::Address>& nodes) {
  for (auto& [address, node] : nodes_) node->is_asked_too = false;
  for (const auto& address : nodes) node_at(address).is_asked_too = true;
}

void ClusterStore::Parts::on_readiness(Node& node, const Readiness& readiness) {
  if (readiness.is_ready() && !node.is_ready) {
    node.ready_since = TimePoint::clock::now();
    fetch_at(node.ready_since);
  }
  node.is_ready = readiness.is_ready();
  node.readiness = readiness;
  tell();
}

void ClusterStore::Parts::on_view(const ClusterView& view, TimePoint asked) {
  if (!map_.take(view, asked)) {
    if (!std::exchange(strange_, true)) {
      runtime::log_warning("a node of another Redis Cluster answers at an address of this one (its id is " +
                           view.myself + "); it is not used. If that cluster is meant, restart tracker");
    }
    return;
  }
  ids_[runtime::to_string(view.asked)] = view.myself;
  moved_.clear();
  by_index_.clear();
  for (const auto& node : map_.nodes())
    by_index_.push_back(node.slots == 0 ? nullptr : &node_at(node.address));
  retire_unused();
  share_tokens();
  std::uint64_t keys = 0;
  for (const auto* node : by_index_) keys += node == nullptr ? 0 : node->shared.knowledge.keys;
  keys_ = keys;
  tell_slots();
  tell();
}

/// Each master may have an equal share of the tokens.
void ClusterStore::Parts::share_tokens() {
  const auto masters = std::ranges::count_if(by_index_, [](const Node* node) { return node != nullptr; });
  if (settings_.rules.tokens_max == 0 || masters == 0) return;
  const auto share =
      std::max<std::uint64_t>(settings_.rules.tokens_max / static_cast<std::uint64_t>(masters), 1);
  for (auto& [address, node] : nodes_) node->shared.knowledge.tokens_max = share;
}

void ClusterStore::Parts::tell_slots() {
  ClusterSlots told{.nodes = ids_};
  for (const auto& node : map_.nodes()) told.masters.push_back(node.id);
  for (std::size_t slot = 0; slot < domain::slots; ++slot)
    told.owners.push_back(map_.owner(static_cast<Slot>(slot)));
  slots_.set(std::move(told));
}

void ClusterStore::Parts::retire_unused() {
  for (auto its = nodes_.begin(); its != nodes_.end();) {
    auto& node = its->second;
    const bool is_asked =
        std::ranges::any_of(asked_, [&node](const auto& asked) { return asked.second == node->address; });
    if (is_asked || node->is_to_begin_with || node->is_asked_too ||
        std::ranges::find(by_index_, node.get()) != by_index_.end()) {
      ++its;
      continue;
    }
    node->to_parts.reset();
    node->of_room.reset();
    node->link.retire();
    former_.push_back(std::move(node));
    its = nodes_.erase(its);
  }
}

void ClusterStore::Parts::on_moved(Slot slot, const runtime::Address& to) {
  moved_[slot] = to;
  fetch_at(TimePoint::clock::now());
}

/// The node may be new, and have no slot yet.
void ClusterStore::Parts::on_asked_elsewhere(Slot slot, const runtime::Address& to) {
  asked_[slot] = to;
  node_at(to);
}

void ClusterStore::Parts::on_full_coverage_required() {
  if (std::exchange(coverage_, true)) return;
  runtime::log_warning(
      "the Redis Cluster has cluster-require-full-coverage yes: while one slot has no master, no node counts "
      "anything. CONFIG SET cluster-require-full-coverage no, at each node, lets the others count on");
}

/// Asks all nodes for their views at this time, or later if they were asked just now.
void ClusterStore::Parts::fetch_at(TimePoint time) {
  time = std::max(time, fetched_ + view_pause_shortest);
  if (time >= next_fetch_) return;
  next_fetch_ = time;
  fetching_.expires_at(time);
  fetching_.async_wait([this](const boost::system::error_code& error) {
    if (!error) fetch();
  });
}

void ClusterStore::Parts::fetch() {
  fetched_ = TimePoint::clock::now();
  next_fetch_ = TimePoint::max();
  for (const auto& [address, node] : nodes_) {
    if (node->is_ready) node->link.request(std::make_unique<FetchView>(fetched_ + silence_max));
  }
  fetch_at(fetched_ + view_pause);
}

void ClusterStore::Parts::tell() {
  std::vector<std::string> remarks;
  bool any_counts = false;
  std::size_t owned = 0;
  std::set<std::string> masters;
  for (std::size_t i = 0; i < by_index_.size(); ++i) {
    const auto& node = map_.nodes()[i];
    if (by_index_[i] == nullptr) continue;
    owned += node.slots;
    masters.insert(node.id);
    const auto room = by_index_[i]->shared.room.value();
    remarks.insert(remarks.end(), room.remarks().begin(), room.remarks().end());
    if (counts(static_cast<std::uint16_t>(i))) {
      any_counts = true;
    } else if (by_index_[i]->is_ready) {
      remarks.push_back("Redis node at " + runtime::to_string(node.address) +
                        " has not been confirmed by another master yet");
    } else {
      remarks.push_back(by_index_[i]->readiness.why_not());
    }
  }
  if (!map_.is_empty() && owned < domain::slots)
    remarks.push_back(std::to_string(domain::slots - owned) + " slots of the Redis Cluster have no master");
  if (map_.is_empty()) {
    for (const auto& [address, node] : nodes_) {
      if (!node->is_ready) remarks.push_back(node->readiness.why_not());
    }
  }
  if (!masters.empty()) facts_.set(StoreFacts{.masters = std::move(masters)});
  const auto now = std::chrono::system_clock::now();
  if (any_counts) return readiness_.set(Readiness::ready(now, std::move(remarks)));
  std::string why = map_.is_empty() ? "no node of the Redis Cluster has told which masters there are" : "";
  for (const auto& remark : remarks) why += (why.empty() ? "" : "; ") + remark;
  readiness_.set(Readiness::not_ready(std::move(why), now));
}

// Where hits go.

bool ClusterStore::Parts::counts(std::uint16_t index) const {
  const auto* node = by_index_[index];
  return node != nullptr && node->is_ready && map_.nodes()[index].confirmed >= node->ready_since;
}

/// Null: nobody can count there.
ClusterStore::Parts::Node* ClusterStore::Parts::route(Slot slot) const {
  auto index = map_.owner(slot);
  if (!moved_.empty()) {
    if (const auto moved = moved_.find(slot); moved != moved_.end())
      index = map_.find(moved->second).value_or(index);
  }
  return index == ClusterMap::nobody || !counts(index) ? nullptr : by_index_[index];
}

/// The node that was named by ASK, if it can count. It may have no slot yet.
ClusterStore::Parts::Node* ClusterStore::Parts::node_asked_for(Slot slot) const {
  const auto asked = asked_.find(slot);
  if (asked == asked_.end()) return nullptr;
  auto* node = find(asked->second);
  const auto index = map_.find(asked->second);
  const bool is_of_map = index && *index < by_index_.size() && by_index_[*index] != nullptr;
  return node != nullptr && node->is_ready && (!is_of_map || counts(*index)) ? node : nullptr;
}

/// `from`: the part whose hits these are. Null: they are a whole batch.
void ClusterStore::Parts::divide(const domain::HitBatch& hits, TrackReply& reply, Part* from) {
  std::vector<Part*> filled;
  std::vector<domain::HitVerdict> refused;
  Part* later = nullptr;  // of hits whose node is not connected yet
  const auto attempt = from == nullptr ? Attempt{} : from->attempt;
  for (std::uint32_t hit = 0; hit < hits.size(); ++hit) {
    const auto number = from == nullptr ? hit : from->number(hit);
    const auto slot = domain::slot_of(hits.id(hit));
    auto* node = route(slot);
    if (attempt.how == Elsewhere::asked) {
      node = node_asked_for(slot);
      if (node == nullptr && attempt.tries < redirects_max && may_try_again(*from, Elsewhere::again)) {
        if (later == nullptr) {
          auto next = attempt;
          ++next.tries;
          next.mark_was_sought = false;
          later = &new_part(reply, hits.deadline(), next);
        }
        later->push(hits, hit, number);
        continue;
      }
    }
    if (node == nullptr) {
      refused.push_back({number, Verdict::not_counted()});
      continue;
    }
    const auto its = std::ranges::find(filled, node, &Part::node);
    auto* part = its == filled.end() ? nullptr : *its;
    if (part == nullptr) {
      part = filled.emplace_back(&new_part(reply, hits.deadline(), attempt));
      part->node = node;
    }
    part->push(hits, hit, number);
  }
  if (from != nullptr) {
    from->give_away();
    take_back(*from);
  }
  if (!refused.empty()) reply.on_verdicts(refused);
  for (auto* part : filled) send(*part);
  if (later != nullptr) try_again(*later);
}

ClusterStore::Parts::Part& ClusterStore::Parts::new_part(TrackReply& whole, domain::Deadline deadline,
                                                         const Attempt& attempt) {
  if (free_.empty()) {
    parts_.push_back(std::make_unique<Part>(*this));
    free_.push_back(parts_.back().get());
  }
  auto& part = *free_.back();
  free_.pop_back();
  part.begin(whole, deadline);
  part.node = nullptr;
  part.attempt = attempt;
  return part;
}

void ClusterStore::Parts::send(Part& part) {
  if (part.attempt.how != Elsewhere::asked) return part.node->link.track(part.hits(), part);
  part.node->link.request(std::make_unique<AskedHits>(part.hits(), part));
}

bool ClusterStore::Parts::may_try_again(const Part& part, Elsewhere how) const {
  if (how != Elsewhere::again && part.attempt.redirects == redirects_max) return false;
  return TimePoint::clock::now() + pause_after(part.attempt.tries) + refusal_margin < part.hits().deadline();
}

void ClusterStore::Parts::try_again(Part& part) {
  const auto send_again = [this, &part] { divide(part.hits(), part.whole(), &part); };
  const auto pause = pause_after(part.attempt.tries - 1);
  if (pause == 0ms) return send_again();
  at(TimePoint::clock::now() + pause, send_again);
}

void ClusterStore::Parts::ask_for_mark(Slot slot, std::string_view field, domain::Deadline deadline,
                                       const FindMark::Reply& reply) const {
  auto* owner = route(slot);
  if (owner == nullptr) return reply(FindMark::Place::unknown);
  owner->link.request(std::make_unique<FindMark>(slot, field, deadline, reply));
}

/// Asks for the mark of a slot that moves, before these tokens of it are said to be unknown.
void ClusterStore::Parts::seek_mark(Slot slot, Part& part) {
  ask_for_mark(slot, marked_field, part.hits().deadline(), [this, &part](FindMark::Place place) {
    part.attempt.mark_was_sought = place == FindMark::Place::elsewhere;
    if (part.attempt.mark_was_sought) return divide(part.hits(), part.whole(), &part);
    part.attempt.how = Elsewhere::again;
    ++part.attempt.tries;
    if (place == FindMark::Place::here || !may_try_again(part, Elsewhere::again))
      return part.settle(Verdict::not_counted());
    try_again(part);
  });
}

void ClusterStore::Parts::at(TimePoint time, std::function<void()> action) {
  const bool is_first = due_.empty() || time < due_.begin()->first;
  due_.emplace(time, std::move(action));
  if (is_first) wait_for_first_due();
}

void ClusterStore::Parts::wait_for_first_due() {
  again_.expires_at(due_.begin()->first);
  again_.async_wait([this](const boost::system::error_code& error) {
    if (error) return;
    while (!due_.empty() && due_.begin()->first <= TimePoint::clock::now()) {
      const auto action = std::move(due_.begin()->second);
      due_.erase(due_.begin());
      action();
    }
    if (!due_.empty()) wait_for_first_due();
  });
}

void ClusterStore::Parts::add(const domain::TokenId& id, const domain::TokenRecord& record,
                              domain::Deadline deadline, AddReply& reply) {
  (new Adding(*this, id, record, deadline, reply))->send();
}

// The store.

ClusterStore::ClusterStore(boost::asio::io_context& loop, const RedisSettings& settings,
                           const std::vector<runtime::Address>& nodes)
    : parts_(std::make_unique<Parts>(loop, settings, nodes)) {}

ClusterStore::~ClusterStore() = default;

void ClusterStore::track(const domain::HitBatch& hits, TrackReply& reply) {
  boost::asio::dispatch(parts_->loop(), [parts = parts_.get(), &hits, &reply] { parts->track(hits, reply); });
}

void ClusterStore::add_token(const domain::TokenId& id, const domain::TokenRecord& record,
                             domain::Deadline deadline, AddReply& reply) {
  boost::asio::dispatch(parts_->loop(), [parts = parts_.get(), id, record, deadline, &reply] {
    parts->add(id, record, deadline, reply);
  });
}

const StoreFactsSource& ClusterStore::facts() const {
  return parts_->facts();
}

void ClusterStore::write_record(std::string /*record*/, domain::Deadline /*deadline*/, WriteReply& reply) {
  reply.on_written(domain::Failure::not_done);
}

void ClusterStore::find_slots(SlotsReply& reply) {
  reply.on_slots(domain::Failure::not_done);
}

const ReadinessSource& ClusterStore::readiness() const {
  return parts_->readiness();
}

void ClusterStore::report_links(metrics::Page& page) const {
  parts_->metrics().report(page, "redis");
}

void ClusterStore::report(metrics::Page& page) const {
  report_links(page);
  const auto& metrics = parts_->metrics();
  report_commits(page, "redis", metrics.round_trips, metrics.message_hits);
  if (const auto tokens_max = parts_->tokens_max(); tokens_max > 0)
    report_tokens(page, parts_->keys(), tokens_max);
}

const runtime::Observable<ClusterSlots>& ClusterStore::slots() const {
  return parts_->slots();
}

void ClusterStore::ask_also(const std::vector<runtime::Address>& nodes) {
  boost::asio::post(parts_->loop(), [parts = parts_.get(), nodes] { parts->ask_also(nodes); });
}

void ClusterStore::set_password(const std::string& password) {
  boost::asio::post(parts_->loop(), [parts = parts_.get(), password] { parts->set_password(password); });
}

void ClusterStore::wait_until_ready(std::chrono::milliseconds longest) const {
  std::mutex mutex;
  std::condition_variable changed;
  bool is_ready = false;
  const auto subscription = readiness().subscribe([&](const Readiness& readiness) {
    const std::lock_guard lock(mutex);
    is_ready = readiness.is_ready();
    changed.notify_all();
  });
  std::unique_lock lock(mutex);
  changed.wait_for(lock, longest, [&] { return is_ready; });
}

}  // namespace tracker::store::redis
