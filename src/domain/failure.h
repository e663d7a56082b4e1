#pragma once

#include <boost/system/result.hpp>
#include <cstdint>

namespace tracker::domain {

/// How a call failed: what its caller may conclude.
enum class Failure : std::uint8_t {
  not_done,      // certainly without effect
  perhaps_done,  // it took effect once or not at all: the answer was lost or came too late
};

/// What a call brought, or how it failed.
template <typename T>
using Result = boost::system::result<T, Failure>;

}  // namespace tracker::domain
