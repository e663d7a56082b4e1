// Many requests in one write: answers in order, each request counted once, and nothing after a close.

#include <gtest/gtest.h>

#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "support/caller.h"
#include "support/deployment.h"

namespace tracker::tests {
namespace {

using HttpPipelineTest = DeploymentTest;
TRACKER_OVER_ALL_DEPLOYMENTS(HttpPipelineTest);

// A pipeline and its expected answers.
class Pipeline {
 public:
  explicit Pipeline(Caller& caller) : caller_(caller), tokens_{caller.mint(), caller.mint()} {}

  void add_good(std::size_t token, const std::string& path) {
    bytes_ += get(path, tokens_.at(token));
    due_.push_back({200, ++counts_[{token, path}], AnswerTo::get});
  }

  void add_refused(const std::string& request, int status, AnswerTo asked = AnswerTo::get) {
    bytes_ += with_token(request, tokens_[0]);
    due_.push_back({status, 0, asked});
  }

  // A mint is a success without a count.
  void add_mint() {
    bytes_ += get_without_token("/auth");
    due_.push_back({200, 0, AnswerTo::get});
  }

  void add_mixed(std::size_t number) {
    for (std::size_t i = 0; i < number; ++i) {
      switch (i % 11) {
        case 2:
          add_refused(get_without_token("/a"), 401);
          break;
        case 4:
          add_refused("HEAD /a HTTP/1.1\r\nHost: tracker\r\nAuthorization: $TOKEN\r\n\r\n", 405,
                      AnswerTo::head);
          break;
        case 5:
          add_refused("POST /a HTTP/1.1\r\nHost: tracker\r\nAuthorization: $TOKEN\r\n\r\n", 405);
          break;
        case 7:
          add_refused(get("/a", "$TOKEN", "Expect: x\r\n"), 417);
          break;
        case 8:
          add_mint();
          break;
        case 9:
          add_refused(get("/a", "c6f6fd4b-b347-4aa1-b22d-c2a786eb82fd"), 401);
          break;
        default:
          add_good(i % 2, i % 3 == 0 ? "/a" : "/b");
          break;
      }
    }
  }

  const std::string& bytes() const { return bytes_; }
  const std::string& token(std::size_t which) const { return tokens_.at(which); }

  void expect_answers(RawClient& client) const {
    for (std::size_t i = 0; i < due_.size(); ++i) {
      SCOPED_TRACE("answer " + std::to_string(i));
      const HttpAnswer answer = client.read_answer(due_[i].asked);
      if (due_[i].status != 200) {
        ASSERT_TRUE(is_refusal(answer, due_[i].status, After::stays, due_[i].asked));
      } else if (due_[i].count == 0) {
        ASSERT_TRUE(is_token(answer));
      } else {
        ASSERT_TRUE(is_count(answer, due_[i].count));
      }
    }
  }

  // The stored counts are the answered ones.
  void expect_counts() {
    for (const auto& [key, count] : counts_) {
      EXPECT_EQ(caller_.count(key.second, tokens_.at(key.first)), count + 1) << key.second;
    }
  }

 private:
  struct Due {
    int status;
    std::int64_t count;
    AnswerTo asked;
  };

