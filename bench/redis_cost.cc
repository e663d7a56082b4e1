// redis_cost HOST:PORT [proxy]: what a hit costs in Redis, as Redis itself says (INFO cpu), and in the counter. Nothing else may
// use that Redis meanwhile. It keeps the tokens and counts of the run.
#include <hiredis/hiredis.h>
#include <sys/resource.h>

#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "micro/workload.h"
#include "runtime/workers.h"
#include "store/redis/redis_store.h"
#include "store/token_rules.h"

namespace tracker::bench {
namespace {

using namespace std::chrono_literals;
constexpr auto load_time = 3s;

double seconds(const timeval& time) {
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
}

double cpu_of_this() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

class Redis {
 public:
  explicit Redis(const runtime::Address& address)
      : context_(redisConnect(address.host.c_str(), address.port), redisFree) {
    if (!context_ || context_->err != 0) {
      std::fputs("there is no such Redis\n", stderr);
      std::exit(1);
    }
  }

  double cpu() {
    const std::unique_ptr<void, void (*)(void*)> reply(redisCommand(context_.get(), "INFO cpu"),
                                                       freeReplyObject);
    const std::string text = static_cast<redisReply*>(reply.get())->str;
    double sum = 0;
    for (const std::string name : {"used_cpu_sys:", "used_cpu_user:"}) {
      sum += std::stod(text.substr(text.find(name) + name.size()));
    }
    return sum;
  }

 private:
  std::unique_ptr<redisContext, void (*)(redisContext*)> context_;
};

/// A worker of an envoy: sends its next batch when the last one is answered.
class Sender final : public store::TrackReply {
 public:
  Sender(store::CounterStore& store, const std::vector<domain::HitBatch>& batches, std::size_t first,
         std::atomic<bool>& ended)
      : store_(store), batches_(batches), at_(first), ended_(ended) {}

  void send() {
    at_ = (at_ + 1) % batches_.size();
    left_ = batches_[at_].size();
    store_.track(batches_[at_], *this);
  }

  void on_verdicts(std::span<const domain::HitVerdict> verdicts) override {
    for (const auto& [hit, verdict] : verdicts) {
      counted += verdict.kind == domain::Verdict::Kind::counted ? 1U : 0U;
    }
    left_ -= verdicts.size();
    if (left_ > 0) return;
    if (ended_) {
      done = true;
    } else {
      send();
    }
  }

  std::size_t counted = 0;
  std::atomic<bool> done = false;

 private:
  store::CounterStore& store_;
  const std::vector<domain::HitBatch>& batches_;
  std::size_t at_;
  std::size_t left_ = 0;
  std::atomic<bool>& ended_;
};

struct Added final : store::AddReply {
  void on_added(domain::Result<void> added) override { tokens += added ? 1 : 1'000'000; }
  std::atomic<std::size_t> tokens = 0;
};

void measure(store::CounterStore& store, Redis& redis, Workload workload, std::size_t hits) {
  Hits drawn(workload);
  Added added;
  for (const auto& id : drawn.tokens())
    store.add_token(id, {.minted_s = store::system_seconds()}, domain::Deadline::max(), added);
  while (added.tokens < drawn.tokens().size()) std::this_thread::sleep_for(1ms);
  std::vector<domain::HitBatch> batches(256);
  for (auto& batch : batches) {
    drawn.fill(batch, hits);
    batch.set_deadline(domain::Deadline::max());
  }
  std::atomic<bool> ended = false;
  std::vector<std::unique_ptr<Sender>> senders;
  for (std::size_t i = 0; i < 2; ++i) {
    senders.push_back(std::make_unique<Sender>(store, batches, i * 128, ended));
  }
  const double redis_before = redis.cpu();
  const double before = cpu_of_this();
  for (auto& sender : senders) sender->send();
  std::this_thread::sleep_for(load_time);
  ended = true;
  std::size_t counted = 0;
  for (auto& sender : senders) {
    while (!sender->done) std::this_thread::sleep_for(1ms);
    counted += sender->counted;
  }
  const auto per_hit = 1e6 / static_cast<double>(counted);
  std::printf("%-6s 2 x %3zu hits: Redis %6.3f us/hit, counter %6.3f us/hit, %8zu hits\n",
              workload == Workload::hot ? "hot" : "spread", hits, (redis.cpu() - redis_before) * per_hit,
              (cpu_of_this() - before) * per_hit, counted);
}

}  // namespace
}  // namespace tracker::bench

int main(int argc, char** argv) {
  using namespace tracker;
  const bool proxy = argc == 3 && std::string_view(argv[2]) == "proxy";
  if (argc != 2 && !proxy) {
    std::fputs("usage: redis_cost HOST:PORT [proxy]\n", stderr);
    return 2;
  }
  const auto address = store::redis::parse_redis_address(argv[1]);
  runtime::Workers loop(1);
  store::redis::RedisStore store(loop.context(0), {.redis = address, .proxy = proxy});
  loop.start();
  store.wait_for_first_attempt(std::chrono::seconds(2));
  bench::Redis redis(address.address);
  for (const auto workload : {bench::Workload::hot, bench::Workload::spread}) {
    for (const std::size_t hits : {1, 16, 64, 256}) bench::measure(store, redis, workload, hits);
  }
  loop.stop();
  return 0;
}
