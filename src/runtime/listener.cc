#include "runtime/listener.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <algorithm>
#include <boost/algorithm/string/predicate.hpp>
#include <boost/asio/ip/v6_only.hpp>
#include <locale>
#include <utility>

namespace tracker::runtime {

namespace {

using boost::asio::ip::tcp;
constexpr int not_sent_bytes_max = 64 * 1024;
constexpr int attempts_max = 16;
using NotSentLowWater = boost::asio::detail::socket_option::integer<IPPROTO_TCP, TCP_NOTSENT_LOWAT>;
using ReusePort = boost::asio::detail::socket_option::boolean<SOL_SOCKET, SO_REUSEPORT>;

/// Opens and binds. The empty host means IPv6 and IPv4 at once, if the machine has IPv6.
Acceptor bind(boost::asio::io_context& context, const Endpoint& endpoint, bool share) {
  Acceptor acceptor(context.get_executor());
  acceptor.open(endpoint.protocol());
  acceptor.set_option(tcp::acceptor::reuse_address(true));  // connections of an earlier run may still linger
  if (share) acceptor.set_option(ReusePort(true));
  if (endpoint.protocol() == tcp::v6()) {
    acceptor.set_option(boost::asio::ip::v6_only(!endpoint.address().is_unspecified()));
  }
  // Its connections inherit this. The kernel keeps little for a slow client, and the socket becomes writable each time
  // the client takes some of it. So a slow client is not mistaken for one that has stopped reading.
  acceptor.set_option(NotSentLowWater(not_sent_bytes_max));
  acceptor.bind(endpoint);
  return acceptor;
}

Acceptor open(boost::asio::io_context& context, const Endpoint& endpoint, bool share) {
  auto acceptor = bind(context, endpoint, share);
  acceptor.listen();
  acceptor.non_blocking(true);
  return acceptor;
}

/// Whether this machine has the address. The port does not matter.
bool can_listen(const Endpoint& endpoint) {
  boost::asio::io_context context;
  boost::system::error_code error;
  Acceptor probe(context.get_executor());
  probe.open(endpoint.protocol(), error);
  if (!error) probe.bind({endpoint.address(), 0}, error);
  return !error;
}

std::vector<Endpoint> look_up(const Address& address) {
  if (address.host.empty()) {
    const Endpoint any_v6(tcp::v6(), address.port);
    return {can_listen(any_v6) ? any_v6 : Endpoint(tcp::v4(), address.port)};
  }
  if (boost::algorithm::iequals(address.host, "localhost", std::locale::classic())) {
    return {{boost::asio::ip::address_v4::loopback(), address.port},
            {boost::asio::ip::address_v6::loopback(), address.port}};
  }
  std::vector<Endpoint> endpoints;
  boost::asio::io_context context;
  tcp::resolver resolver(context);
  for (const auto& found :
       resolver.resolve(address.host, std::to_string(address.port), tcp::resolver::numeric_service)) {
    if (std::find(endpoints.begin(), endpoints.end(), found.endpoint()) == endpoints.end()) {
      endpoints.push_back(found.endpoint());
    }
  }
  return endpoints;
}

std::vector<Acceptor> listen(boost::asio::io_context& context, const std::vector<Endpoint>& endpoints) {
  std::vector<Acceptor> acceptors;
  for (auto endpoint : endpoints) {
    if (!acceptors.empty()) endpoint.port(acceptors.front().local_endpoint().port());
    acceptors.push_back(open(context, endpoint, false));
  }
  return acceptors;
}

}  // namespace

Endpoint resolve(const Address& address) {
  return look_up(address).front();
}

std::vector<Endpoint> resolve_all(const Address& address) {
  return without_unusable_ipv6(look_up(address), can_listen);
}

std::vector<Endpoint> without_unusable_ipv6(std::vector<Endpoint> endpoints,
                                            const std::function<bool(const Endpoint&)>& can_listen) {
  if (endpoints.size() == 1) return endpoints;
  auto usable = endpoints;
  std::erase_if(usable, [&](const Endpoint& endpoint) {
    return endpoint.protocol() == tcp::v6() && !can_listen(endpoint);
  });
  return usable.empty() ? endpoints : usable;
}

std::vector<Acceptor> listen(boost::asio::io_context& context, const Address& address) {
  const auto endpoints = resolve_all(address);
  for (int attempts_left = attempts_max;; --attempts_left) {
    try {
      return listen(context, endpoints);
    } catch (const boost::system::system_error& error) {
      // The port that was free on the first address may not be free on the others.
      const bool chose_badly =
          address.port == 0 && endpoints.size() > 1 && error.code() == boost::asio::error::address_in_use;
      if (!chose_badly || attempts_left == 1) throw;
    }
  }
}

void require_free(const Address& address) {
  boost::asio::io_context not_run;
  for (const auto& endpoint : resolve_all(address)) static_cast<void>(bind(not_run, endpoint, false));
}

std::vector<std::vector<Acceptor>> listen_shared(const std::vector<boost::asio::io_context*>& contexts,
                                                 const Address& address) {
  std::vector<std::vector<Acceptor>> acceptors;
  acceptors.push_back(listen(*contexts.front(), address));
  if (contexts.size() == 1) return acceptors;
  for (auto& acceptor : acceptors.front()) acceptor.set_option(ReusePort(true));
  const auto endpoints = endpoints_of(acceptors.front());
  for (std::size_t i = 1; i < contexts.size(); ++i) {
    auto& of_this_context = acceptors.emplace_back();
    for (const auto& endpoint : endpoints) of_this_context.push_back(open(*contexts[i], endpoint, true));
  }
  return acceptors;
}

std::vector<Endpoint> endpoints_of(const std::vector<Acceptor>& acceptors) {
  std::vector<Endpoint> endpoints;
  for (const auto& acceptor : acceptors) endpoints.push_back(acceptor.local_endpoint());
  return endpoints;
}

std::string to_string(const Endpoint& endpoint) {
  return to_string(Address{endpoint.address().to_string(), endpoint.port()});
}

}  // namespace tracker::runtime
