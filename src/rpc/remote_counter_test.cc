#include "rpc/remote_counter.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include <tracker/v1/counting.pb.h>
#include "link/tcp_transport.h"
#include "rpc/batch_message.h"
#include "rpc/grpc_connection.h"
#include "runtime/deadlines.h"

namespace tracker::rpc {

using namespace std::chrono_literals;
using testing::ElementsAre;
using testing::Gt;

/// A counter that gives scripted answers, whatever it is asked.
class ScriptedCounter final : public GrpcConnection {
 public:
  struct Script {
    std::vector<v1::Verdicts> verdicts_;  // the answers to each batch
    bool dies_of_mints_ = false;
    bool greets_ = true;
    bool is_silent_ = false;
  };
  ScriptedCounter(runtime::Socket socket, const Script& script)
      : GrpcConnection(End::server, std::make_unique<link::TcpTransport>(std::move(socket)), http2::Limits()),
        script_(script) {}

  int batches() const { return batches_; }
  const v1::HitBatch& last_batch() const { return last_batch_; }
  bool is_lost() const { return lost_; }
  /// The versions of the lists that it was told, in order.
  const std::vector<std::uint64_t>& lists() const { return lists_; }
  void say(const v1::Verdicts& verdicts) {
    v1::TrackResponse response;
    *response.mutable_verdicts() = verdicts;
    answer(track_, response);
  }

 private:
  void answer(CallId call, const google::protobuf::MessageLite& response) {
    response.AppendToString(&new_message());
    send_message(call);
    flush();
  }
  std::size_t on_call(CallId call, std::string_view method,
                      std::optional<std::chrono::milliseconds> /*timeout*/) override {
    if (method == "/tracker.v1.Counting/Track") track_ = call;
    return 64 * 1024;
  }
  void on_message(CallId call, std::string_view message) override {
    if (call != track_ || script_.is_silent_) return;
    v1::TrackRequest request;
    request.ParseFromArray(message.data(), static_cast<int>(message.size()));
    v1::TrackResponse response;
    if (request.has_table()) lists_.push_back(request.table().version());
    if (request.opening().has_table()) lists_.push_back(request.opening().table().version());
    if (request.has_opening() && !script_.greets_) return;
    if (request.has_opening()) response.mutable_opening();
    if (!request.has_batch()) return answer(call, response);
    ++batches_;
    last_batch_ = request.batch();
    for (const auto& verdicts : script_.verdicts_) say(verdicts);
  }
  void on_half_close(CallId call) override {
    if (script_.dies_of_mints_) return close();
    v1::MintResponse response;
    response.set_token(std::string(16, 't'));
    answer(call, response);
    finish(call, {});
  }
  void on_lost(const std::string& /*reason*/) override { lost_ = true; }

