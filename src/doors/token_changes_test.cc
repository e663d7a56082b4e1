#include "doors/token_changes.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/json/parse.hpp>
#include <boost/json/value.hpp>
#include <map>

namespace tracker::doors {
namespace {

namespace json = boost::json;
using domain::TokenId;
using domain::TokenRecord;
using testing::HasSubstr;
using Method = TokenChanges::Method;

constexpr domain::Seconds now_s = 1'700'000'000;
using Records = std::map<TokenId, TokenRecord>;

class SomeKeeper final : public store::TokenKeeper {
 public:
  explicit SomeKeeper(Records& records) : records_(records) {}

  std::optional<TokenRecord> change(const TokenId& id, const store::TokenChange& change) override {
    if (!records_.contains(id)) return std::nullopt;
    apply(change, now_s, records_.at(id));
    return records_.at(id);
  }
  bool purge(const TokenId& id, domain::Seconds retain_s) override {
    if (is_outdated(records_.at(id), now_s, retain_s)) records_.erase(id);
    return !records_.contains(id);
  }
  Swept sweep(const domain::SlotSet& /*slots*/, domain::Seconds /*retain_s*/) override { return {}; }

 private:
  Records& records_;
};

class TokenChangesTest : public testing::Test {
 protected:
  json::object ask(Method method, const std::string& target, const std::string& body, unsigned status = 200) {
    const auto answer = changes_.answer(method, target, body);
    EXPECT_EQ(answer.status, status) << answer.body;
    return json::parse(answer.body).as_object();
  }
  std::string refusal(Method method, const std::string& target, const std::string& body, unsigned status) {
    return std::string(ask(method, target, body, status).at("detail").as_string());
  }
  std::string mint(const std::string& body) {
    return std::string(ask(Method::post, "/v1/tokens", body, 201).at("id").as_string());
  }

