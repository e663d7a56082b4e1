#include "doors/admin_api.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <boost/json/value.hpp>
#include <map>

#include "store/lowest_paths.h"

namespace tracker::doors {
namespace {

namespace json = boost::json;
using store::TokenSummary;
using testing::HasSubstr;

domain::TokenId id_of(std::uint8_t number) {
  domain::TokenId id{};
  id.bytes[15] = number;
  return id;
}

/// A few tokens, in steps of two.
class SomeTokens final : public store::CountReader {
 public:
  explicit SomeTokens(std::map<domain::TokenId, std::map<std::string, std::int64_t>> tokens)
      : tokens_(std::move(tokens)) {}

  std::vector<TokenSummary> list(const domain::SlotSet& slots, const std::optional<domain::TokenId>& after,
                                 std::size_t limit) override {
    std::vector<TokenSummary> found;
    for (const auto& [id, counts] : tokens_) {
      if ((after && id <= *after) || !slots[domain::slot_of(id)]) continue;
      if (found.size() == std::min<std::size_t>(limit, 2)) break;
      found.push_back(*find(id));
    }
    return found;
  }
  std::optional<TokenSummary> find(const domain::TokenId& id) override {
    const auto token = tokens_.find(id);
    if (token == tokens_.end()) return std::nullopt;
    TokenSummary summary{.id = id, .record = {.minted_s = 1'700'000'000}, .paths = token->second.size()};
    for (const auto& [path, count] : token->second) summary.total += count;
    return summary;
  }
  store::SlotMarks marks() override { return {}; }
  std::optional<store::TokenCounts> read(const domain::TokenId& id,
                                         const store::CountsQuery& query) override {
    const auto token = tokens_.find(id);
    if (token == tokens_.end()) return std::nullopt;
    store::LowestPaths lowest(query);
    for (const auto& [path, count] : token->second) lowest.add(path, count);
    return store::TokenCounts{
        .record = {.minted_s = 1'700'000'000}, .counts = lowest.counts(), .is_more = lowest.left_out()};
  }

 private:
  const std::map<domain::TokenId, std::map<std::string, std::int64_t>> tokens_;
};

class AdminApiTest : public testing::Test {
 protected:
  AdminApi::Answer get(const std::string& target, const std::string& accept = "*/*") {
    return api_.get(target, accept);
  }
  json::object get_json(const std::string& target) {
    const auto answer = get(target);
    EXPECT_EQ(answer.status, 200U) << answer.body;
    return json::parse(answer.body).as_object();
  }
  unsigned status_of(const std::string& target) {
    const auto answer = get(target);
    EXPECT_EQ(answer.type, "application/problem+json");
    EXPECT_EQ(json::parse(answer.body).at("status").as_int64(), answer.status);
    return answer.status;
  }

  std::string own_only_ = "";
  AdminApi api_{{.make_reader =
                     [] {
                       std::map<domain::TokenId, std::map<std::string, std::int64_t>> tokens;
                       for (std::uint8_t i = 1; i <= 5; ++i) tokens[id_of(i)]["/n"] = i;
                       tokens[id_of(1)] = {{"/a", 1}, {"/a/b", 2}, {"/a,\"b\"", 3}, {"/z", 4}};
                       return std::make_unique<SomeTokens>(std::move(tokens));
                     },
                 .status =
                     [] {
                       return AdminStatus{.service = "serve",
                                          .version = "1",
                                          .store = "memory",
                                          .hits = 7,
                                          .refusals = {{"no_token", 2}, {"unknown_token", 0}}};
                     }}};
};

TEST_F(AdminApiTest, ListsTokensPageByPage) {
  std::vector<std::int64_t> totals;
  int pages = 0;
  for (std::string target = "/v1/tokens?limit=3"; !target.empty(); ++pages) {
    const auto answer = get(target);
    const auto body = json::parse(answer.body);
    for (const auto& token : body.at("tokens").as_array()) totals.push_back(token.at("total").as_int64());
    target = answer.next;
    if (!target.empty()) {
      EXPECT_THAT(target, HasSubstr("limit=3"));
    }
  }
  EXPECT_EQ(totals, (std::vector<std::int64_t>{10, 2, 3, 4, 5}));
  EXPECT_EQ(pages, 2);
  const auto first = get_json("/v1/tokens?limit=1").at("tokens").at(0);
  EXPECT_EQ(first.at("id").as_string(), "00000000000000000000000000000001");
  EXPECT_EQ(first.at("minted").as_string(), "2023-11-14T22:13:20Z");
  EXPECT_EQ(first.at("paths").as_int64(), 4);
}

TEST_F(AdminApiTest, ShowsATokenAndItsCounts) {
  const std::string token = "/v1/tokens/00000000000000000000000000000001";
  EXPECT_EQ(get_json(token).at("total").as_int64(), 10);
  const auto all = get_json(token + "/counts");
  EXPECT_EQ(all.at("counts").as_array().size(), 4U);
  EXPECT_EQ(all.at("counts").at(1).at("path").as_string(), "/a,\"b\"");
  EXPECT_FALSE(all.contains("next"));
  EXPECT_EQ(get_json(token + "/counts?prefix=%2Fa%2F").at("counts").as_array().size(), 1U);
  const auto page = get(token + "/counts?prefix=/a&limit=1");
  EXPECT_EQ(json::parse(page.body).at("counts").at(0).at("path").as_string(), "/a");
  const auto next = get(page.next);
  EXPECT_EQ(json::parse(next.body).at("counts").at(0).at("path").as_string(), "/a,\"b\"");
}

TEST_F(AdminApiTest, WritesCsv) {
  const auto tokens = get("/v1/tokens?limit=1", "text/csv");
  EXPECT_EQ(tokens.type, "text/csv");
  EXPECT_EQ(tokens.body,
            "id,minted,paths,total,state,last_used,expires,label\r\n"
            "00000000000000000000000000000001,2023-11-14T22:13:20Z,4,10,active,,,\r\n");
  EXPECT_FALSE(tokens.next.empty());
  EXPECT_EQ(get("/v1/tokens/00000000000000000000000000000001/counts", "text/csv").body,
            "path,count\r\n/a,1\r\n\"/a,\"\"b\"\"\",3\r\n/a/b,2\r\n/z,4\r\n");
}

TEST_F(AdminApiTest, SaysWhatIsWrong) {
  for (const char* target :
       {"/v1/tokens?limit=0", "/v1/tokens?limit=10001", "/v1/tokens?limit=x", "/v1/tokens?limit=1&limit=1",
        "/v1/tokens?size=1", "/v1/tokens?cursor=!", "/v1/tokens?cursor=AS9h", "/v1/tokens?limit=%zz",
        "/v1/tokens?limit=%2", "/v1/tokens/00000000000000000000000000000001/counts?cursor=Ai9h",
        "/v1/status?x=1"})
    EXPECT_EQ(status_of(target), 400U) << target;
  for (const char* target :
       {"/v1", "/v1/", "/v1/token", "/v1/tokens/", "/v1/tokens/1",
        "/v1/tokens/ffffffffffffffffffffffffffffffff", "/v1/tokens/ffffffffffffffffffffffffffffffff/counts"})
    EXPECT_EQ(status_of(target), 404U) << target;
}

TEST_F(AdminApiTest, ReadsOnlyWhatIsThisCounters) {
  AdminApi api({.make_reader =
                    [] {
                      return std::make_unique<SomeTokens>(
                          std::map<domain::TokenId, std::map<std::string, std::int64_t>>{
                              {id_of(1), {{"/", 1}}}, {id_of(2), {}}, {id_of(3), {}}});
                    },
                .own = {.own_slots = [] { return domain::SlotSet{}.set(domain::slot_of(id_of(1))); },
                        .owner_elsewhere = [](const auto& id) -> std::optional<std::string> {
                          if (id == id_of(2)) return "counter b at h:1";
                          return std::nullopt;
                        }}});
  EXPECT_EQ(json::parse(api.get("/v1/tokens", "").body).at("tokens").as_array().size(), 1U);
  EXPECT_EQ(api.get("/v1/tokens/00000000000000000000000000000001", "").status, 200U);
  const auto elsewhere = api.get("/v1/tokens/00000000000000000000000000000002/counts", "");
  EXPECT_EQ(elsewhere.status, 421U);
  EXPECT_THAT(elsewhere.body, HasSubstr("counter b at h:1"));
  EXPECT_EQ(api.get("/v1/tokens/00000000000000000000000000000003", "").status, 503U);
}

TEST_F(AdminApiTest, AStoreThatCannotBeReadIsNotImplemented) {
  AdminApi api({});
  EXPECT_EQ(api.get("/v1/tokens", "").status, 501U);
}

TEST_F(AdminApiTest, TellsTheStatus) {
  const auto status = get_json("/v1/status");
  EXPECT_EQ(status.at("service").as_string(), "serve");
  EXPECT_EQ(status.at("store").at("kind").as_string(), "memory");
  EXPECT_TRUE(status.at("store").at("last_backup").is_null());
  EXPECT_EQ(status.at("slots").at("own").as_int64(), 16384);
  EXPECT_EQ(status.at("hits").as_int64(), 7);
  EXPECT_EQ(json::serialize(status.at("refusals")), "{\"no_token\":2}") << "what did not occur is absent";
}

/// Two paths and two tokens in the last minute, one of each before.
counter::Busiest::Periods some_periods(counter::Busiest::By by) {
  using std::chrono_literals::operator""s;
  const bool by_path = by == counter::Busiest::By::path;
  const auto bytes = [](std::uint8_t number) {
    const auto id = id_of(number);
    return std::string(id.bytes.begin(), id.bytes.end());
  };
  const auto first = by_path ? "/a,b" : bytes(1);
  const auto second = by_path ? std::string(counter::Busiest::path_bytes, 'x') : bytes(2);
  return {.last_minute = {57s, {.hits = 9, .entries = {{first, 3, 0}, {second, 6, 1}}}},
          .since_start = {3'600s, {.hits = 5'000, .others_max = 2, .entries = {{first, 7, 2}}}}};
}

TEST(AdminApiTop, TellsTheBusiestOfBothPeriods) {
  AdminApi api({.busiest = some_periods});
  const std::string first = "00000000000000000000000000000001";
  const std::string second = "00000000000000000000000000000002";
  EXPECT_EQ(
      api.get("/v1/top?by=token", "").body,
      R"({"by":"token","capacity":512,"last_minute":{"seconds":57,"hits":9,"others_max":0,"top":[{"id":")" +
          second + R"(","count":6,"error":1},{"id":")" + first +
          R"(","count":3,"error":0}]},"since_start":{"seconds":3600,"hits":5000,"others_max":2,"top":[{"id":")" +
          first + R"(","count":7,"error":2}]}})");
  const auto paths = json::parse(api.get("/v1/top?limit=1", "").body);
  EXPECT_EQ(paths.at("by").as_string(), "path");
  EXPECT_EQ(paths.at("last_minute").at("top").as_array().size(), 1U);
  EXPECT_EQ(paths.at("last_minute").at("others_max").as_int64(), 3) << "of the one that is left out";
}

