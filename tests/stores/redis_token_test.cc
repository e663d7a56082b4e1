// Records of tokens in a real Redis: the forms of older versions, an older counter beside this one, what is written and what is
// not, a proxy, and slots that move.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "domain/token.h"
#include "runtime/workers.h"
#include "store/count_reader.h"
#include "store/redis/cluster_store.h"
#include "store/redis/redis_count_reader.h"
#include "store/redis/redis_keys.h"
#include "store/redis/redis_store.h"
#include "store/redis/redis_token_keeper.h"
#include "store/token_keeper.h"
#include "store/token_rules.h"
#include "support/blocking_store.h"
#include "support/deadline.h"
#include "support/nutcracker.h"
#include "support/redis_cluster.h"
#include "support/redis_server.h"

namespace tracker::tests {
namespace {

using namespace std::chrono_literals;
using domain::Seconds;
using domain::TokenId;
using domain::TokenRecord;
using domain::TokenState;
using domain::Verdict;
using store::TokenKeeper;
using store::TokenRules;
using store::redis::ended_key;
using store::redis::held_key;
using store::redis::mark_key;
using store::redis::Origin;
using store::redis::redis_key;
using store::redis::RedisSettings;
using testing::HasSubstr;
using testing::Not;

constexpr Seconds start_s = 1'700'000'000;

/// The script of the version before there were records.
constexpr const char* older_script = R"(
local KEYS, ARGV, call = KEYS, ARGV, redis.pcall
local marks = ARGV[1]
if marks ~= '*' and string.sub(marks, 1, 8) ~= 'tracker:' then
  marks = 'tracker:store'
  local fence = call('HGET', marks, 'fence')
  if type(fence) ~= 'string' then fence = '' end
  if fence ~= ARGV[1] then return redis.error_reply('FENCED another counter has this Redis') end
end
local counts, key, known = {}, nil, nil
for i = 1, #KEYS do
  if KEYS[i] ~= key then
    key = KEYS[i]
    known = call('HEXISTS', key, '')
    if known == 0 then
      local its = marks ~= '*' and call('HGET', marks, ARGV[2 * i] == '' and 'holds' or 'marked')
      known = type(its) == 'string' and {err = 'HELD ' .. its}
    end
  end
  local path = ARGV[2 * i]
  if path == '' then
    counts[i] = known or call('HSETNX', key, '', ARGV[2 * i + 1])
  elseif known == 1 then
    counts[i] = call('HINCRBY', key, path, ARGV[2 * i + 1])
  else
    counts[i] = known
  end
end
return counts
)";

TokenId new_id() {
  return domain::token_id(domain::random_token());
}

/// A store that runs, with a clock of its own.
template <typename Store>
class Running {
 public:
  template <typename... Nodes>
  explicit Running(RedisSettings settings, const Nodes&... nodes)
      : store_(loop_.context(0), with_clock(std::move(settings)), nodes...) {
    loop_.start();
    for (const Deadline deadline; !deadline.passed(); std::this_thread::sleep_for(1ms)) {
      const auto readiness = store_.readiness().value();
      if (readiness.is_ready() && readiness.remarks().empty()) return;
    }
    ADD_FAILURE() << "it is not ready";
  }
  ~Running() { loop_.stop(); }

  RedisSettings with_clock(RedisSettings settings) {
    settings.rules.now_s = [this] { return now_s.load(); };
    return settings;
  }

  bool add(const TokenId& id, const TokenRecord& record = {.minted_s = start_s}) {
    Added added;
    store_.add_token(id, record, std::chrono::steady_clock::now() + 5s, added);
    return added.wait();
  }
  Verdict hit(const TokenId& id, const std::string& path = "/p") {
    domain::HitBatch hits;
    hits.push(id, path);
    hits.set_deadline(std::chrono::steady_clock::now() + 5s);
    return track(store_, hits).front();
  }
  // While a node has just changed, it refuses at first.
  Verdict hit_when_possible(const TokenId& id) {
    auto verdict = hit(id);
    for (const Deadline deadline; verdict == Verdict::not_counted() && !deadline.passed();) verdict = hit(id);
    return verdict;
  }

