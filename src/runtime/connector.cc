#include "runtime/connector.h"

#include <algorithm>
#include <boost/asio/steady_timer.hpp>
#include <cassert>
#include <optional>
#include <utility>
#include <vector>

#include "runtime/address_race.h"

namespace tracker::runtime {

namespace {

using boost::asio::ip::tcp;
constexpr std::size_t troubles_told_max = 4;

std::string takes_longer_than(std::chrono::milliseconds time) {
  return " takes longer than " + std::to_string(time.count()) + " ms";
}

/// Sorted, so that the text stays the same when only the order of a name's addresses changes between look-ups.
std::string joined(std::vector<std::string> troubles) {
  std::sort(troubles.begin(), troubles.end());
  std::string text;
  for (std::size_t i = 0; i < std::min(troubles.size(), troubles_told_max); ++i) {
    text += (i > 0 ? "; " : "") + troubles[i];
  }
  if (troubles.size() <= troubles_told_max) return text;
  return text + "; and " + std::to_string(troubles.size() - troubles_told_max) + " more";
}

}  // namespace

/// Kept alive by what is still on the event loop, which does nothing once the attempt has ended.
class Connector::Attempt : public std::enable_shared_from_this<Attempt> {
 public:
  Attempt(boost::asio::io_context& loop, const ConnectDeadlines& deadlines, Done done)
      : loop_(loop), deadlines_(deadlines), done_(std::move(done)), timer_(loop) {}

  void wait_for_look_up(NameLookup& lookup, std::uint16_t port) {
    lookup.start([self = shared_from_this(), port](const FoundAddresses& found) {
      if (!found) return self->fail("looking up its name failed: " + found.error());
      self->try_all(*found, port);
    });
    timer_.expires_after(deadlines_.look_up);
    timer_.async_wait([self = shared_from_this(), &lookup](boost::system::error_code error) {
      if (error || self->race_ || self->ended()) return;
      lookup.stop_waiting();
      self->fail("looking up its name" + takes_longer_than(self->deadlines_.look_up));
    });
  }

  void abandon() {
    done_ = nullptr;
    tries_.clear();
    timer_.cancel();
  }

  bool ended() const { return !done_; }

 private:
  struct Try {
    tcp::endpoint endpoint;
    std::optional<Socket> socket;  // during the attempt
  };

  void try_all(const std::vector<boost::asio::ip::address>& found, std::uint16_t port) {
    for (const auto& address : in_order_of_trial(found)) tries_.push_back({{address, port}, std::nullopt});
    race_.emplace(tries_.size(), deadlines_.address);
    go_on();
  }

  void go_on() {
    const auto now = std::chrono::steady_clock::now();
    while (const auto late = race_->take_late(now)) give_up(*late, takes_longer_than(deadlines_.address));
    while (const auto next = race_->begin_next(now)) begin(*next);
    if (race_->lost()) return fail(joined(std::move(troubles_)));
    timer_.expires_at(race_->next_event());
    timer_.async_wait([self = shared_from_this()](boost::system::error_code error) {
      if (!error && !self->ended()) self->go_on();
    });
  }

  void begin(std::size_t number) {
    auto& [endpoint, socket] = tries_[number];
    socket.emplace(loop_.get_executor());
    boost::system::error_code error;
    socket->open(endpoint.protocol(), error);
    if (error) {
      on_failed(number, error);
      return;
    }
    socket->async_connect(endpoint,
                          [self = shared_from_this(), number](boost::system::error_code connect_error) {
                            if (self->ended()) return;
                            if (!connect_error)
                              connect_error = self->trouble_with(*self->tries_[number].socket);
                            if (!connect_error) return self->succeed(number);
                            if (self->on_failed(number, connect_error)) self->go_on();
                          });
  }

  /// If nobody listens on a port that the system also gives to clients, a socket may connect to itself. That is an
  /// error.
  static boost::system::error_code trouble_with(Socket& socket) {
    boost::system::error_code error;
    const bool is_itself = socket.local_endpoint(error) == socket.remote_endpoint(error);
    return is_itself && !error ? boost::asio::error::connection_refused : error;
  }

  /// Returns false if its time was over before.
  bool on_failed(std::size_t number, boost::system::error_code error) {
    if (!race_->failed(number)) return false;
    give_up(number, ": " + error.message());
    return true;
  }

  void give_up(std::size_t number, const std::string& trouble) {
    auto& [endpoint, socket] = tries_[number];
    socket.reset();
    troubles_.push_back("connecting to " + to_string(endpoint) + trouble);
  }

  void succeed(std::size_t number) {
    Socket socket = std::move(*tries_[number].socket);
    boost::system::error_code ignored;
    socket.non_blocking(true, ignored);
    socket.set_option(tcp::no_delay(true), ignored);
    socket.set_option(boost::asio::socket_base::keep_alive(true), ignored);
    end(std::move(socket));
  }

  void fail(const std::string& trouble) { end(trouble); }

  void end(Outcome outcome) {
    const auto done = std::exchange(done_, nullptr);
    abandon();
    done(std::move(outcome));
  }

  boost::asio::io_context& loop_;
  const ConnectDeadlines deadlines_;
  Done done_;  // null once it has ended
  boost::asio::steady_timer timer_;
  std::vector<Try> tries_;
  std::optional<AddressRace> race_;  // once the addresses are known
  std::vector<std::string> troubles_;
};

Connector::Connector(boost::asio::io_context& loop, Address address, const ConnectDeadlines& deadlines,
                     NameLookup::LookUp look_up)
    : loop_(loop),
      address_(std::move(address)),
      deadlines_(deadlines),
      lookup_(loop, address_.host, std::move(look_up)) {}

Connector::~Connector() {
  if (attempt_) attempt_->abandon();
}

void Connector::connect(Done done) {
  assert(!attempt_ || attempt_->ended());
  attempt_ = std::make_shared<Attempt>(loop_, deadlines_, std::move(done));
  attempt_->wait_for_look_up(lookup_, address_.port);
}

}  // namespace tracker::runtime
