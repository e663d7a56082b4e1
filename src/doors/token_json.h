#pragma once

#include <boost/json/object.hpp>
#include <string>

#include "domain/token_id.h"
#include "domain/token_record.h"

namespace tracker::doors {

// A token as the admin door shows it. Pure.

/// A time in UTC, as RFC 3339 has it. Empty for 0.
std::string time_text(domain::Seconds time_s);

/// Its id and its record. `now_s` decides whether it has expired.
boost::json::object token_json(const domain::TokenId& id, const domain::TokenRecord& record,
                               domain::Seconds now_s);

/// A field of a line of CSV (RFC 4180).
void append_csv(std::string_view field, std::string& out);

}  // namespace tracker::doors
