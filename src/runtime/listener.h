#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <vector>

#include "runtime/address.h"

namespace tracker::runtime {

/// A TCP socket whose I/O runs on one io_context, without the cost of a type-erased executor.
using Socket = boost::asio::basic_stream_socket<boost::asio::ip::tcp, boost::asio::io_context::executor_type>;
using Acceptor =
    boost::asio::basic_socket_acceptor<boost::asio::ip::tcp, boost::asio::io_context::executor_type>;

using Resolver =
    boost::asio::ip::basic_resolver<boost::asio::ip::tcp, boost::asio::io_context::executor_type>;

/// Finds the address's numbers; asks the system's resolver where it is a name. Throws
/// boost::system::system_error.
boost::asio::ip::tcp::endpoint resolve(const Address& address);

/// Listens on `address` alone. Throws boost::system::system_error; a port that anybody listens on already is
/// an error, also where that program would share it. Not blocking; port 0 takes a free one.
Acceptor listen(boost::asio::io_context& context, const Address& address);

/// One listener for each context, all on the same port, among which the kernel shares the connections
/// (SO_REUSEPORT). The first one listens alone before it begins to share, so that two programs that start at
/// the same moment cannot both get the port. Throws as listen().
std::vector<Acceptor> listen_shared(const std::vector<boost::asio::io_context*>& contexts,
                                    const Address& address);

/// As it is written in the log.
std::string to_string(const boost::asio::ip::tcp::endpoint& endpoint);

}  // namespace tracker::runtime
