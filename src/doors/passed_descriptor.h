#pragma once

#include <boost/beast/core/flat_buffer.hpp>
#include <string>

#include "runtime/descriptor.h"

namespace tracker::doors {

/// A descriptor that one process passes to another over a Unix socket, with the first bytes of a message (SCM_RIGHTS,
/// unix(7)). A receiver that does not expect it reads only the bytes.

/// Writes `message` with the descriptor. Blocks. Returns false if it fails; errno says why.
bool send_with_descriptor(int socket, const std::string& message, int descriptor) noexcept;

/// Reads what has arrived into `buffer`, without waiting. Returns the descriptor that came with it, or one that is not
/// open. An error of the socket is left to the next read.
runtime::Descriptor receive_descriptor(int socket, boost::beast::flat_buffer& buffer);

}  // namespace tracker::doors
