// tracker.v1.Counting: the batched stream, and clients of it that do what no envoy does.

#include <gtest/gtest.h>
#include <signal.h>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <future>
#include <latch>
#include <memory>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "grpc_client.h"
#include "grpc_track_call.h"
#include "support/faulty_link.h"
#include "support/redis_server.h"

namespace tracker::tests {
namespace {

using namespace std::chrono_literals;

class TrackTest : public CounterTest {
 protected:
  explicit TrackTest(const Arguments& more = {}) : CounterTest(more) { bystander_.open(); }

  // Everybody else is served: on an old stream, on a new stream, and publicly.
  void expect_others_are_served() {
    CounterClient other(door_);
    CounterClient other_envoy(link_.door());
    const std::string path = "/others";
    ASSERT_TRUE(bystander_.send(batch_of(++bystanders_batches_, 1, id_, path)));
    EXPECT_EQ(bystander_.verdicts_on(bystanders_batches_).at(0).count, ++others_);
    TrackCall fresh(other_envoy.channel());
    fresh.open();
    ASSERT_TRUE(fresh.send(batch_of(1, 1, id_, path)));
    EXPECT_EQ(fresh.verdicts_on(1).at(0).count, ++others_);
    fresh.half_close();
    EXPECT_TRUE(has_status(fresh.end(), grpc::OK));
    EXPECT_TRUE(is_counted(other.update(token_, path), ++others_));
  }

