#include "cli/json_answer.h"

#include <boost/json/parse.hpp>
#include <utility>

#include "cli/refusal.h"

namespace tracker::cli {

namespace json = boost::json;

json::object body_of(const AdminReader& reader, const AdminReader::Answer& answer) {
  if (answer.status != 200 && answer.status != 201) refuse(reader.name() + ": " + detail_of(answer));
  boost::system::error_code error;
  auto body = json::parse(answer.body, error);
  if (error || !body.is_object()) refuse(reader.name() + ": it answers what makes no sense; is it tracker?");
  return std::move(body.as_object());
}

std::string text_of(const json::object& object, std::string_view name) {
  const auto* value = object.if_contains(name);
  return value != nullptr && value->is_string() ? std::string(value->as_string()) : "";
}

std::int64_t number_of(const json::object& object, std::string_view name) {
  const auto* value = object.if_contains(name);
  if (value == nullptr) return 0;
  return value->is_uint64()  ? static_cast<std::int64_t>(value->as_uint64())
         : value->is_int64() ? value->as_int64()
                             : 0;
}

const json::array& array_of(const json::object& object, std::string_view name) {
  static const json::array none;
  const auto* value = object.if_contains(name);
  return value != nullptr && value->is_array() ? value->as_array() : none;
}

const json::object& object_of(const json::object& object, std::string_view name) {
  static const json::object none;
  const auto* value = object.if_contains(name);
  return value != nullptr && value->is_object() ? value->as_object() : none;
}

}  // namespace tracker::cli
