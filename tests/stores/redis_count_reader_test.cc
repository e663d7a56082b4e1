// Tokens and counts that are read in a real Redis, in a real Redis Cluster, and through a real nutcracker, while a store counts in
// them.

#include "store/redis/redis_count_reader.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <deque>
#include <functional>
#include <iterator>
#include <map>
#include <memory>
#include <optional>
#include <sstream>
#include <stop_token>
#include <string>
#include <thread>
#include <vector>

#include "domain/slot.h"
#include "domain/token.h"
#include "store/count_reader.h"
#include "store/redis/redis_keys.h"
#include "store/store_error.h"
#include "stores/redis_kinds.h"
#include "support/faulty_link.h"
#include "support/nutcracker.h"

namespace tracker::tests {
namespace {

using namespace std::chrono_literals;
using domain::SlotSet;
using domain::TokenId;
using domain::Verdict;
using store::CountReader;
using store::CountsQuery;
using store::SlotMark;
using store::StoredCount;
using store::TokenSummary;
using store::redis::held_key;
using store::redis::redis_key;
using testing::ElementsAre;
using testing::Field;
using testing::HasSubstr;
using testing::IsEmpty;
using Mark = SlotMark::Kind;
using Paths = std::map<std::string, std::int64_t>;

constexpr std::uint64_t minted_s = 1'700'000'000;
constexpr std::size_t no_limit = 1'000'000;

std::vector<TokenSummary> list_all(CountReader& reader, std::size_t limit = no_limit,
                                   const SlotSet& slots = all_slots) {
  std::vector<TokenSummary> all;
  std::optional<TokenId> after;
  for (auto page = reader.list(slots, after, limit); !page.empty(); page = reader.list(slots, after, limit)) {
    EXPECT_LE(page.size(), limit);
    all.insert(all.end(), page.begin(), page.end());
    after = page.back().id;
  }
  return all;
}

std::vector<TokenId> ids_of(const std::vector<TokenSummary>& tokens) {
  std::vector<TokenId> ids;
  for (const auto& token : tokens) ids.push_back(token.id);
  return ids;
}

std::vector<StoredCount> read_all(CountReader& reader, const TokenId& id, const std::string& prefix = "",
                                  std::size_t limit = no_limit) {
  std::vector<StoredCount> all;
  for (bool is_more = true; is_more;) {
    const auto page =
        reader.read(id, {.prefix = prefix, .after = all.empty() ? "" : all.back().path, .limit = limit});
    if (!page) {
      ADD_FAILURE() << "there is no such token";
      return all;
    }
    EXPECT_LE(page->counts.size(), limit);
    is_more = page->is_more;
    if (is_more && page->counts.empty()) {
      ADD_FAILURE() << "an empty page, and others behind it";
      return all;
    }
    all.insert(all.end(), page->counts.begin(), page->counts.end());
  }
  return all;
}

std::vector<StoredCount> those_with(const std::string& prefix, const Paths& paths) {
  std::vector<StoredCount> counts;
  for (const auto& [path, count] : paths) {
    if (path.starts_with(prefix)) counts.push_back({path, count});
  }
  return counts;
}

TokenSummary summary(const TokenId& id, const Paths& paths) {
  std::int64_t total = 0;
  for (const auto& [path, count] : paths) total += count;
  return {.id = id, .record = {.minted_s = minted_s}, .paths = paths.size(), .total = total};
}

class RedisCountReaderTest : public RedisKindsTest {
 protected:
  std::unique_ptr<CountReader> reader(std::size_t ids_max = 1'000) const {
    return reader(settings_, ids_max);
  }
  static std::unique_ptr<CountReader> reader(const store::redis::RedisSettings& settings,
                                             std::size_t ids_max = 1'000) {
    return is_cluster() ? store::redis::cluster_count_reader(settings, {settings.redis.address}, ids_max)
                        : store::redis::redis_count_reader(settings, ids_max);
  }

