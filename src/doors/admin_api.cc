#include "doors/admin_api.h"

#include <algorithm>
#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>
#include <stdexcept>
#include <utility>

#include "domain/hex.h"
#include "domain/percent_encoding.h"
#include "doors/counts_page.h"
#include "doors/page_query.h"
#include "doors/token_json.h"
#include "runtime/printable.h"
#include "runtime/priority.h"
#include "runtime/utc_time.h"

namespace tracker::doors {

namespace json = boost::json;
using Answer = AdminApi::Answer;
using Clock = std::chrono::steady_clock;

namespace {

constexpr std::size_t tokens_of_a_page = 100;
constexpr std::size_t top_of_a_page = 10;
constexpr char kind_of_tokens = 2;
constexpr auto step_shortest = std::chrono::microseconds(30);  // so that small ones are not a pause each

/// After that, a page of tokens with a filter ends with those that were found.
constexpr auto filtering_longest = std::chrono::seconds(1);

json::object summary_json(const store::TokenSummary& token, domain::Seconds now_s) {
  auto shown = token_json(token.id, token.record, now_s);
  shown["paths"] = token.paths;
  shown["total"] = token.total;
  return shown;
}

void append_line(const store::TokenSummary& token, domain::Seconds now_s, std::string& out) {
  const auto& record = token.record;
  out += domain::to_string(token.id) + ',' + time_text(record.minted_s) + ',' + std::to_string(token.paths) +
         ',' + std::to_string(token.total) + ',';
  out.append(to_string(state_of(record, now_s))) += ',';
  out += time_text(record.used_s) + ',' + time_text(record.expires_s) + ',';
  append_csv(runtime::as_utf8(record.label), out);
  out += "\r\n";
}

/// Which tokens are listed.
class Filter {
 public:
  explicit Filter(const PageQuery& query) : label_(query.find("label")) {
    const auto state = query.find("state");
    if (!state) return;
    for (const auto its :
         {domain::TokenState::active, domain::TokenState::expired, domain::TokenState::revoked}) {
      if (*state == to_string(its)) state_ = its;
    }
    if (!state_) refuse(400, "The parameter state must be active, expired or revoked.");
  }
  bool is_set() const { return label_ || state_; }
  bool takes(const domain::TokenRecord& record, domain::Seconds now_s) const {
    return (!label_ || record.label == *label_) && (!state_ || state_of(record, now_s) == *state_);
  }

