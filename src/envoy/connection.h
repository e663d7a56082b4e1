#pragma once

#include <boost/intrusive/list.hpp>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "domain/ip_address.h"
#include "domain/token.h"
#include "domain/token_id.h"
#include "envoy/exchange.h"
#include "envoy/places.h"
#include "envoy/recent_clients.h"
#include "envoy/request_head.h"
#include "envoy/route.h"
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

/// The connection of one client. It is a state machine: whatever changes what to do next calls advance(), which does
/// what can be done. Invariants:
/// 1. Requests wait in one queue in the order in which they came, and their answers leave in that order.
/// 2. It reads only while it receives (State), fewer than pipeline_max requests wait, and all that was written has
///    left.
/// 3. The answer that closes the connection is the last in the queue: nothing is read behind its request.
/// 4. It holds no read buffer. Between turns it keeps only an incomplete head, or requests that it may not read yet.
/// 5. Readiness is reported once (runtime/ready_set.h). So it is remembered until a read or write finds that there is
///    none.
/// 6. State only moves down its list.
/// 7. Where a header of the PROXY protocol must come first, nothing is read as a request before it. Its time is that of the
///    head behind it.
/// 8. At most one deadline runs: for writing while something is unsent, for an incomplete head, or for being idle. A
///    request that waits for its answer has the deadline of its batch instead.
class Connection final : public ConnectionHook,
                         public ReadyHook,
                         public runtime::Expiring,
                         public runtime::Pollable {
 public:
  /// A connection beyond the limit has no place. It is there to be refused.
  Connection(EnvoyWorker& worker, runtime::Descriptor socket, const domain::IpAddress& peer,
             AddressCounts::Place address, bool beyond_limit);
  ~Connection();

  int socket() const noexcept { return socket_.number(); }
  RecentClients::Mark& recent() noexcept { return recent_; }
  bool is_beyond_limit() const noexcept { return beyond_limit_; }
  void on_ready(const runtime::Readiness& ready) override;

  /// Answers with this refusal, after the requests that wait, and then closes. An answer to HEAD has no body.
  void close_with(Refusal refusal, bool with_body = true);

  /// Hands its worker what is unsent and the answers that are next in order, to be sent.
  void write_answers();

  /// The result of that: the number of bytes sent, or -errno.
  void on_sent(std::string_view bytes, ssize_t sent);

  /// Reads what has arrived, and ends after the answers to it, because the service ends.
  void drain();

  void on_deadline(runtime::Clock::time_point now) override;

  /// Whether the client loses nothing if the connection ends now: it has no request in flight, nothing that it sent is
  /// unread, and it has all its answers, or has had the time for them since `idle_since` and did not read them. Asks
  /// the kernel, because what has just arrived may not have been reported yet. Only while its idle deadline or its
  /// head's deadline runs.
  bool can_give_way(runtime::Clock::time_point idle_since, runtime::Clock::time_point now) const;

  /// Ends as at its deadline, because another connection has its place. It is beyond the limit now.
  void give_way(runtime::Clock::time_point now);

 private:
  enum class State : std::uint8_t {
    serving,       // receives requests
    reading_last,  // the service ends: receives what had arrived by then
    refusing,      // the service ends: receives one more request, which is refused
    closing,       // receives no more, and ends after the waiting answers
    half_closed,   // the same, and the client has closed its sending side: there is nothing to read
    lingering,     // has sent its last answer; reads what the client still sends, and drops it
    abandoned,     // the client has gone or its time is over: ends without further answers
    ended,         // its worker will delete it
  };
  enum class Readable : std::uint8_t {
    no,
    yes,        // as far as is known
    to_the_end  // the client has closed its sending side, which is reported only once: read until the end
  };
  enum class Unread : std::uint8_t {
    nothing,
    part_of_head,
    requests,  // perhaps a whole one, which waits until fewer than pipeline_max requests wait
  };
  enum class Step : std::uint8_t { parse, read, read_the_last, write, wait_for_answers };

  void advance();
  Step next_step() const noexcept;
  bool receives() const noexcept { return state_ <= State::refusing; }
  bool is_at_its_end() const noexcept;
  bool is_consistent() const noexcept;
  /// Enters a state further down the list.
  void enter(State state) noexcept;

  void read();
  void read_the_last();
  void parse(std::string_view input);
  bool take_proxy_header(std::string_view& input);
  bool enter_place_of_client(std::string_view input);
  std::optional<domain::IpAddress> told_client(std::string_view head) const;
  void take(const RequestHead& head, std::string_view bytes);
  void mint(Exchange& exchange, std::string_view head);
  runtime::Clock::duration wait_for_token(std::string_view head);
  const domain::TokenId& id_of(const domain::Token& token);
  Exchange& enqueue();
  void answer_with(Exchange& exchange, Refusal refusal);
  void describe(AccessEntry& entry, const RequestHead& head, const Route& what, std::string& path);
  void log_answer(const Exchange& exchange, std::size_t bytes);
  void format_answers(std::string& out);
  void set_deadline();
  Refusal refusal_of_late_head() const;
  void abandon_requests() noexcept;
  void begin_to_end();
  void linger();
  void end();

  EnvoyWorker& worker_;
  runtime::Descriptor socket_;
  std::optional<AddressCounts::Place> address_;
  Exchange* first_ = nullptr;  // the queue
  Exchange* last_ = nullptr;
  std::string unread_;          // see Unread
  std::string unsent_;          // answers that the client has not taken yet
  domain::Token last_token_{};  // of its requests; most clients have only one
  domain::TokenId last_token_id_ = domain::token_id(last_token_);
  const domain::IpAddress peer_;
  std::unique_ptr<const std::string> peer_text_;  // with its port, once the access log has named it
  std::optional<domain::IpAddress> proxied_;      // the client for whom a proxy opened it, or else that proxy
  std::uint32_t waiting_ = 0;                     // requests in the queue
  RecentClients::Mark recent_;
  std::size_t linger_bytes_left_ = 0;
  std::size_t last_bytes_left_ = 0;  // of what had arrived when the drain began
  State state_ = State::serving;
  Readable readable_ = Readable::yes;
  Unread unread_is_ = Unread::nothing;
  bool writable_ = true;  // as far as is known
  bool beyond_limit_;
  bool crlf_skipped_ = false;  // before the request line that comes
  bool head_timed_ = false;    // the head's deadline runs
  bool awaits_proxy_header_ = false;
};

}  // namespace tracker::envoy
