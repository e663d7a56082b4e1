#include "store/rocksdb/write_ahead_log.h"

#include <algorithm>
#include <sstream>
#include <string_view>

#include "store/rocksdb/crc32c.h"
#include "store/rocksdb/stored_values.h"

namespace tracker::store::rocksdb {

namespace {

// The format of a log. All numbers are little-endian.
//
// A log consists of blocks of 32 KiB. A record is one full fragment; or a first one, any number of middle ones, and a
// last one. A fragment lies within a block: checksum (4 bytes), length (2), type (1), bytes. The rest of a block that
// is too short for a header is zeros.
//
// The bytes of a record are a write batch: sequence number (8), number of puts (4), changes. A put is its type (1), and
// key and value, each after its length. Log data, which only the log has, is its type (1), and bytes after their
// length.
//
// A commit is a put with its number, the store's secret as log data, puts, and commit_end as log data. In older stores
// it is puts alone.
constexpr std::size_t block_bytes = 32768;
constexpr std::size_t sector_bytes = 512;  // the smallest unit that a disk writes
constexpr std::size_t header_bytes = 7;
constexpr std::size_t batch_header_bytes = 12;
/// More zeros than a commit of an older store can end with, unless its last sector was not written: it ends with a
/// value of 8 bytes that is not 0.
constexpr std::size_t many_zeros = 8;
constexpr char removal = 0;
constexpr char put = 1;
constexpr char log_data = 3;
enum Type : unsigned char { full = 1, first = 2, middle = 3, last = 4 };

/// The beginning of every commit, up to its number.
const std::string& commit_front() {
  static const std::string front = [] {
    std::string bytes(1, put);
    bytes += static_cast<char>(commit_key.size());
    bytes += commit_key;
    bytes += static_cast<char>(commit_facts_bytes);
    return bytes;
  }();
  return front;
}
const std::size_t commit_number_at = batch_header_bytes + commit_front().size();
const std::size_t commit_front_bytes = commit_number_at + 8;
/// Where its secret begins, including the type and length before it.
const std::size_t commit_secret_at = commit_number_at + commit_facts_bytes;
const std::size_t commit_secret_end = commit_secret_at + 2 + sizeof(StoreSecret);

std::string as_log_data(std::string_view bytes) {
  return std::string(1, log_data) + static_cast<char>(bytes.size()) + std::string(bytes);
}

/// As RocksDB stores it.
std::uint32_t masked(std::uint32_t crc) {
  return (crc >> 15U | crc << 17U) + 0xA282EAD8U;
}

/// A fragment at the beginning of `bytes`, which are enough for its header.
struct Fragment {
  std::uint32_t checksum;
  std::size_t size;
  unsigned char type;
  std::string_view bytes;  // the part of it that is there

  explicit Fragment(std::string_view from)
      : checksum(static_cast<std::uint32_t>(little_endian(from.substr(0, 4)))),
        size(little_endian(from.substr(4, 2))),
        type(static_cast<unsigned char>(from[6])),
        bytes(from.substr(header_bytes, size)) {}

