#include "counter/partition_member.h"

#include <algorithm>
#include <boost/asio/post.hpp>
#include <chrono>
#include <utility>

#include "counter/local_counter.h"
#include "domain/sub_batch.h"
#include "domain/token_id.h"
#include "runtime/log.h"

namespace tracker::counter {

namespace {

using namespace std::chrono_literals;
using domain::Readiness;
using domain::Verdict;

constexpr auto write_deadline = 2s;
constexpr auto pause_after_failure = 200ms;
constexpr auto drain_poll = 2ms;
/// A counter that owns so few slots that a token in them is hardly ever drawn does not draw for ever.
constexpr int draws_max = 1'000'000;

std::string words_of(const std::string& name, const Membership::Forgotten& forgotten) {
  auto words = name + " is forgotten here.";
  if (forgotten.name)
    words += " A list without " + name + " is adopted from now on. Tokens that only " + name +
             " holds are given up: their hits get 401 wherever a list without it settles.";
  if (forgotten.store)
    words += " Another store may now count under the name " + name +
             ". The counts of the former one are given up: do not start it again.";
  if (forgotten.slots.any())
    words += " Tokens of " + std::to_string(forgotten.slots.count()) +
             " slots had moved away from here, or had not all arrived. What was left of them here is "
             "removed. Those that only " +
             name + " holds are given up: their hits get 401 wherever their slots settle.";
  return words;
}

CounterFacts undecided(const std::string& name) {
  CounterFacts facts;
  facts.owns_every_token = false;
  facts.name = name;
  return facts;
}

}  // namespace

/// Passes the verdicts on a batch on, and holds the view until the last one. Deletes itself then.
class PartitionMember::WholeBatch final : public TrackReply {
 public:
  WholeBatch(ViewPtr view, std::size_t hits, TrackReply& reply)
      : view_(std::move(view)), unsettled_(hits), reply_(reply) {}

  void on_verdicts(std::span<const domain::HitVerdict> verdicts) override {
    unsettled_ -= verdicts.size();
    const std::unique_ptr<WholeBatch> self(unsettled_ == 0 ? this : nullptr);
    reply_.on_verdicts(verdicts);
  }

 private:
  const ViewPtr view_;
  std::size_t unsettled_;
  TrackReply& reply_;
};

/// The same with only those hits of a batch that may be counted.
class PartitionMember::OwnHits final : public domain::SubBatch {
 public:
  explicit OwnHits(ViewPtr view) : view_(std::move(view)) {}

  void on_verdicts(std::span<const domain::HitVerdict> verdicts) override {
    pass_on(verdicts);
    if (is_settled()) delete this;
  }

 private:
  const ViewPtr view_;
};

namespace {

/// Calls a function with the outcome. Deletes itself then.
class OnWritten final : public store::WriteReply {
 public:
  explicit OnWritten(std::function<void(domain::Result<void>)> then) : then_(std::move(then)) {}
  void on_written(domain::Result<void> written) override {
    const std::unique_ptr<OnWritten> self(this);
    then_(written);
  }

 private:
  const std::function<void(domain::Result<void>)> then_;
};

class OnSlots final : public store::SlotsReply {
 public:
  explicit OnSlots(std::function<void(domain::Result<domain::SlotSet>)> then) : then_(std::move(then)) {}
  void on_slots(domain::Result<domain::SlotSet> slots) override {
    const std::unique_ptr<OnSlots> self(this);
    then_(slots);
  }

