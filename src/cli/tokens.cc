#include "cli/tokens.h"

#include <unistd.h>

#include <algorithm>
#include <boost/json/serialize.hpp>
#include <boost/json/value_from.hpp>
#include <cinttypes>
#include <cstdio>
#include <ctime>
#include <deque>
#include <fstream>
#include <iostream>
#include <map>
#include <optional>
#include <thread>
#include <utility>

#include "cli/json_answer.h"
#include "cli/refusal.h"
#include "domain/percent_encoding.h"
#include "domain/token.h"
#include "domain/token_id.h"
#include "domain/token_record.h"
#include "runtime/printable.h"
#include "runtime/priority.h"
#include "settings/setting_values.h"
#include "settings/shown_value.h"
#include "settings/startup_error.h"

namespace tracker::cli {

namespace json = boost::json;
using settings::SettingTable;
using settings::StartupError;
using Readers = std::vector<std::unique_ptr<AdminReader>>;
using std::chrono_literals::operator""ms;

const char* const about_tokens =
    "Lists the tokens of services that run, shows one, or makes, changes, revokes or removes one. It asks "
    "the "
    "service that serves ./tracker-data, unless it is told which. Of several counters, each token is listed "
    "once. Where they partition the tokens, ask all of them.\n\n"
    "  tracker tokens\n"
    "  tracker tokens mint --label 'shop 7' --ttl 90d\n"
    "  tracker tokens label 5d41402abc4b2a76b9719d911017c592 --label 'shop 8'\n"
    "  tracker tokens revoke 5d41402abc4b2a76b9719d911017c592\n"
    "  tracker tokens list --json --admin 10.0.0.1:6391,10.0.0.2:6391 --admin-key-file ./key\n"
    "  tracker tokens show 5d41402abc4b2a76b9719d911017c592 --admin-socket /run/tracker/a.sock\n\n"
    "A token is known by its id, which is not secret. tracker counts - makes the id of a token. Only mint "
    "shows a token itself, once. A token that is revoked never counts again; its counts stay until they are "
    "purged, or --retain of the service has passed.\n\n"
    "It exits with 0, with 1 if there is no such token or a service cannot do it, and with 2 if a "
    "setting is wrong.";

const char* const about_counts =
    "Prints the counts of one token: of every path, or of those with a prefix.\n\n"
    "  tracker counts 5d41402abc4b2a76b9719d911017c592 --prefix /v1/\n"
    "  tracker counts - < ./token           the token itself, which no command line may show\n"
    "  tracker counts --token-file ./token --watch\n\n"
    "It exits with 0, with 1 if there is no such token or a service cannot be asked, and with 2 if a "
    "setting is wrong.";

const char* const about_status =
    "Says how services are: their version, their store and what it can lose, their slots, what is held or "
    "being moved, what is wrong, and how many hits were counted and refused since the start. Of several "
    "services, the last lines have the sums.\n\n"
    "  tracker status\n"
    "  tracker status --admin 10.0.0.1:6391,10.0.0.2:6391 --admin-key-file ./key\n\n"
    "It exits with 0 if all of them are ready, with 1 if one is not or cannot be asked, and with 2 if a "
    "setting is wrong.";

namespace {

void print(const std::string& text) {
  std::fwrite(text.data(), 1, text.size(), stdout);
}

/// The tokens of one service, in the order of their ids, page by page.
class TokenPages {
 public:
  TokenPages(AdminReader& reader, const std::string& filter)
      : first_("/v1/tokens?limit=1000" + filter), reader_(reader) {}

  /// Null: there are no more.
  const json::object* front() {
    while (page_.empty() && !is_last_) fetch();
    return page_.empty() ? nullptr : &page_.front();
  }
  void pop() { page_.pop_front(); }

 private:
  void fetch() {
    const auto body = body_of(reader_, reader_.get(target_));
    for (const auto& token : array_of(body, "tokens")) {
      if (token.is_object()) page_.push_back(token.as_object());
    }
    const auto next = text_of(body, "next");
    is_last_ = next.empty();
    target_ = first_ + "&cursor=" + next;
  }

