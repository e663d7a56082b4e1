#include "support/steady_load.h"

#include <memory>
#include <stdexcept>
#include <utility>

#include "support/caller.h"

namespace tracker::tests {
namespace {

using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;

// So that thousands of requests meet an outage, and the machine has time for the programs that must notice it.
constexpr auto moment = 3ms;
constexpr std::size_t pipelined = 4;

SteadyLoad::Kind kind_of(const Observation& observation) {
  if (observation.status == 200) return SteadyLoad::Kind::counted;
  if (observation.status == 504 || observation.status == 0) return SteadyLoad::Kind::perhaps;
  return SteadyLoad::Kind::refused;
}

}  // namespace

SteadyLoad::SteadyLoad(Endpoint envoy, std::vector<std::string> tokens, std::vector<std::string> paths,
                       std::size_t clients)
    : envoy_(std::move(envoy)), tokens_(std::move(tokens)), paths_(std::move(paths)) {
  for (std::size_t i = 0; i < clients; ++i) clients_.emplace_back([this, i] { run(i); });
  clients_.emplace_back([this] { mint(); });
}

SteadyLoad::~SteadyLoad() {
  stop();
}

std::string SteadyLoad::request(std::size_t key) const {
  return get(paths_.at(key % paths_.size()), tokens_.at(key / paths_.size()));
}

void SteadyLoad::wait_for(Kind kind, std::size_t more, std::size_t since) const {
  const Deadline deadline;
  while (seen(kind) < since + more) {
    if (deadline.passed()) {
      throw std::runtime_error(
          "the answers that were waited for do not come: " + std::to_string(seen(Kind::counted)) +
          " counted, " + std::to_string(seen(Kind::refused)) + " refused, " +
          std::to_string(seen(Kind::perhaps)) + " perhaps");
    }
    std::this_thread::sleep_for(1ms);
  }
}

std::vector<Observation> SteadyLoad::stop() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
    stop_.notify_all();
  }
  for (std::thread& client : clients_) client.join();
  clients_.clear();
  return observations_;
}

std::vector<std::int64_t> SteadyLoad::read_stored() const {
  std::vector<std::int64_t> stored;
  Caller caller(envoy_);
  for (std::size_t key = 0; key < tokens_.size() * paths_.size(); ++key) {
    stored.push_back(count_in(caller.ask(request(key))) - 1);
  }
  return stored;
}

std::vector<std::string> SteadyLoad::complaints() const {
  const std::lock_guard lock(mutex_);
  return complaints_;
}

void SteadyLoad::complain(const std::string& complaint) {
  const std::lock_guard lock(mutex_);
  if (complaints_.size() < 10) complaints_.push_back(complaint);
}

void SteadyLoad::record(const std::vector<Observation>& observations) {
  for (const Observation& observation : observations)
    ++seen_.at(static_cast<std::size_t>(kind_of(observation)));
  const std::lock_guard lock(mutex_);
  observations_.insert(observations_.end(), observations.begin(), observations.end());
}

bool SteadyLoad::stopping_after_a_moment() {
  std::unique_lock lock(mutex_);
  return stop_.wait_for(lock, moment, [this] { return stopping_; });
}

void SteadyLoad::run(std::size_t number) {
  const std::size_t depth = number % 2 == 0 ? 1 : pipelined;
  const std::size_t keys = tokens_.size() * paths_.size();
  std::unique_ptr<RawClient> client;
  for (std::size_t round = number; !stopping_after_a_moment(); ++round) {
    std::vector<Observation> pending;
    for (std::size_t i = 0; i < depth; ++i) pending.push_back({(round + i * i) % keys, {}, {}, 0, 0});
    try {
      if (!client) client = std::make_unique<RawClient>(envoy_);
    } catch (const std::exception& error) {
      complain("a client cannot connect: " + std::string(error.what()));
      return;
    }
    try {
      ask(*client, pending);
    } catch (const std::exception& error) {
      complain(error.what());
      client.reset();
      for (Observation& observation : pending) {
        if (observation.status == 0) observation.answered = Clock::now();
      }
    }
    record(pending);
  }
}

// Fills in the outcomes of the pending requests. Those that it leaves as they are have no answer.
void SteadyLoad::ask(RawClient& client, std::vector<Observation>& pending) {
  std::string requests;
  for (const Observation& observation : pending) requests += request(observation.key);
  for (Observation& observation : pending) observation.sent = Clock::now();
  client.send(requests);
  for (Observation& observation : pending) {
    const HttpAnswer answer = client.read_answer();
    observation.answered = Clock::now();
    observation.status = answer.status;
    judge_time(observation.sent);
    if (answer.status == 200) {
      observation.count = count_in(answer);
    } else {
      judge_refusal(answer);
    }
  }
}

void SteadyLoad::mint() {
  try {
    Caller caller(envoy_);
    while (!stopping_after_a_moment()) {
      const auto sent = Clock::now();
      const HttpAnswer answer = caller.ask(get_without_token("/auth"));
      judge_time(sent);
      if (answer.status != 200) {
        judge_refusal(answer);
        continue;
      }
      const std::lock_guard lock(mutex_);
      minted_.push_back(token_in(answer));
    }
  } catch (const std::exception& error) {
    complain("of the client that mints: " + std::string(error.what()));
  }
}

void SteadyLoad::judge_refusal(const HttpAnswer& answer) {
  if (answer.status != 503 && answer.status != 504) {
    complain("an answer that no outage explains: " + answer.to_string());
  } else if (const auto refusal = is_refusal(answer, answer.status); !refusal) {
    complain(refusal.message());
  }
}

void SteadyLoad::judge_time(Observation::Time sent) {
  const auto took = std::chrono::duration_cast<std::chrono::milliseconds>(Clock::now() - sent);
  if (took > answer_max) complain("an answer took " + std::to_string(took.count()) + " ms");
}

std::vector<std::string> SteadyLoad::lost_tokens() const {
  std::vector<std::string> lost;
  Caller caller(envoy_);
  for (const std::string& token : minted_) {
    const HttpAnswer answer = caller.ask(get("/minted", token));
    if (!is_count(answer, 1)) lost.push_back(token + ": " + answer.to_string());
  }
  return lost;
}

}  // namespace tracker::tests