 private:
  const std::optional<std::string> label_;
  std::optional<domain::TokenState> state_;
};

std::string shown_id(const std::string& bytes) {
  std::string id;
  domain::append_hex({reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size()}, id);
  return id;
}

/// With an ellipsis if others that begin so are counted with it.
std::string shown_path(const std::string& path) {
  return runtime::as_utf8(path) + (path.size() < counter::Busiest::path_bytes ? "" : "\u2026");
}

/// The target of the next page.
std::string next_target(std::string_view path, const PageQuery& query, const std::string& cursor) {
  std::string target(path);
  char separator = '?';
  for (const auto& [name, value] : query.all()) {
    if (name == "cursor") continue;
    target += separator + name + '=' + domain::query_value(value);
    separator = '&';
  }
  return target + separator + "cursor=" + cursor;
}

}  // namespace

Answer AdminApi::get(std::string_view target, std::string_view accept) {
  const bool as_csv = accept.find("text/csv") != accept.npos;
  return answer_of([&]() -> Answer {
    const ApiTarget its(target);
    if (its.path == "/v1/status") return PageQuery(its.query, {}), status();
    if (its.path == "/v1/top") return top(PageQuery(its.query, {"by", "limit"}), as_csv);
    if (its.path == "/v1/tokens")
      return tokens(PageQuery(its.query, {"limit", "cursor", "label", "state"}), as_csv);
    constexpr std::string_view its_counts = "/counts";
    if (its.is_below_tokens() && its.path.ends_with(its_counts))
      return counts(its.token_id(its_counts), its.query, as_csv);
    if (its.is_below_tokens()) return PageQuery(its.query, {}), token(its.token_id());
    refuse(404,
           "There are /v1/status, /v1/top, /v1/tokens, /v1/tokens/ID and /v1/tokens/ID/counts, where ID is a "
           "token's id.");
  });
}

Answer AdminApi::tokens(const PageQuery& query, bool as_csv) {
  const auto limit = query.limit(tokens_of_a_page);
  std::optional<domain::TokenId> after;
  if (const auto position = query.place(kind_of_tokens); !position.empty()) {
    if (position.size() != after.emplace().bytes.size()) refuse(400, cursor_wanted);
    std::copy(position.begin(), position.end(), after->bytes.begin());
  }
  const Filter filter(query);
  const auto slots = parts_.own.slots();
  const auto now_s = parts_.now_s();
  // What is shown of a token is made in the step that found it, so that the pause counts it.
  Answer answer;
  if (as_csv) answer.type = "text/csv";
  answer.body = as_csv ? "id,minted,paths,total,state,last_used,expires,label\r\n" : R"({"tokens":[)";
  std::size_t found = 0;
  bool is_more = true;
  const auto give_up = Clock::now() + filtering_longest;
  auto begin = Clock::now();
  while (is_more && found < limit && (!filter.is_set() || Clock::now() < give_up)) {
    const auto step = reader().list(slots, after, limit - found);
    is_more = !step.empty();
    if (!is_more) break;
    after = step.back().id;
    for (const auto& token : step) {
      if (!filter.takes(token.record, now_s)) continue;
      if (as_csv) {
        append_line(token, now_s, answer.body);
      } else {
        if (found > 0) answer.body += ',';
        answer.body += json::serialize(summary_json(token, now_s));
      }
      ++found;
    }
    if (found < limit && Clock::now() - begin < step_shortest) continue;
    pause(Clock::now() - begin);
    begin = Clock::now();
  }
  std::string cursor;
  if (is_more) {
    cursor =
        cursor_at(kind_of_tokens, {reinterpret_cast<const char*>(after->bytes.data()), after->bytes.size()});
    answer.next = next_target("/v1/tokens", query, cursor);
  }
  if (!as_csv) answer.body += is_more ? R"(],"next":")" + cursor + "\"}" : "]}";
  return answer;
}

Answer AdminApi::token(const domain::TokenId& id) {
  parts_.own.require(id);
  const auto token = reader().find(id);
  if (!token) refuse(404, "There is no such token.");
  return {.body = json::serialize(summary_json(*token, parts_.now_s()))};
}

Answer AdminApi::counts(const domain::TokenId& id, std::string_view query, bool as_csv) {
  parts_.own.require(id);
  const auto found = reader().read(id, parse_counts_query(query));
  if (!found) refuse(404, "There is no such token.");
  Answer answer;
  if (found->is_more) {
    answer.next = next_target("/v1/tokens/" + domain::to_string(id) + "/counts",
                              PageQuery(query, {"prefix", "limit", "cursor"}),
                              cursor_behind(found->counts.back().path));
  }
  if (as_csv) {
    answer.type = "text/csv";
    answer.body = "path,count\r\n";
    for (const auto& [path, count] : found->counts) {
      append_csv(path, answer.body);
      answer.body += ',' + std::to_string(count) + "\r\n";
    }
    return answer;
  }
  answer.body = counts_json(*found, token_json(id, found->record, parts_.now_s()));
  return answer;
}