  bool is_whole() const { return bytes.size() == size; }
  bool is_known_type() const { return type >= full && type <= last; }
  bool begins_record() const { return type == full || type == first; }
  bool is_valid() const {
    if (!is_known_type() || !is_whole()) return false;
    Crc32c crc;
    crc.add(type);
    crc.add(bytes);
    return masked(crc.value()) == checksum;
  }
};

bool fits(const Fragment& fragment, std::size_t size) {
  Crc32c crc;
  crc.add(fragment.type);
  crc.add(fragment.bytes.substr(0, size));
  return masked(crc.value()) == fragment.checksum;
}

/// Whether its checksum matches some beginning of `bytes`. Then it is whole, and its length is damaged.
bool is_whole_with_another_length(const Fragment& fragment) {
  Crc32c crc;
  crc.add(fragment.type);
  if (masked(crc.value()) == fragment.checksum) return true;
  return std::any_of(fragment.bytes.begin(), fragment.bytes.end(), [&](char byte) {
    crc.add(static_cast<unsigned char>(byte));
    return masked(crc.value()) == fragment.checksum;
  });
}

/// Takes a length and a text of that length from the beginning of `bytes`. Returns false if it is not complete.
bool take_text(std::string_view& bytes) {
  std::size_t size = 0;
  for (unsigned shift = 0;; shift += 7) {
    if (bytes.empty() || shift > 28) return false;
    const auto byte = static_cast<unsigned char>(bytes.front());
    bytes.remove_prefix(1);
    size |= static_cast<std::size_t>(byte & 0x7FU) << shift;
    if (byte < 0x80) break;
  }
  if (size > bytes.size()) return false;
  bytes.remove_prefix(size);
  return true;
}

/// The length of the write batch at the beginning of `bytes`, which ends with `end`. Returns nothing if it is not
/// complete.
std::optional<std::size_t> batch_bytes(std::string_view bytes, std::string_view end) {
  const auto bytes_given = bytes.size();
  if (bytes.size() < batch_header_bytes) return std::nullopt;
  auto changes = little_endian(bytes.substr(8, 4));
  bytes.remove_prefix(batch_header_bytes);
  while (changes > 0) {
    if (bytes.empty()) return std::nullopt;
    const char type = bytes.front();
    if (type != put && type != removal && type != log_data) return std::nullopt;
    bytes.remove_prefix(1);
    if (!take_text(bytes) || (type == put && !take_text(bytes))) return std::nullopt;
    if (type != log_data) --changes;
  }
  if (!bytes.starts_with(end)) return std::nullopt;
  return bytes_given - bytes.size() + end.size();
}

bool is_zero(std::string_view bytes) {
  return bytes.find_first_not_of('\0') == bytes.npos;
}

/// The bytes without the zeros at their end.
std::string_view without_last_zeros(std::string_view bytes) {
  return bytes.substr(0, bytes.find_last_not_of('\0') + 1);
}

class LogReader {
 public:
  /// `of_commits` says whether the records are commits, which may have been written into zeros.
  LogReader(std::string_view log, bool of_commits, const std::optional<StoreSecret>& secret)
      : log_(log), content_end_(without_last_zeros(log).size()), of_commits_(of_commits) {
    if (secret) secret_ = as_log_data({secret->data(), secret->size()});
  }

  LogFindings read() {
    while (read_block()) {
    }
    findings_.bytes = log_.size();
    if (findings_.torn_at) findings_.torn_bytes = content_end_ - std::min(content_end_, *findings_.torn_at);
    findings_.synced_end = content_end_ > last_end_ ? last_end_ : end_before_;
    return findings_;
  }

 private:
  /// Returns false if there is nothing more to find out.
  bool read_block() {
    const auto block = log_.substr(position_, block_bytes);
    const auto block_begin = position_;
    std::size_t at = 0;
    for (; block_bytes - at >= header_bytes; position_ = block_begin + at) {
      if (position_ >= content_end_) return end_of_log();
      const auto rest = block.substr(at);
      if (rest.size() < header_bytes) return torn(rest);
      const Fragment fragment(rest);
      if (!fragment.is_valid()) return not_valid(rest, block_bytes - at);
      if (!take(fragment)) return false;
      at += header_bytes + fragment.size;
    }
    if (!is_zero(block.substr(std::min(at, block.size())))) return damaged("bytes between records");
    position_ = block_begin + block_bytes;
    return position_ < log_.size() || end_of_log();
  }

  bool damaged(const std::string& what) {
    findings_.damage = what + " at byte " + std::to_string(position_);
    return false;
  }

  bool end_of_log() {
    if (in_record_) findings_.torn_at = record_begin_;
    return false;
  }

  bool torn_here() {
    findings_.torn_at = in_record_ ? record_begin_ : position_;
    return false;
  }

