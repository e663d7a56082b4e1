#include "store/redis/redis_address.h"

#include <algorithm>
#include <cctype>
#include <charconv>
#include <stdexcept>

#include "domain/hex.h"

namespace tracker::store::redis {

namespace {

constexpr std::uint16_t port_default = 6379;
constexpr std::string_view scheme_end = "://";
constexpr const char* both_forms = "it is host:port or redis://user:password@host:port/db";

[[noreturn]] void refuse(const std::string& why) {
  throw std::invalid_argument(why);
}

std::string lower_case(std::string_view text) {
  std::string lower(text);
  for (char& c : lower) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return lower;
}

std::string percent_decoded(std::string_view text, const std::string& part) {
  std::string decoded;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      decoded += text[i];
      continue;
    }
    const unsigned high = i + 2 < text.size() ? domain::hex_value(text[i + 1]) : domain::not_hex;
    const unsigned low = i + 2 < text.size() ? domain::hex_value(text[i + 2]) : domain::not_hex;
    if (((high | low) & domain::not_hex) != 0) {
      refuse("a % in the " + part +
             " is not followed by two hex digits; percent-encoding writes a percent sign itself as %25");
    }
    decoded += static_cast<char>(high << 4U | low);
    i += 2;
  }
  return decoded;
}

void parse_credentials(std::string_view text, RedisAddress& into) {
  const auto colon = std::min(text.find(':'), text.size());
  into.user = percent_decoded(text.substr(0, colon), "user");
  if (colon < text.size()) into.password = percent_decoded(text.substr(colon + 1), "password");
  if (into.user.empty() && into.password.empty()) refuse("the password before the @ is empty");
}

unsigned parse_database(std::string_view text) {
  unsigned database = 0;
  if (text.empty()) return database;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), database);
  if (error == std::errc() && end == text.data() + text.size()) return database;
  refuse("the database, which is what follows the slash, is not a number such as 0");
}

/// `port_if_missing` 0: the port must be given.
runtime::Address parse_host_and_port(std::string_view text, std::uint16_t port_if_missing) {
  if (text.find(',') != text.npos) {
    refuse(
        "it is a list; give one host:port, or --store redis-cluster if these are nodes of a Redis Cluster");
  }
  const auto bracket = text.rfind(']');
  const auto after_host = bracket == text.npos ? 0 : bracket;
  const auto colon = text.find(':', after_host);
  if (bracket == text.npos && colon != text.npos && text.find(':', colon + 1) != text.npos) {
    refuse(
        "it has more than one colon where host:port should be; an IPv6 address stands in brackets: "
        "[::1]:6379");
  }
  if (text.substr(0, colon).empty()) refuse("the host is missing: host:port, such as 127.0.0.1:6379");
  if (colon == text.npos && port_if_missing == 0)
    refuse("the port is missing: host:port, such as 127.0.0.1:6379");
  auto host_and_port = std::string(text);
  if (colon == text.npos) host_and_port += ":" + std::to_string(port_if_missing);
  const auto address = runtime::parse_address(host_and_port);
  if (address && address->port != 0) return *address;
  if (!runtime::parse_address(host_and_port.substr(0, host_and_port.rfind(':')) + ":1")) {
    refuse("its host is neither a name nor an IP address");
  }
  refuse("the port, which is what follows the last colon, is not a number from 1 to 65535");
}

/// Reads the text after `redis://`.
RedisAddress parse_url(std::string_view text) {
  RedisAddress redis;
  const auto at = text.rfind('@');
  if (const auto bare = text.find_first_of("/?#"); at != text.npos && bare < at) {
    const auto encoded = text[bare] == '/'   ? "/ there is written %2F"
                         : text[bare] == '?' ? "? there is written %3F"
                                             : "# there is written %23";
    refuse(std::string("user and password must be percent-encoded: a ") + encoded);
  }
  if (at != text.npos) {
    parse_credentials(text.substr(0, at), redis);
    text.remove_prefix(at + 1);
  }
  if (text.find('#') != text.npos) {
    refuse("it ends in a fragment (#...), which has no meaning here; a # in a password is written %23");
  }
  if (text.find('?') != text.npos) {
    refuse("it ends in a query (?...), which has no meaning here; the database stands after a slash: /db");
  }
  const auto slash = std::min(text.find('/'), text.size());
  if (slash < text.size()) redis.database = parse_database(text.substr(slash + 1));
  redis.address = parse_host_and_port(text.substr(0, slash), port_default);
  return redis;
}

void refuse_other_scheme(const std::string& scheme) {
  if (scheme == "rediss") {
    refuse(
        "TLS (rediss://) is not built yet; use redis:// where the network is trusted, or a TLS tunnel such "
        "as stunnel");
  }
  if (scheme.find("unix") != scheme.npos || scheme.find("socket") != scheme.npos) {
    refuse("a Unix socket cannot be used; let Redis listen on TCP, and give host:port");
  }
  refuse(std::string("its scheme is not redis://; ") + both_forms);
}

}  // namespace

RedisAddress parse_redis_address(std::string_view text) {
  if (const auto end = text.find(scheme_end); end != text.npos) {
    const auto scheme = lower_case(text.substr(0, end));
    if (scheme != "redis") refuse_other_scheme(scheme);
    return parse_url(text.substr(end + scheme_end.size()));
  }
  if (text.starts_with('/') || text.starts_with('.') || text.ends_with(".sock")) {
    refuse("a Unix socket cannot be used; let Redis listen on TCP, and give host:port");
  }
  if (text.find('@') != text.npos)
    refuse("user and password need the form redis://user:password@host:port/db");
  if (text.find('/') != text.npos) refuse("a database needs the form redis://host:port/db");
  RedisAddress redis;
  redis.address = parse_host_and_port(text, 0);
  return redis;
}

std::vector<RedisAddress> parse_cluster_addresses(std::string_view text) {
  std::vector<RedisAddress> nodes;
  while (true) {
    const auto end = text.find(',');
    nodes.push_back(parse_redis_address(text.substr(0, end)));
    if (nodes.back().database != 0)
      refuse("a Redis Cluster has no databases; leave out what follows the slash");
    if (nodes.size() > 1 && !(nodes.back().user.empty() && nodes.back().password.empty()))
      refuse("user and password stand before the first node, and count for all");
    if (end == text.npos) return nodes;
    text.remove_prefix(end + 1);
  }
}

std::string to_string(const RedisAddress& address) {
  return runtime::to_string(address.address) + "/" + std::to_string(address.database);
}

}  // namespace tracker::store::redis