  // Connections over this link look like those of tracker's envoys. Other clients do not get this service.
  FaultyLink link_{door_, FaultyLink::Clients::look_like_envoys};
  CounterClient envoy_{link_.door()};
  const MintedToken minted_ = mint_by_bytes(envoy_.channel());
  const std::string& token_ = minted_.text;
  const std::string& id_ = minted_.id;
  TrackCall bystander_{envoy_.channel()};
  std::uint64_t bystanders_batches_ = 0;
  std::int64_t others_ = 0;
};

TEST_F(TrackTest, OpeningSaysVersionAndReadiness) {
  const v1::TrackResponse response = TrackCall(envoy_.channel()).open();
  EXPECT_TRUE(response.has_opening());
  EXPECT_NE(run_to_end({"--version"}).out.find(response.opening().version()), std::string::npos);
  EXPECT_TRUE(response.has_readiness());
  EXPECT_EQ(response.readiness().why_not(), "");
}

// Neither a call of it nor any other call reveals anything about it.
TEST_F(TrackTest, IsForEnvoysOnly) {
  v1::MintResponse minted;
  EXPECT_TRUE(
      has_status(call_by_name(client_.channel(), "/tracker.v1.Counting/Mint", v1::MintRequest(), minted),
                 grpc::UNIMPLEMENTED));
  TrackCall call(client_.channel());
  EXPECT_TRUE(has_status(call.end(), grpc::UNIMPLEMENTED));
}

TEST_F(TrackTest, EnvoysHaveNothingElse) {
  std::string token;
  EXPECT_TRUE(has_status(envoy_.new_token(token), grpc::UNIMPLEMENTED));
  expect_others_are_served();
}

TEST_F(TrackTest, CountsWhatThePublicServiceCounts) {
  EXPECT_TRUE(is_counted(client_.update(token_, "/p"), 1));
  TrackCall call(envoy_.channel());
  call.open();
  v1::HitBatch batch = batch_of(1, 1, id_, "/p");
  add_hit(batch, std::string(16, '\x07'), "/p");
  add_hit(batch, id_, "/q");
  add_hit(batch, id_, "/p");
  ASSERT_TRUE(call.send(batch));
  const std::vector<Judged>& verdicts = call.verdicts_on(1);
  EXPECT_EQ(verdicts[0].count, 2);
  EXPECT_EQ(verdicts[1].kind, v1::VERDICT_KIND_UNKNOWN_TOKEN);
  EXPECT_EQ(verdicts[2].count, 1);
  EXPECT_EQ(verdicts[3].count, 3);
  for (const std::size_t hit : {0U, 2U, 3U}) EXPECT_EQ(verdicts[hit].kind, v1::VERDICT_KIND_COUNTED);
  EXPECT_TRUE(is_counted(client_.update(token_, "/p"), 4));
}

TEST_F(TrackTest, CountsWhatALaterVersionSends) {
  TrackCall call(envoy_.channel());
  call.open();
  call.say_more();
  ASSERT_TRUE(call.send(batch_of(1, 3, id_, "/p")));
  EXPECT_EQ(call.verdicts_on(1).at(2).count, 3);
}

TEST_F(TrackTest, TenThousandHitsInOneBatch) {
  TrackCall call(envoy_.channel());
  call.open();
  ASSERT_TRUE(call.send(batch_of(1, 10'000, id_, "/p")));
  std::int64_t expected = 0;
  for (const Judged& hit : call.verdicts_on(1)) {
    ASSERT_EQ(hit.kind, v1::VERDICT_KIND_COUNTED);
    ASSERT_EQ(hit.count, ++expected);
  }
  EXPECT_TRUE(is_counted(client_.update(token_, "/p"), 10'001));
}

TEST_F(TrackTest, HalfCloseWithBatchesInFlightGetsAllVerdicts) {
  TrackCall call(envoy_.channel());
  call.open();
  constexpr std::uint64_t batches = 200;
  constexpr std::size_t hits = 50;
  for (std::uint64_t number = 1; number <= batches; ++number) {
    ASSERT_TRUE(call.send(batch_of(number, hits, id_, "/p")));
  }
  call.half_close();
  EXPECT_TRUE(has_status(call.end(), grpc::OK));
  std::multiset<std::int64_t> counts;
  for (std::uint64_t number = 1; number <= batches; ++number) {
    for (const Judged& hit : call.verdicts_on(number)) counts.insert(hit.count);
  }
  EXPECT_EQ(counts.size(), batches * hits);
  EXPECT_TRUE(counts_without_gap(counts));
}

TEST_F(TrackTest, HalfCloseAfterTheOpeningEndsWell) {
  TrackCall call(envoy_.channel());
  call.open();
  call.half_close();
  EXPECT_TRUE(has_status(call.end(), grpc::OK));
}

TEST_F(TrackTest, NothingIsCountedWithoutAnOpening) {
  TrackCall batch_first(envoy_.channel());
  batch_first.send(batch_of(1, 3, id_, "/p"));
  EXPECT_FALSE(batch_first.end().ok());
  EXPECT_EQ(batch_first.missing(1), 3U);
  TrackCall empty_first(envoy_.channel());
  empty_first.send_nothing();
  EXPECT_FALSE(empty_first.end().ok());
  TrackCall nothing(envoy_.channel());
  nothing.half_close();
  nothing.end();
  expect_others_are_served();
  EXPECT_TRUE(is_counted(client_.update(token_, "/p"), 1));
}

TEST_F(TrackTest, SilentClientHarmsNobody) {
  TrackCall silent(envoy_.channel());
  expect_others_are_served();
}

struct Garbage {
  const char* what;
  void (*spoil)(v1::HitBatch&);
};

TEST_F(TrackTest, ColumnsThatDoNotFitTogetherAreNotCounted) {
  const std::vector<Garbage> garbage{
      {"no hits", [](v1::HitBatch& batch) { batch.Clear(); }},
      {"no ids", [](v1::HitBatch& batch) { batch.clear_ids(); }},
      {"an id too few", [](v1::HitBatch& batch) { batch.mutable_ids()->resize(32); }},
      {"a byte too few", [](v1::HitBatch& batch) { batch.mutable_ids()->pop_back(); }},
      {"a byte too many", [](v1::HitBatch& batch) { batch.mutable_ids()->push_back('x'); }},
      {"an id too many", [](v1::HitBatch& batch) { batch.mutable_ids()->append(16, 'x'); }},
      {"no paths", [](v1::HitBatch& batch) { batch.clear_paths(); }},
      {"paths too short", [](v1::HitBatch& batch) { batch.mutable_paths()->pop_back(); }},
      {"paths too long", [](v1::HitBatch& batch) { batch.mutable_paths()->push_back('x'); }},
      {"no path lengths", [](v1::HitBatch& batch) { batch.clear_path_bytes(); }},
      {"a path length too few", [](v1::HitBatch& batch) { batch.mutable_path_bytes()->RemoveLast(); }},
      {"a path length too many", [](v1::HitBatch& batch) { batch.add_path_bytes(2); }},
      {"a path that is beyond the end", [](v1::HitBatch& batch) { batch.set_path_bytes(1, 0xFFFF'FFFF); }},
      {"lengths that wrap round to the right sum",
       [](v1::HitBatch& batch) {
         batch.set_path_bytes(0, 0xFFFF'FFFF);
         batch.set_path_bytes(1, 3);
       }},
      {"an empty path",
       [](v1::HitBatch& batch) {
         batch.set_path_bytes(1, 0);
         batch.set_path_bytes(0, 4);
       }},
  };
  for (const Garbage& bad : garbage) {
    SCOPED_TRACE(bad.what);
    TrackCall call(envoy_.channel());
    call.open();
    v1::HitBatch batch = batch_of(1, 3, id_, "/p");
    bad.spoil(batch);
    ASSERT_TRUE(call.send(batch));
    call.half_close();
    call.end();
    for (const Judged& hit : call.verdicts()) EXPECT_NE(hit.kind, v1::VERDICT_KIND_COUNTED);
    expect_others_are_served();
  }
  EXPECT_TRUE(is_counted(client_.update(token_, "/p"), 1));
  EXPECT_TRUE(is_counted(client_.update(token_, "/p/p"), 1));
}

TEST_F(TrackTest, MessageThatIsTooBigEndsItsOwnStreamOnly) {
  TrackCall call(envoy_.channel());
  call.open();
  v1::HitBatch batch = batch_of(1, 1, id_, std::string(64 * 1024 * 1024, 'a'));
  call.send(batch);
  EXPECT_FALSE(call.end().ok());
  expect_others_are_served();
}

TEST_F(TrackTest, CancelledStreamsCountOnceAtMost) {
  std::int64_t sent = 0;
  for (std::uint64_t round = 0; round < 30; ++round) {
    TrackCall call(envoy_.channel());
    call.open();
    for (std::uint64_t number = 1; number <= round; ++number) {
      sent += call.send(batch_of(number, 20, id_, "/p")) ? 20 : 0;
    }
    if (round % 3 == 0 && round > 0) call.verdicts_on(1);
  }
  expect_others_are_served();
  EXPECT_LE(client_.count(token_, "/p"), sent + 1);
}

TEST_F(TrackTest, HitsWhoseTimeIsOverAreNotCounted) {
  TrackCall call(envoy_.channel());
  call.open();
  v1::HitBatch late = batch_of(1, 3, id_, "/p");
  late.set_deadline_ms(0);
  ASSERT_TRUE(call.send(late));
  for (const Judged& hit : call.verdicts_on(1)) EXPECT_EQ(hit.kind, v1::VERDICT_KIND_NOT_COUNTED);
  EXPECT_TRUE(is_counted(client_.update(token_, "/p"), 1));
}

TEST_F(TrackTest, EachGroupOfHitsHasItsOwnDeadline) {
  TrackCall call(envoy_.channel());
  call.open();
  v1::HitBatch batch = batch_of(1, 5, id_, "/p");
  add_hit(batch, id_, "/" + std::string(9'000, 'a'));
  batch.set_deadline_ms(0);
  for (const auto& [hits, deadline_ms] : {std::pair(2U, 0U), {3U, 5'000U}, {1U, 6'000U}}) {
    batch.add_group_hits(hits);
    batch.add_group_deadline_ms(deadline_ms);
  }
  ASSERT_TRUE(call.send(batch));
  std::vector<std::int64_t> counts;
  for (const Judged& hit : call.verdicts_on(1)) {
    counts.push_back(hit.count);
    EXPECT_EQ(hit.kind, hit.count > 0 ? v1::VERDICT_KIND_COUNTED : v1::VERDICT_KIND_NOT_COUNTED);
  }
  EXPECT_EQ(counts, (std::vector<std::int64_t>{0, 0, 1, 2, 3, 0}));
}

TEST_F(TrackTest, GroupsThatDoNotCoverTheHitsAreNotCounted) {
  for (const unsigned hits : {2U, 4U}) {
    TrackCall call(envoy_.channel());
    call.open();
    v1::HitBatch batch = batch_of(1, 3, id_, "/p");
    batch.add_group_hits(hits);
    batch.add_group_deadline_ms(5'000);
    ASSERT_TRUE(call.send(batch));
    EXPECT_TRUE(has_status(call.end(), grpc::INVALID_ARGUMENT));
  }
  EXPECT_TRUE(is_counted(client_.update(token_, "/p"), 1));
}

// The client's library accepts only as much as its window allows. Then the counter waits for it and takes no more hits
// from it, instead of keeping verdicts without end.
TEST_F(TrackTest, ClientThatReadsNoVerdictsIsReadNoFurther) {
  CounterClient silent(link_.door());  // its unread verdicts fill its own connection
  TrackCall call(silent.channel());
  call.open();
  constexpr std::uint64_t enough = 4'000;
  std::atomic<std::uint64_t> taken = 0;
  const auto flood = std::async(std::launch::async, [&] {
    while (taken < enough && call.send(batch_of(taken + 1, 5'000, id_, "/p"))) ++taken;
  });
  for (std::uint64_t before = enough + 1; taken < enough && taken != before;) {
    before = taken;
    std::this_thread::sleep_for(1s);
  }
  EXPECT_LT(taken, enough);
  expect_others_are_served();
  call.try_cancel();
}

class TrackLimitTest : public TrackTest {
 protected:
  TrackLimitTest() : TrackTest({"--hits-max", "100"}) {}
};

// A quarter is reserved for the public calls.
TEST_F(TrackLimitTest, HitsBeyondTheLimitAreNotCounted) {
  TrackCall call(envoy_.channel());
  call.open();
  ASSERT_TRUE(call.send(batch_of(1, 101, id_, "/p")));
  const auto& hits = call.verdicts_on(1);
  for (std::size_t i = 0; i < hits.size(); ++i) {
    ASSERT_EQ(hits[i].kind, i < 75 ? v1::VERDICT_KIND_COUNTED : v1::VERDICT_KIND_NOT_COUNTED) << i;
  }
  ASSERT_TRUE(call.send(batch_of(2, 75, id_, "/p")));
  EXPECT_EQ(call.verdicts_on(2).back().count, 150);
  expect_others_are_served();
}

TEST_F(TrackTest, PathThatIsTooLongCostsItsOwnHitOnly) {
  TrackCall call(envoy_.channel());
  call.open();
  v1::HitBatch batch;
  batch.set_number(1);
  batch.set_deadline_ms(5'000);
  const std::string longest = "/" + std::string(8191, 'a');
  for (const auto& path :
       {std::string("/p"), longest + "a", longest, std::string(100'000, 'a'), std::string("/p")})
    add_hit(batch, id_, path);
  ASSERT_TRUE(call.send(batch));
  std::vector<std::int64_t> counts;
  for (const Judged& hit : call.verdicts_on(1)) {
    counts.push_back(hit.kind == v1::VERDICT_KIND_COUNTED ? hit.count : 0);
    EXPECT_TRUE(hit.kind == v1::VERDICT_KIND_COUNTED || hit.kind == v1::VERDICT_KIND_NOT_COUNTED);
  }
  EXPECT_EQ(counts, (std::vector<std::int64_t>{1, 0, 1, 0, 2}));
  EXPECT_EQ(client_.count(token_, longest), 2);
}

// What the drain left of one stream that had one batch under way at a time, like an envoy's.
struct Streamed {
  std::multiset<std::int64_t> counts;
  std::size_t without_verdict = 0;
};

// Counts the latch down once it is running.
Streamed stream_until_ended(const Endpoint& door, const std::string& id, std::latch& busy) {
  CounterClient client(door);
  TrackCall call(client.channel());
  call.open();
  Streamed streamed;
  std::uint64_t number = 0;
  bool open = true;
  while (open) {
    if (++number == 100) busy.count_down();
    open = call.send(batch_of(number, 3, id, "/p"));
    while (open && call.missing(number) > 0) open = call.read();
  }
  call.end();
  if (number < 100) busy.count_down();
  for (const Judged& hit : call.verdicts()) {
    if (hit.kind == v1::VERDICT_KIND_COUNTED) streamed.counts.insert(hit.count);
    streamed.without_verdict += hit.kind ? 0 : 1;
  }
  return streamed;
}

// Redis still knows what was counted when the counter is gone.
class TrackDrainTest : public testing::Test {
 protected:
  explicit TrackDrainTest(const Arguments& more = {})
      : program_(counter_arguments(
            "redis", with({"--redis-addr", redis_.address(), "--request-deadline", "60s"}, more))) {}

  static Arguments with(Arguments arguments, const Arguments& more) {
    arguments.insert(arguments.end(), more.begin(), more.end());
    return arguments;
  }

  // The count that Redis has of the one token at `/p`.
  std::string stored_count() const {
    const std::string key = redis_.command({"KEYS", "tracker:{*"}).elements.at(0).text;
    const std::string count = redis_.command({"HGET", key, "/p"}).text;
    return count.empty() ? "0" : count;
  }

  RedisServer redis_;
  Program program_;
  const Endpoint door_ = program_.wait_listening().at("counter");
  CounterClient client_{door_};
  const bool serves_ = wait_serving(client_.channel());
  FaultyLink link_{door_, FaultyLink::Clients::look_like_envoys};
  CounterClient envoy_{link_.door()};
  const MintedToken minted_ = mint_by_bytes(envoy_.channel());
};

class SharesTest : public TrackDrainTest {
 protected:
  SharesTest() : TrackDrainTest({"--hits-max", "100"}) {}
};

// Redis holds all answers back, so that hits stay in flight.
TEST_F(SharesTest, EnvoyThatKeepsTheFlightFullLeavesAnotherItsShare) {
  CounterClient other(link_.door());
  TrackCall greedy(envoy_.channel());
  TrackCall honest(other.channel());
  greedy.open();
  honest.open();
  redis_.command({"CLIENT", "PAUSE", "600000", "WRITE"});
  for (std::uint64_t number = 1; number <= 20; ++number)
    ASSERT_TRUE(greedy.send(batch_of(number, 10, minted_.id, "/greedy")));
  while (greedy.missing(20) > 0) ASSERT_TRUE(greedy.read());  // the last batch is refused at once
  ASSERT_TRUE(honest.send(batch_of(1, 10, minted_.id, "/p")));
  ASSERT_TRUE(honest.send_nothing());
  ASSERT_TRUE(honest.read());  // the batch was accepted
  redis_.command({"CLIENT", "UNPAUSE"});
  for (const Judged& hit : honest.verdicts_on(1)) EXPECT_EQ(hit.kind, v1::VERDICT_KIND_COUNTED);
}

TEST_F(TrackDrainTest, SigtermUnderLoadAnswersAllThatItCounts) {
  constexpr int streams = 6;
  std::latch busy(streams);
  std::vector<std::future<Streamed>> running;
  for (int i = 0; i < streams; ++i) {
    running.push_back(
        std::async(std::launch::async, [&] { return stream_until_ended(link_.door(), minted_.id, busy); }));
  }
  busy.wait();
  program_.send_signal(SIGTERM);
  EXPECT_EQ(program_.wait_exit(), 0) << program_.output();

  std::multiset<std::int64_t> counts;
  std::size_t without_verdict = 0;
  for (auto& stream : running) {
    Streamed streamed = stream.get();
    counts.merge(streamed.counts);
    without_verdict += streamed.without_verdict;
  }
  EXPECT_TRUE(counts_without_gap(counts));
  EXPECT_EQ(stored_count(), std::to_string(counts.size())) << without_verdict << " got no verdict";
}

// A stream that has nothing under way ends at once. A batch that its client sends meanwhile is answered or not counted.
// Redis holds its answers back until everything is sent.
TEST_F(TrackDrainTest, BatchesThatCrossTheEndOfTheirStreamAreNotLost) {
  std::vector<std::unique_ptr<TrackCall>> calls;
  for (int i = 0; i < 100; ++i) {
    calls.push_back(std::make_unique<TrackCall>(envoy_.channel()));
    calls.back()->open();
  }
  redis_.command({"CLIENT", "PAUSE", "600000", "WRITE"});
  std::latch begun(1);
  auto sending = std::async(std::launch::async, [&] {
    for (std::size_t i = 0; i < calls.size(); ++i) {
      if (i == 10) begun.count_down();
      calls[i]->send(batch_of(1, 1, minted_.id, "/p"));
    }
  });
  begun.wait();
  program_.send_signal(SIGTERM);
  sending.get();
  redis_.command({"CLIENT", "UNPAUSE"});
  EXPECT_EQ(program_.wait_exit(), 0) << program_.output();

  std::multiset<std::int64_t> counts;
  for (const auto& call : calls) {
    call->end();
    for (const Judged& hit : call->verdicts()) {
      if (hit.kind == v1::VERDICT_KIND_COUNTED) counts.insert(hit.count);
    }
  }
  EXPECT_TRUE(counts_without_gap(counts));
  EXPECT_EQ(stored_count(), std::to_string(counts.size()));
}

}  // namespace
}  // namespace tracker::tests
