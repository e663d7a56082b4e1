// The commands for a batch, and the verdicts from the replies, without a socket.
#include <hiredis/hiredis.h>

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "store/redis/redis_pipeline.h"
#include "store/redis/redis_replies.h"
#include "workload.h"

namespace tracker::bench {

namespace {

using store::redis::RedisRound;
using Reader = std::unique_ptr<redisReader, void (*)(redisReader*)>;
using Reply = std::unique_ptr<redisReply, void (*)(void*)>;

/// Returns null if there is no whole reply, or if the bytes are not a reply.
Reply next_reply(redisReader& reader) {
  void* reply = nullptr;
  if (redisReaderGetReply(&reader, &reply) != REDIS_OK) reply = nullptr;
  return {static_cast<redisReply*>(reply), freeReplyObject};
}

/// Appends the commands for these hits to `out`.
void encode(RedisRound& round, link::Gather& message, std::string& out) {
  round.begin(message, false);
  for (std::uint32_t call = 0; call < round.calls(); ++call)
    round.append(call, RedisRound::Form::hash, "", {}, out);
}

/// What Redis would reply to these commands: a count for each path. (Commands have the form of replies.)
std::string replies_to(const std::string& commands) {
  const Reader reader(redisReaderCreate(), redisReaderFree);
  redisReaderFeed(reader.get(), commands.data(), commands.size());
  std::string replies;
  while (const auto command = next_reply(*reader)) {
    const std::string increments(store::redis::text_of(*command->element[2]));
    replies += "*" + increments + "\r\n";
    for (auto i = std::stoul(increments); i > 0; --i) replies += ":123456\r\n";
  }
  return replies;
}

/// Batches that are made in advance.
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
  link::Gather message;
  Counted reply;
  std::string out;
  for ([[maybe_unused]] auto _ : state) {
    out.clear();
    message.clear();
    message.add(batches.next(), reply);
    encode(round, message, out);
    benchmark::DoNotOptimize(out.data());
  }
  if (replies_to(out).empty()) state.SkipWithError("no command");
  report_per_hit(state, size);
}
BENCHMARK_CAPTURE(redis_encode, hot, Workload::hot)->Arg(1)->Arg(64);
BENCHMARK_CAPTURE(redis_encode, spread, Workload::spread)->Arg(1)->Arg(64);

/// Encodes the commands, and then turns the bytes of the replies into verdicts.
void redis_there_and_back(benchmark::State& state, Workload workload) {
  const auto size = static_cast<std::size_t>(state.range(0));
  Batches batches(workload, size);
  const store::redis::RedisSettings settings;
  store::redis::RedisKnowledge knowledge;
  store::redis::RedisPipeline pipeline(settings, knowledge);
  link::Gather message;
  Counted reply;
  std::vector<std::string> replies;
  for (std::size_t i = 0; i < batches.batches.size(); ++i) {
    message.clear();
    message.add(batches.next(), reply);
    store::redis::RedisPipeline once(settings, knowledge);
    once.send(message);
    replies.push_back(replies_to(once.out()));
  }
  store::redis::RedisReplies reader;
  reply.counted = 0;
  std::size_t at = 0;
  bool all = true;
  for ([[maybe_unused]] auto _ : state) {
    message.clear();
    message.add(batches.next(), reply);
    pipeline.send(message);
    pipeline.out().clear();
    reader.feed(replies[at]);
    while (const auto* its = reader.next()) all = pipeline.take(*its) && all;
    all = message.deliver() && all && !pipeline.is_waiting();
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
