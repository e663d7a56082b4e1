#include "transfer/moves.h"

#include <fcntl.h>
#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <string>

#include "runtime/descriptor.h"
#include "store/memory/memory_store.h"
#include "store/store_error.h"
#include "support/blocking_store.h"
#include "support/store_on_disk.h"
#include "support/temporary_directory.h"
#include "transfer/requests.h"

namespace tracker::transfer {
namespace {

using domain::Verdict;
using store::SlotMark;
using store::StoreError;

void no_progress(const ExportTotals& /*totals*/) {}

/// A store in memory and its contents.
struct Place {
  store::memory::MemoryStore store;
  std::unique_ptr<store::StoreContents> contents = store.contents();

  MovableStore movable() { return {*contents}; }
  Verdict hit(const domain::TokenId& id, std::string_view path) { return tests::track_one(store, id, path); }
};

class MovesTest : public testing::Test {
 protected:
  runtime::Descriptor open(const std::string& name = "file") const {
    return runtime::Descriptor(
        ::open((directory_.path() / name).c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  }
  Exported export_from(Place& place, const ExportRequest& request, const std::string& name = "file") {
    return export_tokens(place.movable(), request, open(name).number(), no_progress);
  }
  Receipt import_into(Place& place, const ImportRequest& request = {}, const std::string& name = "file") {
    return import_tokens(*place.contents, request, open(name).number(), nullptr, no_progress);
  }
  /// Why it is refused; empty: it is not.
  static std::string refusal_of(const std::function<void()>& call) {
    try {
      call();
      return "";
    } catch (const StoreError& error) {
      return error.what();
    }
  }

  const tests::TemporaryDirectory directory_;
  Place from_;
  Place to_;
};

TEST_F(MovesTest, ATokenGoesOnWhereItWasAndNowhereElse) {
  const auto id = tests::new_token(from_.store);
  from_.hit(id, "/a");
  from_.hit(id, "/a");
  const auto exported = export_from(from_, {.hold = true});
  EXPECT_EQ(exported.totals, (ExportTotals{1, 1}));
  EXPECT_EQ(from_.hit(id, "/a"), Verdict::not_counted());
  auto receipt = import_into(to_);
  EXPECT_EQ(receipt.checksum, exported.checksum);
  EXPECT_EQ(to_.hit(id, "/a"), Verdict::counted(3));
  EXPECT_NE(refusal_of([&] { drop_tokens(from_.movable(), receipt, false); }), "") << "memory can be lost";
  EXPECT_EQ(from_.contents->marks().of(SlotMark::Kind::held).count(), domain::slots);
  drop_tokens(from_.movable(), receipt, true);
  EXPECT_EQ(from_.hit(id, "/a"), Verdict::not_counted());
  drop_tokens(from_.movable(), receipt, true);
  EXPECT_NE(refusal_of([&] { export_from(from_, {}, "again"); }), "") << "all has moved";
}

TEST_F(MovesTest, WhatIsHeldIsExportedAgainUnderTheSameId) {
  tests::new_token(from_.store);
  const auto first = export_from(from_, {.hold = true});
  const auto second = export_from(from_, {}, "second");
  EXPECT_EQ(first.header.id, second.header.id);
  EXPECT_EQ(second.header.kind, ExportHeader::Kind::held);
  EXPECT_EQ(export_from(from_, {.hold = true}, "third").header.id, first.header.id);
  domain::SlotSet part;
  part.set(1);
  EXPECT_NE(refusal_of([&] { export_from(from_, {.slots = part}, "part"); }), "");
  import_into(to_);
  EXPECT_EQ(import_into(to_, {}, "second").totals, first.totals) << "it is there already";
}

TEST_F(MovesTest, AnImportIsRepeatedWithoutHarm) {
  const auto id = tests::new_token(from_.store);
  from_.hit(id, "/a");
  export_from(from_, {.hold = true});
  import_into(to_);
  EXPECT_EQ(to_.hit(id, "/a"), Verdict::counted(2));
  import_into(to_);
  EXPECT_EQ(to_.hit(id, "/a"), Verdict::counted(3));
}

// As a kill leaves it, after each of its steps.
TEST_F(MovesTest, AnInterruptedImportIsTakenUp) {
  std::vector<domain::TokenId> ids;
  for (int i = 0; i < 600; ++i) {
    ids.push_back(tests::new_token(from_.store));
    from_.hit(ids.back(), "/" + std::string(1500, 'p'));
    from_.hit(ids.back(), "/a");
  }
  export_from(from_, {.hold = true});
  const auto interrupted = [&](int steps) {
    return refusal_of([&] {
      import_tokens(*to_.contents, {}, open().number(), nullptr, [&](const auto&) {
        if (--steps < 0) throw StoreError("interrupted");
      });
    });
  };
  int steps = 0;
  for (; interrupted(steps) == "interrupted"; ++steps) {
    ASSERT_LT(steps, 100);
    const auto& id = ids[static_cast<std::size_t>(steps)];
    const auto verdict = to_.hit(id, "/a");
    EXPECT_TRUE(verdict == Verdict::not_counted() || verdict == Verdict::unknown_token());
  }
  EXPECT_GT(steps, 5) << "it was interrupted in its checks and in its writes";
  for (const auto& id : ids) EXPECT_EQ(to_.hit(id, "/a"), Verdict::counted(2));
}

TEST_F(MovesTest, AHoldThatIsGivenUpCountsAgain) {
  const auto id = tests::new_token(from_.store);
  from_.hit(id, "/a");
  const auto exported = export_from(from_, {.hold = true});
  make_void(open().number());
  EXPECT_TRUE(end_hold(from_.movable(), exported.header.id));
  EXPECT_FALSE(end_hold(from_.movable(), exported.header.id));
  EXPECT_EQ(from_.hit(id, "/a"), Verdict::counted(2));
  EXPECT_NE(refusal_of([&] { import_into(to_); }).find("void"), std::string::npos);
}

TEST_F(MovesTest, RefusesAndWritesNothing) {
  const auto id = tests::new_token(from_.store);
  from_.hit(id, "/a");
  export_from(from_, {});
  EXPECT_NE(refusal_of([&] { import_into(to_); }).find("--copy"), std::string::npos);
  EXPECT_NE(refusal_of([&] { import_into(from_, {.copy = true}); }).find("very store"), std::string::npos);
  import_into(to_, {.copy = true});
  export_from(from_, {}, "later");
  const auto strangers = refusal_of([&] { import_into(to_, {.copy = true}, "later"); });
  EXPECT_NE(strangers.find(to_string(id)), std::string::npos) << strangers;
  EXPECT_TRUE(to_.contents->marks().empty());
  EXPECT_EQ(to_.hit(id, "/a"), Verdict::counted(2));

  Place busy;
  busy.contents->set_mark({SlotMark::Kind::held, {9}, domain::SlotSet{}.set()});
  EXPECT_NE(refusal_of([&] { import_into(busy, {.copy = true}); }).find("are held"), std::string::npos);
  EXPECT_NE(refusal_of([&] { export_from(to_, {.lost_to = "b"}, "lost"); }), "");
}

// A file that was cut off in the second half is not imported by half.
TEST_F(MovesTest, NothingOfADamagedFileIsImported) {
  for (int i = 0; i < 2000; ++i) from_.hit(tests::new_token(from_.store), "/" + std::string(1500, 'p'));
  export_from(from_, {.hold = true});
  const auto path = directory_.path() / "file";
  std::filesystem::resize_file(path, std::filesystem::file_size(path) - 100);
  EXPECT_NE(refusal_of([&] { import_into(to_); }).find("damaged"), std::string::npos);
  EXPECT_TRUE(to_.contents->read(domain::SlotSet{}.set())->next().empty());
  EXPECT_TRUE(to_.contents->marks().empty());
}

// Four to three and back: the copy that stayed gives way to the tokens that come back.
TEST_F(MovesTest, TokensComeBack) {
  const auto id = tests::new_token(from_.store);
  from_.hit(id, "/a");
  export_from(from_, {.hold = true});
  const auto receipt = import_into(to_);
  for (int time = 0; time < 5; ++time) to_.hit(id, "/a");
  to_.hit(id, "/b");
  drop_tokens(from_.movable(), receipt, true);
  export_from(to_, {.hold = true}, "back");
  import_into(from_, {}, "back");
  EXPECT_EQ(from_.hit(id, "/a"), Verdict::counted(7));
  EXPECT_EQ(from_.hit(id, "/b"), Verdict::counted(2));
  EXPECT_EQ(to_.hit(id, "/a"), Verdict::not_counted());
}

// A to B to C: B has had its import already.
TEST_F(MovesTest, AnImportIsNotRepeatedOnceItsTokensHaveMovedOn) {
  const auto id = tests::new_token(from_.store);
  from_.hit(id, "/a");
  export_from(from_, {.hold = true});
  import_into(to_);
  export_from(to_, {.hold = true}, "second");
  Place third;
  drop_tokens(to_.movable(), import_into(third, {}, "second"), true);
  EXPECT_NE(refusal_of([&] { import_into(to_); }).find("moved on"), std::string::npos);
  EXPECT_EQ(to_.hit(id, "/a"), Verdict::not_counted());
  EXPECT_EQ(third.hit(id, "/a"), Verdict::counted(2));
}

TEST_F(MovesTest, WhatIsBeingImportedIsNotExported) {
  to_.contents->set_mark({SlotMark::Kind::importing, {9}, domain::SlotSet{}.set(5)});
  EXPECT_NE(refusal_of([&] { export_from(to_, {.hold = true}); }).find("import"), std::string::npos);
}

TEST_F(MovesTest, AnUnfinishedImportIsDiscardedOnlyOnRequest) {
  const auto id = tests::new_token(from_.store);
  from_.hit(id, "/a");
  const auto first = export_from(from_, {.hold = true});
  const std::vector<store::StoredToken> left{{.id = id, .counts = {{"/a", 1}}}};
  to_.contents->set_mark({SlotMark::Kind::importing, first.header.id, first.header.slots});
  to_.contents->put(first.header.id, left);
  end_hold(from_.movable(), first.header.id);
  from_.hit(id, "/a");
  export_from(from_, {.hold = true}, "second");
  EXPECT_NE(refusal_of([&] { import_into(to_, {}, "second"); }).find("--discard-unfinished"),
            std::string::npos);
  import_into(to_, {.discard_unfinished = true}, "second");
  EXPECT_EQ(to_.hit(id, "/a"), Verdict::counted(3));
}

TEST_F(MovesTest, WhatAListGaveToACounterIsImportedByThatCounterAlone) {
  ExportHeader header{.kind = ExportHeader::Kind::lost,
                      .id = {1},
                      .store = {2},
                      .slots = domain::SlotSet{}.set(),
                      .time = now_text(),
                      .owner = "b"};
  {
    const auto file = open();
    ExportWriter writer(file.number(), header);
    writer.finish();
  }
  EXPECT_NE(refusal_of([&] { import_into(to_, {.copy = true}); }).find("counter b"), std::string::npos);
}

// The copies that stayed at home count as removed, without a drop.
TEST_F(MovesTest, TokensComeBackThoughTheirCopiesWereNeverDropped) {
  const auto id = tests::new_token(from_.store);
  from_.hit(id, "/a");
  const auto exported = export_from(from_, {.hold = true});
  import_into(to_);
  from_.contents->set_mark({SlotMark::Kind::moved, exported.header.id, exported.header.slots});
  to_.hit(id, "/a");
  export_from(to_, {.hold = true}, "back");
  import_into(from_, {}, "back");
  EXPECT_EQ(from_.hit(id, "/a"), Verdict::counted(3));
}

TEST(RequestsTest, AreReadAsTheyWereWritten) {
  const ExportRequest some{.slots = domain::SlotSet{}.set(3), .hold = true};
  const auto read = parse_export_request(to_string(some));
  ASSERT_TRUE(read);
  EXPECT_EQ(read->slots, some.slots);
  EXPECT_TRUE(read->hold);
  EXPECT_EQ(parse_export_request(to_string(ExportRequest{.lost_to = "b c"}))->lost_to, "b c");
  EXPECT_FALSE(parse_export_request("frozen\n"));
  EXPECT_FALSE(parse_export_request("slots x\n"));
  EXPECT_TRUE(parse_import_request(to_string(ImportRequest{.copy = true}))->copy);
  EXPECT_FALSE(parse_import_request("")->copy);
  EXPECT_FALSE(parse_drop_request("accept_loss\n"));
  EXPECT_TRUE(
      parse_drop_request(to_string(DropRequest{{.slots = domain::SlotSet{}.set(1), .checksum = "x"}, true}))
          ->accept_loss);
}

}  // namespace
}  // namespace tracker::transfer
