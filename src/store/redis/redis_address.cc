#include "store/redis/redis_address.h"

#include <charconv>

#include "domain/hex.h"

namespace tracker::store {

namespace {

std::optional<std::string> percent_decoded(std::string_view text) {
  std::string decoded;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      decoded += text[i];
      continue;
    }
    if (i + 2 >= text.size()) return std::nullopt;
    const unsigned high = domain::hex_value(text[i + 1]);
    const unsigned low = domain::hex_value(text[i + 2]);
    if (((high | low) & domain::not_hex) != 0) return std::nullopt;
    decoded += static_cast<char>(high << 4U | low);
    i += 2;
  }
  return decoded;
}

bool parse_credentials(std::string_view text, RedisAddress& into) {
  const auto colon = text.find(':');
  if (colon == text.npos) return false;
  const auto user = percent_decoded(text.substr(0, colon));
  const auto password = percent_decoded(text.substr(colon + 1));
  if (!user || !password || password->empty()) return false;
  into.user = *user;
  into.password = *password;
  return true;
}

}  // namespace

std::optional<RedisAddress> parse_redis_address(std::string_view text) {
  constexpr std::string_view scheme = "redis://";
  RedisAddress redis;
  if (text.starts_with(scheme)) {
    text.remove_prefix(scheme.size());
    if (const auto slash = text.find('/'); slash != text.npos) {
      const auto database = text.substr(slash + 1);
      const auto [end, error] =
          std::from_chars(database.data(), database.data() + database.size(), redis.database);
      if (!database.empty() && (error != std::errc() || end != database.data() + database.size()))
        return std::nullopt;
      text = text.substr(0, slash);
    }
    if (const auto at = text.rfind('@'); at != text.npos) {
      if (!parse_credentials(text.substr(0, at), redis)) return std::nullopt;
      text.remove_prefix(at + 1);
    }
    const auto last_colon = text.rfind(':');
    const bool has_port = last_colon != text.npos && text.find(']', last_colon) == text.npos;
    if (!has_port) {
      const auto address = runtime::parse_address(std::string(text) + ":6379");
      if (!address || address->host.empty()) return std::nullopt;
      redis.address = *address;
      return redis;
    }
  }
  const auto address = runtime::parse_address(text);
  if (!address || address->host.empty() || address->port == 0) return std::nullopt;
  redis.address = *address;
  return redis;
}

std::string to_string(const RedisAddress& address) {
  return runtime::to_string(address.address) + "/" + std::to_string(address.database);
}

}  // namespace tracker::store
