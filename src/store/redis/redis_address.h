#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "runtime/address.h"

namespace tracker::store::redis {

/// The address of a Redis, the login and the database.
struct RedisAddress {
  runtime::Address address{"127.0.0.1", 6379};
  std::string user;      // empty: Redis' default user
  std::string password;  // empty: none is sent
  unsigned database = 0;

  bool operator==(const RedisAddress&) const = default;
};

/// Reads `host:port` or `redis://[[user][:password]@]host[:port][/db]`, with user and password percent-encoded where
/// necessary (RFC 3986, section 3.2.1). Throws std::invalid_argument. Its text says which part is wrong and what would
/// be right. It repeats nothing of `text`, because any part of it may be the password. Pure.
RedisAddress parse_redis_address(std::string_view text);

/// Reads the addresses of some nodes of a cluster, with commas between them, of which the first may have a user and a
/// password for all. A cluster has only the database 0. Throws as above. Pure.
std::vector<RedisAddress> parse_cluster_addresses(std::string_view text);

/// Returns `host:port/db` for logs, without user and password.
std::string to_string(const RedisAddress& address);

}  // namespace tracker::store::redis
