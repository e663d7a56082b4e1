#include "counter/partitioned_counter.h"

#include <algorithm>
#include <cassert>
#include <chrono>
#include <random>
#include <utility>

#include "domain/slot.h"
#include "domain/token_id.h"

namespace tracker::counter {

using domain::Readiness;
using domain::Verdict;
using Kind = Verdict::Kind;

/// The hits of a batch that go to one counter.
class PartitionedCounter::Part final : public domain::SubBatch {
 public:
  explicit Part(PartitionedCounter& whole) : counters_(whole) {}

  std::size_t member = nobody;
  bool is_first_try = true;

  void on_verdicts(std::span<const domain::HitVerdict> verdicts) override {
    if (counters_.passes_through(member)) {
      pass_on(verdicts);
    } else {
      pass_on_believed(verdicts);
    }
    if (is_settled()) counters_.take_back(*this);
  }

 private:
  void pass_on_believed(std::span<const domain::HitVerdict> verdicts) {
    std::vector<domain::HitVerdict> certain;
    std::vector<Part*> others;  // that stand in, each for some of the hits
    for (auto [hit, verdict] : verdicts) {
      if (verdict.kind == Kind::unknown_token && !counters_.believes_unknown(member))
        verdict = Verdict::not_counted();
      const auto other = verdict.kind == Kind::not_counted ? stand_in(hit) : nobody;
      if (other == nobody) {
        certain.push_back({hit, verdict});
        continue;
      }
      auto part = std::ranges::find(others, other, &Part::member);
      if (part == others.end()) {
        others.push_back(&counters_.new_part(other, hits(), whole()));
        others.back()->is_first_try = false;
        part = others.end() - 1;
      }
      (*part)->push(hits(), hit, number(hit));
      leave(1);
    }
    if (!certain.empty()) pass_on(certain);
    for (auto* part : others) counters_.send(*part);
  }

  std::size_t stand_in(std::uint32_t hit) const {
    if (!is_first_try || counters_.members_[member].is_ready || counters_.misfit_ ||
        hits().deadline() <= std::chrono::steady_clock::now()) {
      return nobody;
    }
    return counters_.stand_in(domain::slot_of(hits().id(hit)), member);
  }

  PartitionedCounter& counters_;
};

/// A token that is being minted, by one counter after the other. Deletes itself.
class PartitionedCounter::Minting final : public MintReply {
 public:
  Minting(PartitionedCounter& counters, domain::Deadline deadline, MintReply& reply)
      : counters_(counters), deadline_(deadline), reply_(reply) {
    ++counters_.mintings_;
  }
  ~Minting() { --counters_.mintings_; }

  /// A second token would harm nobody, so whatever became of the first attempt, another counter may be asked. Each is
  /// asked once.
  void ask_next() {
    const auto& members = counters_.members_;
    while (not_tried_ > 0) {
      --not_tried_;
      const auto member = next_++ % members.size();
      if (members[member].is_ready) return members[member].counter->mint(deadline_, *this);
    }
    end(failure_);
  }

  void on_minted(domain::Result<domain::Token> minted) override {
    if (minted) return end(minted);
    if (minted.error() == domain::Failure::perhaps_done) failure_ = domain::Failure::perhaps_done;
    if (deadline_ <= std::chrono::steady_clock::now()) return end(failure_);
    ask_next();
  }

 private:
  void end(domain::Result<domain::Token> minted) {
    const std::unique_ptr<Minting> self(this);
    reply_.on_minted(minted);
  }