  // Waits until /readyz would have a remark, or none. Returns it.
  std::string wait_remark(bool wanted = true) const {
    for (const Deadline deadline; !deadline.passed(); std::this_thread::sleep_for(1ms)) {
      const auto remarks = store_.readiness().value().remarks();
      if (remarks.empty() != wanted) return wanted ? remarks.front() : "";
    }
    return wanted ? "" : "there is still one";
  }

  std::atomic<Seconds> now_s = start_s;

 private:
  runtime::Workers loop_{1};
  Store store_;
};
using RunningRedis = Running<store::redis::RedisStore>;
using RunningCluster = Running<store::redis::ClusterStore>;

// Sweeps all slots once. Returns how many tokens that removed.
std::size_t sweep(TokenKeeper& keeper, Seconds retain_s) {
  std::size_t removed = 0;
  for (bool is_end = false; !is_end;) {
    const auto step = keeper.sweep(domain::SlotSet{}.set(), retain_s);
    removed += step.removed;
    is_end = step.is_end;
  }
  return removed;
}

class RedisTokenTest : public testing::Test {
 protected:
  void open(const TokenRules& rules = {}) {
    RedisSettings settings{.redis = store::redis::parse_redis_address(redis_.address()), .rules = rules};
    store_.reset();
    store_ = std::make_unique<RunningRedis>(settings);
    settings = store_->with_clock(settings);
    keeper_ = store::redis::redis_token_keeper(settings);
    reader_ = store::redis::redis_count_reader(settings);
  }

  void put(const TokenId& id, const std::string& text, const std::vector<std::string>& paths) {
    redis_.command({"DEL", redis_key(id)});
    Arguments command{"HSET", redis_key(id), "", text};
    for (const auto& path : paths) command.insert(command.end(), {path, "5"});
    redis_.command(command);
  }
  std::string text_of(const TokenId& id) { return redis_.command({"HGET", redis_key(id), ""}).text; }
  TokenRecord record_of(const TokenId& id) { return reader_->find(id).value().record; }
  RedisReply older_hit(const TokenId& id, const std::string& path = "/p") {
    return redis_.command({"EVAL", older_script, "1", redis_key(id), "", path, "1"}).elements.at(0);
  }
  std::int64_t writes() {
    const auto text = redis_.command({"INFO", "persistence"}).text;
    const std::string name = "rdb_changes_since_last_save:";
    return std::stoll(text.substr(text.find(name) + name.size()));
  }

