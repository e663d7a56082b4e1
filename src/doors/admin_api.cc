#include "doors/admin_api.h"

#include <openssl/evp.h>

#include <algorithm>
#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>
#include <charconv>
#include <ctime>
#include <map>
#include <utility>

#include "domain/hex.h"

namespace tracker::doors {

namespace json = boost::json;
using Answer = AdminApi::Answer;
using Clock = std::chrono::steady_clock;

namespace {

constexpr std::size_t tokens_of_a_page = 100;
constexpr std::size_t counts_of_a_page = 1'000;
constexpr std::size_t limit_max = 10'000;
constexpr int pauses_per_step = 7;

/// What is answered instead of what was asked for.
struct Refused {
  Answer answer;
};

[[noreturn]] void refuse(unsigned status, const std::string& detail) {
  throw Refused{problem(status, detail)};
}

std::string title_of(unsigned status) {
  switch (status) {
    case 400:
      return "Bad Request";
    case 401:
      return "Unauthorized";
    case 403:
      return "Forbidden";
    case 404:
      return "Not Found";
    case 405:
      return "Method Not Allowed";
    case 421:
      return "Misdirected Request";
    case 501:
      return "Not Implemented";
    default:
      return "Service Unavailable";
  }
}

/// `2026-11-28T13:40:12Z` (RFC 3339).
std::string text_of(std::time_t seconds) {
  std::tm parts{};
  ::gmtime_r(&seconds, &parts);
  char text[32];
  std::strftime(text, sizeof text, "%FT%TZ", &parts);
  return text;
}

std::string text_of(std::chrono::system_clock::time_point time) {
  return text_of(std::chrono::system_clock::to_time_t(time));
}

std::string text_of(const domain::TokenId& id) {
  std::string text;
  domain::append_hex(id.bytes, text);
  return text;
}

json::value minted_of(std::uint64_t minted_s) {
  if (minted_s == 0) return nullptr;
  return json::string(text_of(static_cast<std::time_t>(minted_s)));
}

/// Base64 with the alphabet for URLs and without padding (RFC 4648, section 5).
std::string encoded(std::string_view bytes) {
  std::string text(4 * ((bytes.size() + 2) / 3) + 1, '\0');
  const auto size =
      EVP_EncodeBlock(reinterpret_cast<unsigned char*>(text.data()),
                      reinterpret_cast<const unsigned char*>(bytes.data()), static_cast<int>(bytes.size()));
  text.resize(static_cast<std::size_t>(size));
  while (text.ends_with('=')) text.pop_back();
  std::ranges::replace(text, '+', '-');
  std::ranges::replace(text, '/', '_');
  return text;
}

std::optional<std::string> decoded(std::string text) {
  std::ranges::replace(text, '-', '+');
  std::ranges::replace(text, '_', '/');
  const auto padding = (4 - text.size() % 4) % 4;
  text.append(padding, '=');
  std::string bytes(3 * (text.size() / 4), '\0');
  const auto size =
      EVP_DecodeBlock(reinterpret_cast<unsigned char*>(bytes.data()),
                      reinterpret_cast<const unsigned char*>(text.data()), static_cast<int>(text.size()));
  if (size < 0 || static_cast<std::size_t>(size) < padding) return std::nullopt;
  bytes.resize(static_cast<std::size_t>(size) - padding);
  return bytes;
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

/// Percent-encoding (RFC 3986, section 2.1).
std::string unescaped(std::string_view text) {
  std::string bytes;
  for (std::size_t i = 0; i < text.size(); ++i) {
    std::uint8_t byte[1];
    if (text[i] == '%') {
      if (!domain::parse_hex(text.substr(i + 1, 2), byte))
        refuse(400, "The query has a percent sign without two hex digits after it.");
      bytes += static_cast<char>(byte[0]);
      i += 2;
    } else {
      bytes += text[i];
    }
  }
  return bytes;
}

std::string escaped(std::string_view bytes) {
  std::string text;
  for (const char c : bytes) {
    const bool is_plain = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                          std::string_view("-._~/").find(c) != std::string_view::npos;
    if (is_plain) {
      text += c;
    } else {
      text += '%';
      text += domain::hex_upper[static_cast<std::uint8_t>(c) >> 4U];
      text += domain::hex_upper[static_cast<std::uint8_t>(c) & 0xFU];
    }
  }
  return text;
}

}  // namespace

Answer problem(unsigned status, const std::string& detail) {
  return {.status = status,
          .type = "application/problem+json",
          .body = json::serialize(
              json::object{{"title", title_of(status)}, {"status", status}, {"detail", detail}})};
}

/// The parameters behind the question mark.
class AdminApi::Query {
 public:
  Query(std::string_view text, std::initializer_list<std::string_view> known) {
    while (!text.empty()) {
      const auto end = std::min(text.find('&'), text.size());
      const auto one = text.substr(0, end);
      text.remove_prefix(std::min(end + 1, text.size()));
      if (one.empty()) continue;
      const auto equals = std::min(one.find('='), one.size());
      const std::string name(one.substr(0, equals));
      if (std::ranges::find(known, name) == known.end())
        refuse(400, "There is no parameter " + name + " here.");
      if (!values_.emplace(name, unescaped(one.substr(std::min(equals + 1, one.size())))).second)
        refuse(400, "The parameter " + name + " is there twice.");
    }
  }

