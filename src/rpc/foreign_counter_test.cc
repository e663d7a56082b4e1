// RemoteCounter with a counter that is served by gRPC's own library. Tests that an envoy speaks real gRPC.
#include <grpcpp/server.h>
#include <grpcpp/server_builder.h>
#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include <tracker/v1/counting.grpc.pb.h>
#include "rpc/remote_counter.h"
#include "runtime/deadlines.h"

namespace tracker::rpc {

using std::chrono_literals::operator""s;

/// Counts all hits together, whatever their token and path.
class ForeignCounter final : public v1::Counting::Service {
 public:
  ForeignCounter() {
    grpc::ServerBuilder builder;
    builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(), &port_);
    builder.RegisterService(this);
    server_ = builder.BuildAndStart();
  }
  ~ForeignCounter() override { end(); }

  std::uint16_t port() const { return static_cast<std::uint16_t>(port_); }
  void end() { server_->Shutdown(std::chrono::system_clock::now()); }

 private:
  grpc::Status Track(grpc::ServerContext* /*context*/,
                     grpc::ServerReaderWriter<v1::TrackResponse, v1::TrackRequest>* stream) override {
    v1::TrackRequest request;
    while (stream->Read(&request)) {
      v1::TrackResponse response;
      if (request.has_opening()) response.mutable_opening()->set_version("foreign");
      // Sends readiness beside verdicts, too. Other implementations may send it at any time, with fields unknown today.
      if (request.has_opening() || count_ % 3 == 0) response.mutable_readiness();
      if (count_ % 2 == 0) response.GetReflection()->MutableUnknownFields(&response)->AddVarint(99, 1);
      if (request.has_batch()) response.mutable_verdicts()->set_number(request.batch().number());
      for (int i = 0; i < request.batch().path_bytes_size(); ++i) {
        response.mutable_verdicts()->add_counts(++count_);
      }
      stream->Write(response);
    }
    return grpc::Status::OK;
  }
  grpc::Status Mint(grpc::ServerContext* /*context*/, const v1::MintRequest* /*request*/,
                    v1::MintResponse* response) override {
    if (++mints_ % 3 == 0) return {grpc::StatusCode::UNAVAILABLE, "every third is refused"};
    response->set_token(std::string(16, 't'));
    return grpc::Status::OK;
  }

  grpc::Status ReadOwnCounts(grpc::ServerContext* /*context*/, const v1::ReadOwnCountsRequest* request,
                             v1::ReadOwnCountsResponse* response) override {
    if (request->limit() == 1) return {grpc::StatusCode::NOT_FOUND, ""};
    if (request->limit() == 2) return {grpc::StatusCode::UNIMPLEMENTED, "not here"};
    auto& its = *response->add_counts();
    its.set_path(request->prefix() + request->after() + request->token());
    its.set_count(request->limit());
    response->set_is_more(true);
    return grpc::Status::OK;
  }

  int port_ = 0;
  std::atomic<std::int64_t> count_ = 0;
  std::atomic<int> mints_ = 0;
  std::unique_ptr<grpc::Server> server_;
};

struct CountRecorder final : counter::TrackReply {
  void on_verdicts(std::span<const domain::HitVerdict> verdicts) override {
    for (const auto& [hit, verdict] : verdicts) {
      EXPECT_EQ(verdict.kind, domain::Verdict::Kind::counted);
      counts.push_back(verdict.count);
    }
  }
  std::vector<std::int64_t> counts;
};

struct OutcomeRecorder final : counter::MintReply {
  void on_minted(boost::system::result<domain::Token, domain::Failure> minted) override {
    ++(minted ? minted_tokens : refused);
    EXPECT_TRUE(minted || minted.error() == domain::Failure::not_done);
  }
  int minted_tokens = 0;
  int refused = 0;
};

struct ForeignCounterTest : testing::Test {
  bool runs_until(const std::function<bool()>& condition) {
    const auto deadline = runtime::Clock::now() + 20s;
    while (!condition() && runtime::Clock::now() < deadline) loop.run_one_until(deadline);
    return condition();
  }

