#include "doors/token_changes.h"

#include <boost/json/object.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <stdexcept>

#include "doors/page_query.h"
#include "doors/token_json.h"

namespace tracker::doors {

namespace json = boost::json;

namespace {

constexpr domain::Seconds ttl_max_s = domain::Seconds{100} * 365 * 24 * 3'600;

/// What the body of a request may say of a token.
struct Wanted {
  std::optional<std::string> label = {};
  std::optional<domain::Seconds> ttl_s = {};
  std::optional<domain::Seconds> idle_s = {};
};

domain::Seconds read_ttl(std::string_view name, const json::value& value) {
  boost::system::error_code error;
  const auto seconds = value.to_number<domain::Seconds>(error);
  if (error || !(value.is_int64() || value.is_uint64()) || seconds > ttl_max_s)
    throw std::invalid_argument(
        std::string(name) +
        " must be a number of whole seconds, at most those of 100 years; 0 means no limit.");
  return seconds;
}

std::string read_label(const json::value& value) {
  if (!value.is_string() || value.as_string().size() > domain::TokenRecord::label_bytes_max)
    throw std::invalid_argument("label must be a text of at most 256 bytes.");
  return std::string(value.as_string());
}

Wanted read_body(std::string_view body) {
  boost::system::error_code error;
  const auto value = json::parse(body.empty() ? "{}" : body, error);
  if (error || !value.is_object()) throw std::invalid_argument("The body must be a JSON object.");
  Wanted wanted;
  for (const auto& [name, its] : value.as_object()) {
    if (name == "label") {
      wanted.label = read_label(its);
    } else if (name == "ttl_s") {
      wanted.ttl_s = read_ttl(name, its);
    } else if (name == "idle_ttl_s") {
      wanted.idle_s = read_ttl(name, its);
    } else {
      throw std::invalid_argument("The body may have label, ttl_s and idle_ttl_s, and nothing else.");
    }
  }
  return wanted;
}

store::TokenChange change_of(const Wanted& wanted, domain::Seconds now_s) {
  store::TokenChange change{.label = wanted.label, .idle_s = wanted.idle_s};
  if (wanted.ttl_s) change.expires_s = *wanted.ttl_s == 0 ? 0 : now_s + *wanted.ttl_s;
  return change;
}

[[noreturn]] void refuse_method(const std::string& allow) {
  auto answer = problem(405, "Use " + allow + ".");
  answer.allow = allow;
  refuse(std::move(answer));
}

}  // namespace

ApiAnswer TokenChanges::answer(Method method, std::string_view target, std::string_view body) {
  return answer_of([&]() -> ApiAnswer {
    const ApiTarget its(target);
    if (its.path == "/v1/tokens") {
      if (method != Method::post) refuse_method("GET, HEAD, POST");
      const PageQuery no_parameters(its.query, {});
      return mint(body);
    }
    if (its.path == "/v1/status" || its.path == "/v1/top" || its.path.ends_with("/counts"))
      refuse_method("GET, HEAD");
    if (!its.is_below_tokens())
      refuse(404, "There are /v1/tokens and /v1/tokens/ID, where ID is a token's id.");
    if (method != Method::patch && method != Method::remove) refuse_method("GET, HEAD, PATCH, DELETE");
    const auto id = its.token_id();
    const PageQuery query(its.query, {"purge"});
    const auto purges = query.find("purge");
    if (purges && (method != Method::remove || (*purges != "true" && *purges != "false")))
      throw std::invalid_argument("The parameter purge must be true or false, and is for DELETE.");
    parts_.own.require(id);
    if (method == Method::patch) return change(id, change_of(read_body(body), parts_.now_s()));
    if (purges == "true") return purge(id);
    return change(id, {.revokes = true});
  });
}

ApiAnswer TokenChanges::mint(std::string_view body) {
  const auto wanted = read_body(body);
  if (!parts_.mint) refuse(501, "No tokens are minted here.");
  auto record = parts_.new_record();
  record.paths.emplace();
  const auto terms = change_of(wanted, record.minted_s);
  record.label = terms.label.value_or("");
  record.expires_s = terms.expires_s.value_or(record.expires_s);
  record.idle_s = terms.idle_s.value_or(record.idle_s);
  const auto token = parts_.mint(record);
  if (!token)
    refuse(503, "The token could not be made: the store cannot be reached, or has as many as it may.");
  auto shown = token_json(domain::token_id(*token), record, record.minted_s);
  shown["token"] = domain::to_string(*token);
  return {
      .status = 201, .body = json::serialize(shown), .about = domain::to_string(domain::token_id(*token))};
}

ApiAnswer TokenChanges::change(const domain::TokenId& id, const store::TokenChange& change) {
  const auto record = keeper().change(id, change);
  if (!record) refuse(404, "There is no such token.");
  return {.body = json::serialize(token_json(id, *record, parts_.now_s())), .about = domain::to_string(id)};
}

/// The token is revoked first, so that no hit comes between.
ApiAnswer TokenChanges::purge(const domain::TokenId& id) {
  const auto record = keeper().change(id, {.revokes = true});
  if (!record) refuse(404, "There is no such token.");
  if (!keeper().purge(id, 0)) refuse(503, "The token is revoked, but not removed yet; do the same again.");
  return {.body = json::serialize(json::object{{"id", domain::to_string(id)}, {"purged", true}}),
          .about = domain::to_string(id)};
}

/// It stays open, so that a store in another process is connected to once.
store::TokenKeeper& TokenChanges::keeper() {
  if (!parts_.make_keeper) refuse(501, "Tokens in this store cannot be changed.");
  if (!keeper_) keeper_ = parts_.make_keeper();
  return *keeper_;
}

}  // namespace tracker::doors