  std::string value(const std::string& name) const {
    const auto found = values_.find(name);
    return found == values_.end() ? "" : found->second;
  }

  std::size_t limit(std::size_t otherwise) const {
    const auto text = value("limit");
    if (text.empty()) return otherwise;
    std::size_t limit = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), limit);
    if (error != std::errc{} || end != text.data() + text.size() || limit == 0 || limit > limit_max)
      refuse(400, "The parameter limit must be a whole number from 1 to " + std::to_string(limit_max) + ".");
    return limit;
  }

  /// What a cursor of this kind holds. Empty: there is none.
  std::string cursor(char kind) const {
    const auto text = value("cursor");
    if (text.empty()) return "";
    const auto position = decoded(text);
    if (!position || position->empty() || position->front() != kind)
      refuse(400, "The parameter cursor must be as an earlier answer gave it.");
    return position->substr(1);
  }

  /// The target of the next page.
  std::string next(std::string_view path, const std::string& cursor) const {
    std::string target(path);
    char separator = '?';
    for (const auto& [name, value] : values_) {
      if (name == "cursor") continue;
      target += separator + name + '=' + escaped(value);
      separator = '&';
    }
    return target + separator + "cursor=" + cursor;
  }

 private:
  std::map<std::string, std::string> values_;
};

Answer AdminApi::get(std::string_view target, std::string_view accept) {
  const auto question = std::min(target.find('?'), target.size());
  auto path = target.substr(0, question);
  const auto query = target.substr(std::min(question + 1, target.size()));
  const bool as_csv = accept.find("text/csv") != accept.npos;
  constexpr std::string_view one_token = "/v1/tokens/";
  constexpr std::string_view its_counts = "/counts";
  try {
    if (path == "/v1/status") return Query(query, {}), status();
    if (path == "/v1/tokens") return tokens(Query(query, {"limit", "cursor"}), as_csv);
    if (path.starts_with(one_token)) {
      path.remove_prefix(one_token.size());
      const bool wants_counts = path.ends_with(its_counts);
      if (wants_counts) path.remove_suffix(its_counts.size());
      domain::TokenId id{};
      if (!domain::parse_hex(path, id.bytes))
        refuse(404, "A token's id has 32 hex digits. It is not the token itself.");
      if (wants_counts) return counts(id, Query(query, {"prefix", "limit", "cursor"}), as_csv);
      return Query(query, {}), token(id);
    }
    refuse(404,
           "There are /v1/status, /v1/tokens, /v1/tokens/ID and /v1/tokens/ID/counts, where ID is a token's "
           "id.");
  } catch (const Refused& refused) {
    return refused.answer;
  } catch (const store::UnsupportedError& error) {
    return problem(501, error.what());
  } catch (const store::StoreError& error) {
    return problem(503, error.what());
  }
}