  const Script& script_;
  CallId track_ = 0;
  int batches_ = 0;
  v1::HitBatch last_batch_;
  std::vector<std::uint64_t> lists_;
  bool lost_ = false;
};

struct VerdictRecorder final : counter::TrackReply {
  void on_verdicts(std::span<const domain::HitVerdict> verdicts) override {
    for (const auto& [hit, verdict] : verdicts) kinds.emplace(hit, verdict.kind);
  }
  std::multimap<std::uint32_t, domain::Verdict::Kind> kinds;
};

struct MintRecorder final : counter::MintReply {
  void on_minted(domain::Result<domain::Token> minted) override {
    outcomes.push_back(minted);
    if (outcomes.size() == 1) after_first();
  }
  std::function<void()> after_first = [] {};
  std::vector<domain::Result<domain::Token>> outcomes;
};

class RemoteCounterTest : public testing::Test, protected ScriptedCounter::Script {
 protected:
  explicit RemoteCounterTest(std::uint32_t calls_per_connection = 1'000)
      : calls_per_connection_(calls_per_connection) {
    accept();
  }

  const ScriptedCounter::Script& script() const { return *this; }

  void accept() {
    acceptor_.async_accept([this](boost::system::error_code error, runtime::Socket socket) {
      if (error) return;
      last_ = std::make_shared<ScriptedCounter>(std::move(socket), script());
      ++connections_;
      last_->begin();
      accept();
    });
  }

  bool runs_until(const std::function<bool()>& condition) {
    const auto deadline = runtime::Clock::now() + 10s;
    while (!condition() && runtime::Clock::now() < deadline) loop_.run_one_until(deadline);
    return condition();
  }
  bool is_ready() const { return counter_.readiness().value().is_ready(); }
  /// Returns why it is not ready. Only while it is not ready.
  std::string why_not() const { return counter_.readiness().value().why_not(); }
  bool gets_ready() {
    return runs_until([this] { return is_ready(); });
  }

  /// Returns the verdicts on a batch of three hits, if the counter answers with these messages.
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
  std::shared_ptr<ScriptedCounter> last_;
  int connections_ = 0;
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
constexpr auto not_counted = domain::Verdict::Kind::not_counted;
using Kinds = std::multimap<std::uint32_t, domain::Verdict::Kind>;

TEST_F(RemoteCounterTest, OfAMessageThatNamesAHitTwiceNothingIsBelieved) {
  EXPECT_EQ(kinds_of_three({verdicts_on({0, 1, 1})}), (Kinds{{0, perhaps}, {1, perhaps}, {2, perhaps}}));
}

TEST_F(RemoteCounterTest, OfAMessageThatNamesASettledHitNothingIsBelieved) {
  EXPECT_EQ(kinds_of_three({verdicts_on({0}), verdicts_on({1, 0})}),
            (Kinds{{0, counted}, {1, perhaps}, {2, perhaps}}));
}

TEST_F(RemoteCounterTest, WhoAsksForMoreWhenHisConnectionIsLostWaitsForTheNext) {
  dies_of_mints_ = true;
  ASSERT_TRUE(gets_ready());
  hits_.push({}, "/a");
  hits_.set_deadline(runtime::Clock::now() + 10s);
  MintRecorder mints;
  mints.after_first = [&] {
    dies_of_mints_ = false;
    verdicts_ = {verdicts_on({0})};
    counter_.mint(runtime::Clock::now() + 10s, mints);
    counter_.track(hits_, reply_);
    EXPECT_TRUE(is_ready());
  };
  counter_.mint(runtime::Clock::now() + 10s, mints);
  ASSERT_TRUE(runs_until([&] { return mints.outcomes.size() == 2 && !reply_.kinds.empty(); }));
  EXPECT_EQ(mints.outcomes[0].error(), domain::Failure::perhaps_done);
  EXPECT_TRUE(mints.outcomes[1].has_value());
  EXPECT_EQ(reply_.kinds, (Kinds{{0, counted}}));
  EXPECT_EQ(connections_, 2);
}

TEST_F(RemoteCounterTest, WhatWaitsIsRefusedOnceANewConnectionHasFailed) {
  dies_of_mints_ = true;
  ASSERT_TRUE(gets_ready());
  hits_.push({}, "/a");
  hits_.set_deadline(runtime::Clock::now() + 10s);
  MintRecorder mints;
  mints.after_first = [&] {
    acceptor_.close();
    counter_.mint(runtime::Clock::now() + 10s, mints);
    counter_.track(hits_, reply_);
    EXPECT_TRUE(is_ready());
  };
  counter_.mint(runtime::Clock::now() + 10s, mints);
  ASSERT_TRUE(runs_until([&] { return mints.outcomes.size() == 2 && !reply_.kinds.empty(); }));
  EXPECT_EQ(mints.outcomes[1].error(), domain::Failure::not_done);
  EXPECT_EQ(reply_.kinds, (Kinds{{0, not_counted}}));
  EXPECT_TRUE(why_not().ends_with("Connection refused"));
}

TEST_F(RemoteCounterTest, WhatWaitsIsRefusedBeforeItsDeadline) {
  dies_of_mints_ = true;
  ASSERT_TRUE(gets_ready());
  hits_.push({}, "/a");
  hits_.set_deadline(runtime::Clock::now() + 10s);
  MintRecorder mints;
  mints.after_first = [&] {
    greets_ = false;
    hits_.set_deadline(runtime::Clock::now() + 200ms);
    counter_.track(hits_, reply_);
  };
  counter_.mint(runtime::Clock::now() + 10s, mints);
  ASSERT_TRUE(runs_until([&] { return !reply_.kinds.empty(); }));
  EXPECT_EQ(reply_.kinds, (Kinds{{0, not_counted}}));
  EXPECT_FALSE(is_ready());
}

TEST_F(RemoteCounterTest, ACounterThatDoesNotGreetIsNamed) {
  greets_ = false;
  ASSERT_TRUE(
      runs_until([&] { return why_not().ends_with("it has not answered the greeting within 2000 ms"); }));
}

TEST_F(RemoteCounterTest, WhatIsInFlightAsTheConnectionEndsGetsItsVerdictsAndWhatIsNewGoesToANewOne) {
  verdicts_ = {};  // the verdicts on the first message come later
  ASSERT_TRUE(gets_ready());
  hits_.push({}, "/a");
  hits_.set_deadline(runtime::Clock::now() + 10s);
  counter_.track(hits_, reply_);
  const auto first = last_;
  ASSERT_TRUE(runs_until([&] { return first->batches() == 1; }));

  first->announce_end();
  domain::HitBatch more;
  more.push({}, "/b");
  more.set_deadline(runtime::Clock::now() + 10s);
  ASSERT_TRUE(runs_until([&] { return connections_ == 2; }));
  VerdictRecorder its_reply;
  verdicts_ = {verdicts_on({0})};
  counter_.track(more, its_reply);
  MintRecorder mints;
  counter_.mint(runtime::Clock::now() + 10s, mints);
  ASSERT_TRUE(runs_until([&] { return !its_reply.kinds.empty() && !mints.outcomes.empty(); }));
  EXPECT_EQ(its_reply.kinds, (Kinds{{0, counted}}));
  EXPECT_TRUE(mints.outcomes[0].has_value());
  EXPECT_TRUE(reply_.kinds.empty());
  EXPECT_FALSE(first->is_lost());

  first->say(verdicts_on({0}));
  ASSERT_TRUE(runs_until([&] { return first->is_lost(); })) << "it is closed once all is answered";
  EXPECT_EQ(reply_.kinds, (Kinds{{0, counted}}));
  EXPECT_EQ(first->batches(), 1);
  EXPECT_EQ(last_->batches(), 1);
  EXPECT_TRUE(is_ready());
}

counter::CounterListPtr list_of(std::uint64_t version) {
  return std::make_shared<const counter::CounterList>(counter::CounterList::parse("a=h:1,b=h:2", version));
}

TEST_F(RemoteCounterTest, TellsAChangedListOnceWithTheNextMessage) {
  counter_.set_list(list_of(1));
  ASSERT_TRUE(gets_ready());
  EXPECT_THAT(last_->lists(), ElementsAre(1U)) << "with the opening";
  counter_.set_list(list_of(2));
  ASSERT_TRUE(runs_until([&] { return last_->lists().size() == 2; })) << "with a question";
  counter_.set_list(list_of(3));
  verdicts_ = {verdicts_on({0})};
  hits_.push({}, "/a");
  hits_.set_deadline(runtime::Clock::now() + 10s);
  counter_.track(hits_, reply_);
  ASSERT_TRUE(runs_until([&] { return !reply_.kinds.empty(); }));
  EXPECT_THAT(last_->lists(), ElementsAre(1U, 2U, 3U)) << "with hits";
  EXPECT_EQ(connections_, 1);
}

TEST_F(RemoteCounterTest, BatchesInOneMessageKeepTheirDeadlines) {
  ASSERT_TRUE(gets_ready());
  hits_.push({}, "/first");
  hits_.set_deadline(runtime::Clock::now() + 10s);
  counter_.track(hits_, reply_);
  ASSERT_TRUE(runs_until([&] { return last_->batches() == 1; }));
  EXPECT_EQ(last_->last_batch().group_hits_size(), 0);

  std::vector<domain::HitBatch> waiting(4);
  for (auto& batch : waiting) {
    batch.push({}, "/a");
    batch.push({}, "/b");
  }
  const auto now = runtime::Clock::now();
  waiting[0].set_deadline(now + 60s);
  waiting[1].set_deadline(now + 60s + 1ms);  // near enough to share one
  waiting[2].set_deadline(now + 30s);
  waiting[3].set_deadline(now + 90s);
  for (const auto& batch : waiting) counter_.track(batch, reply_);
  last_->say(verdicts_on({0}));
  ASSERT_TRUE(runs_until([&] { return last_->batches() == 2; }));
  const v1::HitBatch& sent = last_->last_batch();
  EXPECT_THAT(sent.group_hits(), ElementsAre(4, 2, 2));
  EXPECT_THAT(sent.group_deadline_ms(), ElementsAre(Gt(50'000), Gt(20'000), Gt(80'000)));
  EXPECT_EQ(sent.deadline_ms(), sent.group_deadline_ms(1));
}

TEST_F(RemoteCounterTest, AMessageOfWhichAPartHangsIsOvertaken) {
  ASSERT_TRUE(gets_ready());
  for (int i = 0; i < 2; ++i) hits_.push({}, "/a");
  hits_.set_deadline(runtime::Clock::now() + 60s);
  counter_.track(hits_, reply_);
  ASSERT_TRUE(runs_until([&] { return last_->batches() == 1; }));
  last_->say(verdicts_on({1}));
  ASSERT_TRUE(runs_until([&] { return reply_.kinds.size() == 1; }));
  domain::HitBatch other;
  other.push({}, "/b");
  other.set_deadline(runtime::Clock::now() + 60s);
  VerdictRecorder of_other;
  counter_.track(other, of_other);
  ASSERT_TRUE(runs_until([&] { return last_->batches() == 2; }));
  auto second = verdicts_on({0});
  second.set_number(2);
  last_->say(second);
  ASSERT_TRUE(runs_until([&] { return !of_other.kinds.empty(); }));
  EXPECT_EQ(of_other.kinds, (Kinds{{0, counted}}));
  last_->say(verdicts_on({0}));
  ASSERT_TRUE(runs_until([&] { return reply_.kinds.size() == 2; }));
  EXPECT_EQ(reply_.kinds, (Kinds{{0, counted}, {1, counted}}));
  EXPECT_EQ(connections_, 1);
}

TEST_F(RemoteCounterTest, TheLastOfManyBatchesShareADeadline) {
  ASSERT_TRUE(gets_ready());
  hits_.push({}, "/first");
  hits_.set_deadline(runtime::Clock::now() + 10s);
  counter_.track(hits_, reply_);
  ASSERT_TRUE(runs_until([&] { return last_->batches() == 1; }));
  std::vector<domain::HitBatch> waiting(deadline_groups_max + 10);
  const auto now = runtime::Clock::now();
  for (std::size_t i = 0; i < waiting.size(); ++i) {
    waiting[i].push({}, "/a");
    waiting[i].set_deadline(now + 1'000s - std::chrono::seconds(i));
    counter_.track(waiting[i], reply_);
  }
  last_->say(verdicts_on({0}));
  ASSERT_TRUE(runs_until([&] { return last_->batches() == 2; }));
  const v1::HitBatch& sent = last_->last_batch();
  EXPECT_EQ(sent.group_hits_size(), static_cast<int>(deadline_groups_max));
  EXPECT_EQ(*sent.group_hits().rbegin(), 11U);
  EXPECT_EQ(sent.deadline_ms(), *sent.group_deadline_ms().rbegin());
}

TEST_F(RemoteCounterTest, AConnectionThatIsLostWhileItEndsMakesNothingUnready) {
  ASSERT_TRUE(gets_ready());
  hits_.push({}, "/a");
  hits_.set_deadline(runtime::Clock::now() + 10s);
  counter_.track(hits_, reply_);
  const auto first = last_;
  ASSERT_TRUE(runs_until([&] { return first->batches() == 1; }));
  first->announce_end();
  ASSERT_TRUE(runs_until([&] { return connections_ == 2; }));
  first->close();
  ASSERT_TRUE(runs_until([&] { return !reply_.kinds.empty(); }));
  EXPECT_EQ(reply_.kinds, (Kinds{{0, perhaps}}));
  EXPECT_EQ(last_->batches(), 0) << "it was sent again";
  EXPECT_TRUE(is_ready());
}

TEST_F(RemoteCounterTest, ACounterThatFallsSilentIsNoticedWithoutTraffic) {
  ASSERT_TRUE(gets_ready());
  is_silent_ = true;
  EXPECT_TRUE(runs_until([&] { return !is_ready(); }));
  is_silent_ = false;
  EXPECT_TRUE(gets_ready());
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
  ASSERT_TRUE(runs_until([&] {
    EXPECT_TRUE(is_ready());
    return mints.outcomes.size() == 3;
  }));
  EXPECT_TRUE(mints.outcomes[1].has_value());
  EXPECT_TRUE(mints.outcomes[2].has_value());
  EXPECT_EQ(connections_, 3);
}

}  // namespace tracker::rpc
