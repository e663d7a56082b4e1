#pragma once

#include <boost/intrusive/list.hpp>
#include <string>
#include <string_view>

#include "domain/token.h"
#include "domain/token_id.h"
#include "envoy/exchange.h"
#include "envoy/places.h"
#include "envoy/request_head.h"
#include "runtime/deadlines.h"
#include "runtime/ready_set.h"

namespace tracker::envoy {

class EnvoyWorker;

struct ConnectionTag;
struct ReadyTag;
/// In its worker's list of all connections.
using ConnectionHook =
    boost::intrusive::list_base_hook<boost::intrusive::tag<ConnectionTag>,
                                     boost::intrusive::link_mode<boost::intrusive::auto_unlink>>;
/// In its worker's list of connections with new answers.
using ReadyHook =
    boost::intrusive::list_base_hook<boost::intrusive::tag<ReadyTag>,
                                     boost::intrusive::link_mode<boost::intrusive::auto_unlink>>;

/// One client's connection. Invariants:
/// 1. Requests wait in one queue in the order in which they came, and their answers leave in that order.
/// 2. It reads only while fewer than pipeline_max requests wait and all that was written has left.
/// 3. The answer that closes the connection is the last of the queue: nothing is read behind its request.
/// 4. It holds no read buffer: what it keeps between turns is an incomplete head, or what it may not read yet.
/// 5. Readiness is told once (runtime/ready_set.h), so it is remembered until a read or write finds that there
///    is none. Whoever changes what is to be done next calls advance().
class Connection final : public ConnectionHook,
                         public ReadyHook,
                         public runtime::Expiring,
                         public runtime::Pollable {
 public:
  /// One beyond the limit is there to be refused.
  Connection(EnvoyWorker& worker, runtime::Descriptor socket, AddressCounts::Place address,
             bool beyond_limit);
  ~Connection();

  int socket() const noexcept { return socket_.number(); }
  bool is_beyond_limit() const noexcept { return beyond_limit_; }
  void on_ready(const runtime::Readiness& ready) override;

  /// Answers with this refusal behind what waits, and then closes. The answer to HEAD has no body.
  void close_with(Refusal refusal, bool with_body = true);

  /// Has its worker send what is unsent, and the answers that are next in order.
  void write_answers();

  /// What came of that: so many of the bytes were sent, or -errno.
  void on_sent(std::string_view bytes, ssize_t sent);

  /// The service ends: reads what has arrived, and ends after the answers to it.
  void drain();

  void on_deadline(runtime::Clock::time_point now) override;

  /// Whether its client loses nothing if it ends now: no request of it is under way, nothing that it sent is
  /// unread, and it has all its answers, or did not take them in all the time since `idle_since` that it has
  /// for that. Asks the kernel, since what has just arrived may not have been told yet. For one whose idle or
  /// head's deadline runs.
  bool can_give_way(runtime::Clock::time_point idle_since, runtime::Clock::time_point now) const;

  /// Ends as at its deadline, since another has its place: it is beyond the limit now.
  void give_way(runtime::Clock::time_point now);

 private:
  enum class Step : std::uint8_t { parse, read, read_the_last, write, wait_for_answers };

  /// Does what can be done. After the last step its worker has it, and it is not to be touched any more.
  void advance();
  Step next_step() const noexcept;
  bool is_at_its_end() const noexcept;

  void read();
  void read_the_last();
  void parse(std::string_view input);
  void take(const RequestHead& head);
  const domain::TokenId& id_of(const domain::Token& token);
  Exchange& enqueue();
  void answer_with(Exchange& exchange, Refusal refusal);
  void format_answers(std::string& out);
  void set_deadline();
  Refusal refusal_of_late_head() const;
  void abandon_requests() noexcept;
  void begin_to_end();
  void linger();
  void end();

  EnvoyWorker& worker_;
  runtime::Descriptor socket_;
  AddressCounts::Place address_;
  Exchange* first_ = nullptr;  // the queue
  Exchange* last_ = nullptr;
  std::string unread_;          // an incomplete head, or (paused) requests that may not be read yet
  std::string unsent_;          // answers that the client has not taken yet
  domain::Token last_token_{};  // of its requests; most clients have only one
  domain::TokenId last_token_id_ = domain::token_id(last_token_);
  std::uint32_t waiting_ = 0;
  std::size_t linger_bytes_left_ = 0;
  std::size_t last_bytes_left_ = 0;  // of what had arrived when the drain was asked for
  bool beyond_limit_;
  bool readable_ = true;  // as far as is known
  bool writable_ = true;
  bool hung_up_ = false;          // the client's end has been told
  bool paused_ = false;           // `unread_` may begin with a whole request
  bool receiving_ = true;         // further requests are welcome
  bool client_finished_ = false;  // it has closed its sending side
  bool broken_ = false;           // nothing can be sent any more
  bool lingering_ = false;
  bool ended_ = false;
  bool crlf_skipped_ = false;  // before the request line that comes
  bool head_timing_ = false;   // the head's deadline runs
  bool drain_asked_ = false;   // what had arrived is still answered ...
  bool draining_ = false;      // ... and what comes now is refused
};

}  // namespace tracker::envoy
