#pragma once

#include <functional>

#include "domain/token_record.h"
#include "store/token_rules.h"

namespace tracker::counter {

/// What a new token is given. Times are in seconds; 0: no such limit. Any thread.
struct TokenTerms {
  std::function<domain::Seconds()> now_s = store::system_seconds;
  domain::Seconds ttl_s = 0;     // it expires so long after it was minted
  domain::Seconds idle_s = 0;    // TokenRecord::idle_s
  domain::Seconds unused_s = 0;  // one that a client minted expires unless it has counted something by then

  domain::TokenRecord for_operator() const {
    const auto now = now_s();
    return {.minted_s = now, .expires_s = ttl_s == 0 ? 0 : now + ttl_s, .idle_s = idle_s};
  }
  domain::TokenRecord for_client() const {
    auto record = for_operator();
    if (unused_s != 0) record.use_by_s = record.minted_s + unused_s;
    return record;
  }
};

}  // namespace tracker::counter
