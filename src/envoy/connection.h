#pragma once

#include <array>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/basic_waitable_timer.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/intrusive/list.hpp>
#include <string>
#include <string_view>

#include "envoy/exchange.h"
#include "envoy/request_head.h"
#include "runtime/deadlines.h"
#include "runtime/listener.h"

namespace tracker::envoy {

class EnvoyWorker;

template <typename T>
using Awaitable = boost::asio::awaitable<T, boost::asio::io_context::executor_type>;
using Timer = boost::asio::basic_waitable_timer<runtime::Clock, boost::asio::wait_traits<runtime::Clock>,
                                                boost::asio::io_context::executor_type>;

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
/// 4. It holds no read buffer but for its first bytes, in which most requests fit; what it keeps beside them
///    between turns is an incomplete head, or what it may not read yet.
/// 5. Its coroutine waits for one thing at a time. Whoever changes what it should wait for cancels the wait,
///    and the coroutine looks again.
class Connection : public ConnectionHook, public ReadyHook, public runtime::Expiring {
 public:
  Connection(EnvoyWorker& worker, runtime::Socket socket);
  ~Connection();

  /// Serves the client until the connection is at its end.
  Awaitable<void> run();

  /// Answers with this refusal behind what waits, and then closes.
  void close_with(Refusal refusal);

  /// Writes the answers that are next in order.
  void write_answers();

  /// The service ends: reads what has arrived, and ends after the answers to it.
  void drain();

  void on_deadline(runtime::Clock::time_point now) override;

 private:
  enum class Wait : std::uint8_t { nothing, read, write, answers };

  Wait next_wait() const noexcept;
  Awaitable<void> wait_for_answers();
  void wake_if_it_waits_for_the_wrong_thing();
  void cancel_wait();
  bool is_at_its_end() const noexcept;

  void take_first_bytes(boost::system::error_code error, std::size_t size);
  void take_end();
  void read(std::string_view first);
  void read_the_last();
  void parse(std::string_view input);
  void take(const RequestHead& head);
  Exchange& enqueue();
  void answer_with(Exchange& exchange, Refusal refusal);
  void send(std::string_view bytes);
  void set_deadline();
  Refusal refusal_of_late_head() const;
  void abandon_requests() noexcept;
  Awaitable<void> linger();

  EnvoyWorker& worker_;
  runtime::Socket socket_;
  Exchange* first_ = nullptr;  // the queue
  Exchange* last_ = nullptr;
  std::array<char, 512> first_bytes_;
  std::string unread_;  // an incomplete head, or (paused) requests that may not be read yet
  std::string unsent_;  // answers that the client has not taken yet
  std::uint32_t waiting_ = 0;
  Wait waits_for_ = Wait::nothing;
  Timer* wake_ = nullptr;         // to be cancelled, while it waits for answers
  bool paused_ = false;           // `unread_` may begin with a whole request
  bool receiving_ = true;         // further requests are welcome
  bool client_finished_ = false;  // it has closed its sending side
  bool broken_ = false;           // nothing can be sent any more
  bool lingering_ = false;
  bool crlf_skipped_ = false;  // before the request line that comes
  bool head_timing_ = false;   // the head's deadline runs
  bool drain_asked_ = false;   // what has arrived is still answered ...
  bool draining_ = false;      // ... and what comes now is refused
};

}  // namespace tracker::envoy
