#include "doors/token_json.h"

#include <boost/json/value.hpp>
#include <chrono>
#include <ctime>

#include "runtime/printable.h"
#include "runtime/utc_time.h"

namespace tracker::doors {

namespace json = boost::json;

namespace {

json::value time_json(domain::Seconds time_s) {
  return time_s == 0 ? json::value(nullptr) : json::value(time_text(time_s));
}

}  // namespace

std::string time_text(domain::Seconds time_s) {
  if (time_s == 0) return "";
  return runtime::utc_seconds(std::chrono::system_clock::from_time_t(static_cast<std::time_t>(time_s)));
}

json::object token_json(const domain::TokenId& id, const domain::TokenRecord& record, domain::Seconds now_s) {
  const auto end_s = domain::end_of(record);
  return {{"id", domain::to_string(id)},
          {"label", runtime::as_utf8(record.label)},
          {"state", domain::to_string(domain::state_of(record, now_s))},
          {"minted", time_json(record.minted_s)},
          {"last_used", time_json(record.used_s)},
          {"ends", time_json(end_s)},
          {"expires", time_json(record.expires_s)},
          {"idle_ttl_s", record.idle_s == 0 ? json::value(nullptr) : json::value(record.idle_s)}};
}

void append_csv(std::string_view field, std::string& out) {
  if (field.find_first_of(",\"\r\n") == field.npos) {
    out += field;
    return;
  }
  out += '"';
  for (const char c : field) out += c == '"' ? std::string("\"\"") : std::string(1, c);
  out += '"';
}

}  // namespace tracker::doors