  RedisServer redis_;
  std::unique_ptr<RunningRedis> store_;
  std::unique_ptr<TokenKeeper> keeper_;
  std::unique_ptr<store::CountReader> reader_;
};

TEST_F(RedisTokenTest, TheScriptJudgesARecordAsTheDomainDoes) {
  open();
  const auto id = new_id();
  int ended = 0;
  int judged = 0;
  for (const Seconds expires : {0, 1'000, 5'000}) {
    for (const Seconds idle : {0, 1, 7, 800, 40'000}) {
      for (const Seconds used : {0, 950}) {
        for (const Seconds use_by : {0, 990}) {
          for (const Seconds revoked : {0, 960}) {
            for (const int paths : {-1, 0, 1}) {
              TokenRecord record{.minted_s = 940,
                                 .expires_s = expires,
                                 .idle_s = idle,
                                 .used_s = used,
                                 .use_by_s = use_by,
                                 .revoked_s = revoked,
                                 .label = "expires=1 used=2"};
              if (paths >= 0) record.paths = {static_cast<std::uint64_t>(paths), paths * 2ULL};
              const auto original = record;
              const auto end = end_of(record);
              for (const auto now : {Seconds{941}, end - 1, end, end + 1, Seconds{100'000}}) {
                if (now < 941 || now > 200'000) continue;
                put(id, Origin{.record = record}.to_string(),
                    paths == 1 ? std::vector<std::string>{"/p"} : std::vector<std::string>{});
                store_->now_s = now;
                const auto expected = state_of(record, now) == TokenState::active
                                          ? Verdict::counted(paths == 1 ? 6 : 1)
                                          : Verdict::unknown_token();
                EXPECT_EQ(store_->hit(id), expected) << Origin{.record = record}.to_string() << " at " << now;
                ++judged;
                if (expected == Verdict::unknown_token()) {
                  ++ended;
                  continue;
                }
                // The next ones judge by what this one has noted.
                record = record_of(id);
                EXPECT_EQ(record.label, "expires=1 used=2");
                const auto then = end_of(record);
                for (const auto later : {then - 1, then}) {
                  if (then == 0) continue;
                  const auto before = record_of(id);
                  store_->now_s = later;
                  EXPECT_EQ(store_->hit(id).kind == Verdict::Kind::counted,
                            state_of(before, later) == TokenState::active)
                      << Origin{.record = before}.to_string() << " at " << later;
                }
                record = original;
              }
            }
          }
        }
      }
    }
  }
  EXPECT_GT(ended, 100);
  EXPECT_GT(judged - ended, 100);
}

TEST_F(RedisTokenTest, TokensOfOlderVersionsAreValidAndBounded) {
  for (const char* text : {"1600000000", "0", "true", "", "1600000000 ab000000000000000000000000000000"}) {
    SCOPED_TRACE(text);
    const auto id = new_id();
    open({.paths_max = 4, .path_bytes_max = 10});
    put(id, text, {"/1", "/22"});
    EXPECT_EQ(store_->hit(id, "/1"), Verdict::counted(6));
    EXPECT_EQ(text_of(id), text) << "a hit on a known path writes nothing else";
    EXPECT_EQ(record_of(id).paths, std::nullopt);
    EXPECT_EQ(store_->hit(id, "/45678"), Verdict::too_many_paths()) << "11 bytes";
    EXPECT_EQ(store_->hit(id, "/4567"), Verdict::counted(1));
    EXPECT_EQ(record_of(id).paths, (TokenRecord::Paths{3, 10}));
    EXPECT_EQ(store_->hit(id, "x"), Verdict::too_many_paths());
    EXPECT_EQ(store_->hit(id, "/22"), Verdict::counted(6));
    EXPECT_EQ(reader_->find(id)->total, 13);

    put(id, text, {"/1", "/2", "/3", "/4", "/5"});
    EXPECT_EQ(store_->hit(id, "/6"), Verdict::too_many_paths()) << "more are there than there may be";
    EXPECT_EQ(store_->hit(id, "/5"), Verdict::counted(6));
    EXPECT_EQ(reader_->find(id)->paths, 5U);
  }
}

TEST_F(RedisTokenTest, ATokenOfAnOlderVersionThatGetsAnIdleLimitCountsAsUsedNow) {
  open();
  const auto id = new_id();
  put(id, "1600000000", {"/p"});
  EXPECT_TRUE(keeper_->change(id, {.idle_s = 80}));
  store_->now_s = start_s + 89;
  EXPECT_EQ(store_->hit(id), Verdict::counted(6));
  store_->now_s = start_s + 89 + 90;
  EXPECT_EQ(store_->hit(id), Verdict::unknown_token());
}

TEST_F(RedisTokenTest, ALaterVersionsRecordIsNotTouched) {
  open();
  for (const std::string text : {"1700000000 v=2 x", "1700000000 ab000000000000000000000000000000 v=2"}) {
    const auto id = new_id();
    put(id, text, {"/p"});
    EXPECT_EQ(store_->hit(id), Verdict::not_counted());
    EXPECT_THROW(keeper_->change(id, {.revokes = true}), store::StoreError);
    EXPECT_THROW(reader_->find(id), store::StoreError);
    keeper_->sweep(domain::SlotSet{}.set(), 0);
    EXPECT_EQ(text_of(id), text);
  }
}

// Refused paths, and hits on known ones, must not fill the file of a Redis that keeps everything.
TEST_F(RedisTokenTest, AFullTokenIsNotWrittenForPathsThatItDoesNotGet) {
  open({.paths_max = 1});
  const auto id = new_id();
  ASSERT_TRUE(store_->add(id));
  EXPECT_EQ(store_->hit(id), Verdict::counted(1));
  EXPECT_EQ(store_->hit(id, "/0"), Verdict::too_many_paths());
  const auto before = writes();
  for (int i = 0; i < 100; ++i)
    EXPECT_EQ(store_->hit(id, "/" + std::to_string(i)), Verdict::too_many_paths());
  EXPECT_EQ(writes(), before);
  for (int i = 0; i < 100; ++i) EXPECT_EQ(store_->hit(id), Verdict::counted(i + 2));
  EXPECT_EQ(writes(), before + 100);
  EXPECT_EQ(record_of(id).others, "");
  open({.paths_max = 2});
  EXPECT_EQ(store_->hit(id, "/0"), Verdict::counted(1)) << "the bound has risen";
  EXPECT_EQ(store_->hit(id, "/1"), Verdict::too_many_paths());
  open({.paths_max = 4});
  EXPECT_EQ(store_->hit(id, "/1"), Verdict::counted(1));
  EXPECT_THAT(text_of(id), Not(HasSubstr("full"))) << "from then on its hits cost no more than others'";
  EXPECT_EQ(store_->hit(id, "/2"), Verdict::counted(1));
  EXPECT_EQ(store_->hit(id, "/3"), Verdict::too_many_paths());
}

TEST_F(RedisTokenTest, AKnownPathIsOneWriteAndNothingElse) {
  open({.paths_max = 10, .path_bytes_max = 1'000});
  const auto id = new_id();
  ASSERT_TRUE(store_->add(id, {.minted_s = start_s, .expires_s = start_s + 9'000, .use_by_s = start_s + 10}));
  EXPECT_EQ(store_->hit(id), Verdict::counted(1));
  const auto before = writes();
  redis_.command({"CONFIG", "RESETSTAT"});
  for (int i = 0; i < 50; ++i) EXPECT_EQ(store_->hit(id), Verdict::counted(i + 2));
  EXPECT_EQ(writes(), before + 50);
  const auto stats = redis_.command({"INFO", "commandstats"}).text;
  EXPECT_THAT(stats, HasSubstr("cmdstat_hincrby:calls=5"));
  for (const char* other : {"cmdstat_hlen", "cmdstat_hset:", "cmdstat_hkeys", "cmdstat_hdel"})
    EXPECT_THAT(stats, Not(HasSubstr(other)));
}

// A hash whose values are longer than 64 bytes takes twice the memory, and more time for each hit.
TEST_F(RedisTokenTest, ANewPathIsOneWriteAndTheRecordStaysShort) {
  open({.paths_max = 10'000, .path_bytes_max = 1024 * 1024, .tokens_max = 1'000});
  const auto id = new_id();
  ASSERT_TRUE(
      store_->add(id, {.minted_s = start_s, .expires_s = start_s + 9'000, .use_by_s = start_s + 3'000}));
  EXPECT_EQ(store_->hit(id, "/0"), Verdict::counted(1));
  const auto before = writes();
  for (int i = 1; i < 100; ++i) EXPECT_EQ(store_->hit(id, "/" + std::to_string(i)), Verdict::counted(1));
  EXPECT_EQ(writes(), before + 99);
  EXPECT_LE(text_of(id).size(), 64U) << text_of(id);
  EXPECT_EQ(redis_.command({"OBJECT", "ENCODING", redis_key(id)}).text, "listpack");
  store_->now_s = start_s + 3'000;
  EXPECT_EQ(store_->hit(id, "/0"), Verdict::counted(2)) << "it had to be used until now";
  store_->now_s = start_s + 9'000;
  EXPECT_EQ(store_->hit(id, "/0"), Verdict::unknown_token());
}

// While the paths are few, nobody knows their bytes.
TEST_F(RedisTokenTest, TheBoundOnBytesIsExactFromThePathOnThatMayBreakIt) {
  constexpr std::uint64_t longest = 8 * 1024;
  const auto path = [](int number, std::size_t bytes) {
    auto text = "/" + std::to_string(number);
    return text + std::string(bytes - text.size(), 'p');
  };
  for (const std::size_t last : {longest, longest - 1, std::size_t{10}}) {
    open({.path_bytes_max = 4 * longest + last});
    const auto id = new_id();
    ASSERT_TRUE(store_->add(id));
    for (int i = 0; i < 4; ++i) {
      EXPECT_EQ(record_of(id).paths.has_value(), i == 0) << i;
      EXPECT_EQ(store_->hit(id, path(i, longest)), Verdict::counted(1));
    }
    EXPECT_EQ(store_->hit(id, path(4, last)), Verdict::counted(1));
    EXPECT_EQ(store_->hit(id, "/"), Verdict::too_many_paths());
    EXPECT_EQ(store_->hit(id, path(4, last)), Verdict::counted(2));
    EXPECT_EQ(reader_->find(id)->paths, 5U);
    open({.path_bytes_max = 4 * longest + last + 1});
    EXPECT_EQ(store_->hit(id, "/"), Verdict::counted(1));
    EXPECT_EQ(store_->hit(id, "x"), Verdict::too_many_paths());
  }
}

// A path of tracker has 8 KiB at most. The first tracker's may be longer.
TEST_F(RedisTokenTest, TheBoundOnBytesIsExactForTokensThatWereImportedWithLongerPaths) {
  const std::string longer(20'000, 'p');
  const std::string longest(8 * 1024, 'q');
  open({.path_bytes_max = 30'000});
  auto id = new_id();
  put(id, "1700000000 ab000000000000000000000000000000 bytes=20000", {longer});
  EXPECT_EQ(store_->hit(id, longest), Verdict::counted(1));
  EXPECT_EQ(record_of(id).paths, (TokenRecord::Paths{2, 28'192}));
  EXPECT_EQ(store_->hit(id, longest + "q"), Verdict::too_many_paths());
  EXPECT_EQ(store_->hit(id, std::string(1'808, 'r')), Verdict::counted(1));
  EXPECT_EQ(store_->hit(id, "r"), Verdict::too_many_paths());
  EXPECT_EQ(store_->hit(id, longer), Verdict::counted(6));

  open({.path_bytes_max = 19'999});
  id = new_id();
  put(id, "1700000000 ab000000000000000000000000000000 bytes=20000", {longer});
  EXPECT_EQ(store_->hit(id, "r"), Verdict::too_many_paths()) << "it has more than it may have";
  EXPECT_EQ(store_->hit(id, longer), Verdict::counted(6));

  // Once it has so many paths that it might have had those bytes in shorter ones, nobody needs to know them.
  open({.path_bytes_max = 100'000});
  id = new_id();
  put(id, "1700000000 ab000000000000000000000000000000 bytes=20000", {longer});
  for (const char* path : {"/1", "/2", "/3"}) {
    EXPECT_TRUE(record_of(id).paths) << path;
    EXPECT_EQ(store_->hit(id, path), Verdict::counted(1));
  }
  EXPECT_FALSE(record_of(id).paths);

  open({.paths_max = 2});
  id = new_id();
  put(id, "1700000000 ab000000000000000000000000000000 bytes=20000", {longer});
  EXPECT_EQ(store_->hit(id, longest), Verdict::counted(1));
  EXPECT_EQ(store_->hit(id, "/"), Verdict::too_many_paths());
}

TEST_F(RedisTokenTest, AnOlderCounterBesideThisOneIsExact) {
  open();
  const auto id = new_id();
  ASSERT_TRUE(store_->add(id));
  std::vector<bool> counted(1'001);
  std::atomic<int> doubles = 0;
  std::mutex mutex;
  const auto note = [&](std::int64_t count) {
    const std::lock_guard lock(mutex);
    if (counted.at(static_cast<std::size_t>(count))) ++doubles;
    counted.at(static_cast<std::size_t>(count)) = true;
  };
  std::jthread older([&] {
    for (int i = 0; i < 500; ++i) note(older_hit(id).integer);
  });
  for (int i = 0; i < 500; ++i) note(store_->hit(id).count);
  older.join();
  EXPECT_EQ(doubles, 0);
  EXPECT_EQ(std::count(counted.begin(), counted.end(), true), 1'000);

  // It finds a revoked token no more than this one does, and one that has expired from the next sweep on.
  EXPECT_TRUE(keeper_->change(id, {.revokes = true}));
  EXPECT_EQ(store_->hit(id), Verdict::unknown_token());
  EXPECT_TRUE(older_hit(id).text.empty());
  EXPECT_EQ(older_hit(id).integer, 0);
  const auto expired = new_id();
  ASSERT_TRUE(store_->add(expired, {.minted_s = start_s, .expires_s = start_s + 10}));
  EXPECT_EQ(older_hit(expired).integer, 1);
  store_->now_s = start_s + 10;
  EXPECT_EQ(store_->hit(expired), Verdict::unknown_token());
  sweep(*keeper_, 1'000);
  EXPECT_EQ(older_hit(expired).integer, 0);
  EXPECT_EQ(redis_.command({"EXISTS", redis_key(expired)}).integer, 0);
  EXPECT_EQ(reader_->find(expired)->total, 1);
  // The clock was wrong.
  store_->now_s = start_s + 5;
  sweep(*keeper_, 1'000);
  EXPECT_EQ(store_->hit(expired), Verdict::counted(2));
}

TEST_F(RedisTokenTest, AKeyThatIsNoTokenKeepsNoOtherFromBeingSwept) {
  open();
  redis_.command({"SET", redis_key(new_id()), "not a hash"});
  const auto id = new_id();
  ASSERT_TRUE(store_->add(id, {.minted_s = start_s, .expires_s = start_s + 10}));
  store_->now_s = start_s + 10;
  EXPECT_EQ(sweep(*keeper_, 0), 1U);
}

// Each new path changes what the change compares, and must not keep it from being done.
TEST_F(RedisTokenTest, ARevocationComesThroughAFloodOfNewPaths) {
  open({.path_bytes_max = 8'000});
  const auto id = new_id();
  ASSERT_TRUE(store_->add(id));
  std::atomic<bool> has_begun = false;
  std::jthread flood([&](const std::stop_token& stop) {
    for (int i = 0; !stop.stop_requested(); ++i) {
      store_->hit(id, "/" + std::to_string(i));
      has_begun = true;
      has_begun.notify_one();
    }
  });
  has_begun.wait(false);
  for (int i = 0; i < 100; ++i)
    EXPECT_EQ(keeper_->change(id, {.label = std::to_string(i)})->label, std::to_string(i));
  EXPECT_TRUE(keeper_->change(id, {.revokes = true}));
  flood.request_stop();
  flood.join();
  EXPECT_EQ(store_->hit(id), Verdict::unknown_token());
  const auto found = reader_->find(id).value();
  EXPECT_EQ(found.record.paths->number, found.paths);
  EXPECT_EQ(static_cast<std::int64_t>(found.paths), found.total);
}

TEST_F(RedisTokenTest, CountersTogetherMintNoMoreTokensThanThereMayBe) {
  open({.tokens_max = 50});
  RunningRedis other(
      {.redis = store::redis::parse_redis_address(redis_.address()), .rules = {.tokens_max = 50}});
  const auto keys = redis_.command({"DBSIZE"}).integer;
  std::atomic<int> minted = 0;
  {
    std::vector<std::jthread> clients;
    for (int client = 0; client < 4; ++client) {
      clients.emplace_back([&, client] {
        auto& its = client % 2 == 0 ? *store_ : other;
        for (int i = 0; i < 100; ++i) minted += its.add(new_id()) ? 1 : 0;
      });
    }
  }
  EXPECT_EQ(minted, 50 - keys);
  EXPECT_EQ(redis_.command({"DBSIZE"}).integer, 50);
  EXPECT_EQ(store_->hit(new_id()), Verdict::unknown_token());
  // Both say so until there is room again.
  for (auto* its : {&*store_, &other})
    EXPECT_THAT(its->wait_remark(), HasSubstr("as many keys as --tokens-max allows it, 50"));
  for (const auto& key : redis_.command({"KEYS", "tracker:{*"}).elements) redis_.command({"DEL", key.text});
  for (auto* its : {&*store_, &other}) EXPECT_EQ(its->wait_remark(false), "");
  EXPECT_TRUE(other.add(new_id()));
}

// Where what bounds take is denied, it counts without them, as it did, and says so.
TEST_F(RedisTokenTest, WithAnAclOfAnOlderVersionItCountsWithoutBounds) {
  redis_.command({"ACL", "SETUSER", "counter", "on", ">secret", "~tracker:*", "-@all", "+hsetnx", "+hexists",
                  "+hincrby", "+eval", "+evalsha", "+del", "+ping", "+config|get", "+info"});
  RunningRedis store(
      {.redis = store::redis::parse_redis_address("redis://counter:secret@" + redis_.address()),
       .rules = {.paths_max = 1, .path_bytes_max = 3, .tokens_max = 1}});
  const auto id = new_id();
  EXPECT_TRUE(store.add(id));
  for (int i = 1; i < 3; ++i) {
    EXPECT_EQ(store.hit(id, "/1"), Verdict::counted(i));
    EXPECT_EQ(store.hit(id, "/2"), Verdict::counted(i));
  }
}

TEST(ProxyTokenTest, ATokenIsRevokedInItsRecordAndPurgedByOneCommand) {
  std::deque<RedisServer> redis;
  std::vector<Endpoint> endpoints;
  while (redis.size() < Nutcracker::servers) endpoints.push_back(redis.emplace_back().endpoint());
  const Nutcracker proxy(endpoints);
  RedisSettings settings{.redis = store::redis::parse_redis_address(proxy.address()),
                         .proxy = true,
                         .rules = {.paths_max = 2, .tokens_max = 1}};
  EXPECT_FALSE(can_bound_tokens(settings));
  RunningRedis store(settings);
  settings = store.with_clock(settings);
  const auto keeper = store::redis::redis_token_keeper(settings);
  const auto reader = store::redis::redis_count_reader(settings);
  for (int i = 0; i < 10; ++i) {
    const auto id = new_id();
    ASSERT_TRUE(store.add(id));
    EXPECT_EQ(store.hit(id, "/1"), Verdict::counted(1));
    EXPECT_EQ(store.hit(id, "/2"), Verdict::counted(1));
    EXPECT_EQ(store.hit(id, "/3"), Verdict::too_many_paths());
    EXPECT_EQ(store.hit(id, "/1"), Verdict::counted(2));
    EXPECT_EQ(keeper->change(id, {.label = "a label"})->label, "a label");
    EXPECT_TRUE(keeper->change(id, {.expires_s = start_s}));
    EXPECT_EQ(store.hit(id, "/1"), Verdict::unknown_token());
    EXPECT_TRUE(keeper->change(id, {.expires_s = 0}));
    EXPECT_EQ(store.hit(id, "/1"), Verdict::counted(3));
    EXPECT_TRUE(keeper->change(id, {.revokes = true}));
    EXPECT_EQ(store.hit(id, "/1"), Verdict::unknown_token());
    EXPECT_EQ(reader->find(id)->total, 4);
    EXPECT_EQ(reader->find(id)->record.label, "a label");
    EXPECT_FALSE(keeper->purge(id, 1));
    EXPECT_TRUE(keeper->purge(id, 0));
    EXPECT_EQ(reader->find(id), std::nullopt);
  }
  EXPECT_THROW(keeper->sweep(domain::SlotSet{}.set(), 0), store::UnsupportedError);
}

class ClusterTokenTest : public testing::Test {
 protected:
  ClusterTokenTest() {
    settings_ = store_.with_clock(settings_);
    keeper_ = store::redis::cluster_token_keeper(settings_, nodes());
    reader_ = store::redis::cluster_count_reader(settings_, nodes());
  }
  std::vector<runtime::Address> nodes() const {
    return {{cluster_.node(0).endpoint().host, cluster_.node(0).endpoint().port}};
  }
  static TokenId id_in(domain::Slot slot) {
    while (true) {
      const auto id = new_id();
      if (domain::slot_of(id) == slot) return id;
    }
  }

  RedisCluster cluster_{3};
  RedisSettings settings_{};
  RunningCluster store_{settings_, nodes()};
  std::unique_ptr<TokenKeeper> keeper_;
  std::unique_ptr<store::CountReader> reader_;
};

// Before its key moves, when it has moved, and when the slot has.
TEST_F(ClusterTokenTest, ATokenWhoseSlotMovesIsRevokedAtOnce) {
  constexpr domain::Slot slot = 5;  // of the first master
  std::vector<TokenId> ids;
  for (int i = 0; i < 4; ++i) {
    ids.push_back(id_in(slot));
    ASSERT_TRUE(store_.add(ids.back()));
    EXPECT_EQ(store_.hit(ids.back()), Verdict::counted(1));
  }
  const auto revoke = [&](const TokenId& id) {
    EXPECT_TRUE(keeper_->change(id, {.revokes = true}));
    EXPECT_EQ(store_.hit_when_possible(id), Verdict::unknown_token());
    EXPECT_EQ(reader_->find(id)->total, 1);
  };
  revoke(ids[0]);
  cluster_.begin_move(slot, 0, 1);
  revoke(ids[1]);
  cluster_.migrate({redis_key(ids[2])}, 0, 1);
  revoke(ids[2]);
  EXPECT_EQ(store_.hit_when_possible(ids[3]), Verdict::counted(2));
  cluster_.move_keys(slot, 0, 1);
  cluster_.end_move(slot, 0, 1);
  EXPECT_TRUE(keeper_->change(ids[3], {.label = "moved"}));
  EXPECT_EQ(store_.hit_when_possible(ids[3]), Verdict::counted(3));
  for (int i = 0; i < 3; ++i)
    EXPECT_EQ(store_.hit_when_possible(ids[static_cast<std::size_t>(i)]), Verdict::unknown_token());
  EXPECT_EQ(sweep(*keeper_, 1'000), 0U);
  for (int i = 0; i < 3; ++i) {
    const auto& id = ids[static_cast<std::size_t>(i)];
    EXPECT_EQ(cluster_.node(1).command({"EXISTS", ended_key(id)}).integer, 1)
        << "an older counter does not find it";
    EXPECT_EQ(cluster_.node(1).command({"EXISTS", redis_key(id)}).integer, 0);
  }
  store_.now_s = start_s + 1'000;
  EXPECT_EQ(sweep(*keeper_, 1'000), 3U);
  EXPECT_EQ(store_.hit_when_possible(ids[3]), Verdict::counted(4));
}

// The mark is still at the node that gives the slot, and the token is at the one that takes it.
TEST_F(ClusterTokenTest, TheSweepLeavesATokenAloneWhoseSlotIsHeldAndMoves) {
  constexpr domain::Slot slot = 5;
  const auto id = id_in(slot);
  ASSERT_TRUE(store_.add(id));
  EXPECT_TRUE(keeper_->change(id, {.revokes = true}));
  const std::string text = "h 000102030405060708090a0b0c0d0e0f";
  cluster_.node(0).command({"HSET", mark_key(slot), "marked", text, "holds", text});
  cluster_.begin_move(slot, 0, 1);
  cluster_.migrate({ended_key(id)}, 0, 1);
  store_.now_s = start_s + 1'000;
  EXPECT_EQ(sweep(*keeper_, 0), 0U);
  cluster_.move_keys(slot, 0, 1);
  cluster_.end_move(slot, 0, 1);
  EXPECT_EQ(cluster_.node(1).command({"EXISTS", ended_key(id)}).integer, 1);
  EXPECT_EQ(sweep(*keeper_, 0), 0U);
  cluster_.node(1).command({"DEL", mark_key(slot)});
  EXPECT_EQ(sweep(*keeper_, 0), 1U);
}

}  // namespace
}  // namespace tracker::tests