Answer AdminApi::status() {
  const auto its = parts_.status();
  const auto now = std::chrono::system_clock::now();
  json::array remarks;
  for (const auto& remark : its.readiness.remarks()) remarks.push_back(json::string(remark));
  if (!its.readiness.is_ready()) remarks.push_back(json::string(its.readiness.why_not()));
  json::array counters;
  for (const auto& counter : its.counters) {
    counters.push_back(json::object{{"name", counter.name},
                                    {"address", counter.address},
                                    {"slots", counter.slots},
                                    {"leaving", counter.is_leaving},
                                    {"this", counter.is_this}});
  }
  json::array marks;
  if (parts_.make_reader) {
    for (const auto& mark : reader().marks().all()) {
      std::string export_id;
      domain::append_hex(mark.export_id, export_id);
      using Kind = store::SlotMark::Kind;
      marks.push_back(json::object{{"state", mark.kind == Kind::held        ? "held"
                                             : mark.kind == Kind::importing ? "importing"
                                                                            : "moved"},
                                   {"export", export_id},
                                   {"slots", mark.slots.count()}});
    }
  }
  json::object refusals;
  for (const auto& [reason, number] : its.refusals) {
    if (number > 0) refusals[reason] = number;
  }
  const auto uptime_s = std::chrono::duration_cast<std::chrono::seconds>(now - its.started).count();
  json::object body{
      {"service", its.service},
      {"version", its.version},
      {"started", runtime::utc_seconds(its.started)},
      {"uptime_s", uptime_s},
      {"ready", its.readiness.is_ready()},
      {"since", runtime::utc_seconds(its.readiness.since())},
      {"remarks", std::move(remarks)},
      {"store",
       json::object{
           {"kind", its.store},
           {"id", its.store_id.empty() ? json::value(nullptr) : json::value(its.store_id)},
           {"can_lose", its.can_lose.empty() ? json::value(nullptr) : json::value(its.can_lose)},
           {"last_backup", its.last_backup ? json::value(runtime::utc_seconds(*its.last_backup)) : nullptr}}},
      {"hits", its.hits},
      {"refusals", std::move(refusals)},
      {"slots",
       json::object{{"own", its.own_slots}, {"settled", its.settled_slots}, {"lost", its.lost_slots}}},
      {"moves", std::move(marks)},
      {"list_version", its.list_version},
      {"counters", std::move(counters)}};
  return {.body = json::serialize(body)};
}

Answer AdminApi::top(const PageQuery& query, bool as_csv) {
  const auto by_text = query.find("by").value_or("path");
  if (by_text != "path" && by_text != "token") refuse(400, "The parameter by must be token or path.");
  const bool by_path = by_text == "path";
  const auto limit = query.limit(top_of_a_page);
  if (!parts_.busiest) refuse(501, "This service does not watch what is busiest.");
  const auto periods = parts_.busiest(by_path ? counter::Busiest::By::path : counter::Busiest::By::token);
  const std::string key_name = by_path ? "path" : "id";
  const auto shown = [&](const std::string& key) { return by_path ? shown_path(key) : shown_id(key); };

  json::object body{{"by", by_text}, {"capacity", counter::Busiest::capacity}};
  std::string csv = "period," + key_name + ",count,error\r\n";
  const auto add = [&](const char* name, const counter::Busiest::Period& period) {
    const auto top = period.keys.top(limit);
    json::array entries;
    for (const auto& [key, count, error] : top.entries) {
      entries.push_back(json::object{{key_name, shown(key)}, {"count", count}, {"error", error}});
      csv += std::string(name) + ',';
      append_csv(shown(key), csv);
      csv += ',' + std::to_string(count) + ',' + std::to_string(error) + "\r\n";
    }
    body[name] =
        json::object{{"seconds", std::chrono::duration_cast<std::chrono::seconds>(period.length).count()},
                     {"hits", top.hits},
                     {"others_max", top.others_max},
                     {"top", std::move(entries)}};
  };
  add("last_minute", periods.last_minute);
  add("since_start", periods.since_start);
  if (as_csv) return {.type = "text/csv", .body = std::move(csv)};
  return {.body = json::serialize(body)};
}

/// It stays open, so that a store in another process is connected to once.
store::CountReader& AdminApi::reader() {
  if (!parts_.make_reader) refuse(501, "Counts in this store cannot be read.");
  if (!reader_) reader_ = parts_.make_reader();
  return *reader_;
}

/// Leaves the processor and the disk to counting for a while.
void AdminApi::pause(Clock::duration step) {
  std::unique_lock lock(mutex_);
  if (changed_.wait_for(lock, runtime::pause_after(step), [this] { return has_ended_; }))
    refuse(503, "The service is shutting down.");
}

void AdminApi::end() {
  const std::lock_guard lock(mutex_);
  has_ended_ = true;
  changed_.notify_all();
}

}  // namespace tracker::doors
