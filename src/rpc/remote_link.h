#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "rpc/remote_counter.h"
#include "rpc/remote_stream.h"
#include "runtime/backoff.h"
#include "runtime/connector.h"

namespace tracker::rpc {

/// What a remote counter's hits wait in, and its connections: the one that new hits go to, and those that come to
/// their end. Belongs to its worker. Invariants:
/// 1. What waits here was not sent: it is certainly not counted if it is refused.
/// 2. While ready_ is false, nothing waits. A connection that was lost or is ending is no such reason
///    until the first attempt at a new one has failed, or a hit cannot wait any longer: what comes meanwhile waits.
/// 3. What was given to a stream is never taken back.
class RemoteLink {
 public:
  RemoteLink(boost::asio::io_context& worker, const RemoteCounterSettings& settings);
  ~RemoteLink();

  void track(const domain::HitBatch& hits, counter::TrackReply& reply);
  void mint(domain::Deadline deadline, counter::MintReply& reply);
  const counter::ReadinessSource& readiness() const noexcept { return readiness_; }

  // From a stream.
  /// The counter has said something; `news` of whether it can count, maybe. There may be room for a message.
  void on_heard(RemoteStream& stream, bool news);
  /// It has not answered in time.
  void on_silent(RemoteStream& stream);
  /// It can be given no more, but answers what was sent.
  void on_ending(RemoteStream& stream);
  /// It is at its end, with all that was sent.
  void on_lost(RemoteStream& stream, const std::string& reason);

 private:
  using Clock = std::chrono::steady_clock;

  struct WaitingBatch {
    const domain::HitBatch* hits;
    counter::TrackReply* reply;
  };
  struct WaitingMint {
    domain::Deadline deadline;
    counter::MintReply* reply;
  };

  void connect();
  void connect_later(std::chrono::milliseconds pause);
  std::chrono::milliseconds pause_after_open();
  bool is_open() const noexcept { return stream_ && stream_->is_open(); }
  void send_waiting();
  void send_waiting_mints();
  void send_message();
  void bound_waiting(domain::Deadline deadline);
  void refuse_waiting();
  void become_ready();
  void become_unready(const std::string& why_not);
  std::string name() const;

  boost::asio::io_context& worker_;
  const RemoteCounterSettings settings_;

  runtime::Connector connector_;
  std::shared_ptr<RemoteStream> stream_;                // null while there is none
  std::vector<std::shared_ptr<RemoteStream>> leaving_;  // that answer what was sent
  bool ready_ = false;                                  // as readiness_ says
  counter::ReadinessSource readiness_;
  std::vector<WaitingBatch> waiting_;
  std::vector<WaitingMint> waiting_mints_;
  std::optional<Clock::time_point> waits_until_;  // while there is no open stream, and something waits
  boost::asio::steady_timer waiting_timer_;
  boost::asio::steady_timer connect_timer_;
  runtime::Backoff backoff_;
  Clock::time_point connected_at_;  // the last time
  bool at_once_ = true;             // the next connection that was open is replaced without a pause
};

}  // namespace tracker::rpc
