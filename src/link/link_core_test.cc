#include "link/link_core.h"

#include <gtest/gtest.h>

#include <deque>
#include <map>
#include <string>
#include <utility>
#include <vector>

namespace tracker::link {
namespace {

using namespace std::chrono_literals;
using domain::Readiness;
using domain::Verdict;
using Loss = LinkCore::Loss;
using State = LinkCore::State;

/// Feeds events to a core. What it does and tells is recorded as words, in order.
class LinkCoreTest : public testing::Test {
 protected:
  using Said = std::vector<std::string>;

  explicit LinkCoreTest(const LinkSettings& settings = {}) : core_(settings, 1, &metrics_) {}

  /// Performs what is to be done now. Returns what was done and told since the last call.
  Said done() {
    for (;;) {
      const auto action = core_.next(now_);
      const std::string on = " on " + std::to_string(action.connection);
      using enum LinkCore::Action::Kind;
      switch (action.kind) {
        case wait:
          return std::exchange(said_, {});
        case connect:
          say("connect");
          break;
        case write_hits:
          messages_[action.connection].push_back(action.hits);
          say("write " + std::to_string(action.hits->size()) + " hits" + on);
          break;
        case write_command:
          commands_.push_back(action.command);
          say("write command" + on);
          break;
        case ask:
          say("ask" + on);
          break;
        case close:
          messages_.erase(action.connection);
          say("close " + std::to_string(action.connection));
          break;
        case deliver:
          core_.deliver();
          break;
        case report: {
          const auto its = core_.take_report();
          constexpr const char* kinds[] = {"ready: ", "not ready: ", "good news: ", "bad news: "};
          say(kinds[static_cast<int>(its.kind)] + its.words);
          break;
        }
      }
    }
  }
  Said done_after(std::chrono::milliseconds time) {
    now_ += time;
    return done();
  }
  /// Waits until the time that the core says.
  Said done_when_woken() {
    now_ = std::max(now_, core_.wake_at());
    return done();
  }

  /// Makes a batch of `hits` hits. Its answers are recorded under this name.
  void track(const std::string& name, std::size_t hits, std::chrono::milliseconds time = 2'000ms,
             std::size_t followers = 0) {
    auto& batch = batches_.emplace_back(*this, name);
    batch.hits.set_followers(followers);
    for (std::size_t i = 0; i < hits; ++i) batch.hits.push({}, "/path");
    batch.hits.set_deadline(now_ + time);
    core_.track(batch.hits, batch);
  }
  void request(const std::string& name, std::chrono::milliseconds time = 2'000ms) {
    core_.request(std::make_unique<Request>(*this, name, now_ + time));
  }

  /// The peer answers the oldest message on this connection.
  void answer(LinkCore::ConnectionId id = 1) {
    messages_[id].front()->settle_rest(Verdict::counted(1));
    messages_[id].erase(messages_[id].begin());
    core_.on_heard(id, now_);
  }

  /// Makes a first connection and greets it.
  void get_ready() {
    core_.next(now_);
    core_.on_connected(now_);
    core_.on_greeted(1, Readiness::ready(), now_);
    ASSERT_EQ(done(), (Said{"ready: is reachable"}));
  }
  void connect_again(LinkCore::ConnectionId id) {
    ASSERT_EQ(core_.on_connected(now_), id);
    core_.on_greeted(id, Readiness::ready(), now_);
  }

  /// Ends each connection by `end`, until the peer is not ready.
  template <typename End>
  void is_outage_after_some(End end) {
    get_ready();
    LinkCore::ConnectionId id = 1;
    for (; core_.is_ready() && id < 20; ++id) {
      end(id);
      const bool at_once = done().back() == "connect";
      if (!core_.is_ready()) break;
      if (!at_once) done_when_woken();
      connect_again(id + 1);
      done();
    }
    EXPECT_FALSE(core_.is_ready());
    EXPECT_GT(id, 5U) << "the first pauses are short";
  }

  LinkMetrics metrics_;
  LinkCore core_;
  TimePoint now_{1h};
  std::map<LinkCore::ConnectionId, std::vector<Gather*>> messages_;
  std::vector<Command*> commands_;