  ForeignCounter foreign;
  boost::asio::io_context loop{1};
  runtime::ChangeLog changes;
  RemoteCounter counter{loop,
                        {.address = {"127.0.0.1", foreign.port()}, .version = "1", .changes = &changes}};
};

TEST_F(ForeignCounterTest, CountsAndMints) {
  ASSERT_TRUE(runs_until([this] { return counter.readiness().value().is_ready(); }));
  CountRecorder counts;
  std::vector<domain::HitBatch> batches(300);
  std::size_t hits = 0;
  for (std::size_t i = 0; i < batches.size(); ++i) {
    batches[i].set_deadline(runtime::Clock::now() + 20s);
    for (std::size_t hit = 0; hit <= i; ++hit) batches[i].push({}, "/a/path/of/some/length");
    hits += batches[i].size();
    counter.track(batches[i], counts);
    if (i % 10 == 0) loop.poll();
  }
  OutcomeRecorder outcomes;
  for (int i = 0; i < 300; ++i) counter.mint(runtime::Clock::now() + 20s, outcomes);
  ASSERT_TRUE(runs_until(
      [&] { return counts.counts.size() == hits && outcomes.minted_tokens + outcomes.refused == 300; }));
  for (std::size_t i = 0; i < hits; ++i) ASSERT_EQ(counts.counts[i], static_cast<std::int64_t>(i + 1));
  EXPECT_EQ(outcomes.minted_tokens, 200);
}

TEST_F(ForeignCounterTest, ReadsCounts) {
  ASSERT_TRUE(runs_until([this] { return counter.readiness().value().is_ready(); }));
  std::vector<counter::ReadOutcome> outcomes;
  for (const std::size_t limit : {1U, 2U, 3U}) {
    counter.read({.bytes = {'t'}}, {.prefix = "/a", .after = "/b", .limit = limit},
                 runtime::Clock::now() + 20s, [&](auto outcome) { outcomes.push_back(std::move(outcome)); });
    ASSERT_TRUE(runs_until([&] { return outcomes.size() == limit; }));
  }
  using Kind = counter::ReadFailure::Kind;
  EXPECT_EQ(std::get<counter::ReadFailure>(outcomes[0]).kind, Kind::unknown_token);
  EXPECT_EQ(std::get<counter::ReadFailure>(outcomes[1]).kind, Kind::unsupported);
  EXPECT_EQ(std::get<counter::ReadFailure>(outcomes[1]).why, "the counter does not read counts: not here");
  EXPECT_EQ(std::get<store::TokenCounts>(outcomes[2]),
            (store::TokenCounts{.counts = {{"/a/bt" + std::string(15, '\0'), 3}}, .is_more = true}));
}

TEST_F(ForeignCounterTest, ACounterThatIsNotConnectedIsUnavailable) {
  std::vector<counter::ReadOutcome> outcomes;
  counter.read({}, {.limit = 3}, runtime::Clock::now(), [&](auto outcome) { outcomes.push_back(outcome); });
  ASSERT_TRUE(runs_until([&] { return outcomes.size() == 1; }));
  EXPECT_EQ(std::get<counter::ReadFailure>(outcomes[0]).kind, counter::ReadFailure::Kind::unavailable);
}

// Sends more than the windows hold, in one message and in total.
TEST_F(ForeignCounterTest, TakesBatchesThatAreLong) {
  ASSERT_TRUE(runs_until([this] { return counter.readiness().value().is_ready(); }));
  CountRecorder counts;
  domain::HitBatch batch;
  batch.set_deadline(runtime::Clock::now() + 60s);
  for (int i = 0; i < 1'000; ++i) batch.push({}, "/" + std::string(1'000, 'p'));
  for (std::size_t i = 1; i <= 40; ++i) {
    counter.track(batch, counts);
    ASSERT_TRUE(runs_until([&] { return counts.counts.size() == i * batch.size(); }));
  }
}

TEST_F(ForeignCounterTest, SeesItsEnd) {
  ASSERT_TRUE(runs_until([this] { return counter.readiness().value().is_ready(); }));
  foreign.end();
  ASSERT_TRUE(runs_until([this] { return !counter.readiness().value().is_ready(); }));
}

}  // namespace tracker::rpc
