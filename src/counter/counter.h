#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <variant>

#include "counter/counter_facts.h"
#include "domain/failure.h"
#include "domain/token.h"
#include "store/count_reader.h"
#include "store/counter_store.h"

namespace tracker::counter {

using store::ReadinessSource;
using store::TrackReply;
class Busiest;

/// Receives the outcome of mint().
class MintReply {
 public:
  /// Called once, on any thread, perhaps before mint() has returned.
  virtual void on_minted(domain::Result<domain::Token> minted) = 0;

 protected:
  ~MintReply() = default;
};

/// Why the counts of a token were not read.
struct ReadFailure {
  enum class Kind : std::uint8_t {
    unknown_token,
    busy,         // too many others wait to read
    unavailable,  // not now
    unsupported,  // never: the store, or how it is reached, cannot be read
  };
  Kind kind;
  std::string why = {};  // for whoever runs the service
};
using ReadOutcome = std::variant<store::TokenCounts, ReadFailure>;
using OnRead = std::function<void(ReadOutcome outcome)>;

/// A counter service as its callers see it, in this process or in another. Any thread may call any function at any
/// time. Calls return without waiting.
class Counter {
 public:
  Counter() = default;
  Counter(const Counter&) = delete;
  Counter& operator=(const Counter&) = delete;
  virtual ~Counter() = default;

  /// As CounterStore::track().
  virtual void track(const domain::HitBatch& hits, TrackReply& reply) = 0;

  /// For callers of track(): tells which verdicts the hits have, each one once, in the thread in which they are answered.
  void settled(const domain::HitBatch& hits, std::span<const domain::HitVerdict> verdicts) {
    if (busiest_ != nullptr) feed_busiest(hits, verdicts);
  }

  /// Has the hits that are counted from now on added to it. It outlives this counter. Before the first hit.
  void watch_by(Busiest& busiest) { busiest_ = &busiest; }

  /// Makes a fresh token, known to every counter of the service. `reply` must stay valid until it is called.
  virtual void mint(domain::Deadline deadline, MintReply& reply) = 0;
  /// The same for an operator, who gives the token a record. Only a counter of this process does so.
  virtual void mint(const domain::TokenRecord& record, domain::Deadline deadline, MintReply& reply);

  /// Reads counts of a token, and counts nothing. It sees every count that was answered before. `on_read` is called once, on
  /// any thread, perhaps before read() has returned. It is not called if the counter ends first.
  virtual void read(const domain::Token& token, const store::CountsQuery& query, domain::Deadline deadline,
                    OnRead on_read);

  /// What the counter says of itself. It is told before a hit is counted to which it applies.
  virtual const CounterFactsSource& facts() const;

  /// The counter that counts the hits of this token, in words, if it is another one. Its hits are refused here.
  virtual std::optional<std::string> owner_elsewhere(const domain::TokenId& /*id*/) const {
    return std::nullopt;
  }

  /// Its user asks it nothing more. What is under way is still answered. On the thread in which it replies.
  virtual void retire() {}

  /// Whether hits can be counted. Any thread.
  virtual const ReadinessSource& readiness() const = 0;

 private:
  void feed_busiest(const domain::HitBatch& hits, std::span<const domain::HitVerdict> verdicts);

  Busiest* busiest_ = nullptr;  // null: nobody watches
};

}  // namespace tracker::counter
