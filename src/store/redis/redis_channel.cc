#include "store/redis/redis_channel.h"

#include <utility>

#include "runtime/deadlines.h"
#include "runtime/log.h"
#include "store/redis/redis_error.h"

namespace tracker::store::redis {

namespace {
constexpr auto finding_pause = std::chrono::milliseconds(2);  // in which Redis serves others
}  // namespace

RedisChannel::RedisChannel(RedisShared& shared, link::Link& link, link::LinkCore::ConnectionId id,
                           std::unique_ptr<link::Transport> transport)
    : shared_(shared),
      link_(link),
      id_(id),
      transport_(std::move(transport)),
      pipeline_(shared.settings, shared.knowledge),
      handshake_(pipeline_, shared.durability),
      pause_(shared.loop) {}

void RedisChannel::greet() {
  transport_->start(*this);
  handshake_.begin();
}

void RedisChannel::send(link::Gather& hits, link::TimePoint /*now*/) {
  pipeline_.send(hits);
}

bool RedisChannel::send(link::Command& command, link::TimePoint /*now*/) {
  static_cast<RedisRequest&>(command).send_on(pipeline_);
  return true;
}

void RedisChannel::ask(link::TimePoint /*now*/) {
  pipeline_.look();
}

void RedisChannel::flush() {
  go_on_changing_stores();
  if (pipeline_.is_finding()) go_on_finding();
  pipeline_.end_turn();
  const bool held = !transport_->write(pipeline_.out()) || pipeline_.awaits_replicas();
  if (std::exchange(held_, held) == held) return;
  link_.on([&](link::LinkCore& core) { core.on_held(id_, held); });
}

void RedisChannel::close() {
  transport_.reset();
  pause_.cancel();
}

void RedisChannel::on_writable() {
  link_.on([](link::LinkCore& /*core*/) {});  // this flushes
}

void RedisChannel::on_end(const std::string& how) {
  using enum link::LinkCore::Loss;
  link_.on([&](link::LinkCore& core) {
    const auto now = runtime::Clock::now();
    if (greeted_) return core.on_lost(id_, cut, how, now);
    const auto fitness = fitness_of(pipeline_, shared_.durability, true);
    if (!fitness.is_ready()) return core.on_lost(id_, unfit, fitness.why_not(), now);
    core.on_lost(id_, cut, handshake_.explain_end(how), now);
  });
}

void RedisChannel::on_bytes(std::string_view bytes) {
  link_.on([&](link::LinkCore& core) {
    const auto now = runtime::Clock::now();
    replies_.feed(bytes);
    bool make_sense = true;
    while (const redisReply* reply = make_sense ? replies_.next() : nullptr) {
      make_sense = pipeline_.take(*reply);
    }
    make_sense = make_sense && !replies_.broken();
    core.on_heard(id_, now);
    tell_room();
    if (pipeline_.has_trouble()) {
      const auto trouble = pipeline_.take_trouble();
      shared_.key_log.warning(shared_.name + ": " + trouble.what + ": " + trouble.error);
    }
    if (greeted_) {
      conclude_replies(core, make_sense, now);
    } else {
      conclude_greeting(core, bytes, make_sense, now);
    }
  });
}

void RedisChannel::conclude_greeting(link::LinkCore& core, std::string_view bytes, bool make_sense,
                                     link::TimePoint now) {
  switch (handshake_.take(bytes, make_sense)) {
    case RedisHandshake::State::under_way:
      return;
    case RedisHandshake::State::fit:
      greeted_ = true;
      return begin_counting(core, now);
    case RedisHandshake::State::unfit:
      return core.on_lost(id_, link::LinkCore::Loss::unfit, handshake_.why_not(), now);
  }
}

void RedisChannel::begin_counting(link::LinkCore& core, link::TimePoint now) {
  const auto told = shared_.facts.value();
  const auto facts = pipeline_.facts().facts();
  if (facts && told && facts->id != told->id) shared_.knowledge.has_taken = false;
  if (!pipeline_.take_fence())
    return core.on_lost(id_, link::LinkCore::Loss::unfit, "cannot be used: " + explain_fenced(), now);
  if (!is_told(pipeline_.facts().facts()) && core.is_ready()) {
    change_ = StoreChange::found;
    return core.on_greeted(
        id_, domain::Readiness::not_ready("is another store than before; what waited is refused"), now);
  }
  link_.take_requests();  // they are refused, unless this is the store for which they waited
  tell_facts();
  core.on_greeted(id_, domain::Readiness::ready(), now);
}

/// Returns whether these are the facts that were told, but for the record that was written since then.
bool RedisChannel::is_told(const std::optional<StoreFacts>& facts) const {
  auto told = shared_.facts.value();
  if (facts == told) return true;
  if (!told || !shared_.knowledge.written) return false;
  told->record = *shared_.knowledge.written;
  return facts == told;
}

void RedisChannel::tell_facts() {
  auto facts = pipeline_.facts().facts();
  const bool is_asked = !shared_.settings.proxy && shared_.knowledge.cluster == nullptr;
  auto missing = facts || !is_asked ? "" : pipeline_.facts().why_not(shared_.settings);
  if (missing != shared_.facts_missing && !missing.empty()) {
    runtime::log_warning(shared_.name + " counts, but which store it is cannot be known: " + missing);
  }
  shared_.facts_missing = std::move(missing);
  shared_.knowledge.written.reset();
  shared_.facts.set(std::move(facts));
}

void RedisChannel::tell_room() {
  const auto& knowledge = shared_.knowledge;
  shared_.keys.store(knowledge.keys, std::memory_order_relaxed);
  if (std::exchange(shared_.told_room, knowledge.has_room) == knowledge.has_room) return;
  std::vector<std::string> remarks;
  if (!knowledge.has_room) {
    remarks.push_back("no more tokens are minted: " + shared_.name +
                      " has as many keys as --tokens-max allows it, " + std::to_string(knowledge.tokens_max) +
                      "; raise that, or remove some with tracker tokens purge");
  }
  shared_.room.set(domain::Readiness::ready(std::chrono::system_clock::now(), std::move(remarks)));
}

/// Called when all actions are done that the core has had so far.
void RedisChannel::go_on_changing_stores() {
  switch (change_) {
    case StoreChange::none:
      return;
    case StoreChange::found:
      change_ = StoreChange::refused;
      return link_.take_requests();  // this flushes again
    case StoreChange::refused:
      change_ = StoreChange::none;
      tell_facts();
      return link_.on([this](link::LinkCore& core) { core.on_readiness(id_, domain::Readiness::ready()); });
  }
}

void RedisChannel::go_on_finding() {
  if (std::exchange(pausing_, true)) return;
  pause_.expires_after(finding_pause);
  pause_.async_wait([this, self = weak_from_this()](const boost::system::error_code& error) {
    const auto alive = self.lock();
    if (!alive || error || !transport_) return;
    pausing_ = false;
    link_.on([this](link::LinkCore& /*core*/) { pipeline_.go_on_finding(); });
  });
}

void RedisChannel::conclude_replies(link::LinkCore& core, bool make_sense, link::TimePoint now) {
  if (!make_sense) {
    return core.on_lost(id_, link::LinkCore::Loss::unfit,
                        "cannot be used: it sent what is no reply to what it was asked", now);
  }
  const bool has_looked = pipeline_.has_looked();
  const auto fitness = fitness_of(pipeline_, shared_.durability, false);
  if (!fitness.is_ready()) {
    core.on_unfit(id_, fitness.why_not(), now);
  } else if (has_looked) {
    core.on_question_answered(id_, now);
  }
}

}  // namespace tracker::store::redis