  /// The bytes here, up to the end of the block or of the file, are not a valid fragment.
  bool not_valid(std::string_view rest, std::size_t left_of_block) {
    const Fragment fragment(rest);
    const bool is_possible = fragment.is_known_type() && header_bytes + fragment.size <= left_of_block;
    if (is_possible && !fragment.is_whole()) return torn(rest);
    if (of_commits_ && !(is_possible && is_whole_but_for_its_length(fragment)) &&
        lacks_sector(header_bytes + (is_possible ? fragment.size : commit_front_bytes))) {
      return torn_here();
    }
    if (!fragment.is_known_type()) return damaged("bytes that are no record");
    return damaged(is_possible ? "a record whose checksum does not fit" : "a record of an impossible length");
  }

  /// Whether this is the last record, of at least this many bytes, and one of its sectors was not written. (It begins
  /// with its checksum. Zeros up to the end of a sector may be a checksum, but two unlikely things must come together
  /// for that.)
  bool lacks_sector(std::size_t least_bytes) const {
    const auto tail = log_.substr(position_, std::max(content_end_ - position_, least_bytes));
    for (std::size_t begin = 0; begin < tail.size();) {
      const auto end = begin + sector_bytes - (position_ + begin) % sector_bytes;
      const auto sector = tail.substr(begin, end - begin);
      const auto least_zeros = begin == 0 || has_secrets_ ? 1 : many_zeros;
      if (sector.size() >= least_zeros && is_zero(sector)) return !record_follows();
      begin = end;
    }
    return false;
  }

  /// The log ends within the fragment that begins with `rest`.
  bool torn(std::string_view rest) {
    if (rest.size() >= header_bytes) {
      const Fragment fragment(rest);
      if (fragment.begins_record() == in_record_ || is_whole_but_for_its_length(fragment) ||
          (of_commits_ && fragment.begins_record() && !is_beginning_of_commit(fragment) &&
           !lacks_sector(header_bytes + fragment.size)) ||
          record_follows()) {
        return damaged("a damaged record");
      }
    }
    return torn_here();
  }

  /// Whether another record was begun behind the invalid one here.
  bool record_follows() const { return secret_follows() || fragment_follows(); }

  /// Whether the secret of another commit follows. (The first fragment of a block may divide it.)
  bool secret_follows() const {
    if (secret_.empty()) return false;
    const auto begin = in_record_ ? record_begin_ : position_;
    std::string bytes;
    for (auto from = begin; from < content_end_;) {
      const auto end = (from / block_bytes + 1) * block_bytes;
      const auto skipped = from == begin ? 0 : header_bytes;
      if (from + skipped < log_.size()) bytes += log_.substr(from + skipped, end - from - skipped);
      from = end;
    }
    const auto its_own = header_bytes + commit_secret_at;
    for (auto at = bytes.find(secret_); at != bytes.npos; at = bytes.find(secret_, at + 1)) {
      if (at != its_own) return true;
    }
    return false;
  }

  /// Whether a record begins in a later block, or in this one behind the invalid fragment. Finds it by following
  /// fragments from a place where one must begin.
  bool fragment_follows() const {
    auto at = behind_this_fragment();
    for (auto end = (position_ / block_bytes + 1) * block_bytes; at < content_end_;
         at = end, end += block_bytes) {
      const auto block = log_.substr(0, end);
      while (at + header_bytes <= block.size()) {
        const Fragment fragment(block.substr(at));
        if (!fragment.is_valid()) break;
        if (fragment.begins_record()) return true;
        at += header_bytes + fragment.size;
      }
    }
    return false;
  }

  /// The end according to its header; or the end of the block if the header may lie in two sectors, of which one was
  /// not written.
  std::uint64_t behind_this_fragment() const {
    const auto block_end = (position_ / block_bytes + 1) * block_bytes;
    if (position_ % sector_bytes + header_bytes > sector_bytes) return block_end;
    const auto rest = log_.substr(position_, block_end - position_);
    if (rest.size() < header_bytes || !Fragment(rest).is_known_type()) return block_end;
    return std::min<std::uint64_t>(position_ + header_bytes + Fragment(rest).size, block_end);
  }

