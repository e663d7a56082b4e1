#include "transfer/export_file.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <functional>
#include <future>
#include <string>
#include <vector>

#include "domain/token.h"
#include "runtime/descriptor.h"
#include "store/store_error.h"
#include "support/store_on_disk.h"
#include "support/temporary_directory.h"

namespace tracker::transfer {
namespace {

store::StoredToken token(std::vector<store::StoredCount> counts) {
  return {.id = domain::token_id(domain::random_token()),
          .record = {.minted_s = 1'700'000'000},
          .counts = std::move(counts)};
}

ExportHeader whole() {
  ExportHeader header{.kind = ExportHeader::Kind::held, .id = {1, 2}, .store = {3}, .time = now_text()};
  header.slots.set();
  return header;
}

class ExportFileTest : public testing::Test {
 protected:
  runtime::Descriptor open() const {
    return runtime::Descriptor(::open(path().c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  }
  std::string path() const { return directory_.path() / "file"; }
  std::string text() const { return tests::contents(path()); }
  void write(const std::string& text) const { std::ofstream(path(), std::ios::trunc) << text; }

  void write(const ExportHeader& header, const std::vector<store::StoredToken>& tokens) const {
    const auto file = open();
    ExportWriter writer(file.number(), header);
    writer.add(tokens);
    writer.finish();
  }
  std::vector<store::StoredToken> read() const {
    const auto file = open();
    ExportReader reader(file.number());
    std::vector<store::StoredToken> all;
    for (auto tokens = reader.next(); !tokens.empty(); tokens = reader.next())
      all.insert(all.end(), tokens.begin(), tokens.end());
    EXPECT_EQ(reader.totals().tokens, all.size());
    EXPECT_EQ(reader.checksum().size(), 64U);
    return all;
  }
  /// Why it is refused; empty: it is not.
  std::string refusal() const {
    try {
      read();
      return "";
    } catch (const store::StoreError& error) {
      return error.what();
    }
  }

  const tests::TemporaryDirectory directory_;
};

TEST_F(ExportFileTest, CarriesWhatIsKnownOfAToken) {
  auto known = token({{"/a", 1}});
  known.record = {.minted_s = 5,
                  .expires_s = 9,
                  .idle_s = 7,
                  .used_s = 8,
                  .use_by_s = 6,
                  .revoked_s = 10,
                  .label = "\"shop\" 1\n",
                  .others = "quota=5"};
  const auto plain = token({});
  std::vector tokens{known, plain};
  std::ranges::sort(tokens, {}, &store::StoredToken::id);
  write(whole(), tokens);
  EXPECT_EQ(read(), tokens);
}

// As a version before wrote it, whose tokens had no facts.
TEST_F(ExportFileTest, AFileOfTheFirstFormatIsRead) {
  write(
      R"({"void":false,"format":"tracker export 1","kind":"copy","export":"cef343609fdcfd50cbf01cf9ea113f0b","store":"1681d92d70b145b5a25f98e0c0a3d8bc","slots":"0-16383","time":"2026-11-28T15:54:38Z"})"
      "\n"
      R"({"token":"c2dff45250f23f7bb60db4f30dff1433","minted":1795881278,"counts":{"/a":2}})"
      "\n"
      R"({"tokens":1,"counters":1,"sha256":"a31ce7692c9c6d86779c19433711fe8bf6ef69bc629322c67619856daa622222"})"
      "\n");
  const auto all = read();
  ASSERT_EQ(all.size(), 1U);
  EXPECT_EQ(all[0].record, domain::TokenRecord{.minted_s = 1'795'881'278});
  EXPECT_EQ(all[0].counts, (std::vector<store::StoredCount>{{"/a", 2}}));
}

TEST_F(ExportFileTest, IsReadAsItWasWritten) {
  std::string control;
  for (char c = 1; c < 0x7F; ++c) control += c;
  std::vector tokens{token({}), token({{"/", 1}, {"/a", INT64_MAX}}),
                     token({{control, 3}, {"/\xC3\xA9\"\\", 4}})};
  for (int i = 0; i < 3000; ++i) tokens.push_back(token({{"/" + std::string(1000, 'p'), i + 1}}));
  tokens.push_back(token({{"/\xFF no UTF-8", 1}}));
  std::ranges::sort(tokens, {}, &store::StoredToken::id);
  write(whole(), tokens);
  EXPECT_EQ(read(), tokens);
}

TEST_F(ExportFileTest, TheHeaderSaysWhatItIs) {
  auto header = whole();
  header.masters = {"abc", "def"};
  write(header, {});
  EXPECT_EQ(ExportReader(open().number()).header(), header);
  header.kind = ExportHeader::Kind::lost;
  header.owner = "b";
  header.list_version = 7;
  header.list_fingerprint = 0xFEDCBA9876543210;
  ::unlink(path().c_str());
  write(header, {});
  EXPECT_EQ(ExportReader(open().number()).header(), header);
  EXPECT_TRUE(read().empty());
}

TEST_F(ExportFileTest, IsVoidForEverOnceItSaysSo) {
  write(whole(), {token({{"/a", 1}})});
  EXPECT_FALSE(ExportReader(open().number()).header().is_void);
  for (int time = 0; time < 2; ++time) {
    make_void(open().number());
    EXPECT_TRUE(ExportReader(open().number()).header().is_void);
  }
  write("no export\n");
  EXPECT_THROW(make_void(open().number()), store::StoreError);
}

class Pipe {
 public:
  Pipe() { EXPECT_EQ(::pipe2(ends_.data(), O_CLOEXEC), 0); }
  ~Pipe() {
    for (const int end : ends_) ::close(end);
  }
  int from() const { return ends_[0]; }
  int to() const { return ends_[1]; }

 private:
  std::array<int, 2> ends_{-1, -1};
};

// More than a pipe holds.
std::vector<store::StoredToken> many_tokens() {
  std::vector<store::StoredToken> tokens;
  for (int i = 0; i < 1000; ++i) tokens.push_back(token({{"/" + std::string(1000, 'p'), i + 1}}));
  std::ranges::sort(tokens, {}, &store::StoredToken::id);
  return tokens;
}

TEST_F(ExportFileTest, APipeGetsTheSameBytes) {
  const auto tokens = many_tokens();
  const auto header = whole();
  write(header, tokens);
  const Pipe pipe;
  const auto size = text().size();
  auto reader = std::async(std::launch::async, [&] {
    std::string all(size, 0);
    for (std::size_t at = 0; at < size;) {
      const auto bytes = ::read(pipe.from(), all.data() + at, size - at);
      if (bytes <= 0) break;
      at += static_cast<std::size_t>(bytes);
    }
    return all;
  });
  ExportWriter writer(pipe.to(), header);
  writer.add(tokens);
  writer.finish();
  EXPECT_TRUE(reader.get() == text());
}

// Otherwise the store would keep what it reads for ever.
TEST_F(ExportFileTest, APipeThatNobodyReadsIsGivenUp) {
  const Pipe pipe;
  ExportWriter writer(pipe.to(), whole(), std::chrono::milliseconds(1));
  try {
    writer.add(many_tokens());
    FAIL() << "nobody has read it";
  } catch (const store::StoreError& error) {
    EXPECT_NE(std::string(error.what()).find("has taken nothing for 1 s"), std::string::npos) << error.what();
  }
}

// Whatever byte is changed, cut off or added.
TEST_F(ExportFileTest, DamageIsNoticed) {
  std::vector two{token({{"/a", 1}}), token({{"/b", 2}})};
  std::ranges::sort(two, {}, &store::StoredToken::id);
  write(whole(), {two[0], two[0]});
  EXPECT_NE(refusal().find("order"), std::string::npos) << refusal();
  ::unlink(path().c_str());
  write(whole(), two);
  const auto good = text();
  for (std::size_t at = 0; at < good.size(); ++at) {
    auto bad = good;
    bad[at] = static_cast<char>(bad[at] ^ 1);
    write(bad);
    // The last line has no checksum of its own. What it says must be right all the same.
    const auto why = refusal();
    EXPECT_TRUE(!why.empty() || read().size() == 2) << "byte " << at << " of " << bad;
    EXPECT_TRUE(!why.empty() || at >= good.rfind("{\"tokens\"")) << "byte " << at << " of " << bad;
    write(good.substr(0, at));
    EXPECT_NE(refusal(), "") << "cut off at " << at;
  }
  write(good + "{}\n");
  EXPECT_NE(refusal().find("something follows"), std::string::npos) << refusal();
  write("");
  EXPECT_NE(refusal().find("empty"), std::string::npos) << refusal();
  write(R"({"void":false,"format":"tracker export 3"})"
        "\n");
  EXPECT_NE(refusal().find("newer"), std::string::npos) << refusal();
}

TEST_F(ExportFileTest, ATokenOutsideItsSlotsIsRefused) {
  auto header = whole();
  const auto its = token({});
  header.slots.reset(domain::slot_of(its.id));
  write(header, {its});
  EXPECT_NE(refusal(), "");
}

TEST(SlotsTextTest, NamesSlotsAndRanges) {
  domain::SlotSet slots;
  EXPECT_EQ(slots_text(slots), "");
  slots.set(0).set(1).set(5).set(16'382).set(16'383);
  EXPECT_EQ(slots_text(slots), "0-1,5,16382-16383");
  EXPECT_EQ(parse_slots(slots_text(slots)), slots);
  EXPECT_EQ(parse_slots("0-16383"), domain::SlotSet{}.set());
  for (const auto* bad : {"", ",", "1,,2", "2-1", "-1", "1-", "16384", "1-16384", "a", "1 2", " 1"})
    EXPECT_EQ(parse_slots(bad), std::nullopt) << bad;
}

TEST(ReceiptTest, IsReadAsItWasWritten) {
  const Receipt receipt{.id = {1},
                        .source = {2},
                        .slots = domain::SlotSet{}.set(4),
                        .checksum = "ab",
                        .target = "the store 5",
                        .totals = {3, 4},
                        .loss = "",
                        .time = now_text()};
  const auto read = Receipt::parse(receipt.to_string());
  ASSERT_TRUE(read);
  EXPECT_EQ(read->to_string(), receipt.to_string());
  EXPECT_FALSE(Receipt::parse("{}"));
  EXPECT_FALSE(Receipt::parse(""));
}

}  // namespace
}  // namespace tracker::transfer
