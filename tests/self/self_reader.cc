#include "self/self_reader.h"

#include <gtest/gtest.h>

#include <boost/json.hpp>
#include <stdexcept>
#include <thread>

#include "support/caller.h"
#include "support/deadline.h"

namespace tracker::tests {

Endpoint self_door_of(Program& program) {
  return program.wait_listening().at("self");
}

SelfPage page_in(const HttpAnswer& answer) {
  if (answer.status != 200 || answer.field("Content-Type") != "application/json" ||
      answer.field("Cache-Control") != "no-store" || !answer.field("Date"))
    throw std::runtime_error(answer.to_string());
  const auto body = boost::json::parse(answer.body).as_object();
  SelfPage page;
  for (const auto& its : body.at("counts").as_array()) {
    if (its.as_object().size() != 2) throw std::runtime_error(answer.to_string());
    page.counts.emplace_back(its.at("path").as_string(), its.at("count").as_int64());
  }
  if (const auto* next = body.if_contains("next")) page.next = std::string(next->as_string());
  if (body.size() != (page.next ? 2U : 1U)) throw std::runtime_error(answer.to_string());
  return page;
}

std::string check_problem(const HttpAnswer& answer, int status) {
  EXPECT_EQ(answer.status, status) << answer.to_string();
  EXPECT_EQ(answer.field("Content-Type"), "application/problem+json") << answer.to_string();
  EXPECT_EQ(answer.field("Cache-Control"), "no-store");
  EXPECT_EQ(answer.field("Retry-After").has_value(), status == 429 || status == 503) << answer.to_string();
  EXPECT_EQ(answer.field("WWW-Authenticate") == "Bearer", status == 401) << answer.to_string();
  EXPECT_EQ(answer.field("Allow") == "GET, HEAD, OPTIONS", status == 405) << answer.to_string();
  const auto body = boost::json::parse(answer.body).as_object();
  EXPECT_EQ(body.at("status"), status);
  EXPECT_EQ(body.at("title").as_string(), answer.reason);
  return std::string(body.at("detail").as_string());
}

HttpAnswer SelfReader::ask(const std::string& query) const {
  return Caller(door_).ask(get("/v1/self/counts" + query, token_));
}

SelfPage SelfReader::page(const std::string& query) const {
  for (const Deadline deadline;;) {
    const auto answer = ask(query);
    if (answer.status != 503 || deadline.passed()) return page_in(answer);
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
}

PathCounts SelfReader::all(const std::string& query) const {
  PathCounts counts;
  const std::string separator = query.empty() ? "?" : "&";
  for (std::string cursor;;) {
    const auto its = page(query + cursor);
    counts.insert(counts.end(), its.counts.begin(), its.counts.end());
    if (!its.next) return counts;
    cursor = separator + "cursor=" + *its.next;
  }
}

}  // namespace tracker::tests