  PartitionedCounter& counters_;
  const domain::Deadline deadline_;
  MintReply& reply_;
  std::size_t next_ = counters_.next_to_mint();
  std::size_t not_tried_ = counters_.members_.size();
  domain::Failure failure_ = domain::Failure::not_done;
};

PartitionedCounter::PartitionedCounter(CounterListPtr list, const std::vector<Counter*>& counters,
                                       LogTrouble log_trouble)
    : list_(std::move(list)),
      log_trouble_(std::move(log_trouble)),
      filling_(counters.size(), nullptr),
      last_to_mint_(std::random_device{}() % counters.size()),
      readiness_(Readiness::not_ready("no counter has been reached yet", std::chrono::system_clock::now())) {
  assert(counters.size() == list_->table().names().size());
  for (const auto& entry : list_->entries()) {
    if (!entry.leaving) members_.push_back({.entry = entry, .counter = counters[members_.size()]});
  }
  const auto name_of = [](const Member& member) -> const std::string& { return member.entry.name; };
  for (const auto& name : list_->table().names()) {
    member_of_.push_back(
        static_cast<std::size_t>(std::ranges::find(members_, name, name_of) - members_.begin()));
  }
  for (std::size_t i = 0; i < counters.size(); ++i) {
    subscriptions_.push_back(
        counters[i]->facts().subscribe([this, i](const auto& facts) { on_facts(i, facts); }));
    subscriptions_.push_back(
        counters[i]->readiness().subscribe([this, i](const auto& readiness) { on_readiness(i, readiness); }));
  }
}

PartitionedCounter::~PartitionedCounter() = default;

// What the counters say.

void PartitionedCounter::on_readiness(std::size_t member, const Readiness& readiness) {
  members_[member].readiness = readiness;
  members_[member].is_ready = readiness.is_ready();
  judge();
  tell();
}

void PartitionedCounter::on_facts(std::size_t member, const std::optional<CounterFacts>& facts) {
  if (!facts) return;  // those that were known before still count
  auto& its = members_[member];
  its.facts = facts;
  if (its.difference != std::exchange(its.difference, words_of_difference(its)) && !its.difference.empty())
    log_trouble_(its.difference);
  judge();
  tell();
}

void PartitionedCounter::judge() {
  auto words = misfit();
  if (words && words != misfit_) log_trouble_(*words);
  misfit_ = std::move(words);
  any_owns_every_token_ = std::ranges::any_of(members_, &Member::owns_every_token);
  all_share_a_run_ = !misfit_ && std::ranges::all_of(members_, &Member::owns_every_token);
  for (std::size_t i = 1; i < members_.size() && all_share_a_run_; ++i) all_share_a_run_ = share_a_run(0, i);
}

/// Whether every verdict of this member can be passed on as it is.
bool PartitionedCounter::passes_through(std::size_t member) const {
  return !any_owns_every_token_ && members_[member].difference.empty();
}

/// Whether a token that this member does not know is unknown to all.
bool PartitionedCounter::believes_unknown(std::size_t member) const {
  return members_[member].owns_every_token() ? all_share_a_run_ : members_[member].difference.empty();
}

/// Returns why these counters must not be used together, if so.
std::optional<std::string> PartitionedCounter::misfit() const {
  const Member* whole = nullptr;  // owns every token
  const Member* some = nullptr;   // owns some
  for (const auto& member : members_) {
    // One that is not connected to its store yet does not know that store. It counts nothing until it does.
    if (member.owns_every_token() && !member.facts->store && !member.is_ready) continue;
    if (member.facts) (member.owns_every_token() ? whole : some) = &member;
  }
  if (members_.size() == 1 || whole == nullptr) return std::nullopt;
  if (some != nullptr) {
    return "counter " + whole->entry.name + " owns every token, and counter " + some->entry.name +
           " is one of several that share them; start all of them with the same --peers";
  }
  for (const auto& member : members_) {
    if (&member == whole || !member.facts || (!member.facts->store && !member.is_ready)) continue;
    const auto& one = whole->facts->store;
    const auto& other = member.facts->store;
    const std::string both =
        "counters " + member.entry.name + " and " + whole->entry.name + " own every token";
    if (!one || !other || !one->can_be_shared() || !other->can_be_shared()) {
      return both +
             ", and are not known to share one Redis; start all of them with the same --peers, so that "
             "each owns some, or with the same --store-name if they share one --redis-proxy";
    }
    if (!one->is_same_store(*other))
      return both +
             " and count in different stores; give them one Redis (behind a proxy, one --store-name), or the "
             "same --peers";
  }
  return std::nullopt;
}

/// Returns what is wrong with what a counter says of the list. Empty: nothing.
std::string PartitionedCounter::words_of_difference(const Member& member) const {
  if (!member.facts || !member.facts->adopted) return "";
  const auto& its = *member.facts->adopted;
  std::string words;
  if (its.table().fingerprint() != list_->table().fingerprint()) {
    words = "counter " + member.entry.name + " has another list, " + its.described() + ", than this envoy, " +
            list_->described() + ": hits of tokens whose owners differ are refused until both have one list";
  } else if (member.facts->name != member.entry.name) {
    words = "the counter at " + to_string(member.entry.address) + " is " + member.facts->name +
            " by its own --name, and " + member.entry.name +
            " in this envoy's list: its hits are refused until both agree";
  }
  return words;
}

void PartitionedCounter::tell() {
  const auto now = std::chrono::system_clock::now();
  if (misfit_) return readiness_.set(Readiness::not_ready(*misfit_, now));
  std::vector<std::string> remarks;
  bool any_ready = false;
  for (const auto& member : members_) {
    any_ready = any_ready || member.is_ready;
    if (!member.is_ready) remarks.push_back(member.readiness.why_not());
    if (!member.difference.empty()) remarks.push_back(member.difference);
  }
  if (any_ready) return readiness_.set(Readiness::ready(now, std::move(remarks)));
  std::string reasons;
  for (const auto& remark : remarks) reasons += (reasons.empty() ? "" : "; ") + remark;
  readiness_.set(Readiness::not_ready(std::move(reasons), now));
}

// Where hits go.

bool PartitionedCounter::share_a_run(std::size_t one, std::size_t other) const {
  const auto& first = members_[one];
  const auto& second = members_[other];
  if (one == other) return true;
  return first.owns_every_token() && second.owns_every_token() && first.facts->store && second.facts->store &&
         first.facts->store->shares_a_run_with(*second.facts->store);
}

std::size_t PartitionedCounter::route(domain::Slot slot) const {
  const auto owner = member_of_[list_->table().owner(slot)];
  if (members_[owner].is_ready || !members_[owner].owns_every_token()) return owner;
  const auto other = stand_in(slot, owner);
  return other == nobody ? owner : other;
}

/// Returns who counts the hits of a slot while this member, which owns every token, cannot count.
std::size_t PartitionedCounter::stand_in(domain::Slot slot, std::size_t for_member) const {
  for (const auto number : list_->table().order(slot)) {
    const auto member = member_of_[number];
    if (member != for_member && members_[member].is_ready && share_a_run(for_member, member)) return member;
  }
  return nobody;
}

void PartitionedCounter::track(const domain::HitBatch& hits, TrackReply& reply) {
  if (misfit_) return reply.on_one_verdict_for_all(hits.size(), Verdict::not_counted());
  if (members_.size() == 1) return members_.front().counter->track(hits, reply);
  if (find_routes(hits) && passes_through(routes_.front()))
    return members_[routes_.front()].counter->track(hits, reply);
  divide(hits, reply);
}

/// Returns whether all hits go to one counter.
bool PartitionedCounter::find_routes(const domain::HitBatch& hits) {
  routes_.clear();
  for (const auto& id : hits.ids()) routes_.push_back(route(domain::slot_of(id)));
  return std::ranges::all_of(routes_, [first = routes_.front()](auto member) { return member == first; });
}

/// The routes have been found.
void PartitionedCounter::divide(const domain::HitBatch& hits, TrackReply& reply) {
  std::vector<Part*> filled;  // a verdict that comes at once may lead to another call
  filled.swap(filled_);
  for (std::uint32_t hit = 0; hit < hits.size(); ++hit) {
    const auto member = routes_[hit];
    if (filling_[member] == nullptr) {
      filling_[member] = &new_part(member, hits, reply);
      filled.push_back(filling_[member]);
    }
    filling_[member]->push(hits, hit, hit);
  }
  for (const auto* part : filled) filling_[part->member] = nullptr;
  for (auto* part : filled) send(*part);
  filled.clear();
  filled.swap(filled_);
}

/// For some of the hits of a batch.
PartitionedCounter::Part& PartitionedCounter::new_part(std::size_t member, const domain::HitBatch& hits,
                                                       TrackReply& whole) {
  if (free_.empty()) {
    parts_.push_back(std::make_unique<Part>(*this));
    free_.push_back(parts_.back().get());
  }
  Part& part = *free_.back();
  free_.pop_back();
  part.begin(whole, hits.deadline(), hits.clients() / members_.size());
  part.member = member;
  part.is_first_try = members_[member].is_ready;
  return part;
}

void PartitionedCounter::send(Part& part) {
  members_[part.member].counter->track(part.hits(), part);
}

void PartitionedCounter::take_back(Part& part) {
  free_.push_back(&part);
}

// Minting.

void PartitionedCounter::mint(domain::Deadline deadline, MintReply& reply) {
  if (misfit_) return reply.on_minted(domain::Failure::not_done);
  std::make_unique<Minting>(*this, deadline, reply).release()->ask_next();
}

/// Returns the next counter in turn, one that can mint if there is one.
std::size_t PartitionedCounter::next_to_mint() {
  for (std::size_t i = 0; i < members_.size(); ++i) {
    last_to_mint_ = (last_to_mint_ + 1) % members_.size();
    if (members_[last_to_mint_].is_ready) break;
  }
  return last_to_mint_;
}

// Reading.

void PartitionedCounter::read(const domain::Token& token, const store::CountsQuery& query,
                              domain::Deadline deadline, OnRead on_read) {
  if (misfit_) return on_read(ReadFailure{ReadFailure::Kind::unavailable, *misfit_});
  const auto member = route(domain::slot_of(domain::token_id(token)));
  ++reads_;
  members_[member].counter->read(
      token, query, deadline, [this, member, on_read = std::move(on_read)](ReadOutcome outcome) {
        --reads_;
        auto* failure = std::get_if<ReadFailure>(&outcome);
        const bool is_unknown = failure != nullptr && failure->kind == ReadFailure::Kind::unknown_token;
        if (is_unknown && members_.size() > 1 && !believes_unknown(member))
          *failure = {ReadFailure::Kind::unavailable, "another counter may know the token"};
        on_read(std::move(outcome));
      });
}

}  // namespace tracker::counter
