#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <functional>
#include <vector>

#include "runtime/address.h"

namespace tracker::runtime {

/// A TCP socket whose I/O runs on one io_context, without the cost of a type-erased executor.
using Socket = boost::asio::basic_stream_socket<boost::asio::ip::tcp, boost::asio::io_context::executor_type>;
using Acceptor =
    boost::asio::basic_socket_acceptor<boost::asio::ip::tcp, boost::asio::io_context::executor_type>;

using Endpoint = boost::asio::ip::tcp::endpoint;

/// Resolves an address; of a name with several, the first one. Asks the system's resolver about names. Throws
/// boost::system::system_error.
Endpoint resolve(const Address& address);

/// Resolves an address to everything that a service listens on: all addresses of a name, and 127.0.0.1 and ::1 for
/// `localhost`, whatever the resolver says (RFC 6761, section 6.3). Leaves IPv6 out if this machine has switched it
/// off, unless nothing else remains. Throws boost::system::system_error.
std::vector<Endpoint> resolve_all(const Address& address);

/// `endpoints` without the IPv6 ones for which `can_listen` returns false, unless none would remain. Pure.
std::vector<Endpoint> without_unusable_ipv6(std::vector<Endpoint> endpoints,
                                            const std::function<bool(const Endpoint&)>& can_listen);

/// Throws boost::system::system_error if listen() would throw now, for example because another program listens there.
/// No client can connect during the check.
void require_free(const Address& address);

/// Listens on `address`, with one non-blocking acceptor for each address that it resolves to, all on one port. Port 0
/// takes a port that is free on all of them. Throws boost::system::system_error, also if another program listens on the
/// port and would share it.
std::vector<Acceptor> listen(boost::asio::io_context& context, const Address& address);

/// As listen(), with a set of acceptors for each context. The kernel divides the connections among them (SO_REUSEPORT).
/// The first context listens alone before it begins to share the port, so that of two programs that start at the same
/// moment only one gets it. Throws as listen().
std::vector<std::vector<Acceptor>> listen_shared(const std::vector<boost::asio::io_context*>& contexts,
                                                 const Address& address);

/// Where the acceptors listen, with the real port.
std::vector<Endpoint> endpoints_of(const std::vector<Acceptor>& acceptors);

/// As it is written in the log.
std::string to_string(const Endpoint& endpoint);

}  // namespace tracker::runtime