  const std::string first_;
  AdminReader& reader_;
  std::string target_ = first_;
  std::deque<json::object> page_;
  bool is_last_ = false;
};

void print_token(const json::object& token, bool as_json) {
  if (as_json) return print(json::serialize(token) + "\n");
  const auto minted = text_of(token, "minted");
  std::printf("%s  %-20s  %-7s  %8" PRId64 "  %14" PRId64 "  %s\n", text_of(token, "id").c_str(),
              minted.empty() ? "-" : minted.c_str(), text_of(token, "state").c_str(),
              number_of(token, "paths"), number_of(token, "total"),
              runtime::printable(text_of(token, "label")).c_str());
}

void print_token_heading(bool as_json) {
  if (!as_json)
    std::printf("%-32s  %-20s  %-7s  %8s  %14s  %s\n", "id", "minted", "state", "paths", "total", "label");
}

/// Each token once: counters that share a store all have it.
void list(const Readers& readers, const std::string& filter, bool as_json) {
  runtime::run_when_idle();
  std::deque<TokenPages> pages;
  for (const auto& reader : readers) pages.emplace_back(*reader, filter);
  std::size_t tokens = 0;
  std::int64_t paths = 0;
  std::int64_t total = 0;
  print_token_heading(as_json);
  while (true) {
    const json::object* lowest = nullptr;
    for (auto& its : pages) {
      const auto* token = its.front();
      if (token != nullptr && (lowest == nullptr || text_of(*token, "id") < text_of(*lowest, "id")))
        lowest = token;
    }
    if (lowest == nullptr) break;
    const auto token = *lowest;
    for (auto& its : pages) {
      if (its.front() != nullptr && text_of(*its.front(), "id") == text_of(token, "id")) its.pop();
    }
    print_token(token, as_json);
    ++tokens;
    paths += number_of(token, "paths");
    total += number_of(token, "total");
  }
  if (!as_json)
    std::printf("%zu tokens, %" PRId64 " paths, %" PRId64 " requests counted\n", tokens, paths, total);
}

using Method = AdminReader::Method;

/// Asks one service after the other until one has the token. Null: none of them has it.
AdminReader* find(const Readers& readers, const std::string& target, AdminReader::Answer& answer,
                  Method method = Method::get, const std::string& body = "") {
  constexpr unsigned elsewhere = 421;
  for (const auto& reader : readers) {
    answer = reader->ask(method, target, body);
    if (answer.status != 404 && (answer.status != elsewhere || readers.size() == 1)) return reader.get();
  }
  return nullptr;
}

bool no_such_token(const std::string& id) {
  std::fprintf(stderr, "there is no token with the id %s\n", id.c_str());
  return false;
}

std::string id_of(const std::string& text) {
  domain::TokenId id{};
  if (domain::parse_hex(text, id.bytes)) return text;
  if (domain::parse_token(text)) {
    throw StartupError(
        StartupError::bad_setting,
        "a token on the command line can be seen by every user of the machine; give its id, or "
        "tracker counts - with the token on standard input");
  }
  throw StartupError(StartupError::bad_setting,
                     settings::shown(text) +
                         ": this is no id of a token; an id has 32 hex digits, and "
                         "tracker tokens lists them");
}

std::string id_of_token_in(std::istream& in, const std::string& from) {
  std::string line;
  std::getline(in, line);
  while (!line.empty() && (line.back() == '\r' || line.back() == ' ')) line.pop_back();
  const auto token = domain::parse_token(line);
  if (!token)
    throw StartupError(StartupError::bad_setting,
                       from + ": its first line is no token in its 36-character form");
  return domain::to_string(domain::token_id(*token));
}

std::string id_of(const CountsSettings& settings) {
  if (!settings.token_file.empty()) {
    std::ifstream in(settings.token_file);
    return id_of_token_in(in, "--token-file: " + settings::shown(settings.token_file));
  }
  if (settings.of == "-") return id_of_token_in(std::cin, "standard input");
  if (settings.of.empty()) {
    throw StartupError(
        StartupError::bad_setting,
        "whose counts? give the id of a token, - for a token on standard input, or --token-file");
  }
  return id_of(settings.of);
}

/// Calls `take` with each path and its count, in order. Returns false if there is no such token.
template <typename Take>
bool read_counts(const Readers& readers, const std::string& id, const std::string& prefix, Take take) {
  runtime::run_when_idle();
  const auto first = "/v1/tokens/" + id + "/counts?limit=1000" +
                     (prefix.empty() ? "" : "&prefix=" + domain::query_value(prefix));
  AdminReader::Answer answer;
  auto* reader = find(readers, first, answer);
  if (reader == nullptr) return false;
  while (true) {
    if (answer.status == 404) return false;
    const auto body = body_of(*reader, answer);
    for (const auto& count : array_of(body, "counts")) {
      if (count.is_object()) take(text_of(count.as_object(), "path"), number_of(count.as_object(), "count"));
    }
    const auto next = text_of(body, "next");
    if (next.empty()) return true;
    answer = reader->get(first + "&cursor=" + next);
  }
}

void print_count(const std::string& path, std::int64_t count, bool as_json) {
  if (as_json) return print(json::serialize(json::object{{"path", path}, {"count", count}}) + "\n");
  std::printf("%14" PRId64 "  %s\n", count, runtime::printable(path, path.size() * 4).c_str());
}

std::string time_of_day() {
  const auto now = std::time(nullptr);
  std::tm parts{};
  ::localtime_r(&now, &parts);
  char text[16];
  std::strftime(text, sizeof text, "%T", &parts);
  return text;
}

/// Until it is interrupted. On a terminal the screen shows all counts, and elsewhere each line is one that has changed.
bool watch(const Readers& readers, const std::string& id, const CountsSettings& settings) {
  const bool is_terminal = ::isatty(STDOUT_FILENO) == 1 && !settings.as_json;
  std::map<std::string, std::int64_t> before;
  for (bool is_first = true;; is_first = false) {
    std::map<std::string, std::int64_t> now;
    const bool is_known =
        read_counts(readers, id, settings.prefix,
                    [&](const std::string& path, std::int64_t count) { now[path] = count; });
    if (!is_known) return no_such_token(id);
    if (is_terminal) std::printf("\033[H\033[J%s  token %s\n", time_of_day().c_str(), id.c_str());
    for (const auto& [path, count] : now) {
      const auto its = before.find(path);
      const auto more = count - (its == before.end() ? 0 : its->second);
      if (is_terminal) {
        std::printf("%14" PRId64 "  %+10" PRId64 "  %s\n", count, is_first ? 0 : more,
                    runtime::printable(path, path.size() * 4).c_str());
      } else if (more != 0) {
        print_count(path, count, settings.as_json);
      }
    }
    std::fflush(stdout);
    before = std::move(now);
    std::this_thread::sleep_for(settings.interval);
  }
}

void print_line(const char* name, const std::string& text) {
  std::printf("  %-14s %s\n", name, runtime::printable(text).c_str());
}

/// What services have counted and refused since their start.
struct Tallies {
  std::int64_t hits = 0;
  std::map<std::string, std::int64_t> refusals = {};