 private:
  const std::function<void(domain::Result<domain::SlotSet>)> then_;
};

}  // namespace

PartitionMember::PartitionMember(boost::asio::io_context& control, store::CounterStore& store,
                                 std::string name, CounterListPtr list, MakePeer make_peer,
                                 std::unique_ptr<ReadQueue> reads, TokenTerms terms)
    : control_(control),
      store_(store),
      name_(std::move(name)),
      make_peer_(std::move(make_peer)),
      view_(std::make_shared<View>(View{list, {}})),
      facts_(undecided(name_)),
      fitness_(Readiness::not_ready("the store is not known yet", std::chrono::system_clock::now())),
      list_(std::move(list)),
      again_(control),
      joint_({&store.readiness(), &fitness_}),
      reads_(std::move(reads)),
      terms_(std::move(terms)) {
  store_to_this_.emplace(store.facts().subscribe([this](const auto& facts) {
    std::weak_ptr<const View> former;
    {  // Nothing is counted in another store by what was settled in this one.
      const std::lock_guard lock(mutex_);
      former = view_;
      view_ = std::make_shared<View>(View{view_->list, {}});
      held_.reset();
      shown_.reset();
      ++stores_to_come_;
    }
    boost::asio::post(control_, [this, facts, former] {
      former_views_.push_back(former);
      on_store(facts);
    });
  }));
}

PartitionMember::~PartitionMember() = default;

// Counting.

PartitionMember::ViewPtr PartitionMember::view() const {
  const std::lock_guard lock(mutex_);
  return view_;
}

std::optional<std::string> PartitionMember::owner_elsewhere(const domain::TokenId& id) const {
  const auto its_view = view();
  if (!its_view->list) return std::nullopt;
  const auto& owner = its_view->list->table().owner_name(domain::slot_of(id));
  if (owner == name_) return std::nullopt;
  return "counter " + owner + " at " + runtime::to_string(its_view->list->find(owner)->address);
}

void PartitionMember::track(const domain::HitBatch& hits, TrackReply& reply) {
  auto its_view = view();
  const bool all_own = std::ranges::all_of(
      hits.ids(), [&](const auto& id) { return its_view->countable[domain::slot_of(id)]; });
  if (!all_own) return divide(hits, reply, its_view);
  store_.track(hits, *std::make_unique<WholeBatch>(std::move(its_view), hits.size(), reply).release());
}

void PartitionMember::divide(const domain::HitBatch& hits, TrackReply& reply, const ViewPtr& view) {
  auto own = std::make_unique<OwnHits>(view);
  own->begin(reply, hits.deadline());
  std::vector<domain::HitVerdict> others;
  for (std::uint32_t hit = 0; hit < hits.size(); ++hit) {
    if (view->countable[domain::slot_of(hits.id(hit))]) {
      own->push(hits, hit, hit);
    } else {
      others.push_back({hit, Verdict::not_counted()});
    }
  }
  reply.on_verdicts(others);  // if these are all, the batch is its owner's again
  if (own->is_settled()) return;
  auto& sent = *own.release();
  store_.track(sent.hits(), sent);
}

// Reading.

/// Returns why this counter does not answer for a token now, if so.
std::optional<ReadFailure> PartitionMember::why_not_read(const domain::TokenId& id) const {
  if (view()->countable[domain::slot_of(id)]) return std::nullopt;
  const auto owner = owner_elsewhere(id);
  return ReadFailure{ReadFailure::Kind::unavailable, owner ? "the token is counted by " + *owner
                                                           : "the slot of the token is not settled here"};
}

void PartitionMember::read(const domain::Token& token, const store::CountsQuery& query,
                           domain::Deadline deadline, OnRead on_read) {
  const auto id = domain::token_id(token);
  if (!reads_) return Counter::read(token, query, deadline, std::move(on_read));
  if (const auto failure = why_not_read(id)) return on_read(*failure);
  // The slot may have left meanwhile, with its tokens.
  reads_->read(id, query, deadline, [this, id, on_read = std::move(on_read)](ReadOutcome outcome) {
    if (auto failure = why_not_read(id)) outcome = std::move(*failure);
    on_read(std::move(outcome));
  });
}

// Minting.

void PartitionMember::mint(domain::Deadline deadline, MintReply& reply) {
  mint(terms_.for_client(), deadline, reply);
}

void PartitionMember::mint(const domain::TokenRecord& record, domain::Deadline deadline, MintReply& reply) {
  const auto its_view = view();
  if (its_view->countable.none()) return reply.on_minted(domain::Failure::not_done);
  for (int draw = 0; draw < draws_max; ++draw) {
    const auto token = domain::random_token();
    const auto slot = domain::slot_of(domain::token_id(token));
    if (!its_view->countable[slot]) continue;
    {
      const std::lock_guard lock(mutex_);
      if (!held_[slot]) {
        waiting_mints_.push_back({token, record, deadline, &reply});
        if (!std::exchange(mints_are_announced_, true)) boost::asio::post(control_, [this] { go_on(); });
        return;
      }
    }
    return mint_token(store_, token, record, deadline, reply, its_view);
  }
  reply.on_minted(domain::Failure::not_done);
}

/// Makes the tokens whose slots are held durably by now. Refuses those that are too late.
void PartitionMember::mint_waiting() {
  const auto now = std::chrono::steady_clock::now();
  std::vector<WaitingMint> ready;
  ViewPtr its_view;
  {
    const std::lock_guard lock(mutex_);
    its_view = view_;
    const auto must_wait = [&](const WaitingMint& mint) {
      return mint.deadline > now && !held_[domain::slot_of(domain::token_id(mint.token))];
    };
    const auto first_ready = std::stable_partition(waiting_mints_.begin(), waiting_mints_.end(), must_wait);
    ready.assign(first_ready, waiting_mints_.end());
    waiting_mints_.erase(first_ready, waiting_mints_.end());
  }
  for (const auto& [token, record, deadline, reply] : ready) {
    if (deadline > now && its_view->countable[domain::slot_of(domain::token_id(token))]) {
      mint_token(store_, token, record, deadline, *reply, its_view);
    } else {
      reply->on_minted(domain::Failure::not_done);
    }
  }
}

void PartitionMember::refuse_mints() {
  std::vector<WaitingMint> refused;
  {
    const std::lock_guard lock(mutex_);
    refused.swap(waiting_mints_);
    mints_are_announced_ = false;
  }
  for (const auto& mint : refused) mint.reply->on_minted(domain::Failure::not_done);
}

// Deciding: the control loop only.

void PartitionMember::on_store(const std::optional<store::StoreFacts>& facts) {
  {
    const std::lock_guard lock(mutex_);
    --stores_to_come_;
  }
  enter_store(facts);
}

void PartitionMember::enter_store(const std::optional<store::StoreFacts>& facts) {
  of_store_ = facts;
  stay_ = std::make_shared<const int>();
  membership_.reset();
  being_written_.reset();
  durable_.reset();
  refusal_.reset();
  refused_at_start_ = false;
  refuse_mints();
  end_waits(false);
  facts_.set(undecided(name_));
  if (is_store_changing()) return;
  if (!facts) {
    // It may become known later. A store that is ready without it never says who it is.
    fitness_.set(
        Readiness::not_ready("the store has not said which store it is; one that cannot say it "
                             "cannot be one of several: leave --peers away",
                             std::chrono::system_clock::now()));
    return;
  }
  if (!facts->record.empty()) return begin(std::nullopt);
  if (!list_) return tell();
  find_slots();
}

void PartitionMember::find_slots() {
  auto then = [this, &control = control_,
               stay = std::weak_ptr(stay_)](domain::Result<domain::SlotSet> slots) {
    boost::asio::post(control, [this, stay, slots] {
      if (stay.expired() || membership_) return;
      if (slots) return begin(*slots);
      try_again_later();
    });
  };
  store_.find_slots(*std::make_unique<OnSlots>(std::move(then)).release());
}

/// `found`: the slots of which a store without a record holds tokens.
void PartitionMember::begin(const std::optional<domain::SlotSet>& found) {
  if (of_store_->record.empty()) {
    membership_.emplace(*of_store_, name_, list_, found.value_or(domain::SlotSet{}));
  } else {
    const auto record = PartitionRecord::parse(of_store_->record);
    if (!record || record->name != name_) {
      refusal_ = record ? "the store has counted as " + record->name + "; give --name " + record->name +
                              ", or another store"
                        : "the store's record is of a later version of tracker; use that version";
      return tell();
    }
    membership_.emplace(*of_store_, *record);
    if (list_) take_list(list_);
    refused_at_start_ = refusal_.has_value();
  }
  for (const auto& [name, peer] : peers_) {
    if (const auto facts = peer.counter->facts().value()) membership_->on_peer(name, *facts);
  }
  meet_peers();
  go_on();
}

void PartitionMember::adopt(CounterListPtr list) {
  boost::asio::post(control_, [this, list = std::move(list)] {
    if (membership_) {
      take_list(list);
      meet_peers();
      go_on();
    } else if (list->find(name_) == nullptr) {
      refusal_ = "the list " + list->to_string() + " is refused: it lacks this counter, " + name_;
      runtime::log_warning(*refusal_);
      tell();
    } else {
      list_ = list;
      if (of_store_) enter_store(std::optional(of_store_));
    }
  });
}

/// The list so far stays if this one is refused.
void PartitionMember::take_list(const CounterListPtr& list) {
  refusal_ = membership_->adopt(list);
  if (refusal_) return runtime::log_warning(*refusal_);
  list_ = list;
  refused_at_start_ = false;
}

void PartitionMember::forget(const std::string& name, const domain::SlotSet& emptied, OnForgotten done) {
  boost::asio::post(control_, [this, name, emptied, done = std::move(done)] {
    if (!membership_)
      return done(false, refusal_.value_or("the store is not known yet") + "; nothing was forgotten");
    if (name == name_) return done(false, name + " is this counter itself; nothing was forgotten");
    const auto forgotten = membership_->forget(name, emptied);
    if (!forgotten.name && !forgotten.store)
      return done(false, "no counter " + name + " is known here; nothing was forgotten");
    const auto words = words_of(name, forgotten);
    runtime::log_warning("tracker slots forget: " + words);
    if (refused_at_start_) {  // perhaps for this name
      take_list(list_);
      meet_peers();
    }
    when_durable([words, done](bool is_durable) {
      if (is_durable) return done(true, words);
      done(false, "the store went away; it is not known whether this is forgotten; try again later");
    });
  });
}

/// Calls `then` once what has been decided is durable, or when the store went away.
void PartitionMember::when_durable(std::function<void(bool is_durable)> then) {
  waits_.push_back(std::move(then));
  go_on();
}

void PartitionMember::end_waits(bool is_durable) {
  for (const auto& end : std::exchange(waits_, {})) end(is_durable);
}

void PartitionMember::begin_import(const Membership::Import& import, OnImport done) {
  decide([import](Membership& membership) { return membership.begin_import(import); }, std::move(done));
}

void PartitionMember::end_import(const Membership::Import& import, OnImport done) {
  decide([import](Membership& membership) { return membership.end_import(import); }, std::move(done));
}

void PartitionMember::decide(std::function<std::optional<std::string>(Membership&)> decision, OnImport done) {
  boost::asio::post(control_, [this, decision = std::move(decision), done = std::move(done)] {
    if (!membership_) return done(refusal_.value_or("the store is not known yet"));
    if (const auto refusal = decision(*membership_)) return done(refusal);
    when_durable([done](bool is_durable) {
      done(is_durable ? std::nullopt : std::optional<std::string>("the store went away; try again later"));
    });
  });
}

std::optional<PartitionRecord> PartitionMember::record() const {
  const std::lock_guard lock(mutex_);
  return shown_;
}

/// Listens to every other counter of the list.
void PartitionMember::meet_peers() {
  const auto& list = *membership_->record().list;
  for (auto peer = peers_.begin(); peer != peers_.end();) {
    const auto* entry = list.find(peer->first);
    if (entry != nullptr && entry->address == peer->second.address) {
      ++peer;
      continue;
    }
    peer->second.subscription.reset();
    peer->second.counter->retire();
    former_peers_.push_back(std::move(peer->second.counter));
    peer = peers_.erase(peer);
  }
  for (const auto& entry : list.entries()) {
    if (entry.name == name_ || peers_.contains(entry.name)) continue;
    auto& peer = peers_[entry.name];
    peer.address = entry.address;
    peer.counter = make_peer_(entry);
    auto heard = [this, name = entry.name](const std::optional<CounterFacts>& facts) {
      if (!facts) return;
      boost::asio::post(control_, [this, name, its = *facts] {
        if (!membership_) return;
        membership_->on_peer(name, its);
        go_on();
      });
    };
    peer.subscription =
        std::make_unique<runtime::Subscription>(peer.counter->facts().subscribe(std::move(heard)));
  }
}

/// Makes durable what has been decided, and then acts on it.
void PartitionMember::go_on() {
  if (!membership_ || is_store_changing()) return refuse_mints();
  {
    const std::lock_guard lock(mutex_);
    mints_are_announced_ = false;
    domain::SlotSet wanted;
    for (const auto& mint : waiting_mints_) wanted.set(domain::slot_of(domain::token_id(mint.token)));
    membership_->hold(wanted);
  }
  set_view();
  tell();  // after it: whoever hears that all is well may send a hit at once
  mint_waiting();
  if (is_writing_) return;
  if (durable_ && *durable_ == membership_->record()) return end_waits(true);
  if (!is_drained()) {
    again_.expires_after(drain_poll);
    again_.async_wait([this](boost::system::error_code error) {
      if (!error) go_on();
    });
    return;
  }
  write();
}

/// Whether another store has been told of that on_store() has not seen yet. What is decided is not about that store.
bool PartitionMember::is_store_changing() const {
  const std::lock_guard lock(mutex_);
  return stores_to_come_ > 0;
}

/// The slots that are settled durably, without those that the next record takes away.
domain::SlotSet PartitionMember::countable() const {
  if (!durable_ || refused_at_start_ || membership_->trouble()) return {};
  return durable_->settled & membership_->record().settled;
}

void PartitionMember::set_view() {
  const auto its_countable = countable();
  const auto& list = membership_->record().list;
  std::erase_if(former_views_, [](const auto& view) { return view.expired(); });
  const std::lock_guard lock(mutex_);
  if (stores_to_come_ > 0) return;
  if (durable_) held_ = durable_->held;
  shown_ = durable_;
  if (view_->countable == its_countable && view_->list == list) return;
  former_views_.push_back(view_);
  view_ = std::make_shared<View>(View{list, its_countable});
}

/// Whether all hits in slots that were taken away have their verdicts.
bool PartitionMember::is_drained() const {
  const auto now = view();
  return std::ranges::none_of(former_views_, [&](const auto& weak) {
    const auto former = weak.lock();
    return former && (former->countable & ~now->countable).any();
  });
}

void PartitionMember::write() {
  is_writing_ = true;
  being_written_ = membership_->record();
  auto then = [this, &control = control_, stay = std::weak_ptr(stay_)](domain::Result<void> written) {
    boost::asio::post(control, [this, stay, written] {
      is_writing_ = false;
      if (stay.expired() || is_store_changing()) return go_on();
      on_written(written);
    });
  };
  store_.write_record(being_written_->to_string(), std::chrono::steady_clock::now() + write_deadline,
                      *std::make_unique<OnWritten>(std::move(then)).release());
}

void PartitionMember::on_written(domain::Result<void> written) {
  auto record = std::exchange(being_written_, std::nullopt);
  if (!written) {
    mint_waiting();
    return try_again_later();
  }
  durable_ = std::move(record);
  publish();
  go_on();
}

void PartitionMember::try_again_later() {
  again_.expires_after(pause_after_failure);
  again_.async_wait([this, stay = std::weak_ptr(stay_)](boost::system::error_code error) {
    if (error || stay.expired()) return;
    if (membership_) return go_on();
    find_slots();
  });
}

/// Tells the others what is durable.
void PartitionMember::publish() {
  CounterFacts facts = undecided(name_);
  facts.store = of_store_;
  facts.store->record.clear();
  facts.adopted = durable_->list;
  facts.held = durable_->held & ~Membership::own(*durable_->list, name_);
  facts.settled = durable_->settled.count();
  for (const auto& [id, move] : durable_->received) facts.received[id] = move.slots;
  for (const auto& [id, move] : durable_->handed) facts.handed[id] = move.slots;
  facts.names = durable_->names;
  facts.empty_names = durable_->empty_names;
  facts.bound = durable_->bound;
  facts_.set(facts);
}

/// Tells whether hits are counted, and why some or all are not.
void PartitionMember::tell() {
  const auto now = std::chrono::system_clock::now();
  std::vector<std::string> words;
  if (refusal_) words.push_back(*refusal_);
  if (!membership_ && !list_) words.emplace_back("no balancer has given a list of counters yet");
  bool counts = false;
  bool is_settling = false;  // for as long as a record is written: not worth a line in the log
  if (membership_) {
    const auto& record = membership_->record();
    const auto own = Membership::own(*record.list, name_);
    const auto unsettled = own & ~record.settled;
    const auto its_countable = countable();
    counts = its_countable.any();
    is_settling = counts && (record.settled & ~its_countable).any();
    if (const auto trouble = membership_->trouble()) words.push_back(*trouble);
    if (own.none()) words.push_back("this counter leaves: it owns no tokens");
    for (const auto& obstacle : membership_->obstacles()) {
      words.push_back("hits of tokens in " + std::to_string(unsettled.count()) + " of its " +
                      std::to_string(own.count()) + " slots are refused: " + obstacle);
    }
    if (const auto lost = record.held & ~own; lost.any()) {
      words.push_back(
          "it holds tokens of " + std::to_string(lost.count()) +
          " slots that are other counters' by the list; their hits are refused until these tokens are "
          "moved, by tracker export --slots lost here and tracker import there");
    }
  }
  if (words != logged_) {
    for (const auto& line : words) {
      if (std::ranges::find(logged_, line) == logged_.end()) log_.warning(line);
    }
    logged_ = words;
  }
  if (is_settling)
    words.emplace_back(
        "hits of tokens in some of its slots are refused until it is durable that they are settled");
  if (counts) return fitness_.set(Readiness::ready(now, words));
  std::string reasons;
  for (const auto& line : words) reasons += (reasons.empty() ? "" : "; ") + line;
  fitness_.set(Readiness::not_ready(reasons.empty() ? "its slots are being settled" : reasons, now));
}

}  // namespace tracker::counter
