#pragma once

#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "counter/counter.h"
#include "domain/verdict.h"
#include "link/gather.h"
#include "rpc/batch_message.h"
#include "rpc/grpc_connection.h"

namespace tracker::rpc {

class RemoteLink;

/// One connection to the counter: the stream on it, its message of hits in flight, and the mints beside it. Belongs to
/// its link's worker. Invariants:
/// 1. What it was given was sent. If the connection is lost, that is perhaps counted; it is never sent again.
/// 2. One message of hits is on its way at a time.
/// 3. A counter that is asked, by hits or every ask_pause by nothing, answers within a deadline or counts as silent;
///    one that stays silent is lost.
class RemoteStream final : public GrpcConnection {
 public:
  using Clock = std::chrono::steady_clock;

  /// On a socket that is connected.
  RemoteStream(RemoteLink& link, boost::asio::io_context& worker, runtime::Socket socket,
               std::uint32_t calls_max);

  /// Greets the counter; the link's on_heard() or on_lost() tells.
  void start(const std::string& authority, const std::string& version);

  /// The counter has answered the greeting.
  bool is_open() const noexcept { return open_; }
  /// It is open, and no message is on its way.
  bool has_room() const noexcept { return open_ && in_flight_.batches() == 0; }
  /// Why the counter cannot count, as it says itself; empty: it can.
  const std::string& counters_why_not() const noexcept { return counters_why_not_; }

  /// The next message. Nothing is in it, and it may be filled, while there is room.
  link::Gather& next_message() noexcept { return in_flight_; }
  /// Sends it, with some hits in it. The link's on_heard() tells when there is room again.
  void send();
  /// It is open. Answers false if no more calls can be made on this connection: then nothing was sent.
  bool mint(domain::Deadline deadline, counter::MintReply& reply);

  /// Is given nothing more; the link's on_lost() tells when what is in flight was answered, or takes too long.
  void leave();

  /// Ends it at once. Its link hears nothing of it any more; what is in flight is answered: perhaps.
  void abandon();

 private:
  struct Mint {
    counter::MintReply* reply;
    domain::Deadline deadline;
    std::optional<domain::Token> token;
  };

  void on_connected() override;
  void on_message(CallId call, std::string_view message) override;
  void on_call_end(CallId call, const CallStatus& status) override;
  void on_peer_ends() override;
  void on_lost(const std::string& reason) override;

  std::shared_ptr<RemoteStream> self();
  void give_up_after(std::chrono::milliseconds time, const std::string& reason);
  void hear(bool news);
  bool take_verdicts(std::string_view verdicts);
  void leave_if_done();
  void ask_later();
  std::optional<Clock::time_point> answer_due() const;
  void watch();
  void on_silence();

  RemoteLink* link_;  // null once abandoned
  std::string authority_;
  std::string version_;
  CallId track_ = 0;
  bool open_ = false;
  bool silent_ = false;   // it has not answered in time
  bool leaving_ = false;  // it is given nothing more
  std::string counters_why_not_;
  std::unordered_map<CallId, Mint> mints_;

  link::Gather in_flight_;                        // the message on its way; no batches: there is none
  std::uint64_t number_ = 0;                      // its number
  std::vector<const domain::HitBatch*> batches_;  // of a message while it is written
  std::vector<domain::HitVerdict> verdicts_;      // of a message
  std::optional<Clock::time_point> asked_;        // whether it is there, and not answered yet
  boost::asio::steady_timer ask_timer_;
  boost::asio::steady_timer silence_timer_;
  boost::asio::steady_timer end_timer_;  // of the greeting, or of leaving
  bool watching_ = false;
};

}  // namespace tracker::rpc
