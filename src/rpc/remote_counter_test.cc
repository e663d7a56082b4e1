#include "rpc/remote_counter.h"

#include <gtest/gtest.h>

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include <tracker/v1/counting.pb.h>
#include "rpc/http2_connection.h"
#include "runtime/deadlines.h"

namespace tracker::rpc {

using std::chrono_literals::operator""s;

/// A counter that says what it is told, whatever it is asked.
class ScriptedCounter final : public Http2Connection {
 public:
  ScriptedCounter(runtime::Socket socket, const std::vector<v1::Verdicts>& verdicts,
                  const bool& dies_of_mints)
      : Http2Connection(End::server, std::move(socket)), verdicts_(verdicts), dies_of_mints_(dies_of_mints) {}

 private:
  void on_call(CallId call, std::string_view method, std::string_view /*timeout*/) override {
    if (method == "/tracker.v1.Counting/Track") track_ = call;
  }
  void on_message(CallId call, std::string_view message) override {
    if (call != track_) return;
    v1::TrackRequest request;
    request.ParseFromArray(message.data(), static_cast<int>(message.size()));
    v1::TrackResponse response;
    if (request.has_opening()) response.mutable_opening();
    if (!request.has_batch()) return send(call, response);
    for (const auto& verdicts : verdicts_) {
      *response.mutable_verdicts() = verdicts;
      send(call, response);
    }
  }
  void on_half_close(CallId call) override {
    if (dies_of_mints_) return close();
    v1::MintResponse response;
    response.set_token(std::string(16, 't'));
    send(call, response);
    finish(call, StatusCode::ok);
  }
  void on_lost(const std::string& /*reason*/) override {}

