#include "doors/problem.h"

#include <boost/beast/http/status.hpp>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>

namespace tracker::doors {

std::string problem_json(unsigned status, std::string_view detail) {
  namespace http = boost::beast::http;
  const boost::json::object json{{"title", http::obsolete_reason(static_cast<http::status>(status))},
                                 {"status", status},
                                 {"detail", detail}};
  return boost::json::serialize(json);
}

}  // namespace tracker::doors
