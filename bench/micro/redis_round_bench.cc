// A batch on its way to Redis and its replies on their way back, without the socket between.
#include <hiredis/hiredis.h>

#include <memory>
#include <string>

#include "store/redis/redis_round.h"
#include "workload.h"

namespace tracker::bench {

namespace {

using store::RedisRound;
using Reader = std::unique_ptr<redisReader, void (*)(redisReader*)>;
using Reply = std::unique_ptr<redisReply, void (*)(void*)>;

/// Null if no whole one is there, or what is there is none.
Reply next_reply(redisReader& reader) {
  void* reply = nullptr;
  if (redisReaderGetReply(&reader, &reply) != REDIS_OK) reply = nullptr;
  return {static_cast<redisReply*>(reply), freeReplyObject};
}

/// Puts the commands for these hits behind `out`.
void encode(RedisRound& round, const domain::HitBatch& batch, store::TrackReply& reply, std::string& out) {
  round.add(batch, reply);
  round.group();
  for (std::size_t command = 0; command < round.commands(); ++command) {
    round.append(command, RedisRound::Form::plain, out);
  }
}

/// What Redis would reply to such commands: that the token is known, and a count for each path. (A command is
/// written as a reply is.)
std::string replies_to(const std::string& commands) {
  const Reader reader(redisReaderCreate(), redisReaderFree);
  redisReaderFeed(reader.get(), commands.data(), commands.size());
  std::string replies;
  while (const auto command = next_reply(*reader)) {
    const bool is_increment = store::text_of(*command->element[0]) == "HINCRBY";
    replies += is_increment ? ":123456\r\n" : ":1\r\n";
  }
  return replies;
}

/// Batches that are made beforehand.
struct Batches {
  Batches(Workload workload, std::size_t size) : batches(workload == Workload::hot ? 1 : 256) {
    Hits hits(workload);
    for (auto& batch : batches) hits.fill(batch, size);
  }
  const domain::HitBatch& next() {
    if (++at == batches.size()) at = 0;
    return batches[at];
  }
  std::vector<domain::HitBatch> batches;
  std::size_t at = 0;
};

void redis_encode(benchmark::State& state, Workload workload) {
  const auto size = static_cast<std::size_t>(state.range(0));
  Batches batches(workload, size);
  RedisRound round;
  Counted reply;
  std::string out;
  for (auto _ : state) {
    out.clear();
    round.clear();
    encode(round, batches.next(), reply, out);
    benchmark::DoNotOptimize(out.data());
  }
  if (replies_to(out).empty()) state.SkipWithError("no command");
  report_per_hit(state, size);
}
BENCHMARK_CAPTURE(redis_encode, hot, Workload::hot)->Arg(1)->Arg(64);
BENCHMARK_CAPTURE(redis_encode, spread, Workload::spread)->Arg(1)->Arg(64);

/// Encoding, and then the replies from their bytes to the verdicts.
void redis_there_and_back(benchmark::State& state, Workload workload) {
  const auto size = static_cast<std::size_t>(state.range(0));
  Batches batches(workload, size);
  RedisRound round;
  Counted reply;
  std::string out;
  std::vector<std::string> replies;
  for (std::size_t i = 0; i < batches.batches.size(); ++i) {
    out.clear();
    round.clear();
    encode(round, batches.next(), reply, out);
    replies.push_back(replies_to(out));
  }
  const Reader reader(redisReaderCreate(), redisReaderFree);
  std::size_t at = 0;
  bool all = true;
  for (auto _ : state) {
    out.clear();
    round.clear();
    encode(round, batches.next(), reply, out);
    redisReaderFeed(reader.get(), replies[at].data(), replies[at].size());
    for (std::size_t command = 0; command < round.commands(); ++command) {
      for (std::size_t part = 0; part < round.replies(command); ++part) {
        const auto its = next_reply(*reader);
        all = all && its && round.take_reply(command, part, *its).error.empty();
      }
    }
    all = round.deliver() && all;
    if (++at == replies.size()) at = 0;
  }
  if (!all || reply.counted != static_cast<std::size_t>(state.iterations()) * size) {
    state.SkipWithError("not every hit was counted");
  }
  report_per_hit(state, size);
}
BENCHMARK_CAPTURE(redis_there_and_back, hot, Workload::hot)->Arg(1)->Arg(64);
BENCHMARK_CAPTURE(redis_there_and_back, spread, Workload::spread)->Arg(1)->Arg(64);

}  // namespace

}  // namespace tracker::bench
