#pragma once

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <cstdint>
#include <string>
#include <string_view>

#include "cli/admin_reader.h"

namespace tracker::cli {

// Answers of the admin door, which may be of another version.

/// The answer as an object. Throws StartupError if it is none, or is a problem.
boost::json::object body_of(const AdminReader& reader, const AdminReader::Answer& answer);

// Members of an object. Pure. One that is missing, or of another type, is empty or 0.
std::string text_of(const boost::json::object& object, std::string_view name);
std::int64_t number_of(const boost::json::object& object, std::string_view name);
const boost::json::array& array_of(const boost::json::object& object, std::string_view name);
const boost::json::object& object_of(const boost::json::object& object, std::string_view name);

}  // namespace tracker::cli
