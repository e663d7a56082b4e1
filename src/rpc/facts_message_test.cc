#include "rpc/facts_message.h"

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include <tracker/v1/counter_facts.pb.h>

namespace tracker::rpc {

using counter::CounterFacts;
using counter::CounterList;

counter::CounterListPtr some_list() {
  return std::make_shared<const CounterList>(CounterList::parse("a=h:1,[::1]:2,c=h:3,leaving", 7));
}

CounterFacts some_facts() {
  CounterFacts facts;
  facts.owns_every_token = false;
  facts.store.emplace();
  facts.store->id.fill(0xF0);
  facts.store->server_run = "run";
  facts.name = "a";
  facts.adopted = some_list();
  for (const std::size_t slot : {0U, 7U, 8U, 16'383U}) facts.held.set(slot);
  facts.settled = 5'000;
  facts.received[{1, 2}].set(3);
  facts.handed[{4}].set(16'000).set(5);
  facts.handed[{5}].set();
  facts.names = {"c", "[::1]:2"};
  facts.empty_names = {"c"};
  facts.bound["c"].fill(0xCC);
  return facts;
}

v1::CounterFacts message_of(const CounterFacts& facts) {
  v1::CounterFacts message;
  EXPECT_TRUE(message.ParseFromString(facts_message(facts)));
  return message;
}

TEST(FactsMessage, FactsComeBackAsTheyWere) {
  EXPECT_EQ(read_facts(facts_message(some_facts())), some_facts());
  EXPECT_EQ(read_facts(facts_message({})), CounterFacts{});
  auto facts = some_facts();
  facts.store->is_lasting = false;
  facts.adopted = nullptr;
  facts.held.reset();
  EXPECT_EQ(read_facts(facts_message(facts)), facts);
  facts.store.reset();
  EXPECT_EQ(read_facts(facts_message(facts)), facts);
  facts.held.set();
  EXPECT_EQ(read_facts(facts_message(facts)), facts);
  facts.settled = 0;
  EXPECT_EQ(read_facts(facts_message(facts)), facts);
}

TEST(FactsMessage, ACounterOfBeforeThatFieldDoesNotSayHowManySlotsAreSettled) {
  auto message = message_of(some_facts());
  EXPECT_EQ(message.settled(), 5'000U);
  message.clear_settled();
  const auto facts = read_facts(message.SerializeAsString()).value();
  EXPECT_EQ(facts.settled, std::nullopt);
  EXPECT_FALSE(facts.owns_every_token);
}

TEST(FactsMessage, ACounterOfBeforeThisMessageOwnsEveryToken) {
  EXPECT_EQ(read_facts(""), CounterFacts{});
}

TEST(FactsMessage, IsWhatTheProtocolSays) {
  const auto message = message_of(some_facts());
  EXPECT_EQ(message.adopted().counters(), "a=h:1,[::1]:2,c=h:3,leaving");
  EXPECT_EQ(message.adopted().version(), 7U);
  EXPECT_EQ(message.adopted().fingerprint(), some_list()->table().fingerprint());
  ASSERT_EQ(message.held().size(), 2'048U);
  EXPECT_EQ(message.held().substr(0, 2), "\x81\x01");
  EXPECT_EQ(message.held().back(), '\x80');
  EXPECT_EQ(message_of({}).held(), "");
}

TEST(FactsMessage, TheRecordOfTheStoreIsNotTold) {
  auto facts = some_facts();
  facts.store->record = "a secret of the store";
  EXPECT_EQ(read_facts(facts_message(facts)), some_facts());
}

TEST(FactsMessage, APreferenceIsToldInFactsAlone) {
  auto facts = some_facts();
  std::vector<std::uint8_t> preferred(domain::slots, counter::CounterList::nobody);
  preferred[3] = 0;
  facts.adopted = std::make_shared<const counter::CounterList>(some_list()->preferring(preferred));
  EXPECT_EQ(read_facts(facts_message(facts)), facts);
  EXPECT_EQ(*read_opening(opening_message("", facts.adopted.get())).value().list, *some_list());
}

TEST(FactsMessage, FactsThatAreMalformedAreRefused) {
  const auto is_read = [](auto change) {
    auto message = message_of(some_facts());
    change(message);
    return read_facts(message.SerializeAsString()).has_value();
  };
  EXPECT_TRUE(is_read([](auto&) {}));
  EXPECT_FALSE(is_read([](auto& message) { message.set_held("x"); }));
  EXPECT_FALSE(is_read([](auto& message) { message.mutable_held()->push_back('x'); }));
  EXPECT_FALSE(is_read([](auto& message) { message.mutable_store()->clear_id(); }));
  EXPECT_FALSE(is_read([](auto& message) { message.mutable_store()->mutable_id()->push_back('x'); }));
  EXPECT_FALSE(is_read([](auto& message) { message.mutable_adopted()->set_counters("a=h"); }));
  EXPECT_FALSE(is_read([](auto& message) { message.mutable_adopted()->clear_counters(); }));
  EXPECT_FALSE(is_read([](auto& message) { message.mutable_adopted()->set_preferred("x"); }));
  EXPECT_FALSE(is_read([](auto& message) { message.mutable_bound(0)->clear_store_id(); }));
  EXPECT_FALSE(is_read([](auto& message) { message.mutable_received(0)->clear_export_id(); }));
  EXPECT_FALSE(is_read([](auto& message) { message.mutable_handed(0)->set_slots("x"); }));
  EXPECT_FALSE(read_facts("\x0A\x05x"));
}

TEST(FactsMessage, OpeningsComeBackAsTheyWere) {
  const auto opening = read_opening(opening_message("1.2.3", some_list().get())).value();
  EXPECT_EQ(opening.version, "1.2.3");
  EXPECT_EQ(*opening.list, *some_list());
  EXPECT_EQ(read_opening(opening_message("", nullptr)).value().list, nullptr);
  EXPECT_EQ(read_opening("").value().version, "");
}

TEST(FactsMessage, OpeningsThatAreMalformedAreRefused) {
  v1::Opening opening;
  opening.mutable_table()->set_counters("a=h:1,a=h:2");
  EXPECT_FALSE(read_opening(opening.SerializeAsString()));
  EXPECT_FALSE(read_opening("\x0A\x05x"));
}

}  // namespace tracker::rpc
