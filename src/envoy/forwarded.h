#pragma once

#include <optional>
#include <span>
#include <string_view>

#include "domain/ip_address.h"

namespace tracker::envoy {

/// The client that a request comes from, where proxies say so: in Forwarded (RFC 7239) or in X-Forwarded-For. `head` was
/// read without a refusal. Nothing: `peer` is not trusted, or the request has neither field.
///
/// Each proxy adds whom it was asked by, so the entries are read from the last one to the first one, as long as those who
/// wrote them are trusted. The client is the first address on this way that is not trusted. An entry that is no address
/// (`unknown`, `_hidden`, empty, malformed) ends the way: then the client is the proxy that wrote it. A field line that
/// breaks the grammar of RFC 7239 is such an entry. Where both fields are there and do not agree, one of them may be the
/// client's own, which a proxy passed on: then it is `peer`. If they agree in their domain::client_part(), it is that part. Pure;
/// any thread.
std::optional<domain::IpAddress> forwarded_client(const domain::IpAddress& peer, std::string_view head,
                                                  std::span<const domain::IpNetwork> trusted);

/// Whether one of the networks holds the address. Pure; any thread.
bool is_in(std::span<const domain::IpNetwork> networks, const domain::IpAddress& address) noexcept;

}  // namespace tracker::envoy