  // A token with these counts.
  TokenId put(const Paths& paths, const SlotSet& slots = all_slots) {
    const auto id = token_in(slots);
    put(id, paths);
    return id;
  }
  void put(const TokenId& id, const Paths& paths) {
    Arguments arguments{"HSET", redis_key(id), "", std::to_string(minted_s)};
    for (const auto& [path, count] : paths) {
      arguments.insert(arguments.end(), {path, std::to_string(count)});
      if (arguments.size() < 2'000) continue;
      command(id, arguments);
      arguments.resize(2);
    }
    if (arguments.size() > 2) command(id, arguments);
  }

  void count(const TokenId& id, const Paths& paths) {
    domain::HitBatch hits;
    for (const auto& [path, count] : paths) {
      for (auto i = count; i > 0; --i) hits.push(id, path);
    }
    if (hits.size() == 0) return;
    for (const auto& verdict : track(*store_, hits)) ASSERT_EQ(verdict.kind, Verdict::Kind::counted);
  }

  /// The export reads what is held.
  void read_for_export(const SlotSet& slots) {
    const auto held = contents_->read(slots);
    while (!held->next().empty()) {
    }
  }
};

INSTANTIATE_TEST_SUITE_P(Kinds, RedisCountReaderTest, testing::Values(Kind::one, Kind::cluster),
                         [](const auto& its) { return its.param == Kind::one ? "One" : "Cluster"; });

Paths many_paths(int number) {
  Paths paths;
  for (int i = 0; i < number; ++i) paths["/" + std::to_string(i * 7919 % number)] = i + 1;
  return paths;
}

TEST_P(RedisCountReaderTest, WhatIsCountedIsWhatIsRead) {
  EXPECT_THAT(list_all(*reader()), IsEmpty());
  std::map<TokenId, Paths> expected;
  for (int i = 0; i < 50; ++i) {
    const auto id = token_in(all_slots);
    ASSERT_TRUE(mint(id));
    auto& paths = expected[id];
    for (int path = 0; path < i % 7; ++path) paths["/" + std::to_string(path)] = path + i;
    count(id, paths);
  }
  const auto its = reader();
  auto token = expected.begin();
  for (const auto& found : list_all(*its, 7)) {
    ASSERT_NE(token, expected.end());
    const auto& [id, paths] = *token++;
    const auto wanted = summary(id, paths);
    EXPECT_EQ(found.id, id);
    EXPECT_GT(found.record.minted_s, minted_s);
    EXPECT_EQ(found.paths, wanted.paths);
    EXPECT_EQ(found.total, wanted.total);
    EXPECT_EQ(its->find(id), found);
    EXPECT_EQ(read_all(*its, id, "", 3), those_with("", paths));
  }
  EXPECT_EQ(token, expected.end());
  EXPECT_EQ(its->find(token_in(all_slots)), std::nullopt);
  EXPECT_EQ(its->read(token_in(all_slots), {.limit = 1}), std::nullopt);
}

TEST_P(RedisCountReaderTest, ListsAllTokensInOrderHoweverLittleIsKept) {
  std::map<TokenId, TokenSummary> tokens;
  const auto add = [&](const Paths& paths) {
    const auto id = put(paths);
    tokens[id] = summary(id, paths);
  };
  for (int i = 0; i < 300; ++i) add(many_paths(i % 5));
  add(many_paths(400));
  add(many_paths(700));
  add(many_paths(20'000));
  add({{"/most", INT64_MAX}});
  const auto stranger = token_in(all_slots);
  command(stranger, {"HSET", redis_key(stranger), "/no", "5"});  // nobody minted it
  nodes_.front()->command({"SET", "tracker:strange{", "x"});
  std::vector<TokenSummary> expected;
  for (const auto& [id, token] : tokens) expected.push_back(token);
  for (const std::size_t ids_max : {40, 1'000}) {
    SCOPED_TRACE(ids_max);
    EXPECT_EQ(list_all(*reader(ids_max), 9), expected);
    EXPECT_EQ(list_all(*reader(ids_max)), expected);
  }
  std::erase_if(expected, [](const auto& token) { return !half()[domain::slot_of(token.id)]; });
  EXPECT_EQ(list_all(*reader(), no_limit, half()), expected);
  EXPECT_THAT(list_all(*reader(), no_limit, SlotSet()), IsEmpty());
}

TEST_P(RedisCountReaderTest, AStepIsShort) {
  for (int i = 0; i < 100; ++i) put(many_paths(100));
  const auto its = reader();
  std::optional<TokenId> after;
  for (auto step = its->list(all_slots, after, no_limit); !step.empty();
       step = its->list(all_slots, after, no_limit)) {
    EXPECT_LE(step.size(), 5U);
    after = step.back().id;
  }
}

// A list that goes on knows the ids, but no counts. One that begins elsewhere looks for the ids.
TEST_P(RedisCountReaderTest, WhatIsCountedBetweenTwoStepsIsSeen) {
  std::vector<TokenId> ids;
  for (const auto& id : tokens_in(all_slots, 20)) {
    ids.push_back(id);
    put(id, {{"/p", 1}});
  }
  const auto its = reader();
  EXPECT_EQ(ids_of(its->list(all_slots, std::nullopt, 2)), (std::vector{ids[0], ids[1]}));
  for (const auto& id : ids) ASSERT_EQ(hit(id), Verdict::counted(2));
  command(ids[2], {"DEL", redis_key(ids[2])});
  const auto next = its->list(all_slots, ids[1], 2);
  ASSERT_FALSE(next.empty());
  EXPECT_EQ(next.front(), (TokenSummary{ids[3], {.minted_s = minted_s}, 1, 2}));
  put(ids[2], {{"/p", 1}});
  EXPECT_EQ(ids_of(its->list(all_slots, ids[1], 1)), std::vector{ids[2]});
  EXPECT_EQ(ids_of(its->list(all_slots, ids[18], 5)), std::vector{ids[19]});
  EXPECT_THAT(its->list(all_slots, ids[19], 5), IsEmpty());
  EXPECT_EQ(ids_of(its->list(all_slots, std::nullopt, 1)), std::vector{ids[0]});
}

TEST_P(RedisCountReaderTest, PrefixesAreTakenAsTheyAre) {
  Paths paths;
  const std::string bytes = std::string("*?[]\\^-a{}\"\r\n\xff", 14) + '\0';
  std::int64_t number = 0;
  for (const char first : bytes) {
    paths[std::string("/") + first] = ++number;
    for (const char second : bytes) paths[std::string("/") + first + second + "end"] = ++number;
  }
  for (int i = 0; i < 600; ++i) paths["/x" + std::to_string(i)] = ++number;
  const auto id = put(paths);
  const auto its = reader();
  EXPECT_EQ(read_all(*its, id), those_with("", paths));
  std::vector<std::string> prefixes{"/",      "/x",     "/x59",  "nothing", "/x599",
                                    "/x5999", "/[a-z]", "/[^a]", "/\\"};
  for (const char first : bytes) {
    prefixes.push_back(std::string("/") + first);
    for (const char second : bytes) prefixes.push_back(std::string("/") + first + second);
  }
  for (const auto& prefix : prefixes)
    EXPECT_EQ(read_all(*its, id, prefix, 50), those_with(prefix, paths)) << prefix;
}

TEST_P(RedisCountReaderTest, PagesFollowEachOther) {
  const auto paths = many_paths(1'000);
  const auto id = put(paths);
  const auto its = reader();
  const auto all = those_with("", paths);
  for (const std::size_t limit : {std::size_t{7}, std::size_t{999}, std::size_t{1'000}, no_limit})
    EXPECT_EQ(read_all(*its, id, "", limit), all) << limit;
  const auto page = its->read(id, {.after = "/5", .limit = 2});
  ASSERT_TRUE(page);
  EXPECT_EQ(page->record.minted_s, minted_s);
  EXPECT_TRUE(page->is_more);
  EXPECT_THAT(page->counts, ElementsAre(Field(&StoredCount::path, "/50"), Field(&StoredCount::path, "/500")));
  const auto last = its->read(id, {.prefix = "/99", .after = "/998", .limit = 1});
  ASSERT_TRUE(last);
  EXPECT_FALSE(last->is_more);
  EXPECT_THAT(last->counts, ElementsAre(Field(&StoredCount::path, "/999")));
  const auto none = its->read(id, {.after = "/999", .limit = 1});
  ASSERT_TRUE(none);
  EXPECT_EQ(*none, (store::TokenCounts{.record = {.minted_s = minted_s}}));
}

TEST_P(RedisCountReaderTest, APageHasAMebibyteAtMost) {
  Paths paths;
  for (int i = 0; i < 300; ++i) paths["/" + std::to_string(i) + std::string(8'000, 'x')] = i;
  const auto id = put(paths);
  const auto its = reader();
  const auto page = its->read(id, {.limit = no_limit});
  ASSERT_TRUE(page);
  EXPECT_TRUE(page->is_more);
  EXPECT_LE(page->counts.size(), 131U);
  EXPECT_GT(page->counts.size(), 100U);
  EXPECT_EQ(read_all(*its, id), those_with("", paths));
  EXPECT_EQ(list_all(*its), std::vector{summary(id, paths)});
}

TEST_P(RedisCountReaderTest, HeldTokensAreReadByEitherKey) {
  const auto slots = half();
  std::vector<TokenSummary> tokens;
  const Paths paths{{"/a", 1}, {"/b", 2}};
  for (const auto& id : tokens_in(all_slots, 40)) {
    put(id, paths);
    tokens.push_back(summary(id, paths));
  }
  const auto id = put(many_paths(2'000), slots);
  tokens.push_back(summary(id, many_paths(2'000)));
  std::ranges::sort(tokens, {}, &TokenSummary::id);
  const auto expect_all = [&] {
    for (const auto& its : {reader(), reader(3)}) {
      EXPECT_EQ(list_all(*its, 6), tokens);
      for (const auto& token : tokens) {
        EXPECT_EQ(its->find(token.id), token);
        EXPECT_EQ(read_all(*its, token.id).size(), token.paths);
      }
    }
  };
  contents_->set_mark({Mark::held, this_export, slots});
  expect_all();
  contents_->read(slots)->next();  // some of them
  expect_all();
  read_for_export(slots);
  EXPECT_TRUE(exists(id, held_key(id)));
  expect_all();
  contents_->clear_marks(slots);
  EXPECT_TRUE(exists(id, redis_key(id)));
  expect_all();
}

TEST_P(RedisCountReaderTest, AMovedTokenIsNotReadAndSaysSo) {
  const auto slots = half();
  const auto here = put({{"/p", 1}}, ~slots);
  const auto moved = put({{"/p", 1}}, slots);
  const auto its = reader();
  contents_->set_mark({Mark::held, this_export, slots});
  read_for_export(slots);
  const auto page = its->list(all_slots, std::nullopt, 1);
  contents_->set_mark({Mark::moved, this_export, slots});
  for (const bool is_dropped : {false, true}) {
    if (is_dropped) contents_->remove(slots);
    EXPECT_THAT(why_it_throws([&] { its->find(moved); }), HasSubstr("has moved to another store"));
    EXPECT_THAT(why_it_throws([&] { its->read(moved, {.limit = 1}); }),
                HasSubstr("has moved to another store"));
    EXPECT_EQ(list_all(*its), std::vector{summary(here, {{"/p", 1}})});
    EXPECT_EQ(its->find(here), summary(here, {{"/p", 1}}));
  }
}

// The ids of a list are older than the mark.
TEST_P(RedisCountReaderTest, AListSkipsWhatMovesMeanwhile) {
  const auto ids = tokens_in(half(), 30);
  for (const auto& id : ids) put(id, {{"/p", 1}});
  const auto its = reader();
  ASSERT_EQ(ids_of(its->list(all_slots, std::nullopt, 2)), (std::vector{ids[0], ids[1]}));
  SlotSet but_one = half();
  but_one.reset(domain::slot_of(ids[20]));
  contents_->set_mark({Mark::moved, this_export, but_one});
  EXPECT_EQ(ids_of(its->list(all_slots, ids[1], 30)), std::vector{ids[20]});
}

TEST_P(RedisCountReaderTest, AnImportUnderWayIsNotSeen) {
  const auto native = put({{"/p", 1}});
  contents_->set_mark({Mark::importing, this_export, all_slots});
  const auto imported = token_in(all_slots);
  contents_->put(this_export, std::vector{store::StoredToken{imported, {.minted_s = minted_s}, {{"/p", 5}}}});
  const auto its = reader();
  EXPECT_EQ(its->find(imported), std::nullopt);
  EXPECT_EQ(its->read(imported, {.limit = 1}), std::nullopt);
  EXPECT_EQ(list_all(*its), std::vector{summary(native, {{"/p", 1}})});
  contents_->clear_marks(all_slots);
  auto expected = summary(imported, {{"/p", 5}});
  expected.record.paths = {1, 2};
  EXPECT_EQ(its->find(imported), expected);
  EXPECT_EQ(list_all(*its).size(), 2U);
}

// Its hash grows and is hashed anew meanwhile. What is read is what was answered before, and nothing that was never counted.
TEST_P(RedisCountReaderTest, ATokenIsReadWhileItIsCounted) {
  constexpr int old_paths = 20'000;
  constexpr int new_paths = 50'000;
  Paths paths;
  for (int i = 0; i < old_paths; ++i) paths["/" + std::to_string(i)] = 1;
  const auto id = put(paths);
  std::atomic<std::int64_t> sent = 0;
  std::atomic<std::int64_t> answered = 0;
  std::jthread load([&](const std::stop_token& end) {
    for (int path = 0; !end.stop_requested();) {
      domain::HitBatch hits;
      for (int i = 0; i < 100; ++i) hits.push(id, "/" + std::to_string(old_paths + path++ % new_paths));
      sent += 100;
      for (const auto& verdict : track(*store_, hits)) EXPECT_EQ(verdict.kind, Verdict::Kind::counted);
      answered += 100;
    }
  });
  const auto its = reader();
  const auto expect_between = [&](std::int64_t answered_before, std::int64_t total, std::size_t number) {
    const auto sent_after = sent.load();
    const auto number_after = [&](std::int64_t hits) {
      return static_cast<std::size_t>(old_paths + std::min<std::int64_t>(hits, new_paths));
    };
    EXPECT_GE(total, old_paths + answered_before);
    EXPECT_LE(total, old_paths + sent_after);
    EXPECT_GE(number, number_after(answered_before));
    EXPECT_LE(number, number_after(sent_after));
  };
  for (int round = 0; round < 3; ++round) {
    auto before = answered.load();
    const auto found = its->find(id);
    ASSERT_TRUE(found);
    expect_between(before, found->total, found->paths);

    before = answered;
    const auto listed = list_all(*its);
    ASSERT_EQ(listed.size(), 1U);
    expect_between(before, listed.front().total, listed.front().paths);

    before = answered;
    const auto counts = read_all(*its, id);
    std::int64_t total = 0;
    for (std::size_t i = 0; i < counts.size(); ++i) {
      total += counts[i].count;
      EXPECT_TRUE(i == 0 || counts[i - 1].path < counts[i].path);
    }
    expect_between(before, total, counts.size());
  }
  load.request_stop();
  load.join();
  EXPECT_EQ(its->find(id)->total, old_paths + answered);
}

// During each call, an export reads the token and is given up.
TEST_P(RedisCountReaderTest, ATokenIsFoundWhileItsKeyChanges) {
  const auto paths = many_paths(3'000);
  const auto id = put(paths);
  const auto wanted = summary(id, paths);
  const auto slots = SlotSet().set(domain::slot_of(id));
  const auto its = reader();
  const std::vector<std::function<void()>> calls{
      [&] { EXPECT_EQ(its->find(id), wanted); },
      [&] { EXPECT_EQ(read_all(*its, id), those_with("", paths)); },
      [&] { EXPECT_EQ(list_all(*its), std::vector{wanted}); }};
  for (int round = 0; round < 10; ++round) {
    for (const auto& call : calls) {
      const std::jthread moves([&] {
        contents_->set_mark({Mark::held, this_export, slots});
        read_for_export(slots);
        contents_->clear_marks(slots);
      });
      call();
    }
  }
}

TEST_P(RedisCountReaderTest, AfterAnErrorTheNextCallWorks) {
  const auto id = put({{"/p", 1}});
  const auto its = reader();
  command(id, {"HSET", redis_key(id), "/q", "many"});
  const std::vector<std::function<void()>> calls{[&] { its->find(id); }, [&] { list_all(*its); },
                                                 [&] { read_all(*its, id); }};
  for (const auto& call : calls) EXPECT_THAT(why_it_throws(call), HasSubstr("no count in " + redis_key(id)));
  command(id, {"DEL", redis_key(id)});
  command(id, {"SET", redis_key(id), "x"});
  for (const auto& call : calls)
    EXPECT_THAT(why_it_throws(call), HasSubstr(redis_key(id) + ": it says WRONGTYPE"));
  command(id, {"DEL", redis_key(id)});
  put(id, {{"/p", 1}});
  EXPECT_EQ(its->find(id), summary(id, {{"/p", 1}}));
  EXPECT_EQ(list_all(*its).size(), 1U);
  auto settings = settings_;
  settings.redis.address.port = 1;
  EXPECT_THAT(why_it_throws([&] { reader(settings); }), HasSubstr("Connection refused"));
}

// A cursor ends with its connection.
TEST_P(RedisCountReaderTest, ConnectionsThatEndAreMadeAnew) {
  const auto paths = many_paths(20'000);
  std::vector<TokenSummary> tokens;
  for (const auto& id : tokens_in(all_slots, 30)) {
    const auto& its = tokens.empty() ? paths : Paths{{"/p", 1}};
    put(id, its);
    tokens.push_back(summary(id, its));
  }
  const auto its = reader(10);
  const std::vector<std::function<void()>> calls{
      [&] { EXPECT_EQ(its->find(tokens.front().id), tokens.front()); },
      [&] { EXPECT_EQ(read_all(*its, tokens.front().id), those_with("", paths)); },
      [&] { EXPECT_EQ(list_all(*its), tokens); }};
  for (int round = 0; round < 3; ++round) {
    for (const auto& call : calls) {
      const std::jthread blows([&] {
        for (int i = 0; i < 3; ++i) {
          for (auto* node : nodes_) node->command({"CLIENT", "KILL", "TYPE", "normal"});
          std::this_thread::sleep_for(10ms);
        }
      });
      call();
    }
  }
}

class OneRedisCountReaderTest : public RedisCountReaderTest {};
INSTANTIATE_TEST_SUITE_P(Kinds, OneRedisCountReaderTest, testing::Values(Kind::one));

TEST_P(OneRedisCountReaderTest, ARedisThatIsSilentIsAskedAgain) {
  const auto paths = many_paths(2'000);
  const auto id = put(paths);
  FaultyLink link(redis_->endpoint());
  auto settings = settings_;
  settings.redis.address = {link.door().host, link.door().port};
  settings.reply_deadline = 200ms;
  const auto its = reader(settings);
  EXPECT_EQ(its->find(id), summary(id, paths));
  link.hold_all();
  EXPECT_THAT(why_it_throws([&] { its->find(id); }), HasSubstr("has not replied within 200 ms"));
  link.let_through();
  link.cut();
  EXPECT_EQ(its->find(id), summary(id, paths));
  redis_->kill();
  redis_->start_again();
  EXPECT_EQ(list_all(*its), std::vector{summary(id, paths)});
}

// A cursor means nothing to the Redis that was started again.
TEST_P(OneRedisCountReaderTest, ARestartWhileATokenIsReadHidesNothing) {
  const auto paths = many_paths(50'000);
  const auto id = put(paths);
  const auto its = reader();
  for (int round = 0; round < 5; ++round) {
    redis_->command({"CONFIG", "RESETSTAT"});
    std::optional<TokenSummary> found;
    std::jthread find([&] {
      try {
        found = its->find(id);
      } catch (const store::StoreError& error) {
        EXPECT_THAT(error.what(), HasSubstr("LOADING"));
        found = summary(id, paths);
      }
    });
    for (const Deadline deadline; !deadline.passed();) {
      if (redis_->command({"INFO", "commandstats"}).text.find("cmdstat_hscan:") != std::string::npos) break;
    }
    redis_->kill();
    redis_->start_again();
    find.join();
    EXPECT_EQ(found, summary(id, paths));
  }
  EXPECT_EQ(its->find(id), summary(id, paths));
}

// The rule that an error names is enough, beside the one of counting.
TEST_P(OneRedisCountReaderTest, TheRuleThatIsNamedWillDo) {
  const auto id = put({{"/p", 1}});
  redis_->command({"ACL", "SETUSER", "reader", "on", ">secret", "resetkeys", "~tracker:*", "-@all", "+hget"});
  auto settings = settings_;
  settings.redis.user = "reader";
  settings.redis.password = "secret";
  const auto its = reader(settings);
  const auto why = why_it_throws([&] { its->find(id); });
  ASSERT_THAT(why, HasSubstr("ACL SETUSER reader ~tracker:* "));
  const auto begin = why.find("ACL SETUSER");
  std::istringstream rule(why.substr(begin, why.find(';', begin) - begin));
  EXPECT_EQ(redis_->command(Arguments{std::istream_iterator<std::string>(rule), {}}).text, "OK");
  EXPECT_EQ(its->find(id), summary(id, {{"/p", 1}}));
  EXPECT_EQ(list_all(*its).size(), 1U);
  EXPECT_EQ(read_all(*its, id).size(), 1U);
}

class ClusterCountReaderTest : public RedisCountReaderTest {};
INSTANTIATE_TEST_SUITE_P(Kinds, ClusterCountReaderTest, testing::Values(Kind::cluster));

TEST_P(ClusterCountReaderTest, TokensAreFoundWhileTheirSlotMoves) {
  const auto first = SlotSet().set(5);
  const auto paths = many_paths(2'000);
  const auto ids = tokens_in(first, 2);
  for (const auto& id : ids) put(id, paths);
  const auto its = reader();
  const auto expect_both = [&] {
    for (const auto& id : ids) {
      EXPECT_EQ(its->find(id), summary(id, paths));
      EXPECT_EQ(read_all(*its, id), those_with("", paths));
    }
    EXPECT_EQ(its->find(token_in(first)), std::nullopt);
  };
  expect_both();
  cluster_->begin_move(5, 0, 1);
  expect_both();
  EXPECT_THAT(why_it_throws([&] { list_all(*its); }), HasSubstr("resharded"));
  const auto& target = cluster_->node(1).endpoint();
  ASSERT_EQ(
      cluster_->node(0)
          .command({"MIGRATE", target.host, std::to_string(target.port), redis_key(ids[0]), "0", "5000"})
          .text,
      "OK");
  expect_both();
  cluster_->move_keys(5, 0, 1);
  expect_both();
  cluster_->end_move(5, 0, 1);
  expect_both();
  EXPECT_EQ(ids_of(list_all(*its)), ids);
}

// Its replica takes its place, which cannot go on with a cursor.
TEST(ClusterCountReader, AFailoverIsOutlasted) {
  RedisCluster cluster(3, 3);
  store::redis::RedisSettings settings;
  const auto id = token_in(SlotSet().set(5));
  settings.redis.address = {cluster.node(1).endpoint().host, cluster.node(1).endpoint().port};
  const auto its = store::redis::cluster_count_reader(settings, {settings.redis.address});
  cluster.node(0).command({"HSET", redis_key(id), "", std::to_string(minted_s), "/p", "3"});
  EXPECT_EQ(its->find(id), summary(id, {{"/p", 3}}));
  wait_received(cluster.node(3), cluster.node(0));
  cluster.node(0).kill();
  EXPECT_EQ(its->find(id), summary(id, {{"/p", 3}}));
  EXPECT_EQ(ids_of(list_all(*its)), std::vector{id});
}

// A real nutcracker before three Redis. A store counts through it, and a reader reads through it.
class ProxyCountReaderTest : public testing::Test {
 protected:
  ProxyCountReaderTest() {
    std::vector<Endpoint> endpoints;
    while (redis_.size() < Nutcracker::servers) endpoints.push_back(redis_.emplace_back().endpoint());
    proxy_.emplace(endpoints);
    settings_.redis.address = {proxy_->endpoint().host, proxy_->endpoint().port};
    settings_.proxy = true;
    store_.emplace(loop_.context(0), settings_);
    loop_.start();
    store_->wait_for_first_attempt(patience);
    link_.emplace(proxy_->endpoint());
    settings_.redis.address = {link_->door().host, link_->door().port};
    reader_ = store::redis::redis_count_reader(settings_);
  }
  ~ProxyCountReaderTest() override { loop_.stop(); }

  // The Redis that has this key.
  RedisServer& redis_of(const std::string& key) {
    for (auto& redis : redis_) {
      if (redis.command({"EXISTS", key}).integer == 1) return redis;
    }
    throw std::runtime_error("nobody has " + key);
  }

  std::deque<RedisServer> redis_;
  std::optional<Nutcracker> proxy_;
  std::optional<FaultyLink> link_;
  store::redis::RedisSettings settings_;
  runtime::Workers loop_{1};
  std::optional<store::redis::RedisStore> store_;
  std::unique_ptr<CountReader> reader_;
};

TEST_F(ProxyCountReaderTest, ReadsTokensThatItIsAskedFor) {
  std::map<TokenId, Paths> tokens;
  for (int i = 0; i < 20; ++i) {
    const auto id = new_token(*store_);
    auto& paths = tokens[id];
    domain::HitBatch hits;
    for (int path = 0; path < i * i * 3; ++path) {
      hits.push(id, "/" + std::to_string(path));
      paths["/" + std::to_string(path)] = 1;
    }
    if (i == 0) continue;
    for (const auto& verdict : track(*store_, hits)) ASSERT_EQ(verdict, Verdict::counted(1));
  }
  for (const auto& [id, paths] : tokens) {
    const auto found = reader_->find(id);
    ASSERT_TRUE(found);
    EXPECT_GT(found->record.minted_s, minted_s);
    EXPECT_EQ(found->paths, paths.size());
    EXPECT_EQ(found->total, static_cast<std::int64_t>(paths.size()));
    EXPECT_EQ(read_all(*reader_, id, "", 500), those_with("", paths));
    EXPECT_EQ(read_all(*reader_, id, "/2", 5), those_with("/2", paths));
  }
  EXPECT_EQ(reader_->find(token_in(all_slots)), std::nullopt);
  EXPECT_EQ(link_->accepted(), 1U) << "the proxy has closed a connection";
}

TEST_F(ProxyCountReaderTest, ListsNothingAndSaysWhy) {
  EXPECT_THROW(reader_->list(all_slots, std::nullopt, 1), store::UnsupportedError);
  const auto why = why_it_throws([&] { reader_->list(all_slots, std::nullopt, 1); });
  EXPECT_THAT(why, HasSubstr("does not pass on SCAN"));
  EXPECT_THAT(why, HasSubstr("--redis-addr"));
}

// By which mark it was held does not come through the proxy.
TEST_F(ProxyCountReaderTest, ATokenThatIsBeingMovedSaysSo) {
  const auto id = new_token(*store_);
  redis_of(redis_key(id)).command({"RENAME", redis_key(id), held_key(id)});
  EXPECT_THAT(why_it_throws([&] { reader_->find(id); }), HasSubstr("through a proxy nobody sees how"));
}

TEST_F(ProxyCountReaderTest, OneRedisOfThreeIsKilled) {
  const auto id = new_token(*store_);
  auto& redis = redis_of(redis_key(id));
  redis.kill();
  EXPECT_THAT(why_it_throws([&] { reader_->find(id); }), HasSubstr("it says"));
  redis.start_again();
  const auto found = [&]() -> std::optional<TokenSummary> {
    try {
      return reader_->find(id);
    } catch (const store::StoreError&) {  // the proxy does not know yet that it is back
      return TokenSummary{};
    }
  };
  auto last = found();
  for (const Deadline deadline; last && !deadline.passed(); last = found()) std::this_thread::sleep_for(5ms);
  EXPECT_EQ(last, std::nullopt) << "it keeps nothing";
}

}  // namespace
}  // namespace tracker::tests
