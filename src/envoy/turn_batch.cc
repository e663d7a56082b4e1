#include "envoy/turn_batch.h"

#include <boost/asio/post.hpp>
#include <cassert>
#include <memory>

#include "envoy/turn.h"

namespace tracker::envoy {

namespace {

void answer(Exchange& exchange, const domain::Verdict& verdict) {
  using Kind = domain::Verdict::Kind;
  exchange.answer = verdict.kind == Kind::counted ? Exchange::Answer::count : Exchange::Answer::refusal;
  exchange.count = verdict.count;
  switch (verdict.kind) {
    case Kind::counted:
      break;
    case Kind::unknown_token:
      exchange.refusal = Refusal::unknown_token;
      break;
    case Kind::not_counted:
      exchange.refusal = Refusal::not_counted;
      break;
    case Kind::perhaps_counted:
      exchange.refusal = Refusal::perhaps_counted;
      break;
    case Kind::too_many_paths:
      exchange.refusal = Refusal::too_many_paths;
      break;
  }
}

void refuse(Exchange& exchange, Refusal refusal) {
  exchange.answer = Exchange::Answer::refusal;
  exchange.refusal = refusal;
}

}  // namespace

void TurnBatch::on_verdicts(std::span<const domain::HitVerdict> verdicts) {
  if (turn_.in_its_thread()) {
    settle(verdicts);
  } else {
    boost::asio::post(turn_.executor(),
                      [this, copy = std::vector(verdicts.begin(), verdicts.end())] { settle(copy); });
  }
}

void TurnBatch::settle(std::span<const domain::HitVerdict> verdicts) {
  assert(verdicts.size() <= unsettled_);
  turn_.counter().settled(hits_, verdicts);
  for (const auto& [hit, verdict] : verdicts) {
    assert(hit < exchanges_.size());
    if (Exchange* exchange = std::exchange(exchanges_[hit], nullptr)) {
      answer(*exchange, verdict);
      turn_.answered(*exchange);
    }
  }
  unsettled_ -= verdicts.size();
  if (settled()) turn_.take_back(*this);
  turn_.leave_flight(verdicts.size());
}

void TurnBatch::on_deadline(runtime::Clock::time_point /*now*/) {
  for (Exchange*& exchange : exchanges_) {
    if (exchange == nullptr) continue;
    refuse(*exchange, Refusal::perhaps_counted);
    turn_.answered(*exchange);
    exchange = nullptr;
  }
  turn_.schedule_end();
}

void PendingMint::on_minted(domain::Result<domain::Token> minted) {
  if (turn_.in_its_thread()) {
    settle(minted);
  } else {
    boost::asio::post(turn_.executor(), [this, minted] { settle(minted); });
  }
}

void PendingMint::settle(domain::Result<domain::Token> minted) {
  std::unique_ptr<PendingMint> self(this);
  Turn& turn = turn_;
  if (exchange_ != nullptr) {
    if (minted) {
      exchange_->answer = Exchange::Answer::token;
      exchange_->token = *minted;
    } else {
      const bool not_done = minted.error() == domain::Failure::not_done;
      refuse(*exchange_, not_done ? Refusal::not_minted : Refusal::perhaps_minted);
    }
    turn.answered(*exchange_);
  }
  self.reset();
  turn.leave_flight(1);
}

void PendingMint::on_deadline(runtime::Clock::time_point /*now*/) {
  refuse(*exchange_, Refusal::perhaps_minted);
  turn_.answered(*exchange_);
  turn_.schedule_end();
  exchange_ = nullptr;
}

}  // namespace tracker::envoy
