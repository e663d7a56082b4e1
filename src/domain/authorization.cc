#include "domain/authorization.h"

#include "domain/ascii.h"

namespace tracker::domain {

std::optional<Token> parse_authorization(std::string_view value) noexcept {
  constexpr std::string_view scheme = "Bearer";
  if (value.size() > token_text_size && equal_in_any_case(value.substr(0, scheme.size()), scheme)) {
    value.remove_prefix(scheme.size());
    const auto spaces = std::min(value.find_first_not_of(' '), value.size());
    if (spaces == 0) return std::nullopt;
    value.remove_prefix(spaces);
  }
  return parse_token(value);
}

}  // namespace tracker::domain