Answer AdminApi::tokens(const Query& query, bool as_csv) {
  const auto limit = query.limit(tokens_of_a_page);
  std::optional<domain::TokenId> after;
  if (const auto position = query.cursor('t'); !position.empty()) {
    if (position.size() != after.emplace().bytes.size())
      refuse(400, "The parameter cursor must be as an earlier answer gave it.");
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
  if (is_more)
    cursor =
        encoded("t" + std::string(reinterpret_cast<const char*>(after->bytes.data()), after->bytes.size()));
  if (is_more) answer.next = query.next("/v1/tokens", cursor);
  if (as_csv) {
    answer.type = "text/csv";
    answer.body = "id,minted,paths,total\r\n";
    for (const auto& token : found) {
      answer.body += text_of(token.id) + ',' +
                     (token.minted_s == 0 ? "" : text_of(static_cast<std::time_t>(token.minted_s))) + ',' +
                     std::to_string(token.paths) + ',' + std::to_string(token.total) + "\r\n";
    }
    return answer;
  }
  json::array tokens;
  for (const auto& token : found) {
    tokens.push_back(json::object{{"id", text_of(token.id)},
                                  {"minted", minted_of(token.minted_s)},
                                  {"paths", token.paths},
                                  {"total", token.total}});
  }
  json::object body{{"tokens", std::move(tokens)}};
  if (is_more) body["next"] = cursor;
  answer.body = json::serialize(body);
  return answer;
}

Answer AdminApi::token(const domain::TokenId& id) {
  require_own(id);
  const auto token = reader().find(id);
  if (!token) refuse(404, "There is no such token.");
  return {.body = json::serialize(json::object{{"id", text_of(token->id)},
                                               {"minted", minted_of(token->minted_s)},
                                               {"paths", token->paths},
                                               {"total", token->total}})};
}

Answer AdminApi::counts(const domain::TokenId& id, const Query& query, bool as_csv) {
  require_own(id);
  const auto found = reader().read(
      id,
      {.prefix = query.value("prefix"), .after = query.cursor('p'), .limit = query.limit(counts_of_a_page)});
  if (!found) refuse(404, "There is no such token.");
  Answer answer;
  std::string cursor;
  if (found->is_more) {
    cursor = encoded("p" + found->counts.back().path);
    answer.next = query.next("/v1/tokens/" + text_of(id) + "/counts", cursor);
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
  json::array counts;
  for (const auto& [path, count] : found->counts)
    counts.push_back(json::object{{"path", path}, {"count", count}});
  json::object body{
      {"id", text_of(id)}, {"minted", minted_of(found->minted_s)}, {"counts", std::move(counts)}};
  if (found->is_more) body["next"] = cursor;
  answer.body = json::serialize(body);
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
  const auto uptime_s = std::chrono::duration_cast<std::chrono::seconds>(now - its.started).count();
  json::object body{
      {"service", its.service},
      {"version", its.version},
      {"started", text_of(its.started)},
      {"uptime_s", uptime_s},
      {"ready", its.readiness.is_ready()},
      {"since", text_of(its.readiness.since())},
      {"remarks", std::move(remarks)},
      {"store",
       json::object{{"kind", its.store},
                    {"id", its.store_id.empty() ? json::value(nullptr) : json::value(its.store_id)},
                    {"can_lose", its.can_lose.empty() ? json::value(nullptr) : json::value(its.can_lose)},
                    {"last_backup", its.last_backup ? json::value(text_of(*its.last_backup)) : nullptr}}},
      {"slots",
       json::object{{"own", its.own_slots}, {"settled", its.settled_slots}, {"lost", its.lost_slots}}},
      {"moves", std::move(marks)},
      {"list_version", its.list_version},
      {"counters", std::move(counters)}};
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