 private:
  struct Batch final : domain::TrackReply {
    Batch(LinkCoreTest& test, std::string name) : its_test(test), its_name(std::move(name)) {}
    void on_verdicts(std::span<const domain::HitVerdict> verdicts) override {
      for (const auto& [hit, verdict] : verdicts) EXPECT_TRUE(settled.insert({hit, verdict}).second);
      constexpr const char* kinds[] = {"counted", "unknown", "not counted", "perhaps counted"};
      its_test.say(its_name + " " + kinds[static_cast<int>(verdicts.front().verdict.kind)]);
    }
    LinkCoreTest& its_test;
    const std::string its_name;
    domain::HitBatch hits;
    std::map<std::uint32_t, Verdict> settled;
  };
  struct Request final : Command {
    Request(LinkCoreTest& test, std::string name, domain::Deadline deadline)
        : Command(deadline), its_test(test), its_name(std::move(name)) {}
    void on_failed(domain::Failure failure) override {
      its_test.say(its_name + (failure == domain::Failure::not_done ? " not done" : " perhaps done"));
    }
    LinkCoreTest& its_test;
    const std::string its_name;
  };

  void say(std::string words) { said_.push_back(std::move(words)); }

  Said said_;
  std::deque<Batch> batches_;
};

// Connecting.

TEST_F(LinkCoreTest, ConnectsAtOnce) {
  EXPECT_EQ(core_.state(), State::down);
  EXPECT_EQ(done(), (Said{"connect"}));
  EXPECT_EQ(core_.state(), State::connecting);
  EXPECT_FALSE(core_.is_ready());
}

TEST_F(LinkCoreTest, WhatIsAskedBeforeItIsReadyIsRefused) {
  track("a", 2);
  request("m");
  EXPECT_EQ(done(), (Said{"a not counted", "m not done", "connect"}));
}

TEST_F(LinkCoreTest, AfterAFailedAttemptThePausesGrow) {
  done();
  for (const auto longest : {50ms, 100ms, 200ms, 400ms, 800ms, 1'600ms, 2'000ms, 2'000ms}) {
    core_.on_not_connected("refused", now_);
    EXPECT_EQ(done(), (Said{"not ready: is not reachable: refused"}));
    EXPECT_EQ(core_.state(), State::down);
    EXPECT_GE(core_.wake_at(), now_ + longest / 2);
    EXPECT_LE(core_.wake_at(), now_ + longest);
    EXPECT_EQ(done_when_woken(), (Said{"connect"}));
  }
}

TEST_F(LinkCoreTest, NothingIsSentBeforeTheGreetingIsAnswered) {
  done();
  EXPECT_EQ(core_.on_connected(now_), 1U);
  EXPECT_EQ(core_.state(), State::greeting);
  track("a", 1);
  EXPECT_EQ(done(), (Said{"a not counted"}));
  core_.on_greeted(1, Readiness::ready(), now_);
  EXPECT_EQ(done(), (Said{"ready: is reachable"}));
  EXPECT_EQ(core_.state(), State::ready);
  track("b", 1);
  EXPECT_EQ(done(), (Said{"write 1 hits on 1"}));
}

TEST_F(LinkCoreTest, AGreetingHasItsTime) {
  done();
  core_.on_connected(now_);
  done();
  EXPECT_EQ(done_after(1'999ms), (Said{}));
  EXPECT_EQ(
      done_after(1ms),
      (Said{"not ready: is not reachable: it has not answered the greeting within 2000 ms", "close 1"}));
  EXPECT_EQ(done_when_woken(), (Said{"connect"}));
}

TEST_F(LinkCoreTest, APeerThatIsUnfitAtItsGreetingIsNamed) {
  done();
  core_.on_connected(now_);
  core_.on_lost(1, Loss::unfit, "cannot be used: NOAUTH", now_);
  EXPECT_EQ(done(), (Said{"not ready: cannot be used: NOAUTH", "close 1"}));
}

TEST_F(LinkCoreTest, EventsOfAConnectionThatIsGoneAreNothing) {
  get_ready();
  core_.on_lost(1, Loss::cut, "cut", now_);
  done();
  core_.on_lost(1, Loss::failed, "again", now_);
  core_.on_heard(1, now_);
  core_.on_held(1, true);
  core_.on_ending(1, now_);
  core_.on_unfit(1, "cannot be used", now_);
  core_.on_readiness(1, Readiness::not_ready("no"));
  core_.on_greeted(1, Readiness::ready(), now_);
  core_.on_question_answered(1, now_);
  EXPECT_EQ(done(), (Said{}));
  EXPECT_TRUE(core_.is_ready());
}

// The window.

TEST_F(LinkCoreTest, OneMessageAtATimeAndTheNextTakesAllThatWaits) {
  get_ready();
  track("a", 1);
  EXPECT_EQ(done(), (Said{"write 1 hits on 1"}));
  track("b", 2);
  track("c", 3);
  EXPECT_EQ(done(), (Said{}));
  EXPECT_FALSE(core_.can_send_more());
  answer();
  EXPECT_EQ(done(), (Said{"a counted", "write 5 hits on 1"}));
  answer();
  EXPECT_EQ(done(), (Said{"b counted", "c counted"}));
}

class OvertakingTest : public LinkCoreTest {
 protected:
  OvertakingTest() : LinkCoreTest({.overtaking = 50ms}) {}
  /// The peer answers one hit of the oldest message.
  void answer_a_part() {
    const std::vector<domain::HitVerdict> one{{0, Verdict::counted(1)}};
    messages_[1].front()->settle(one);
    core_.on_heard(1, now_);
  }
};

TEST_F(OvertakingTest, AMessageOfWhichAPartHangsHoldsUpOthersForAMoment) {
  get_ready();
  track("a", 2);
  EXPECT_EQ(done(), (Said{"write 2 hits on 1"}));
  done_after(10ms);
  answer_a_part();
  track("b", 1);
  EXPECT_EQ(done(), (Said{"a counted"}));
  EXPECT_EQ(done_after(39ms), (Said{}));
  EXPECT_EQ(done_when_woken(), (Said{"write 1 hits on 1"}));
  track("c", 3);
  EXPECT_EQ(done_after(49ms), (Said{})) << "since the last message";
  messages_[1].erase(messages_[1].begin());
  answer();
  EXPECT_EQ(done(), (Said{"b counted", "write 3 hits on 1"})) << "the first one is long ago";
  EXPECT_TRUE(core_.is_ready());
}

// What is sent is perhaps counted, so it waits as long as the peer may not be there.
TEST_F(OvertakingTest, APeerThatSaysNothingIsAskedFirst) {
  get_ready();
  track("a", 2);
  track("b", 1);
  EXPECT_EQ(done(), (Said{"write 3 hits on 1"}));
  track("c", 1);
  EXPECT_EQ(done_after(49ms), (Said{}));
  EXPECT_EQ(done_when_woken(), (Said{"ask on 1"}));
  EXPECT_EQ(done_after(100ms), (Said{}));
  core_.on_heard(1, now_);
  core_.on_question_answered(1, now_);
  EXPECT_EQ(done(), (Said{"write 1 hits on 1"}));

  track("d", 1, 1'000ms);
  EXPECT_EQ(done_after(50ms), (Said{"ask on 1"}));
  EXPECT_EQ(done_after(929ms), (Said{}));
  EXPECT_GT(core_.wake_at(), now_);
  EXPECT_EQ(done_after(1ms), (Said{"d not counted"}));
  EXPECT_EQ(done_after(900ms), (Said{}));
  EXPECT_EQ(done_after(21ms), (Said{"not ready: does not answer"})) << "as if it had not been asked";
}

class GatheringTest : public LinkCoreTest {
 protected:
  GatheringTest() : LinkCoreTest({.gathering = LinkSettings::Gathering{8, 100, 1ms}}) {}

  /// A message of this many hits is sent and answered.
  void send_first(std::size_t hits) {
    track("first", hits);
    ASSERT_EQ(done(), Said{"write " + std::to_string(hits) + " hits on 1"});
    answer();
    done();
  }
};

TEST_F(GatheringTest, HitsWaitForHalfOfThoseThatMayFollow) {
  get_ready();
  send_first(8);
  track("a", 3, 2'000ms, 20);
  track("b", 6, 2'000ms, 20);
  EXPECT_EQ(done(), Said{});
  track("c", 1, 2'000ms, 20);
  EXPECT_EQ(done(), Said{"write 10 hits on 1"});
  track("d", 1, 2'000ms, 20);
  answer();
  EXPECT_EQ(done(), (Said{"a counted", "b counted", "c counted"})) << "what has come meanwhile waits, too";
  track("e", 99, 2'000ms, 1'000);
  EXPECT_EQ(done(), Said{"write 100 hits on 1"}) << "never for more";
}

TEST_F(GatheringTest, HitsWaitForAMomentOnly) {
  get_ready();
  send_first(8);
  track("a", 8, 2'000ms, 100);
  EXPECT_EQ(done(), Said{});
  const auto begin = now_;
  EXPECT_EQ(done_when_woken(), Said{"write 8 hits on 1"});
  EXPECT_EQ(now_, begin + 1ms);
  answer();
  done();
  track("b", 7, 2'000ms, 100);
  EXPECT_EQ(done(), Said{});
  EXPECT_EQ(done_after(1ms), Said{"write 7 hits on 1"}) << "a time of its own";
  answer();
  done();
  track("c", 1, 2'000ms, 100);
  EXPECT_EQ(done(), Said{"write 1 hits on 1"}) << "few came";
}

TEST_F(GatheringTest, HitsWhoseTimeIsNearlyOverDoNotWait) {
  get_ready();
  send_first(8);
  track("a", 1, 19ms, 100);
  EXPECT_EQ(done(), Said{"write 1 hits on 1"});
}

TEST_F(GatheringTest, HitsThatNoneFollowDoNotWait) {
  get_ready();
  send_first(50);
  track("a", 1);
  EXPECT_EQ(done(), Said{"write 1 hits on 1"});
}

TEST_F(GatheringTest, HitsThatGatherAreSentOnTheNextConnection) {
  get_ready();
  send_first(8);
  track("a", 1, 2'000ms, 100);
  EXPECT_EQ(done(), Said{});
  core_.on_lost(1, Loss::cut, "cut", now_);
  EXPECT_EQ(done(), (Said{"bad news: was disconnected (cut); connecting again", "close 1", "connect"}));
  connect_again(2);
  done_after(1ms);
  EXPECT_EQ(messages_[2].size(), 1U);
}

TEST_F(GatheringTest, HitsThatGatherAreRefusedWhenThePeerIsNotReady) {
  get_ready();
  send_first(8);
  track("a", 1, 2'000ms, 100);
  done();
  core_.on_readiness(1, Readiness::not_ready("it cannot count"));
  EXPECT_EQ(done(), (Said{"not ready: is reachable, but it cannot count", "a not counted"}));
}

TEST_F(LinkCoreTest, AMessageIsBounded) {
  get_ready();
  for (int i = 0; i < 3; ++i) track("big", 20'000);
  EXPECT_EQ(done(), (Said{"write 60000 hits on 1"})) << "the last one crosses the bound";
  for (int i = 0; i < 4; ++i) track("big", 20'000);
  answer();
  EXPECT_EQ(done().back(), "write 60000 hits on 1");
  answer();
  EXPECT_EQ(done().back(), "write 20000 hits on 1");
}

class ByteWindowTest : public LinkCoreTest {
 protected:
  ByteWindowTest() : LinkCoreTest({.window_bytes = 100, .progress = 1'000ms}) {}
};

TEST_F(ByteWindowTest, MessagesAreSentUntilItIsFull) {
  get_ready();
  track("a", 2);  // 50 bytes
  EXPECT_EQ(done(), (Said{"write 2 hits on 1"}));
  EXPECT_TRUE(core_.can_send_more());
  track("b", 2);
  EXPECT_EQ(done(), (Said{"write 2 hits on 1"}));
  EXPECT_FALSE(core_.can_send_more());
  track("c", 2);
  EXPECT_EQ(done(), (Said{}));
  answer();
  EXPECT_EQ(done(), (Said{"a counted", "write 2 hits on 1"}));
}

TEST_F(LinkCoreTest, NothingIsSentWhileTheConnectionTakesNoBytes) {
  get_ready();
  core_.on_held(1, true);
  track("a", 1);
  request("m");
  EXPECT_EQ(done(), (Said{}));
  core_.on_held(1, false);
  EXPECT_EQ(done(), (Said{"write 1 hits on 1", "write command on 1"}));
}

// What waits.

TEST_F(LinkCoreTest, WhatIsLateWhenItsTurnComesIsRefused) {
  get_ready();
  track("a", 1);
  done();
  track("late", 1, 15ms);
  track("b", 1);
  now_ += 15ms;
  answer();
  EXPECT_EQ(done(), (Said{"a counted", "late not counted", "write 1 hits on 1"}));
}

TEST_F(LinkCoreTest, WhatWaitsBehindAMessageIsRefusedBeforeItsDeadline) {
  get_ready();
  track("a", 1);
  done();
  track("short", 1, 100ms);
  request("m");
  EXPECT_EQ(done(), (Said{"write command on 1"})) << "commands go beside";
  EXPECT_EQ(done_after(79ms), (Said{}));
  EXPECT_EQ(done_after(1ms), (Said{"short not counted"}));
  EXPECT_TRUE(core_.is_ready());
}

TEST_F(LinkCoreTest, WhatWaitsForAConnectionIsRefusedBeforeItsDeadlineAndThatIsAnOutage) {
  get_ready();
  core_.on_lost(1, Loss::cut, "cut", now_);
  done();
  track("a", 1, 200ms);
  track("b", 1, 1'000ms);
  request("m", 1'000ms);
  EXPECT_EQ(done_after(179ms), (Said{}));
  EXPECT_EQ(done_after(1ms),
            (Said{"not ready: is not reachable: a new connection takes longer than hits can wait",
                  "a not counted", "b not counted", "m not done"}));
}

// Ends of connections.

TEST_F(LinkCoreTest, WhatIsInFlightOnALostConnectionIsPerhapsCountedAndWhatWaitsIsSentOnTheNext) {
  get_ready();
  track("a", 2);
  request("m");
  done();
  track("b", 3);
  core_.on_lost(1, Loss::cut, "reset", now_);
  EXPECT_EQ(done(), (Said{"bad news: was disconnected (reset); connecting again", "close 1",
                          "a perhaps counted", "m perhaps done", "connect"}));
  request("n");
  EXPECT_EQ(done(), (Said{}));
  EXPECT_TRUE(core_.is_ready());
  connect_again(2);
  EXPECT_EQ(done(), (Said{"ready: is reachable", "write 3 hits on 2", "write command on 2"}));
}

TEST_F(LinkCoreTest, WhatWaitsIsRefusedOnceANewConnectionHasFailed) {
  get_ready();
  core_.on_lost(1, Loss::cut, "cut", now_);
  track("a", 1);
  done();
  core_.on_not_connected("refused", now_);
  EXPECT_EQ(done(), (Said{"not ready: is not reachable: refused", "a not counted"}));
}

TEST_F(LinkCoreTest, WhatWaitsIsRefusedIfTheNextConnectionDoesNotGreet) {
  get_ready();
  core_.on_lost(1, Loss::cut, "cut", now_);
  track("a", 1);
  done();
  core_.on_connected(now_);
  core_.on_lost(2, Loss::cut, "cut", now_);
  EXPECT_EQ(done(), (Said{"not ready: is not reachable: cut", "close 2", "a not counted"}));
}

TEST_F(LinkCoreTest, APeerThatFailsIsNotReady) {
  get_ready();
  track("a", 1);
  done();
  track("b", 1);
  core_.on_lost(1, Loss::failed, "nonsense", now_);
  EXPECT_EQ(done(), (Said{"not ready: is not reachable: nonsense", "close 1", "a perhaps counted",
                          "b not counted", "connect"}));
}

TEST_F(LinkCoreTest, ASecondEarlyCutIsFollowedByAPause) {
  get_ready();
  core_.on_lost(1, Loss::cut, "cut", now_);
  EXPECT_EQ(done().back(), "connect");
  connect_again(2);
  done();
  core_.on_lost(2, Loss::cut, "cut", now_);
  EXPECT_EQ(done(), (Said{"bad news: was disconnected (cut); connecting again", "close 2"}));
  track("a", 1);
  EXPECT_EQ(done_when_woken(), (Said{"connect"})) << "hits wait";
  connect_again(3);
  done();
  now_ += 1'000ms;
  core_.on_lost(3, Loss::cut, "cut", now_);
  EXPECT_EQ(done().back(), "connect") << "it has lasted";
}

TEST_F(LinkCoreTest, EarlyCutsAreAnOutageOnceThePauseIsTooLong) {
  is_outage_after_some([&](LinkCore::ConnectionId id) { core_.on_lost(id, Loss::cut, "cut", now_); });
}

TEST_F(LinkCoreTest, AnEndOfEachConnectionIsAnOutageOnceThePauseIsTooLong) {
  is_outage_after_some([&](LinkCore::ConnectionId id) { core_.on_ending(id, now_); });
}

class ImpatientTest : public LinkCoreTest {
 protected:
  ImpatientTest() : LinkCoreTest({.cut_patience = 0ms}) {}
};

TEST_F(ImpatientTest, ASecondEarlyCutIsAnOutage) {
  get_ready();
  core_.on_lost(1, Loss::cut, "cut", now_);
  done();
  connect_again(2);
  done();
  core_.on_lost(2, Loss::cut, "cut", now_);
  EXPECT_EQ(done(), (Said{"not ready: is not reachable: cut", "close 2"}));
}

// Draining.

TEST_F(LinkCoreTest, WhatIsInFlightAsAConnectionEndsIsAnsweredBesideTheNew) {
  get_ready();
  track("a", 1);
  request("m");
  done();
  track("b", 1);
  core_.on_ending(1, now_);
  EXPECT_EQ(done(), (Said{"good news: ends its connection; a new one is made", "connect"}));
  EXPECT_TRUE(core_.is_ready());
  connect_again(2);
  EXPECT_EQ(done(), (Said{"ready: is reachable", "write 1 hits on 2"}));
  answer(1);
  EXPECT_EQ(done(), (Said{"a counted"}));
  delete commands_.front();  // it is answered
  core_.on_heard(1, now_);
  EXPECT_EQ(done(), (Said{"close 1"}));
  answer(2);
  EXPECT_EQ(done(), (Said{"b counted"}));
}

TEST_F(LinkCoreTest, AnIdleConnectionThatEndsIsClosedAtOnce) {
  get_ready();
  core_.on_ending(1, now_);
  EXPECT_EQ(done(), (Said{"good news: ends its connection; a new one is made", "close 1", "connect"}));
}

TEST_F(LinkCoreTest, ADrainingConnectionThatIsLostMakesNothingUnready) {
  get_ready();
  track("a", 1);
  done();
  core_.on_ending(1, now_);
  done();
  connect_again(2);
  done();
  core_.on_lost(1, Loss::cut, "cut", now_);
  EXPECT_EQ(done(), (Said{"close 1", "a perhaps counted"}));
  EXPECT_TRUE(core_.is_ready());
}

TEST_F(LinkCoreTest, ADrainingConnectionIsGivenUpInTheEnd) {
  get_ready();
  request("m", 60'000ms);
  done();
  core_.on_ending(1, now_);
  done();
  connect_again(2);
  done();
  const auto end = now_ + 10'000ms;
  while (now_ < end) {
    core_.on_question_answered(2, now_);
    const auto said = done_when_woken();
    if (now_ < end) {
      EXPECT_EQ(said, (Said{"ask on 2"}));
    } else {
      EXPECT_EQ(said, (Said{"close 1", "m perhaps done", "ask on 2"}));
    }
  }
}

TEST_F(LinkCoreTest, AnUnfitPeerIsNotReadyAndWhatIsInFlightIsAnswered) {
  get_ready();
  track("a", 1);
  done();
  track("b", 1);
  core_.on_unfit(1, "cannot be used: READONLY", now_);
  EXPECT_EQ(done(), (Said{"not ready: cannot be used: READONLY", "b not counted"}));
  answer(1);
  EXPECT_EQ(done(), (Said{"a counted", "close 1"}));
  EXPECT_EQ(done_when_woken(), (Said{"connect"}));
}

// Commands.

TEST_F(LinkCoreTest, ACommandThatWasNotDoneWaitsAgain) {
  get_ready();
  request("m");
  done();
  core_.on_command_not_done(1, *commands_.front(), now_);
  core_.on_ending(1, now_);
  EXPECT_EQ(done(), (Said{"good news: ends its connection; a new one is made", "close 1", "connect"}));
  connect_again(2);
  EXPECT_EQ(done(), (Said{"ready: is reachable", "write command on 2"}));
  core_.on_lost(2, Loss::failed, "lost", now_);
  EXPECT_EQ(done().at(2), "m perhaps done");
}

TEST_F(LinkCoreTest, ACommandThatWasNotDoneIsRefusedAfterItsDeadline) {
  get_ready();
  request("m", 100ms);
  done();
  now_ += 100ms;
  core_.on_command_not_done(1, *commands_.front(), now_);
  EXPECT_EQ(done(), (Said{"m not done"}));
}

TEST_F(LinkCoreTest, ACommandIsRefusedBeforeItsDeadline) {
  get_ready();
  core_.on_held(1, true);
  request("m", 100ms);
  EXPECT_EQ(done_after(80ms), (Said{"m not done"}));
  EXPECT_TRUE(core_.is_ready());
}

// Retiring.

TEST_F(LinkCoreTest, APeerThatIsNotAskedAnyMoreAnswersWhatIsInFlight) {
  get_ready();
  track("a", 1);
  request("m");
  done();
  track("b", 1);
  core_.retire(now_);
  EXPECT_EQ(done(), (Said{"not ready: is not asked any more", "b not counted"}));
  EXPECT_FALSE(core_.is_ready());
  track("c", 1);
  request("n");
  EXPECT_EQ(done(), (Said{"c not counted", "n not done"}));
  core_.on_readiness(1, Readiness::ready());
  EXPECT_FALSE(core_.is_ready());
  answer();
  EXPECT_EQ(done(), (Said{"a counted"})) << "the command is in flight";
  core_.on_lost(1, Loss::cut, "reset", now_);
  EXPECT_EQ(done(), (Said{"close 1", "m perhaps done"}));
  EXPECT_EQ(done_after(1h), (Said{}));
}

TEST_F(LinkCoreTest, APeerThatIsNotAskedAnyMoreIsNotConnectedAgain) {
  get_ready();
  core_.retire(now_);
  EXPECT_EQ(done(), (Said{"not ready: is not asked any more", "close 1"}));
  EXPECT_EQ(core_.state(), State::down);
  EXPECT_EQ(done_after(1h), (Said{}));
}

TEST_F(LinkCoreTest, AConnectionThatComesTooLateIsClosed) {
  done();
  core_.retire(now_);
  done();
  EXPECT_EQ(core_.on_connected(now_), 1U);
  EXPECT_EQ(done(), (Said{"close 1"}));
  core_.on_greeted(1, Readiness::ready(), now_);
  EXPECT_FALSE(core_.is_ready());
  EXPECT_EQ(done_after(1h), (Said{}));
}

TEST_F(LinkCoreTest, AnAttemptThatFailsTooLateIsTheLast) {
  done();
  core_.retire(now_);
  core_.on_not_connected("refused", now_);
  done();
  EXPECT_EQ(done_after(1h), (Said{}));
}

TEST_F(LinkCoreTest, APauseIsNotFollowedByAnAttemptOnceThePeerIsNotAsked) {
  done();
  core_.on_not_connected("refused", now_);
  done();
  core_.retire(now_);
  EXPECT_EQ(done_after(1h), (Said{"not ready: is not asked any more"}));
}

// Readiness, as the peer reports it.

TEST_F(LinkCoreTest, APeerThatCannotCountIsNotReady) {
  done();
  core_.on_connected(now_);
  core_.on_greeted(1, Readiness::not_ready("its store is away"), now_);
  EXPECT_EQ(done(), (Said{"not ready: is reachable, but its store is away"}));
  track("a", 1);
  EXPECT_EQ(done(), (Said{"a not counted"}));
  core_.on_readiness(1, Readiness::ready());
  EXPECT_EQ(done(), (Said{"ready: is reachable"}));
  track("b", 1);
  done();
  track("c", 1);
  core_.on_readiness(1, Readiness::not_ready("its store is away"));
  EXPECT_EQ(done(), (Said{"not ready: is reachable, but its store is away", "c not counted"}));
  answer();
  EXPECT_EQ(done(), (Said{"b counted"})) << "what was sent is still answered";
}

// Silence.

TEST_F(LinkCoreTest, APeerThatOwesAnAnswerIsSilentThenLost) {
  get_ready();
  track("a", 1, 300ms);
  done();
  track("b", 1, 5'000ms);
  EXPECT_EQ(done_after(349ms), (Said{}));
  EXPECT_EQ(done_after(1ms), (Said{"not ready: does not answer", "b not counted"}));
  EXPECT_EQ(core_.state(), State::silent);
  EXPECT_EQ(done_after(999ms), (Said{}));
  EXPECT_EQ(done_after(1ms), (Said{"not ready: is not reachable: it has not answered in time", "close 1",
                                   "a perhaps counted", "connect"}));
}

TEST_F(LinkCoreTest, ASilentPeerThatSpeaksAgainIsReady) {
  get_ready();
  track("a", 1, 300ms);
  done();
  done_after(350ms);
  answer();
  EXPECT_EQ(done(), (Said{"ready: is reachable", "a counted"}));
  EXPECT_EQ(core_.state(), State::ready);
}

TEST_F(LinkCoreTest, ASilentPeerThatSpeaksOfOtherThingsIsReadyUntilItIsLost) {
  get_ready();
  track("a", 1, 300ms);
  done();
  done_after(350ms);
  core_.on_heard(1, now_ += 1ms);
  EXPECT_EQ(done(), (Said{"ready: is reachable"}));
  EXPECT_EQ(done_after(998ms), (Said{}));
  EXPECT_EQ(done_after(1ms).front(), "not ready: is not reachable: it has not answered in time");
}

TEST_F(LinkCoreTest, EachBatchOfAMessageHasItsOwnDeadline) {
  get_ready();
  track("first", 1, 10'000ms);
  done();
  track("a", 1, 300ms);
  track("b", 1, 900ms);
  answer();
  done();
  EXPECT_EQ(done_after(349ms), (Said{}));
  // The part of the message in flight that was due first is answered.
  core_.on_heard(1, now_);
  EXPECT_EQ(done_after(1ms), (Said{"not ready: does not answer"}));
}

TEST_F(LinkCoreTest, AnIdlePeerIsAsked) {
  get_ready();
  EXPECT_EQ(done_after(399ms), (Said{}));
  EXPECT_EQ(done_after(1ms), (Said{"ask on 1"}));
  EXPECT_EQ(done_after(400ms), (Said{})) << "one question at a time";
  core_.on_question_answered(1, now_);
  EXPECT_EQ(done_after(400ms), (Said{"ask on 1"}));
  EXPECT_EQ(done_after(1'499ms), (Said{}));
  EXPECT_EQ(done_after(1ms), (Said{"not ready: does not answer"}));
  EXPECT_EQ(done_after(1'000ms).front(), "not ready: is not reachable: it has not answered in time");
}

TEST_F(LinkCoreTest, APeerThatIsBusyIsNotAsked) {
  get_ready();
  track("a", 1);
  done();
  EXPECT_EQ(done_after(400ms), (Said{}));
  answer();
  EXPECT_EQ(done(), (Said{"a counted"}));
  EXPECT_EQ(done_after(400ms), (Said{"ask on 1"}));
}

class ProgressTest : public LinkCoreTest {
 protected:
  ProgressTest()
      : LinkCoreTest({.window_bytes = 1'000'000,
                      .progress = 1'000ms,
                      .question_pause = 600ms,
                      .asks_while_busy = true}) {}
};

TEST_F(ProgressTest, APeerIsLostThatOwesAnswersAndMakesNoProgress) {
  get_ready();
  track("a", 1);
  track("b", 1);
  done();
  done_after(500ms);
  core_.on_heard(1, now_);
  EXPECT_EQ(done_after(100ms), (Said{"ask on 1"}));
  EXPECT_EQ(done_after(899ms), (Said{}));
  EXPECT_EQ(done_after(1ms), (Said{"not ready: is not reachable: it has not replied for 1000 ms", "close 1",
                                   "a perhaps counted", "b perhaps counted", "connect"}));
}

TEST_F(ProgressTest, AnIdlePeerIsLostThatDoesNotAnswerAQuestion) {
  get_ready();
  EXPECT_EQ(done_after(600ms), (Said{"ask on 1"}));
  EXPECT_EQ(done_after(999ms), (Said{}));
  EXPECT_EQ(done_after(1ms).front(), "not ready: is not reachable: it has not replied for 1000 ms");
}

TEST_F(ProgressTest, ACommandIsOwedAnAnswer) {
  get_ready();
  request("m", 60'000ms);
  EXPECT_EQ(done(), (Said{"write command on 1"}));
  core_.on_question_answered(1, now_ + 10'000ms);  // the next one is not due before that
  EXPECT_EQ(done_after(999ms), (Said{}));
  EXPECT_EQ(done_after(1ms).at(2), "m perhaps done");
}

TEST_F(ProgressTest, NothingIsOwedByAPeerThatHasAnsweredAll) {
  get_ready();
  track("a", 1);
  done();
  answer();
  done();
  core_.on_question_answered(1, now_ + 10'000ms);  // the next one is not due before that
  EXPECT_EQ(done_after(5'000ms), (Said{}));
}

// Metrics.

TEST_F(LinkCoreTest, CountsWhetherThePeerIsReadyUntilItIsNotAskedAnyMore) {
  EXPECT_EQ(metrics_.links.value(), 1);
  EXPECT_EQ(metrics_.ready.value(), 0);
  get_ready();
  EXPECT_EQ(metrics_.ready.value(), 1);
  core_.on_lost(1, LinkCore::Loss::failed, "it is tired", now_);
  EXPECT_EQ(metrics_.ready.value(), 0);
  done_when_woken();
  core_.on_not_connected("nobody is there", now_);
  EXPECT_EQ(metrics_.failed_attempts.value(), 1);
  done_when_woken();
  ASSERT_EQ(core_.on_connected(now_), 2);
  core_.on_lost(2, LinkCore::Loss::cut, "it is gone again", now_);
  EXPECT_EQ(metrics_.failed_attempts.value(), 2);
  EXPECT_EQ(metrics_.reconnects.value(), 0);
  done_when_woken();
  connect_again(3);
  EXPECT_EQ(metrics_.reconnects.value(), 1);
  EXPECT_EQ(metrics_.ready.value(), 1);
  core_.retire(now_);
  core_.retire(now_);
  EXPECT_EQ(metrics_.links.value(), 0);
  EXPECT_EQ(metrics_.ready.value(), 0);
}

TEST_F(LinkCoreTest, MeasuresAMessageUntilItsLastVerdict) {
  get_ready();
  track("a", 3);
  done();
  now_ += 20ms;
  answer();
  done();
  EXPECT_EQ(metrics_.message_hits.sum(), 3);
  EXPECT_EQ(metrics_.round_trips.sum(), 20e6) << "in nanoseconds";
  track("b", 1);
  done();
  core_.on_heard(1, now_);
  core_.on_lost(1, LinkCore::Loss::cut, "it is cut", now_);
  done();
  EXPECT_EQ(metrics_.message_hits.sum(), 4);
  EXPECT_EQ(metrics_.round_trips.sum(), 20e6) << "one that was never answered has no duration";
}

}  // namespace
}  // namespace tracker::link
