#include "doors/admin_api.h"

#include <algorithm>
#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>
#include <ctime>
#include <stdexcept>
#include <utility>

#include "domain/hex.h"
#include "domain/percent_encoding.h"
#include "doors/counts_page.h"
#include "doors/page_query.h"
#include "doors/problem.h"
#include "runtime/printable.h"
#include "runtime/utc_time.h"

namespace tracker::doors {

namespace json = boost::json;
using Answer = AdminApi::Answer;
using Clock = std::chrono::steady_clock;

namespace {

constexpr std::size_t tokens_of_a_page = 100;
constexpr std::size_t top_of_a_page = 10;
constexpr char kind_of_tokens = 2;
constexpr int pauses_per_step = 7;

/// What is answered instead of what was asked for.
struct Refused {
  Answer answer;
};

[[noreturn]] void refuse(unsigned status, const std::string& detail) {
  throw Refused{problem(status, detail)};
}

/// Empty: nobody knows.
std::string minted_text(std::uint64_t minted_s) {
  if (minted_s == 0) return "";
  return runtime::utc_seconds(std::chrono::system_clock::from_time_t(static_cast<std::time_t>(minted_s)));
}

json::value minted_json(std::uint64_t minted_s) {
  if (minted_s == 0) return nullptr;
  return json::string(minted_text(minted_s));
}

json::object to_json(const store::TokenSummary& token) {
  return {{"id", domain::to_string(token.id)},
          {"minted", minted_json(token.record.minted_s)},
          {"paths", token.paths},
          {"total", token.total}};
}

/// A field of a line of CSV (RFC 4180).
void append_csv(std::string_view field, std::string& out) {
  if (field.find_first_of(",\"\r\n") == field.npos) {
    out += field;
    return;
  }
  out += '"';
  for (const char c : field) out += c == '"' ? std::string("\"\"") : std::string(1, c);
  out += '"';
}

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

Answer problem(unsigned status, const std::string& detail) {
  return {.status = status, .type = problem_type, .body = problem_json(status, detail)};
}

Answer AdminApi::get(std::string_view target, std::string_view accept) {
  const auto question = std::min(target.find('?'), target.size());
  auto path = target.substr(0, question);
  const auto query = target.substr(std::min(question + 1, target.size()));
  const bool as_csv = accept.find("text/csv") != accept.npos;
  constexpr std::string_view one_token = "/v1/tokens/";
  constexpr std::string_view its_counts = "/counts";
  try {
    if (path == "/v1/status") return PageQuery(query, {}), status();
    if (path == "/v1/top") return top(PageQuery(query, {"by", "limit"}), as_csv);
    if (path == "/v1/tokens") return tokens(PageQuery(query, {"limit", "cursor"}), as_csv);
    if (path.starts_with(one_token)) {
      path.remove_prefix(one_token.size());
      const bool wants_counts = path.ends_with(its_counts);
      if (wants_counts) path.remove_suffix(its_counts.size());
      domain::TokenId id{};
      if (!domain::parse_hex(path, id.bytes))
        refuse(404, "A token's id has 32 hex digits. It is not the token itself.");
      if (wants_counts) return counts(id, query, as_csv);
      return PageQuery(query, {}), token(id);
    }
    refuse(404,
           "There are /v1/status, /v1/top, /v1/tokens, /v1/tokens/ID and /v1/tokens/ID/counts, where ID is a "
           "token's "
           "id.");
  } catch (const Refused& refused) {
    return refused.answer;
  } catch (const std::invalid_argument& error) {
    return problem(400, error.what());
  } catch (const store::UnsupportedError& error) {
    return problem(501, error.what());
  } catch (const store::StoreError& error) {
    return problem(503, error.what());
  }
}

Answer AdminApi::tokens(const PageQuery& query, bool as_csv) {
  const auto limit = query.limit(tokens_of_a_page);
  std::optional<domain::TokenId> after;
  if (const auto position = query.place(kind_of_tokens); !position.empty()) {
    if (position.size() != after.emplace().bytes.size()) refuse(400, cursor_wanted);
    std::copy(position.begin(), position.end(), after->bytes.begin());
  }
  const auto slots = own_slots();
  std::vector<store::TokenSummary> found;
  bool is_more = true;
  while (is_more && found.size() < limit) {
    const auto begin = Clock::now();
    const auto step = reader().list(slots, after, limit - found.size());
    is_more = !step.empty();
    if (!is_more) break;
    after = step.back().id;
    found.insert(found.end(), step.begin(), step.end());
    pause(Clock::now() - begin);
  }

  Answer answer;
  std::string cursor;
  if (is_more) {
    cursor =
        cursor_at(kind_of_tokens, {reinterpret_cast<const char*>(after->bytes.data()), after->bytes.size()});
    answer.next = next_target("/v1/tokens", query, cursor);
  }
  if (as_csv) {
    answer.type = "text/csv";
    answer.body = "id,minted,paths,total\r\n";
    for (const auto& token : found) {
      answer.body += domain::to_string(token.id) + ',' + minted_text(token.record.minted_s) + ',' +
                     std::to_string(token.paths) + ',' + std::to_string(token.total) + "\r\n";
    }
    return answer;
  }
  json::array tokens;
  for (const auto& token : found) tokens.push_back(to_json(token));
  json::object body{{"tokens", std::move(tokens)}};
  if (is_more) body["next"] = cursor;
  answer.body = json::serialize(body);
  return answer;
}

Answer AdminApi::token(const domain::TokenId& id) {
  require_own(id);
  const auto token = reader().find(id);
  if (!token) refuse(404, "There is no such token.");
  return {.body = json::serialize(to_json(*token))};
}

Answer AdminApi::counts(const domain::TokenId& id, std::string_view query, bool as_csv) {
  require_own(id);
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
  answer.body =
      counts_json(*found, {{"id", domain::to_string(id)}, {"minted", minted_json(found->record.minted_s)}});
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

domain::SlotSet AdminApi::own_slots() const {
  return parts_.own_slots ? parts_.own_slots() : domain::SlotSet{}.set();
}

void AdminApi::require_own(const domain::TokenId& id) const {
  const auto owner = parts_.owner_elsewhere ? parts_.owner_elsewhere(id) : std::nullopt;
  if (owner) refuse(421, "This token is counted by another counter: ask " + *owner + ".");
  if (!own_slots()[domain::slot_of(id)])
    refuse(503, "The slot of this token is not settled at this counter; see why at /readyz.");
}

/// Leaves the processor and the disk to counting for a while.
void AdminApi::pause(Clock::duration step) {
  std::unique_lock lock(mutex_);
  if (changed_.wait_for(lock, pauses_per_step * step, [this] { return has_ended_; }))
    refuse(503, "The service is shutting down.");
}

void AdminApi::end() {
  const std::lock_guard lock(mutex_);
  has_ended_ = true;
  changed_.notify_all();
}

}  // namespace tracker::doors
