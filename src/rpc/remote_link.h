#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "domain/verdict.h"
#include "rpc/remote_counter.h"
#include "runtime/backoff.h"

namespace tracker::v1 {
class TrackResponse;
}  // namespace tracker::v1

namespace tracker::rpc {

class RemoteStream;

/// The remote counter's side of its stream. Belongs to its worker. Invariants:
/// 1. What is in waiting_ was not sent: if the stream is lost it is certainly not counted. What is in
///    in_flight_ was: if the stream is lost it is perhaps counted.
/// 2. While why_not_ready_ says something, nothing enters waiting_.
/// 3. One message of hits is on its way at a time; those that wait for its verdicts go into the next one.
/// 4. A counter that is asked, by hits or every ask_pause by nothing, answers within a deadline or counts as
///    silent.
class RemoteLink {
 public:
  RemoteLink(boost::asio::io_context& worker, const RemoteCounterSettings& settings);
  ~RemoteLink();

  void track(const domain::HitBatch& hits, counter::TrackReply& reply);
  void mint(domain::Deadline deadline, counter::MintReply& reply);
  std::optional<std::string> why_not_ready() const;  // any thread

  // From the stream.
  void on_read(const v1::TrackResponse& response);
  void on_verdicts(std::string_view verdicts);  // a message of them
  void on_lost(const std::string& reason);

 private:
  using Clock = std::chrono::steady_clock;

  struct Member {
    const domain::HitBatch* hits;
    counter::TrackReply* reply;
    std::uint32_t first;  // its hits stand in the message from here on
    std::uint32_t end;
  };
  /// Used again.
  struct Message {
    std::uint64_t number = 0;
    Clock::time_point deadline;
    std::vector<Member> members;
    std::vector<bool> settled;  // by hit
    std::size_t unsettled = 0;  // 0: it is on its way no more
  };

  void connect();
  void send_waiting();
  void hear(std::optional<std::string_view> verdicts, bool news);
  bool take_verdicts(std::string_view verdicts);
  void settle();
  void give_up();
  void refuse_waiting();
  static void refuse(const std::vector<Member>& members);
  void ask_now_and_then();
  std::optional<Clock::time_point> answer_due() const;
  void watch();
  void on_silence();
  void set_why_not_ready(std::string why_not);
  std::string name() const;

  boost::asio::io_context& worker_;
  const RemoteCounterSettings settings_;

  std::shared_ptr<RemoteStream> stream_;  // null while none is tried
  bool open_ = false;                     // the counter has answered the opening
  bool silent_ = false;                   // it has not answered a message in time
  std::string counters_why_not_;          // what it says of itself
  bool ready_ = false;
  std::vector<Member> waiting_;
  Message in_flight_;
  std::vector<const domain::HitBatch*> batches_;  // of a message while it is written
  std::uint64_t next_number_ = 1;
  std::vector<domain::HitVerdict> verdicts_;  // of a message
  std::optional<Clock::time_point> asked_;    // whether it is there, and not answered yet
  boost::asio::steady_timer ask_timer_;
  boost::asio::steady_timer connect_timer_;
  boost::asio::steady_timer silence_timer_;
  bool watching_ = false;
  runtime::Backoff backoff_;

  mutable std::mutex mutex_;
  std::string why_not_ready_;  // mutex_
};

}  // namespace tracker::rpc
