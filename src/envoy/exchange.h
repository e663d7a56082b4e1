#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "domain/token.h"
#include "envoy/access_log.h"
#include "envoy/answer.h"
#include "envoy/refusal.h"
#include "runtime/deadlines.h"

namespace tracker::envoy {

class Connection;

/// A request and its answer. It is in its connection's queue from the moment when its head was read until its answer is
/// formatted, and in a batch while its hit is in flight.
struct Exchange {
  enum class Answer : std::uint8_t { none_yet, count, token, refusal };

  Connection* connection = nullptr;  // null once the client has gone
  Exchange* next = nullptr;          // in the connection's queue, or in the pool
  Answer answer = Answer::none_yet;
  Refusal refusal{};
  Persistence persistence = Persistence::stays;
  bool with_body = true;            // false for HEAD
  std::uint32_t retry_after_s = 0;  // of a refusal that does not say it itself; 0: it has none
  std::int64_t count = 0;
  runtime::Clock::time_point begun{};  // when its head was read
  domain::Token token{};
  AccessEntry* access = nullptr;  // null: the access log leaves it out, or there is none
};

/// A pool of exchanges, so that a request allocates none. Belongs to one worker.
class ExchangePool {
 public:
  Exchange& take() {
    if (free_ == nullptr) grow();
    Exchange& exchange = *free_;
    free_ = exchange.next;
    exchange = Exchange{};
    return exchange;
  }

  void give_back(Exchange& exchange) noexcept {
    exchange.next = free_;
    free_ = &exchange;
  }

 private:
  static constexpr std::size_t chunk_size = 256;

  void grow() {
    chunks_.push_back(std::make_unique<Exchange[]>(chunk_size));
    for (std::size_t i = 0; i < chunk_size; ++i) give_back(chunks_.back()[i]);
  }

  std::vector<std::unique_ptr<Exchange[]>> chunks_;
  Exchange* free_ = nullptr;
};

}  // namespace tracker::envoy
