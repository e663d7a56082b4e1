#include "rpc/batch_message.h"

#include <gtest/gtest.h>

#include <random>
#include <string>
#include <vector>

#include <tracker/v1/counting.pb.h>
#include "domain/token.h"

namespace tracker::rpc {

using domain::HitVerdict;
using domain::Verdict;

constexpr BatchHead some_head{.number = 300, .deadline_ms = 2'000};

std::string message_of(const std::vector<const domain::HitBatch*>& batches,
                       const BatchHead& head = some_head) {
  std::string message;
  append_batch(head, batches, message);
  return message;
}

/// The message that protobuf's own code makes of the hits.
v1::HitBatch protobuf_of(const std::vector<const domain::HitBatch*>& batches,
                         const BatchHead& head = some_head) {
  v1::HitBatch protobuf;
  protobuf.set_number(head.number);
  protobuf.set_deadline_ms(head.deadline_ms);
  for (const auto* batch : batches) {
    for (std::size_t hit = 0; hit < batch->size(); ++hit) {
      protobuf.mutable_ids()->append(reinterpret_cast<const char*>(batch->id(hit).bytes.data()), 16);
      protobuf.mutable_paths()->append(batch->path(hit));
      protobuf.add_path_bytes(static_cast<std::uint32_t>(batch->path(hit).size()));
    }
  }
  for (const auto& group : head.groups) {
    protobuf.add_group_hits(group.hits);
    protobuf.add_group_deadline_ms(group.deadline_ms);
  }
  return protobuf;
}

/// Batches of this many hits each, with paths of all kinds.
std::vector<domain::HitBatch> some_batches(const std::vector<int>& sizes) {
  std::vector<domain::HitBatch> batches(sizes.size());
  std::minstd_rand random(1);
  for (std::size_t i = 0; i < sizes.size(); ++i) {
    for (int hit = 0; hit < sizes[i]; ++hit) {
      std::string path(1 + random() % 300, '/');
      for (std::size_t at = 1; at < path.size(); ++at) path[at] = static_cast<char>(random());
      batches[i].push(domain::token_id(domain::random_token()), path);
    }
  }
  return batches;
}

std::vector<const domain::HitBatch*> all_of(const std::vector<domain::HitBatch>& batches) {
  std::vector<const domain::HitBatch*> all;
  for (const auto& batch : batches) all.push_back(&batch);
  return all;
}

std::optional<std::string_view> batch_in(std::string_view message) {
  const auto request = read_track_request(message);
  return request ? request->batch : std::nullopt;
}

std::optional<std::string_view> verdicts_in(std::string_view message) {
  const auto response = read_track_response(message);
  return response ? response->verdicts : std::nullopt;
}

TEST(BatchMessage, HitsAreWrittenAsProtobufWritesThem) {
  for (const std::vector<int>& sizes : {std::vector{1}, {1, 1}, {100}, {3, 0, 500, 2}, {}}) {
    const auto batches = some_batches(sizes);
    for (const BatchHead& head : {some_head, BatchHead{}, BatchHead{1ULL << 63U, 0xFFFF'FFFF, {}},
                                  BatchHead{1, 2, {{1, 2}, {300, 0xFFFF'FFFF}}}}) {
      v1::TrackRequest request;
      *request.mutable_batch() = protobuf_of(all_of(batches), head);
      const std::string message = message_of(all_of(batches), head);
      EXPECT_TRUE(request.batch().ByteSizeLong() == 0 || message == request.SerializeAsString());
    }
  }
}

TEST(BatchMessage, HitsComeBackAsTheyWere) {
  const auto batches = some_batches({1, 20, 0, 300});
  const std::string message = message_of(all_of(batches));
  const auto batch = batch_in(message);
  ASSERT_TRUE(batch);
  BatchHead head;
  domain::HitBatch hits;
  ASSERT_TRUE(read_batch(*batch, head, hits));
  EXPECT_EQ(head.number, some_head.number);
  EXPECT_EQ(head.deadline_ms, some_head.deadline_ms);
  ASSERT_EQ(hits.size(), 321U);
  std::size_t hit = 0;
  for (const auto& its : batches) {
    for (std::size_t i = 0; i < its.size(); ++i, ++hit) {
      EXPECT_EQ(hits.id(hit), its.id(i));
      EXPECT_EQ(hits.path(hit), its.path(i));
    }
  }
}

TEST(BatchMessage, GroupsComeBackAsTheyWereAndCoverAllHits) {
  const auto batches = some_batches({1, 20});
  const auto reads = [&](const std::vector<DeadlineGroup>& groups) {
    const std::string message = message_of(all_of(batches), {1, 0, groups});
    BatchHead head;
    domain::HitBatch hits;
    if (!read_batch(batch_in(message).value(), head, hits)) return false;
    EXPECT_EQ(head.groups.size(), groups.size());
    for (std::size_t i = 0; i < groups.size(); ++i) {
      EXPECT_EQ(head.groups[i].hits, groups[i].hits);
      EXPECT_EQ(head.groups[i].deadline_ms, groups[i].deadline_ms);
    }
    return true;
  };
  EXPECT_TRUE(reads({}));
  EXPECT_TRUE(reads({{21, 0}}));
  EXPECT_TRUE(reads({{1, 2'000}, {19, 1}, {1, 3'000}}));
  EXPECT_FALSE(reads({{1, 2'000}, {19, 1}}));
  EXPECT_FALSE(reads({{1, 2'000}, {21, 1}}));
  EXPECT_FALSE(reads({{1, 2'000}, {0, 1}, {20, 1}}));
}

TEST(BatchMessage, ThereAreSoManyGroupsAndNoMore) {
  for (const std::size_t groups : {deadline_groups_max, deadline_groups_max + 1}) {
    const auto batches = some_batches({static_cast<int>(groups)});
    const std::string message =
        message_of(all_of(batches), {1, 0, std::vector<DeadlineGroup>(groups, {1, 5})});
    BatchHead head;
    domain::HitBatch hits;
    EXPECT_EQ(read_batch(batch_in(message).value(), head, hits), groups == deadline_groups_max);
  }
}

TEST(BatchMessage, RequestsAreReadAsProtobufWritesThem) {
  v1::TrackRequest request;
  EXPECT_FALSE(read_track_request("")->opening);
  EXPECT_FALSE(read_track_request("")->batch);
  request.mutable_opening()->set_version("1.2.3");
  EXPECT_EQ(read_track_request(request.SerializeAsString())->opening.value().version, "1.2.3");
  EXPECT_FALSE(read_track_request(request.SerializeAsString())->opening->list);
  request.mutable_batch()->set_number(1);
  EXPECT_EQ(read_track_request(request.SerializeAsString())->batch, request.batch().SerializeAsString());
  request.mutable_opening()->clear_version();
  EXPECT_EQ(read_track_request(request.SerializeAsString())->opening.value().version, "");
  const std::string later = request.SerializeAsString() + "\x98\x06\x01";  // field 99
  EXPECT_TRUE(read_track_request(later)->batch);
}

TEST(BatchMessage, RequestsThatAreMalformedAreRefused) {
  for (const std::string_view message : {"\n", "\x0A\x05x", "\x0A\x02\x0A\x05", "\x08\x01", "\x10\x01"})
    EXPECT_FALSE(read_track_request(message)) << testing::PrintToString(message);
  v1::TrackRequest request;
  request.mutable_opening()->set_version("1");
  EXPECT_FALSE(read_track_request(request.SerializeAsString() + request.SerializeAsString()))
      << "two openings";
}

TEST(BatchMessage, ResponsesAreReadAsProtobufWritesThem) {
  v1::TrackResponse response;
  EXPECT_FALSE(read_track_response("")->readiness);
  response.mutable_readiness();
  EXPECT_EQ(read_track_response(response.SerializeAsString())->readiness, domain::Readiness::ready());
  response.mutable_readiness()->set_why_not("the disk is full");
  response.mutable_opening()->set_version("1");
  response.mutable_verdicts()->add_counts(1);
  const std::string message = response.SerializeAsString();
  EXPECT_EQ(read_track_response(message)->opening.value().version, "1");
  EXPECT_FALSE(read_track_response(message)->facts);
  EXPECT_EQ(read_track_response(message)->readiness, domain::Readiness::not_ready("the disk is full"));
  EXPECT_EQ(read_track_response(message)->verdicts, response.verdicts().SerializeAsString());
  EXPECT_FALSE(read_track_response(message + message));
}

TEST(BatchMessage, ProtobufReadsWhatIsWritten) {
  for (const std::string text : {"", "1.2.3"}) {
    std::string message;
    append_opening_request(text, nullptr, message);
    v1::TrackRequest request;
    ASSERT_TRUE(request.ParseFromString(message));
    EXPECT_TRUE(request.has_opening());
    EXPECT_EQ(request.opening().version(), text);
    EXPECT_FALSE(request.opening().has_table());
    message.clear();
    append_opening_response(text, domain::Readiness::ready(), {}, message);
    v1::TrackResponse response;
    ASSERT_TRUE(response.ParseFromString(message));
    EXPECT_EQ(response.opening().version(), text);
    EXPECT_TRUE(response.has_readiness());
    EXPECT_TRUE(response.has_facts());
    EXPECT_FALSE(response.facts().is_one_of_several());
    message.clear();
    append_readiness(text.empty() ? domain::Readiness::ready() : domain::Readiness::not_ready(text), message);
    ASSERT_TRUE(response.ParseFromString(message));
    EXPECT_FALSE(response.has_opening());
    EXPECT_EQ(response.readiness().why_not(), text);
  }
}

TEST(BatchMessage, ListsAndFactsComeBackAsTheyWere) {
  const auto list = counter::CounterList::parse("a=h:1,b=h:2", 3);
  std::string message;
  append_opening_request("1", &list, message);
  EXPECT_EQ(*read_track_request(message)->opening.value().list, list);
  message.clear();
  const counter::CounterFacts facts{.owns_every_token = false, .name = "a"};
  append_facts(facts, message);
  EXPECT_EQ(read_track_response(message)->facts, facts);
  EXPECT_FALSE(read_track_response(message)->opening);
  message += message;
  EXPECT_FALSE(read_track_response(message)) << "twice";
  message.clear();
  append_list(list, message);
  EXPECT_EQ(*read_track_request(message)->list, list);
  EXPECT_FALSE(read_track_request(message)->opening);
  EXPECT_FALSE(read_track_request(message)->batch);
  v1::TrackRequest request;
  ASSERT_TRUE(request.ParseFromString(message));
  EXPECT_EQ(request.table().version(), 3U);
}

TEST(BatchMessage, MalformedListsAndFactsAreRefused) {
  v1::TrackRequest request;
  request.mutable_opening()->mutable_table()->set_counters("a=h");
  EXPECT_FALSE(read_track_request(request.SerializeAsString()));
  request.clear_opening();
  request.mutable_table()->set_counters("a=h");
  EXPECT_FALSE(read_track_request(request.SerializeAsString()));
  v1::TrackResponse response;
  response.mutable_facts()->set_held("x");
  EXPECT_FALSE(read_track_response(response.SerializeAsString()));
}

TEST(BatchMessage, TokensComeBackAsTheyWere) {
  const auto token = domain::random_token();
  std::string message;
  append_minted(token, message);
  EXPECT_EQ(read_minted(message), token);
  v1::MintResponse response;
  ASSERT_TRUE(response.ParseFromString(message));
  EXPECT_EQ(response.SerializeAsString(), message);
  EXPECT_FALSE(read_minted(""));
  EXPECT_FALSE(read_minted(message.substr(0, message.size() - 1)));
  response.set_token("short");
  EXPECT_FALSE(read_minted(response.SerializeAsString()));
}

bool is_read(std::string_view batch) {
  BatchHead head;
  domain::HitBatch hits;
  return read_batch(batch, head, hits);
}

TEST(BatchMessage, HitsWhoseColumnsDoNotFitAreRefused) {
  domain::HitBatch batch;
  batch.push(domain::TokenId{}, "/a");
  batch.push(domain::TokenId{}, "/bc");
  const auto refused = [good = protobuf_of({&batch})](auto change) {
    v1::HitBatch bad = good;
    change(bad);
    return !is_read(bad.SerializeAsString());
  };
  EXPECT_FALSE(refused([](auto&) {}));
  EXPECT_TRUE(refused([](auto& bad) { bad.clear_ids(); }));
  EXPECT_TRUE(refused([](auto& bad) { bad.mutable_ids()->pop_back(); }));
  EXPECT_TRUE(refused([](auto& bad) { bad.mutable_ids()->append(16, 'x'); }));
  EXPECT_TRUE(refused([](auto& bad) { bad.mutable_paths()->pop_back(); }));
  EXPECT_TRUE(refused([](auto& bad) { bad.mutable_paths()->push_back('x'); }));
  EXPECT_TRUE(refused([](auto& bad) { bad.add_path_bytes(1); }));
  EXPECT_TRUE(refused([](auto& bad) { bad.set_path_bytes(1, 0xFFFFFFFF); }));
  EXPECT_TRUE(refused([](auto& bad) {
    bad.set_path_bytes(0, 5);
    bad.set_path_bytes(1, 0);
  }));
}

/// Messages of a later version, or of nobody, may have such fields.
TEST(BatchMessage, FieldsThatAreNotKnownAreLeftAlone) {
  const auto batches = some_batches({3});
  const std::string good = protobuf_of(all_of(batches)).SerializeAsString();
  const std::string number = "\x50\x85\x01";
  const std::string bytes =
      "\x5A\x03"
      "abc";
  const std::string fixed_64 =
      "\x61"
      "12345678";
  const std::string fixed_32 =
      "\x6D"
      "1234";
  EXPECT_TRUE(is_read(number + bytes + good + fixed_64 + fixed_32));
  EXPECT_FALSE(is_read(good + "\x5B\x5C")) << "a group";
  EXPECT_FALSE(is_read(good + std::string("\0\0", 2))) << "field 0";
  EXPECT_FALSE(is_read(good + std::string(11, '\xFF'))) << "a number without an end";
}

TEST(BatchMessage, NumbersOverThirtyTwoBitsAreNotCutToFit) {
  const std::string columns = "\x1A\x10" + std::string(16, 'i') + "\x22\x02/p";
  EXPECT_TRUE(is_read(columns + "\x2A\x01\x02"));
  EXPECT_FALSE(is_read(columns + "\x2A\x05\x82\x80\x80\x80\x10")) << "2^32 + 2 bytes of path";
  std::vector<HitVerdict> verdicts;
  std::uint64_t number = 0;
  EXPECT_TRUE(read_verdicts("\x12\x01\x01\x22\x01\x07", 2, number, verdicts));
  EXPECT_FALSE(read_verdicts("\x12\x05\x81\x80\x80\x80\x10\x22\x01\x07", 2, number, verdicts))
      << "hit 2^32 + 1";
}

TEST(BatchMessage, APartOfAMessageIsRefused) {
  const auto batches = some_batches({3});
  const std::string good = protobuf_of(all_of(batches)).SerializeAsString();
  const std::size_t head_bytes = 6;  // the head alone is a batch without hits
  for (std::size_t size = head_bytes + 1; size < good.size(); ++size)
    EXPECT_FALSE(is_read(good.substr(0, size)));
}

std::string message_of(const std::vector<HitVerdict>& verdicts, std::size_t batch_size) {
  std::string message;
  append_verdicts(300, verdicts, batch_size, message);
  return message;
}

std::vector<HitVerdict> there_and_back(const std::vector<HitVerdict>& verdicts, std::size_t batch_size) {
  const std::string message = message_of(verdicts, batch_size);
  std::vector<HitVerdict> back;
  std::uint64_t number = 0;
  EXPECT_TRUE(read_verdicts(verdicts_in(message).value(), batch_size, number, back));
  EXPECT_EQ(number, 300U);
  return back;
}

void expect_same(const std::vector<HitVerdict>& a, const std::vector<HitVerdict>& b) {
  ASSERT_EQ(a.size(), b.size());
  for (std::size_t i = 0; i < a.size(); ++i) {
    EXPECT_EQ(a[i].hit, b[i].hit);
    EXPECT_EQ(a[i].verdict, b[i].verdict);
  }
}

const std::vector<HitVerdict> all_counted = {{0, Verdict::counted(1)}, {1, Verdict::counted(1LL << 60)}};
const std::vector<HitVerdict> mixed = {{0, Verdict::counted(7)},
                                       {1, Verdict::unknown_token()},
                                       {2, Verdict::not_counted()},
                                       {3, Verdict::perhaps_counted()}};
const std::vector<HitVerdict> backwards = {{1, Verdict::counted(2)}, {0, Verdict::counted(1)}};
const std::vector<HitVerdict> some = {{5, Verdict::counted(-7)}, {200, Verdict::counted(8)}};

TEST(BatchMessage, VerdictsComeBackAsTheyWere) {
  expect_same(there_and_back(all_counted, 2), all_counted);
  expect_same(there_and_back(mixed, 4), mixed);
  expect_same(there_and_back({{0, Verdict::too_many_paths()}}, 1), {{0, Verdict::too_many_paths()}});
  expect_same(there_and_back(backwards, 2), backwards);
  expect_same(there_and_back(some, 201), some);
}

// An envoy of before takes it for one that was certainly not counted.
TEST(BatchMessage, AnOlderEnvoyUnderstandsThatAPathIsTooMuch) {
  std::string message;
  append_verdicts(1, std::vector<HitVerdict>{{0, Verdict::too_many_paths()}}, 1, message);
  v1::TrackResponse response;
  ASSERT_TRUE(response.ParseFromString(message));
  EXPECT_EQ(response.verdicts().kinds(), std::string(1, static_cast<char>(v1::VERDICT_KIND_NOT_COUNTED)));
  EXPECT_EQ(response.verdicts().counts(0), 16);
}

TEST(BatchMessage, VerdictsAreWrittenAsProtobufWritesThem) {
  v1::TrackResponse response;
  auto& verdicts = *response.mutable_verdicts();
  verdicts.set_number(300);
  verdicts.add_counts(1);
  verdicts.add_counts(1LL << 60);
  EXPECT_EQ(message_of(all_counted, 2), response.SerializeAsString());
  verdicts.clear_counts();
  for (const int count : {7, 0, 0, 0}) verdicts.add_counts(count);
  for (const auto kind : {v1::VERDICT_KIND_COUNTED, v1::VERDICT_KIND_UNKNOWN_TOKEN,
                          v1::VERDICT_KIND_NOT_COUNTED, v1::VERDICT_KIND_PERHAPS_COUNTED}) {
    verdicts.mutable_kinds()->push_back(static_cast<char>(kind));
  }
  EXPECT_EQ(message_of(mixed, 4), response.SerializeAsString());
  verdicts.clear_kinds();
  verdicts.clear_counts();
  verdicts.add_hits(5);
  verdicts.add_hits(200);
  verdicts.add_counts(-7);
  verdicts.add_counts(8);
  EXPECT_EQ(message_of(some, 201), response.SerializeAsString());
  verdicts.set_kinds(std::string("\0\2", 2));
  const std::vector<HitVerdict> some_of_a_kind = {{5, Verdict::counted(-7)},
                                                  {200, {Verdict::Kind::not_counted, 8}}};
  EXPECT_EQ(message_of(some_of_a_kind, 201), response.SerializeAsString());
}

TEST(BatchMessage, VerdictsThatDoNotFitAreRefused) {
  v1::Verdicts message;
  const auto is_taken = [&message] {
    std::vector<HitVerdict> verdicts;
    std::uint64_t number = 0;
    return read_verdicts(message.SerializeAsString(), 2, number, verdicts);
  };
  EXPECT_FALSE(is_taken()) << "none";
  message.add_counts(1);
  EXPECT_FALSE(is_taken()) << "one of two, without saying which";
  message.add_hits(2);
  EXPECT_FALSE(is_taken()) << "a hit that the batch does not have";
  message.set_hits(0, 1);
  EXPECT_TRUE(is_taken());
  message.add_hits(0);
  EXPECT_FALSE(is_taken()) << "more hits than counts";
  message.add_counts(2);
  message.add_counts(3);
  EXPECT_FALSE(is_taken()) << "more counts than hits";
  message.mutable_counts()->RemoveLast();
  EXPECT_TRUE(is_taken());
  message.set_kinds("abc");
  EXPECT_FALSE(is_taken()) << "more kinds than counts";
  message.set_kinds("a");
  EXPECT_FALSE(is_taken()) << "more counts than kinds";
}

TEST(BatchMessage, TimeLeft) {
  using std::chrono::microseconds;
  const std::chrono::steady_clock::time_point now{};
  EXPECT_EQ(milliseconds_left(now, now), 0U);
  EXPECT_EQ(milliseconds_left(now - microseconds(1), now), 0U);
  EXPECT_EQ(milliseconds_left(now + microseconds(1), now), 1U);
  EXPECT_EQ(milliseconds_left(now + microseconds(1500), now), 2U);
  EXPECT_EQ(milliseconds_left(domain::Deadline::max(), now), 0xFFFFFFFFU);
}

}  // namespace tracker::rpc
