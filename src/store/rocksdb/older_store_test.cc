// A store as tracker wrote it before its commits carried a secret and its runs left a mark.
#include <gtest/gtest.h>

#include "domain/hex.h"
#include "domain/token.h"
#include "store/rocksdb/rocksdb_store.h"
#include "support/blocking_store.h"
#include "support/store_on_disk.h"
#include "support/temporary_directory.h"

namespace tracker::store::rocksdb {

using domain::Verdict;
using tests::small_settings;
using tests::track_one;
namespace fs = std::filesystem;

namespace {

constexpr const char* token = "c0583136-9874-4891-b8da-e8edc6d3bd07";

/// 000008.log: the token, three counts of /a and one of /b. Zeros up to 256 KiB follow.
constexpr std::string_view log_hex =
    "9b1ae21b4000010100000000000000020000000106636f6d6d6974100100000000000000010000000000000001107142"
    "39d27e4293fc0572255560118771088856096b00000000f8d874804200010300000000000000020000000106636f6d6d"
    "697410020000000000000001000000000000000112714239d27e4293fc05722555601187712f61080100000000000000"
    "250e710c4200010500000000000000020000000106636f6d6d6974100300000000000000010000000000000001127142"
    "39d27e4293fc05722555601187712f6108020000000000000027b679d14200010700000000000000020000000106636f"
    "6d6d697410040000000000000001000000000000000112714239d27e4293fc05722555601187712f6108030000000000"
    "0000519875d14200010900000000000000020000000106636f6d6d697410050000000000000001000000000000000112"
    "714239d27e4293fc05722555601187712f620801"
    "00000000000000";
constexpr std::string_view manifest_hex =
    "56f9b8f81c0001011a6c6576656c64622e4279746577697365436f6d70617261746f72f4030c5a040001020004003ec6"
    "7e860600010900030904009874b25708000102050900030a0400";

std::string bytes_of(std::string_view hex) {
  std::string bytes;
  for (std::size_t i = 0; i < hex.size(); i += 2) {
    bytes += static_cast<char>(domain::hex_value(hex[i]) << 4U | domain::hex_value(hex[i + 1]));
  }
  return bytes;
}

void write(const fs::path& path, const std::string& bytes) {
  std::ofstream(path, std::ios::binary) << bytes;
}

/// It was killed, or it ended, and left as much of its log.
void make_older_store(const fs::path& store, const std::string& log) {
  fs::remove_all(store);
  fs::create_directories(store / "db");
  write(store / "FORMAT", "tracker store, format 1\n");
  write(store / "db" / "CURRENT", "MANIFEST-000009\n");
  write(store / "db" / "IDENTITY", "a9fde0d9-e548-49a0-8588-79d0c4b3b15e");
  write(store / "db" / "MANIFEST-000009", bytes_of(manifest_hex));
  write(store / "db" / "000004.log", "");
  write(store / "db" / "000008.log", log);
}

}  // namespace

TEST(OlderStore, OpensAfterACrashAndAfterAnEnd) {
  const tests::TemporaryDirectory temporary;
  const auto path = temporary.path() / "store";
  const auto id = domain::token_id(domain::parse_token(token).value());
  const auto log = bytes_of(log_hex);
  for (const auto& left : {log, log + std::string(262'144 - log.size(), '\0')}) {
    make_older_store(path, left);
    for (int run = 0; run < 3; ++run) {
      RocksDbStore store(small_settings(path));
      EXPECT_EQ(store.tokens_at_open(), 1U);
      EXPECT_EQ(store.left_out_bytes_at_open(), 0U);
      EXPECT_EQ(track_one(store, id, "/a"), Verdict::counted(4 + run));
      EXPECT_EQ(track_one(store, id, "/b"), Verdict::counted(2 + run));
    }
  }
}

TEST(OlderStore, OpensWithATornTail) {
  const tests::TemporaryDirectory temporary;
  const auto path = temporary.path() / "store";
  const auto id = domain::token_id(domain::parse_token(token).value());
  const auto log = bytes_of(log_hex);
  for (std::size_t cut = 0; cut < log.size(); cut += 11) {
    make_older_store(path, log.substr(0, cut));
    RocksDbStore store(small_settings(path));
    const auto verdict = track_one(store, id, "/a");
    if (verdict != Verdict::unknown_token()) {
      EXPECT_LE(verdict.count, 4) << cut;
    }
  }
}

// It had none. The older tracker can go on with it.
TEST(OlderStore, GetsAnIdAndKeepsItsFormat) {
  const tests::TemporaryDirectory temporary;
  const auto path = temporary.path() / "store";
  make_older_store(path, bytes_of(log_hex));
  std::optional<StoreFacts> first;
  for (int run = 0; run < 3; ++run) {
    const RocksDbStore store(small_settings(path));
    const auto facts = store.facts().value();
    ASSERT_TRUE(facts);
    EXPECT_NE(facts->id, StoreFacts::Id{});
    EXPECT_EQ(facts->record, "");
    if (run == 0) first = facts;
    EXPECT_EQ(facts, first);
    EXPECT_EQ(tests::contents(path / "FORMAT"), "tracker store, format 1\n");
  }
}

}  // namespace tracker::store::rocksdb