  const std::vector<v1::Verdicts>& verdicts_;
  const bool& dies_of_mints_;
  CallId track_ = 0;
};

struct VerdictRecorder final : counter::TrackReply {
  void on_verdicts(std::span<const domain::HitVerdict> verdicts) override {
    for (const auto& [hit, verdict] : verdicts) kinds.emplace(hit, verdict.kind);
  }
  std::multimap<std::uint32_t, domain::Verdict::Kind> kinds;
};

struct MintRecorder final : counter::MintReply {
  void on_minted(boost::system::result<domain::Token, domain::Failure> minted) override {
    outcomes.push_back(minted);
    if (outcomes.size() == 1) after_first();
  }
  std::function<void()> after_first = [] {};
  std::vector<boost::system::result<domain::Token, domain::Failure>> outcomes;
};

class RemoteCounterTest : public testing::Test {
 protected:
  explicit RemoteCounterTest(std::uint32_t calls_per_connection = 1'000)
      : calls_per_connection_(calls_per_connection) {
    accept();
  }

  void accept() {
    acceptor_.async_accept([this](boost::system::error_code error, runtime::Socket socket) {
      if (error) return;
      std::make_shared<ScriptedCounter>(std::move(socket), verdicts_, dies_of_mints_)->begin();
      accept();
    });
  }

  bool runs_until(const std::function<bool()>& condition) {
    const auto deadline = runtime::Clock::now() + 10s;
    while (!condition() && runtime::Clock::now() < deadline) loop_.run_one_until(deadline);
    return condition();
  }
  bool gets_ready() {
    return runs_until([this] { return !counter_.why_not_ready(); });
  }

  /// What a batch of three hits is answered, where the counter says this.
  std::multimap<std::uint32_t, domain::Verdict::Kind> kinds_of_three(std::vector<v1::Verdicts> verdicts) {
    verdicts_ = std::move(verdicts);
    EXPECT_TRUE(gets_ready());
    for (int i = 0; i < 3; ++i) hits_.push({}, "/a");
    hits_.set_deadline(runtime::Clock::now() + 10s);
    counter_.track(hits_, reply_);
    EXPECT_TRUE(runs_until([this] { return reply_.kinds.size() >= 3; }));
    return reply_.kinds;
  }

  const std::uint32_t calls_per_connection_;
  boost::asio::io_context loop_{1};
  runtime::Acceptor acceptor_ = std::move(runtime::listen(loop_, {"127.0.0.1", 0}).front());
  std::vector<v1::Verdicts> verdicts_;
  bool dies_of_mints_ = false;
  runtime::ChangeLog changes_;
  domain::HitBatch hits_;
  VerdictRecorder reply_;
  RemoteCounter counter_{loop_,
                         {.address = {"127.0.0.1", acceptor_.local_endpoint().port()},
                          .version = "1",
                          .changes = &changes_,
                          .calls_per_connection = calls_per_connection_}};
};

v1::Verdicts verdicts_on(const std::vector<std::uint32_t>& hits) {
  v1::Verdicts verdicts;
  verdicts.set_number(1);
  for (const auto hit : hits) {
    verdicts.add_hits(hit);
    verdicts.add_counts(1);
  }
  return verdicts;
}

constexpr auto counted = domain::Verdict::Kind::counted;
constexpr auto perhaps = domain::Verdict::Kind::perhaps_counted;
using Kinds = std::multimap<std::uint32_t, domain::Verdict::Kind>;

TEST_F(RemoteCounterTest, OfAMessageThatNamesAHitTwiceNothingIsBelieved) {
  EXPECT_EQ(kinds_of_three({verdicts_on({0, 1, 1})}), (Kinds{{0, perhaps}, {1, perhaps}, {2, perhaps}}));
}

TEST_F(RemoteCounterTest, OfAMessageThatNamesASettledHitNothingIsBelieved) {
  EXPECT_EQ(kinds_of_three({verdicts_on({0}), verdicts_on({1, 0})}),
            (Kinds{{0, counted}, {1, perhaps}, {2, perhaps}}));
}

TEST_F(RemoteCounterTest, WhoAsksForMoreWhenHisConnectionIsLostIsRefused) {
  dies_of_mints_ = true;
  ASSERT_TRUE(gets_ready());
  hits_.push({}, "/a");
  hits_.set_deadline(runtime::Clock::now() + 10s);
  MintRecorder mints;
  mints.after_first = [&] {
    counter_.mint(runtime::Clock::now() + 10s, mints);
    counter_.track(hits_, reply_);
  };
  counter_.mint(runtime::Clock::now() + 10s, mints);
  ASSERT_TRUE(runs_until([&] { return mints.outcomes.size() == 2 && !reply_.kinds.empty(); }));
  EXPECT_EQ(mints.outcomes[0].error(), domain::Failure::perhaps_done);
  EXPECT_EQ(mints.outcomes[1].error(), domain::Failure::not_done);
  EXPECT_EQ(reply_.kinds, (Kinds{{0, domain::Verdict::Kind::not_counted}}));
}

class TwoCallsTest : public RemoteCounterTest {
 protected:
  TwoCallsTest() : RemoteCounterTest(2) {}  // the stream, and one mint
};

TEST_F(TwoCallsTest, AConnectionThatHasHadAllItsCallsIsReplacedByAnother) {
  ASSERT_TRUE(gets_ready());
  MintRecorder mints;
  const auto mint = [&] { counter_.mint(runtime::Clock::now() + 10s, mints); };
  mint();
  ASSERT_TRUE(runs_until([&] { return mints.outcomes.size() == 1; }));
  EXPECT_TRUE(mints.outcomes[0].has_value());
  mint();
  mint();
  ASSERT_EQ(mints.outcomes.size(), 3U);
  EXPECT_EQ(mints.outcomes[1].error(), domain::Failure::not_done);
  EXPECT_EQ(mints.outcomes[2].error(), domain::Failure::not_done);
  ASSERT_TRUE(runs_until([&] { return counter_.why_not_ready().has_value(); }));
  ASSERT_TRUE(gets_ready());
  mint();
  ASSERT_TRUE(runs_until([&] { return mints.outcomes.size() == 4; }));
  EXPECT_TRUE(mints.outcomes[3].has_value());
}

}  // namespace tracker::rpc
