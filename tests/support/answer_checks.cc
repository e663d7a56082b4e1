#include "support/answer_checks.h"

#include <algorithm>
#include <boost/json.hpp>
#include <charconv>
#include <cstdlib>
#include <ctime>
#include <regex>
#include <stdexcept>
#include <vector>

namespace tracker::tests {
namespace {

using testing::AssertionFailure;
using testing::AssertionResult;
using testing::AssertionSuccess;

bool is_number(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
}

AssertionResult has_common_fields(const HttpAnswer& answer, std::string_view content_type, After after) {
  if (answer.field("Content-Type") != content_type) return AssertionFailure() << "Content-Type";
  if (answer.field("Cache-Control") != "no-store") return AssertionFailure() << "Cache-Control";
  const auto date = answer.field("Date");
  if (!date || !is_current_date(*date)) return AssertionFailure() << "Date";
  const auto connection = answer.field("Connection");
  if (after == After::closes && connection != "close") return AssertionFailure() << "does not say close";
  if (after == After::stays && connection == "close") return AssertionFailure() << "says close";
  return AssertionSuccess();
}

AssertionResult has_only_fields(const HttpAnswer& answer, const std::vector<std::string>& extra) {
  std::size_t known = answer.field_count("Content-Length") + answer.field_count("Connection");
  for (const char* name : {"Content-Type", "Cache-Control", "Date"}) known += answer.field_count(name);
  for (const std::string& name : extra) known += answer.field_count(name);
  if (known == answer.fields.size()) return AssertionSuccess();
  return AssertionFailure() << "a field that is not due";
}

AssertionResult is_success(const HttpAnswer& answer, After after) {
  if (answer.status != 200 || answer.minor_version != 1) return AssertionFailure() << "status line";
  if (auto common = has_common_fields(answer, "application/json", after); !common) return common;
  return has_only_fields(answer, {});
}

// Adds the answer itself to the message of a failure.
AssertionResult about(const HttpAnswer& answer, AssertionResult result) {
  return result ? result : result << " in: " << answer.to_string();
}

// The field that only this status has.
struct StatusField {
  int status;
  const char* name;
  const char* pattern;
};
constexpr StatusField status_fields[] = {{401, "WWW-Authenticate", "Bearer"},
                                         {405, "Allow", "GET"},
                                         {429, "Retry-After", "[1-9][0-9]*"},
                                         {503, "Retry-After", "[1-9][0-9]*"}};

AssertionResult has_refusal_fields(const HttpAnswer& answer, int status) {
  std::vector<std::string> due;
  for (const StatusField& field : status_fields) {
    if (field.status != status) continue;
    due.emplace_back(field.name);
    const auto value = answer.field(field.name);
    if (!value || !std::regex_match(*value, std::regex(field.pattern))) {
      return AssertionFailure() << field.name;
    }
  }
  return has_only_fields(answer, due);
}

}  // namespace

AssertionResult is_count(const HttpAnswer& answer, std::int64_t count, After after) {
  if (auto success = is_success(answer, after); !success) return about(answer, success);
  const std::string body = "{\"count\":" + std::to_string(count) + "}";
  if (answer.body == body) return AssertionSuccess();
  return about(answer, AssertionFailure() << "body is not " << body);
}

AssertionResult is_token(const HttpAnswer& answer, After after) {
  static const std::regex body(
      R"(\{"token":"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}"\})");
  if (auto success = is_success(answer, after); !success) return about(answer, success);
  if (std::regex_match(answer.body, body)) return AssertionSuccess();
  return about(answer, AssertionFailure() << "body is not a token");
}

AssertionResult is_refusal(const HttpAnswer& answer, int status, After after, AnswerTo asked) {
  if (answer.status != status) return about(answer, AssertionFailure() << "status is not " << status);
  if (answer.minor_version != 1) return about(answer, AssertionFailure() << "version");
  if (auto common = has_common_fields(answer, "application/problem+json", after); !common) {
    return about(answer, common);
  }
  if (auto fields = has_refusal_fields(answer, status); !fields) return about(answer, fields);
  if (asked == AnswerTo::get && !is_problem(answer.body, status)) {
    return about(answer, AssertionFailure() << "body is no problem");
  }
  return AssertionSuccess();
}

bool is_current_date(std::string_view text) {
  const std::string date(text);
  std::tm parsed{};
  if (::strptime(date.c_str(), "%a, %d %b %Y %H:%M:%S GMT", &parsed) == nullptr) return false;
  const std::time_t seconds = ::timegm(&parsed);
  char again[64];
  std::tm utc{};
  // Written again it must be the same. Otherwise the weekday or the padding was wrong.
  std::strftime(again, sizeof again, "%a, %d %b %Y %H:%M:%S GMT", ::gmtime_r(&seconds, &utc));
  return date == again && std::abs(std::difftime(std::time(nullptr), seconds)) < 600;
}

bool is_problem(std::string_view body, int status) {
  boost::system::error_code error;
  const boost::json::value value = boost::json::parse({body.data(), body.size()}, error);
  if (error || !value.is_object()) return false;
  const boost::json::object& problem = value.get_object();
  const auto* number = problem.if_contains("status");
  if (number == nullptr || !number->is_int64() || number->get_int64() != status) return false;
  const auto says = [&](const char* name) {
    const auto* text = problem.if_contains(name);
    return text != nullptr && text->is_string() && !text->get_string().empty();
  };
  return says("title") && says("detail");
}

std::int64_t count_in(const HttpAnswer& answer, After after) {
  constexpr std::string_view begin = "{\"count\":";
  const std::string_view body = answer.body;
  std::int64_t count = 0;
  if (body.size() > begin.size() + 1 && body.starts_with(begin) && body.ends_with('}')) {
    const std::string_view digits = body.substr(begin.size(), body.size() - begin.size() - 1);
    if (is_number(digits)) std::from_chars(digits.data(), digits.data() + digits.size(), count);
  }
  if (const auto result = is_count(answer, count, after); !result) throw std::runtime_error(result.message());
  return count;
}

std::string token_in(const HttpAnswer& answer, After after) {
  if (const auto result = is_token(answer, after); !result) throw std::runtime_error(result.message());
  return answer.body.substr(std::string_view("{\"token\":\"").size(), 36);
}

AssertionResult ends_without_more(RawClient& client) {
  client.read_to_end();
  if (client.unread().empty()) return AssertionSuccess();
  return AssertionFailure() << "more came: " << client.unread();
}

AssertionResult ends_cleanly(RawClient& client) {
  if (auto result = ends_without_more(client); !result) return result;
  if (client.end() == RawClient::End::closed) return AssertionSuccess();
  return AssertionFailure() << "the connection was reset";
}

}  // namespace tracker::tests