  Records records_;
  bool mints_ = true;
  TokenChanges changes_{
      {.make_keeper = [this] { return std::make_unique<SomeKeeper>(records_); },
       .mint = [this](const TokenRecord& record) -> std::optional<domain::Token> {
         if (!mints_) return std::nullopt;
         const auto token = domain::random_token();
         records_[domain::token_id(token)] = record;
         return token;
       },
       .new_record = [] { return TokenRecord{.minted_s = now_s, .expires_s = now_s + 5, .idle_s = 7}; },
       .now_s = [] { return now_s; }}};
};

TEST_F(TokenChangesTest, MintsATokenAndShowsItOnce) {
  const auto minted =
      ask(Method::post, "/v1/tokens", R"({"label":"shop 1","ttl_s":100,"idle_ttl_s":0})", 201);
  ASSERT_EQ(records_.size(), 1U);
  const auto& [id, record] = *records_.begin();
  EXPECT_EQ(minted.at("id").as_string(), domain::to_string(id));
  EXPECT_EQ(domain::token_id(*domain::parse_token(minted.at("token").as_string())), id);
  EXPECT_EQ(
      record,
      (TokenRecord{
          .minted_s = now_s, .expires_s = now_s + 100, .paths = domain::TokenPaths{}, .label = "shop 1"}));
  EXPECT_EQ(minted.at("state").as_string(), "active");
  EXPECT_EQ(minted.at("expires").as_string(), "2023-11-14T22:15:00Z");
  EXPECT_TRUE(minted.at("idle_ttl_s").is_null());
  EXPECT_FALSE(ask(Method::patch, "/v1/tokens/" + domain::to_string(id), "{}").contains("token"));
}

TEST_F(TokenChangesTest, WhatIsNotGivenIsAsForEveryToken) {
  mint("");
  EXPECT_EQ(
      records_.begin()->second,
      (TokenRecord{.minted_s = now_s, .expires_s = now_s + 5, .idle_s = 7, .paths = domain::TokenPaths{}}));
}

TEST_F(TokenChangesTest, ChangesRevokesAndPurges) {
  const auto target = "/v1/tokens/" + mint(R"({"label":"a"})");
  const auto changed = ask(Method::patch, target, R"({"ttl_s":60})");
  EXPECT_EQ(changed.at("expires").as_string(), "2023-11-14T22:14:20Z");
  EXPECT_EQ(changed.at("label").as_string(), "a");
  EXPECT_EQ(changed.at("idle_ttl_s").as_int64(), 7);
  EXPECT_EQ(ask(Method::remove, target, "").at("state").as_string(), "revoked");
  EXPECT_EQ(ask(Method::remove, target + "?purge=false", "").at("state").as_string(), "revoked");
  EXPECT_EQ(ask(Method::patch, target, R"({"ttl_s":0})").at("state").as_string(), "revoked");
  EXPECT_TRUE(ask(Method::remove, target + "?purge=true", "").at("purged").as_bool());
  EXPECT_TRUE(records_.empty());
  EXPECT_THAT(refusal(Method::remove, target, "", 404), HasSubstr("no such token"));
  EXPECT_THAT(refusal(Method::remove, target + "?purge=true", "", 404), HasSubstr("no such token"));
}

TEST_F(TokenChangesTest, WhatMakesNoSenseIsRefusedAndChangesNothing) {
  const auto target = "/v1/tokens/" + mint("");
  const auto before = records_;
  for (const auto* body : {"[]", "{", "{\"ttl\":1}", "{\"ttl_s\":-1}", "{\"ttl_s\":1.5}", "{\"ttl_s\":\"1\"}",
                           "{\"idle_ttl_s\":3153600001}", "{\"label\":1}", "{\"label\":null}"}) {
    refusal(Method::post, "/v1/tokens", body, 400);
    refusal(Method::patch, target, body, 400);
  }
  const auto long_label = "{\"label\":\"" + std::string(257, 'x') + "\"}";
  refusal(Method::post, "/v1/tokens", long_label, 400);
  refusal(Method::remove, target + "?purge=yes", "", 400);
  refusal(Method::patch, target + "?purge=true", "{}", 400);
  refusal(Method::post, "/v1/tokens?x=1", "{}", 400);
  refusal(Method::remove, "/v1/tokens/12", "", 404);
  EXPECT_EQ(records_, before);
}

TEST_F(TokenChangesTest, SaysWhichMethodsThereAre) {
  const auto allow = [&](Method method, const std::string& target) {
    const auto answer = changes_.answer(method, target, "");
    EXPECT_EQ(answer.status, 405U);
    return answer.allow;
  };
  const auto target = "/v1/tokens/" + std::string(32, '0');
  EXPECT_EQ(allow(Method::patch, "/v1/tokens"), "GET, HEAD, POST");
  EXPECT_EQ(allow(Method::post, target), "GET, HEAD, PATCH, DELETE");
  EXPECT_EQ(allow(Method::remove, target + "/counts"), "GET, HEAD");
  EXPECT_EQ(allow(Method::post, "/v1/status"), "GET, HEAD");
  EXPECT_EQ(allow(Method::other, "/v1/tokens"), "GET, HEAD, POST");
  EXPECT_EQ(allow(Method::other, target), "GET, HEAD, PATCH, DELETE");
  refusal(Method::post, "/v1/token", "", 404);
}

TEST_F(TokenChangesTest, WhatIsNotItsOwnOrCannotBeDoneIsRefused) {
  const auto target = "/v1/tokens/" + std::string(32, '0');
  mints_ = false;
  EXPECT_THAT(refusal(Method::post, "/v1/tokens", "", 503), HasSubstr("could not be made"));
  TokenChanges::Parts parts{.now_s = [] { return now_s; }};
  EXPECT_EQ(TokenChanges(parts).answer(Method::post, "/v1/tokens", "").status, 501U);
  EXPECT_EQ(TokenChanges(parts).answer(Method::remove, target, "").status, 501U);
  parts.own.own_slots = [] { return domain::SlotSet{}; };
  EXPECT_EQ(TokenChanges(parts).answer(Method::remove, target, "").status, 503U);
  parts.own.owner_elsewhere = [](const auto&) { return "counter b"; };
  EXPECT_EQ(TokenChanges(parts).answer(Method::remove, target, "").status, 421U);
}

}  // namespace
}  // namespace tracker::doors