TEST(AdminApiTop, WritesCsvAndMarksPathsThatAreCut) {
  AdminApi api({.busiest = some_periods});
  const auto answer = api.get("/v1/top", "text/csv");
  EXPECT_EQ(answer.type, "text/csv");
  EXPECT_EQ(answer.body, "period,path,count,error\r\nlast_minute," +
                             std::string(counter::Busiest::path_bytes, 'x') +
                             "\u2026,6,1\r\nlast_minute,\"/a,b\",3,0\r\nsince_start,\"/a,b\",7,2\r\n");
}

TEST(AdminApiTop, SaysWhatIsWrong) {
  AdminApi api({.busiest = some_periods});
  for (const char* target : {"/v1/top?by=paths", "/v1/top?by=", "/v1/top?limit=0", "/v1/top?limit=10001",
                             "/v1/top?cursor=a", "/v1/top?by=path&by=path"})
    EXPECT_EQ(api.get(target, "").status, 400U) << target;
  EXPECT_EQ(AdminApi({}).get("/v1/top", "").status, 501U);
}

TEST_F(AdminApiTest, AReadingEndsWithTheService) {
  api_.end();
  EXPECT_EQ(get("/v1/tokens?limit=5").status, 503U);
}

}  // namespace
}  // namespace tracker::doors
