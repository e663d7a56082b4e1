#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "domain/readiness.h"
#include "domain/verdict.h"
#include "rpc/batch_message.h"
#include "rpc/server_connection.h"
#include "runtime/observable.h"

namespace tracker::rpc {

/// tracker.v1.Counting/Track: an envoy's stream of batches. Invariants:
/// 1. A batch under way holds the connection. Its answer is dropped if the call is over.
/// 2. The call finishes when it takes no more messages and every batch has its verdicts.
/// 3. It reads no further while too many bytes wait to be sent on it, or too many batches wait for verdicts.
class TrackCall final : public ServerCall {
 public:
  TrackCall(ServerConnection& connection, GrpcConnection::CallId id);
  ~TrackCall() override;

  void on_message(std::string_view message) override;
  void on_half_close() override { take_no_more(); }
  void on_written() override;
  void on_readiness() override;
  void on_end() override { take_no_more(); }

 private:
  class Batch;

  void open(const Opening& opening);
  void take_list(const counter::CounterList& list);
  bool take_batch(std::string_view message);
  std::unique_ptr<Batch> new_batch();
  void begin(std::unique_ptr<Batch> batch, std::size_t message_size, std::uint32_t deadline_ms);
  static void track(ServerConnection& connection, Batch& batch);
  static void answer(Batch& batch, std::span<const domain::HitVerdict> verdicts);
  void take_back(std::unique_ptr<Batch> batch);
  void take_no_more();
  bool finish_if_done();
  void read_on();

  ServerConnection& connection_;
  const GrpcConnection::CallId id_;
  std::vector<std::unique_ptr<Batch>> free_batches_;
  BatchHead head_;  // of the message that is being read
  std::size_t in_flight_ = 0;
  std::optional<domain::Readiness> told_;          // what the envoy was told last; none before its opening
  counter::CounterFacts told_facts_;               // the same
  std::optional<runtime::Subscription> its_list_;  // by which the envoy partitions the tokens
  bool ended_ = false;                             // no more batches are taken
  bool misspoken_ = false;                         // the client violates counting.proto
};

}  // namespace tracker::rpc
