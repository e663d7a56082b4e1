#pragma once

#include <optional>
#include <string_view>

#include "domain/token.h"

namespace tracker::domain {

/// The token in the value of an Authorization field: bare, or after the scheme Bearer in any case (RFC 6750, section
/// 2.1). Returns nothing if the value is anything else. Pure; any thread.
std::optional<Token> parse_authorization(std::string_view value) noexcept;

}  // namespace tracker::domain