  bool is_whole_but_for_its_length(const Fragment& fragment) const {
    if (!of_commits_ || fragment.type != full) return is_whole_with_another_length(fragment);
    const auto size = batch_bytes(fragment.bytes, end_of_commits());
    return size && fits(fragment, *size);
  }

  /// The end of each commit in this log.
  std::string_view end_of_commits() const {
    static const std::string end = as_log_data(commit_end);
    return has_secrets_ ? std::string_view(end) : std::string_view();
  }

  bool is_expected(std::uint64_t commit) const {
    return findings_.empty() || commit == findings_.next_commit;
  }

  /// Whether this part of a fragment can be a beginning of the next commit, and nothing more.
  bool is_beginning_of_commit(const Fragment& fragment) const {
    const auto bytes = fragment.bytes;
    if (fragment.type == full && batch_bytes(bytes, end_of_commits())) return false;
    if (bytes.size() >= commit_front_bytes) return commit_number(bytes).has_value();
    const auto front = bytes.substr(std::min(bytes.size(), batch_header_bytes), commit_front().size());
    return commit_front().starts_with(front);
  }

  /// The number of the commit that begins like this, if it is the next one.
  std::optional<std::uint64_t> commit_number(std::string_view bytes) const {
    if (bytes.size() < commit_front_bytes ||
        bytes.substr(batch_header_bytes, commit_front().size()) != commit_front()) {
      return std::nullopt;
    }
    const auto commit = little_endian(bytes.substr(commit_number_at, 8));
    return is_expected(commit) ? std::optional(commit) : std::nullopt;
  }

  bool take(const Fragment& fragment) {
    if (fragment.begins_record() == in_record_) {
      return damaged(in_record_ ? "a record without its end" : "a record without its beginning");
    }
    if (fragment.begins_record()) {
      record_begin_ = position_;
      record_front_.clear();
    }
    record_front_ += fragment.bytes.substr(0, commit_secret_end - record_front_.size());
    in_record_ = fragment.type == first || fragment.type == middle;
    return in_record_ || !of_commits_ || take_commit(position_ + header_bytes + fragment.size);
  }

  bool take_commit(std::uint64_t end) {
    const auto commit = commit_number(record_front_);
    if (!commit) return damaged("a record that does not follow the one before it,");
    if (findings_.empty()) findings_.first_commit = *commit;
    findings_.next_commit = *commit + 1;
    end_before_ = last_end_;
    last_end_ = end;
    has_secrets_ = !secret_.empty() && record_front_.ends_with(secret_);
    return true;
  }

  const std::string_view log_;
  const std::size_t content_end_;  // only zeros follow, if anything
  const bool of_commits_;
  std::string secret_;  // as each commit carries it; empty if there is none
  bool has_secrets_ = !secret_.empty();
  LogFindings findings_;
  std::uint64_t last_end_ = 0;    // of the last whole commit
  std::uint64_t end_before_ = 0;  // of the one before it
  std::size_t position_ = 0;
  bool in_record_ = false;
  std::uint64_t record_begin_ = 0;
  std::string record_front_;  // its first bytes
};

LogFindings read_log(std::istream& log, bool of_commits, const std::optional<StoreSecret>& secret) {
  std::ostringstream bytes;
  if (log.peek() != std::istream::traits_type::eof()) bytes << log.rdbuf();
  if (log.bad() || !bytes) {
    LogFindings unknown;
    unknown.unreadable = true;
    return unknown;
  }
  return LogReader(bytes.view(), of_commits, secret).read();
}

}  // namespace

LogFindings read_manifest(std::istream& manifest) {
  return read_log(manifest, false, std::nullopt);
}

LogFindings read_write_ahead_log(std::istream& log, const std::optional<StoreSecret>& secret) {
  return read_log(log, true, secret);
}

}  // namespace tracker::store::rocksdb
