#pragma once

#include <boost/json/object.hpp>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "domain/space_saving.h"

namespace tracker::cli {

/// What services answer at /v1/top, together. Pure.
class TopTable {
 public:
  enum class By : std::uint8_t { path, token };
  enum class Over : std::uint8_t { last_minute, since_start };

  explicit TopTable(By by) : by_(by) {}

  /// What to ask for. All that there is, so that a key which a service does not name is as rare there as it can be.
  static std::string target(By by);

  /// Adds the answer of one service. Their counts add up: each hit was counted by one of them.
  void add(const boost::json::object& answer);

  /// In the form of an answer, with at most `limit` keys.
  boost::json::object to_json(std::size_t limit) const;

  /// Lines for people: a heading, and at most `limit` keys, the busiest first. No line has more than `columns` characters.
  std::vector<std::string> lines(Over over, std::size_t limit, std::size_t columns) const;
  /// How many hits there were.
  std::string summary() const;

 private:
  struct Period {
    std::int64_t seconds = 0;
    domain::FrequentKeys keys;

    domain::FrequentKeys::Entry entry(const std::string& key) const;
  };
  struct Row {
    domain::FrequentKeys::Entry last_minute;
    domain::FrequentKeys::Entry since_start;
  };
  std::vector<Row> rows(Over over, std::size_t limit) const;
  std::string key_name() const { return by_ == By::path ? "path" : "id"; }

  const By by_;
  std::size_t capacity_ = 0;  // of the service that has the least; 0: none has answered
  Period last_minute_;
  Period since_start_;
};

/// The first `columns` characters of UTF-8. Pure.
std::string cut(std::string_view text, std::size_t columns);

}  // namespace tracker::cli