  Caller& caller_;
  std::vector<std::string> tokens_;
  std::string bytes_;
  std::vector<Due> due_;
  std::map<std::pair<std::size_t, std::string>, std::int64_t> counts_;
};

void expect_pipeline_answered(const Endpoint& envoy, std::size_t number, bool mixed) {
  SCOPED_TRACE("pipeline of " + std::to_string(number));
  Caller caller(envoy);
  Pipeline pipeline(caller);
  if (mixed) {
    pipeline.add_mixed(number);
  } else {
    for (std::size_t i = 0; i < number; ++i) pipeline.add_good(0, "/p");
  }
  RawClient client(envoy);
  ASSERT_TRUE(client.send(pipeline.bytes()));
  pipeline.expect_answers(client);
  client.half_close();
  EXPECT_TRUE(ends_cleanly(client));
  pipeline.expect_counts();
}

constexpr std::size_t lengths[] = {1, 2, 16, 127, 128, 129, 1000};

TEST_P(HttpPipelineTest, GoodOnesAreAnsweredInOrder) {
  for (const std::size_t number : lengths) expect_pipeline_answered(shared().envoy(), number, false);
}

TEST_P(HttpPipelineTest, GoodAndBadOnesAreAnsweredInOrder) {
  for (const std::size_t number : lengths) expect_pipeline_answered(shared().envoy(), number, true);
}

TEST_P(HttpPipelineTest, WaitingOnesAreBoundedByASetting) {
  for (const char* pipeline_max : {"1", "3", "1000"}) {
    SCOPED_TRACE(pipeline_max);
    const auto deployment = start({"--pipeline-max", pipeline_max});
    for (const std::size_t number : {1u, 2u, 3u, 4u, 500u}) {
      expect_pipeline_answered(deployment->envoy(), number, true);
    }
  }
}

TEST_P(HttpPipelineTest, TwoInOneWriteAfterAnother) {
  Caller caller(shared().envoy());
  const std::string token = caller.mint();
  RawClient client(shared().envoy());
  std::int64_t count = 0;
  for (int round = 0; round < 50; ++round) {
    client.send(get("/p", token) + get("/p", token));
    ASSERT_TRUE(is_count(client.read_answer(), ++count));
    ASSERT_TRUE(is_count(client.read_answer(), ++count));
  }
}

TEST_P(HttpPipelineTest, NothingBehindCloseIsAnsweredOrCounted) {
  Caller caller(shared().envoy());
  for (const std::size_t before : {0u, 3u, 127u, 128u, 200u}) {
    SCOPED_TRACE(before);
    Pipeline pipeline(caller);
    pipeline.add_mixed(before);
    const std::string& token = pipeline.token(1);
    RawClient client(shared().envoy());
    client.send(pipeline.bytes() + get("/last", token, "Connection: close\r\n") +
                repeated(get("/last", token), 5) + repeated(get("/a", token), 5));
    pipeline.expect_answers(client);
    EXPECT_TRUE(is_count(client.read_answer(), 1, After::closes));
    EXPECT_TRUE(ends_cleanly(client));
    EXPECT_EQ(caller.count("/last", token), 2);
    pipeline.expect_counts();
  }
}

TEST_P(HttpPipelineTest, NothingBehindHttp10IsAnsweredOrCounted) {
  Caller caller(shared().envoy());
  const std::string token = caller.mint();
  RawClient client(shared().envoy());
  client.send(get("/p", token) + "GET /p HTTP/1.0\r\nAuthorization: " + token + "\r\n\r\n" +
              get("/p", token));
  EXPECT_TRUE(is_count(client.read_answer(), 1));
  EXPECT_TRUE(is_count(client.read_answer(), 2, After::closes));
  EXPECT_TRUE(ends_cleanly(client));
  EXPECT_EQ(caller.count("/p", token), 3);
}

TEST_P(HttpPipelineTest, NothingBehindAClosingRefusalIsAnsweredOrCounted) {
  Caller caller(shared().envoy());
  for (const std::size_t before : {0u, 3u, 127u, 128u, 200u}) {
    SCOPED_TRACE(before);
    Pipeline pipeline(caller);
    pipeline.add_mixed(before);
    const std::string& token = pipeline.token(1);
    RawClient client(shared().envoy());
    client.send(pipeline.bytes() + get("/%zz", token) + repeated(get("/a", token), 5));
    pipeline.expect_answers(client);
    EXPECT_TRUE(is_refusal(client.read_answer(), 400, After::closes));
    EXPECT_TRUE(ends_cleanly(client));
    pipeline.expect_counts();
  }
}

// A hit in flight must not be lost behind a refusal that is known at once.
TEST_P(HttpPipelineTest, CountsAndRefusalsAlternate) {
  Caller caller(shared().envoy());
  Pipeline pipeline(caller);
  for (int i = 0; i < 300; ++i) {
    pipeline.add_good(static_cast<std::size_t>(i % 2), "/p");
    pipeline.add_refused(get_without_token("/p"), 401);
  }
  RawClient client(shared().envoy());
  client.send(pipeline.bytes());
  pipeline.expect_answers(client);
  pipeline.expect_counts();
}

}  // namespace
}  // namespace tracker::tests
