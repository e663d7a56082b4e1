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

/// Finds the address's number, the first of them where it is a name that has several; asks the system's resolver
/// where it is a name. Throws boost::system::system_error.
Endpoint resolve(const Address& address);

/// Finds all the numbers that a service listens on: of a name all it has, of `localhost` 127.0.0.1 and ::1 whatever
/// the resolver says (RFC 6761, section 6.3). IPv6 that is switched off on this machine is left out, unless
/// nothing else is left. Throws boost::system::system_error.
std::vector<Endpoint> resolve_all(const Address& address);

/// `endpoints` without those of IPv6 that `can_listen` denies, unless that would leave none. Pure.
std::vector<Endpoint> without_unusable_ipv6(std::vector<Endpoint> endpoints,
                                            const std::function<bool(const Endpoint&)>& can_listen);

/// Throws boost::system::system_error if listen() would now, since somebody listens there, for instance. Nobody can
/// connect meanwhile.
void require_free(const Address& address);

/// Listens on `address` alone, by one acceptor for each of its numbers, all on the same port. Throws
/// boost::system::system_error; a port that anybody listens on already is an error, also where that program would
/// share it. Not blocking; port 0 takes one that is free on all of them.
std::vector<Acceptor> listen(boost::asio::io_context& context, const Address& address);

/// The acceptors of listen() for each context, all on the same port, among which the kernel shares the connections
/// (SO_REUSEPORT). The first context listens alone before it begins to share, so that two programs that start at
/// the same moment cannot both get the port. Throws as listen().
std::vector<std::vector<Acceptor>> listen_shared(const std::vector<boost::asio::io_context*>& contexts,
                                                 const Address& address);

/// Where they listen, with the real port.
std::vector<Endpoint> endpoints_of(const std::vector<Acceptor>& acceptors);

/// As it is written in the log.
std::string to_string(const Endpoint& endpoint);

}  // namespace tracker::runtime
