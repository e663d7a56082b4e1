#pragma once

#include <boost/beast/core/flat_buffer.hpp>
#include <string>

#include "runtime/descriptor.h"

namespace tracker::doors {

/// A descriptor that one process hands to another over a Unix socket, with the first bytes of a message (SCM_RIGHTS,
/// unix(7)). Who knows nothing of it reads the bytes alone.

/// Writes `message`, with the descriptor. Blocks. False: it could not, and errno says why.
bool send_with_descriptor(int socket, const std::string& message, int descriptor) noexcept;

/// Reads what has come into `buffer`, without waiting. Answers the descriptor that came with it; not open: none did. An
/// error of the socket is left for the next read to meet.
runtime::Descriptor receive_descriptor(int socket, boost::beast::flat_buffer& buffer);

}  // namespace tracker::doors