  void add(const json::object& status) {
    hits += number_of(status, "hits");
    const auto* its = status.if_contains("refusals");
    if (its == nullptr || !its->is_object()) return;
    for (const auto& [reason, number] : its->as_object())
      refusals[reason] += number_of(its->as_object(), reason);
  }
};

void print_tallies(const Tallies& tallies) {
  print_line("counted", std::to_string(tallies.hits) + " hits since the start");
  std::string all;
  for (const auto& [reason, number] : tallies.refusals)
    all += (all.empty() ? "" : ", ") + std::to_string(number) + " " + reason;
  print_line("refused", all.empty() ? "nothing since the start" : all);
}

bool print_status(const AdminReader& reader, const json::object& status) {
  const bool is_ready = status.contains("ready") && status.at("ready") == true;
  const auto& store = status.at("store").as_object();
  const auto& slots = status.at("slots").as_object();
  std::printf("%s\n", reader.name().c_str());
  print_line("service", text_of(status, "service") + ", " + text_of(status, "version"));
  print_line("state", (is_ready ? "ready since " : "NOT READY since ") + text_of(status, "since"));
  for (const auto& remark : array_of(status, "remarks"))
    print_line("", remark.is_string() ? std::string(remark.as_string()) : "");
  print_line("started", text_of(status, "started"));
  const auto loss = text_of(store, "can_lose");
  const auto backup = text_of(store, "last_backup");
  print_line("store", text_of(store, "kind"));
  print_line("can lose", loss.empty() ? "nothing that was answered" : loss);
  print_line("last backup", backup.empty() ? "none since the start" : backup);
  print_line("slots", std::to_string(number_of(slots, "own")) + " own, " +
                          std::to_string(number_of(slots, "settled")) + " settled" +
                          (number_of(slots, "lost") == 0 ? ""
                                                         : ", " + std::to_string(number_of(slots, "lost")) +
                                                               " lost to other counters"));
  for (const auto& move : array_of(status, "moves")) {
    const auto& its = move.as_object();
    print_line("", std::to_string(number_of(its, "slots")) + " " + text_of(its, "state") + " by export " +
                       text_of(its, "export"));
  }
  Tallies tallies;
  tallies.add(status);
  print_tallies(tallies);
  for (const auto& counter : array_of(status, "counters")) {
    const auto& its = counter.as_object();
    print_line("counter", text_of(its, "name") + " at " + text_of(its, "address") + ", " +
                              std::to_string(number_of(its, "slots")) + " slots" +
                              (its.at("leaving") == true ? ", leaving" : "") +
                              (its.at("this") == true ? " (this one)" : ""));
  }
  return is_ready;
}

void print_sums(std::size_t services, const Tallies& tallies, bool as_json) {
  if (as_json) {
    print(json::serialize(json::object{{"services", services},
                                       {"hits", tallies.hits},
                                       {"refusals", json::value_from(tallies.refusals)}}) +
          "\n");
    return;
  }
  std::printf("all %zu services\n", services);
  print_tallies(tallies);
}

}  // namespace

namespace {

/// What the settings say of a token, as the body of a request.
std::string body_with(const TokensSettings& settings) {
  json::object body;
  if (settings.label) body["label"] = *settings.label;
  if (settings.ttl) body["ttl_s"] = settings::whole_seconds(*settings.ttl);
  if (settings.idle_ttl) body["idle_ttl_s"] = settings::whole_seconds(*settings.idle_ttl);
  return json::serialize(body);
}

void print_made(const json::object& token, bool as_json) {
  if (as_json) return print(json::serialize(token) + "\n");
  for (const auto* name : {"token", "id", "label", "state", "minted", "expires", "ends"}) {
    if (const auto text = text_of(token, name); !text.empty()) print_line(name, text);
  }
  if (token.contains("purged")) print_line("state", "removed");
  if (const auto idle_s = number_of(token, "idle_ttl_s"); idle_s != 0)
    print_line("idle limit", std::to_string(idle_s) + " s");
}

/// Of partitioned counters, each mints tokens of its own slots.
bool mint(const Readers& readers, const TokensSettings& settings) {
  auto& reader = *readers.front();
  print_made(body_of(reader, reader.ask(Method::post, "/v1/tokens", body_with(settings))), settings.as_json);
  return true;
}

bool change(const Readers& readers, const std::string& text, Method method, const std::string& parameters,
            const std::string& body, bool as_json) {
  const auto id = id_of(text);
  AdminReader::Answer answer;
  const auto* reader = find(readers, "/v1/tokens/" + id + parameters, answer, method, body);
  if (reader == nullptr && answer.status != 404) refuse(readers.back()->name() + ": " + detail_of(answer));
  if (reader == nullptr || answer.status == 404) return no_such_token(id);
  print_made(body_of(*reader, answer), as_json);
  return true;
}

void add_time(SettingTable& table, const char* flag, std::optional<std::chrono::milliseconds>& target,
              const std::string& help, const SettingTable::Condition& condition) {
  table.add(
      {flag, "", help, "as the service has it for every token",
       "a time such as 90d, 12h or 30s; 0 means no limit",
       [&target](std::string_view text) { return (target = settings::parse_duration(text)).has_value(); },
       "TIME", condition});
}

std::string filter_of(const TokensSettings& settings) {
  std::string filter;
  if (settings.label) filter += "&label=" + domain::query_value(*settings.label);
  if (!settings.state.empty()) filter += "&state=" + settings.state;
  return filter;
}

}  // namespace

void add_tokens_settings(SettingTable& table, TokensSettings& settings) {
  table.add_action("list", "", settings.listed,
                   "Lists all tokens, in the order of their ids. So does no action.");
  table.add_action("show", "ID", settings.shown, "Shows the token with this id.");
  table.add_action("mint", "", settings.minted, "Makes a token, and shows it once.");
  table.add_action("label", "ID", settings.changed, "Changes the label or the times of a token.");
  table.add_action("revoke", "ID", settings.revoked, "Has a token never count again.");
  table.add_action("purge", "ID", settings.purged, "Revokes a token, and removes its counts.");
  add_admin_door_settings(table, settings.doors);
  table.begin_group(SettingTable::Group::process);
  const auto makes = [&settings] { return !settings.minted.empty() || !settings.changed.empty(); };
  const auto lists = [&settings, makes] {
    return !makes() && settings.shown.empty() && settings.revoked.empty() && settings.purged.empty();
  };
  table.add({"--label", "", "What to call a token, or which tokens to list.", "none",
             "a text of at most 256 bytes",
             [&settings](std::string_view text) {
               settings.label = text;
               return text.size() <= domain::TokenRecord::label_bytes_max;
             },
             "TEXT", SettingTable::Condition{"list, mint and label", [=] { return makes() || lists(); }}});
  const SettingTable::Condition with_times{"mint and label", makes};
  add_time(table, "--ttl", settings.ttl, "How long from now until it expires.", with_times);
  add_time(table, "--idle-ttl", settings.idle_ttl, "How long it may go unused before it expires.",
           with_times);
  table.add({"--state", "", "Lists only tokens in this state.", "any", "active, expired or revoked",
             [&settings](std::string_view text) {
               settings.state = text;
               return text == "active" || text == "expired" || text == "revoked";
             },
             "STATE", SettingTable::Condition{"list", lists},
             std::vector<std::string>{"active", "expired", "revoked"}});
  table.add_switch("--json", settings.as_json, "Prints a JSON object in each line.");
}

bool tokens(const TokensSettings& settings) {
  const auto id = settings.shown.empty() ? "" : id_of(settings.shown);
  const auto readers = open_admin_readers(settings.doors);
  const bool as_json = settings.as_json;
  if (!settings.minted.empty()) return mint(readers, settings);
  if (!settings.changed.empty())
    return change(readers, settings.changed, Method::patch, "", body_with(settings), as_json);
  if (!settings.revoked.empty()) return change(readers, settings.revoked, Method::remove, "", "", as_json);
  if (!settings.purged.empty())
    return change(readers, settings.purged, Method::remove, "?purge=true", "", as_json);
  if (id.empty()) {
    list(readers, filter_of(settings), as_json);
  } else {
    AdminReader::Answer answer;
    const auto* reader = find(readers, "/v1/tokens/" + id, answer);
    if (reader == nullptr || answer.status == 404) return no_such_token(id);
    print_token_heading(settings.as_json);
    print_token(body_of(*reader, answer), settings.as_json);
  }
  std::fflush(stdout);
  return true;
}

void add_counts_settings(SettingTable& table, CountsSettings& settings) {
  table.add_optional_argument("ID", settings.of,
                              "The id of a token, or - for a token in the first line of standard input.");
  add_admin_door_settings(table, settings.doors);
  table.begin_group(SettingTable::Group::process);
  table.add_file("--token-file", settings.token_file, "A file whose first line is the token.");
  table.add({"--prefix", "", "Only paths that begin with this.", "none: all", "a path",
             [&settings](std::string_view text) {
               settings.prefix = text;
               return true;
             },
             "PATH"});
  table.add_switch("--watch", settings.watches,
                   "Goes on until it is interrupted: on a terminal it shows the counts as they are, and "
                   "elsewhere it prints those that have changed.");
  table.add_duration("--interval", settings.interval, 100ms, "How often it looks.",
                     SettingTable::Condition{"--watch", [&settings] { return settings.watches; }});
  table.add_switch("--json", settings.as_json, "Prints a JSON object in each line.");
}

bool counts(const CountsSettings& settings) {
  const auto id = id_of(settings);
  const auto readers = open_admin_readers(settings.doors);
  if (settings.watches) return watch(readers, id, settings);
  std::int64_t paths = 0;
  std::int64_t total = 0;
  const bool is_known =
      read_counts(readers, id, settings.prefix, [&](const std::string& path, std::int64_t count) {
        print_count(path, count, settings.as_json);
        ++paths;
        total += count;
      });
  if (!is_known) return no_such_token(id);
  if (!settings.as_json)
    std::printf("%14" PRId64 "  on %" PRId64 " path%s of token %s\n", total, paths, paths == 1 ? "" : "s",
                id.c_str());
  std::fflush(stdout);
  return true;
}

void add_status_settings(SettingTable& table, StatusSettings& settings) {
  add_admin_door_settings(table, settings.doors);
  table.begin_group(SettingTable::Group::process);
  table.add_switch("--json", settings.as_json,
                   "Prints a JSON object in each line, one for each service. Of several services, the last "
                   "one has the sums.");
}

bool status(const StatusSettings& settings) {
  bool all_ready = true;
  Tallies tallies;
  const auto readers = open_admin_readers(settings.doors);
  for (const auto& reader : readers) {
    auto its = body_of(*reader, reader->get("/v1/status"));
    tallies.add(its);
    if (settings.as_json) {
      all_ready = its.at("ready") == true && all_ready;
      its["asked"] = reader->name();
      print(json::serialize(its) + "\n");
    } else {
      all_ready = print_status(*reader, its) && all_ready;
    }
  }
  if (readers.size() > 1) print_sums(readers.size(), tallies, settings.as_json);
  std::fflush(stdout);
  return all_ready;
}

}  // namespace tracker::cli
