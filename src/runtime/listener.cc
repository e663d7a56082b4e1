#include "runtime/listener.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <boost/asio/ip/v6_only.hpp>

#include <utility>

namespace tracker::runtime {

namespace {

using boost::asio::ip::tcp;
constexpr int not_sent_bytes_max = 64 * 1024;
using NotSentLowWater = boost::asio::detail::socket_option::integer<IPPROTO_TCP, TCP_NOTSENT_LOWAT>;
using ReusePort = boost::asio::detail::socket_option::boolean<SOL_SOCKET, SO_REUSEPORT>;

/// Opens and binds. An address of all machines is IPv6 and IPv4 at once, where the machine has IPv6.
Acceptor bind(boost::asio::io_context& context, const tcp::endpoint& endpoint, bool share) {
  Acceptor acceptor(context.get_executor());
  acceptor.open(endpoint.protocol());
  acceptor.set_option(tcp::acceptor::reuse_address(true));  // connections of an earlier run may still linger
  if (share) acceptor.set_option(ReusePort(true));
  if (endpoint.protocol() == tcp::v6()) {
    acceptor.set_option(boost::asio::ip::v6_only(!endpoint.address().is_unspecified()));
  }
  // Inherited by its connections: what a slow client has not taken yet stays small, and each time it takes
  // some the socket becomes writable, so that slow is not mistaken for stopped.
  acceptor.set_option(NotSentLowWater(not_sent_bytes_max));
  acceptor.bind(endpoint);
  acceptor.listen();
  acceptor.non_blocking(true);
  return acceptor;
}

bool has_ipv6() {
  boost::asio::io_context context;
  boost::system::error_code error;
  Acceptor probe(context.get_executor());
  probe.open(tcp::v6(), error);
  if (!error) probe.bind({tcp::v6(), 0}, error);
  return !error;
}

}  // namespace

tcp::endpoint resolve(const Address& address) {
  if (address.host.empty()) return {has_ipv6() ? tcp::v6() : tcp::v4(), address.port};
  boost::asio::io_context context;
  tcp::resolver resolver(context);
  const auto found =
      resolver.resolve(address.host, std::to_string(address.port), tcp::resolver::numeric_service);
  return found.begin()->endpoint();
}

Acceptor listen(boost::asio::io_context& context, const Address& address) {
  return bind(context, resolve(address), false);
}

std::vector<Acceptor> listen_shared(const std::vector<boost::asio::io_context*>& contexts,
                                    const Address& address) {
  std::vector<Acceptor> acceptors;
  acceptors.push_back(listen(*contexts.front(), address));
  if (contexts.size() == 1) return acceptors;
  acceptors.front().set_option(ReusePort(true));
  const auto endpoint = acceptors.front().local_endpoint();
  for (std::size_t i = 1; i < contexts.size(); ++i) acceptors.push_back(bind(*contexts[i], endpoint, true));
  return acceptors;
}

std::string to_string(const tcp::endpoint& endpoint) {
  return to_string(Address{endpoint.address().to_string(), endpoint.port()});
}

}  // namespace tracker::runtime
