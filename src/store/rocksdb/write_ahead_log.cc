#include "store/rocksdb/write_ahead_log.h"

#include <algorithm>
#include <sstream>
#include <string_view>

#include "store/rocksdb/crc32c.h"
#include "store/rocksdb/stored_values.h"

namespace tracker::store {

namespace {

// A log is blocks of 32 KiB. A record is one full fragment, or a first, any number of middle and a last one; a
// fragment lies in one block: checksum (4 bytes), length (2), type (1), bytes. What is left of a block and too
// short for that is zeros. The bytes of a record are a write batch: sequence number (8), number of puts (4), puts;
// a put is its type (1), and key and value, each behind its length. The first put of a commit tells its number.
// All numbers: little end first.
constexpr std::size_t block_bytes = 32768;
constexpr std::size_t sector_bytes = 512;  // the least that any disk writes
constexpr std::size_t header_bytes = 7;
constexpr std::size_t batch_header_bytes = 12;
/// More zeros than a commit ends with, unless its last sector was not written: it ends with a value of 8 bytes that
/// is not 0.
constexpr std::size_t many_zeros = 8;
constexpr char put = 1;
enum Type : unsigned char { full = 1, first = 2, middle = 3, last = 4 };

/// The front of every commit, up to its number.
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

/// As RocksDB stores it.
std::uint32_t masked(std::uint32_t crc) {
  return (crc >> 15U | crc << 17U) + 0xA282EAD8U;
}

/// A fragment at the front of `bytes`, which is long enough for its header.
struct Fragment {
  std::uint32_t checksum;
  std::size_t size;
  unsigned char type;
  std::string_view bytes;  // what is there of it

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

/// Whether its checksum fits to any beginning of `bytes`: then it is whole, and its length is damaged.
bool is_whole_with_another_length(const Fragment& fragment) {
  Crc32c crc;
  crc.add(fragment.type);
  if (masked(crc.value()) == fragment.checksum) return true;
  return std::any_of(fragment.bytes.begin(), fragment.bytes.end(), [&](char byte) {
    crc.add(static_cast<unsigned char>(byte));
    return masked(crc.value()) == fragment.checksum;
  });
}

/// Whether `bytes` are a whole write batch of puts: then nothing of it is missing, and its header is damaged.
bool is_whole_batch(std::string_view bytes) {
  if (bytes.size() < batch_header_bytes) return false;
  auto changes = little_endian(bytes.substr(8, 4));
  bytes.remove_prefix(batch_header_bytes);
  const auto take_text = [&bytes] {
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
  };
  for (; changes > 0; --changes) {
    if (bytes.empty() || bytes.front() != put) return false;
    bytes.remove_prefix(1);
    if (!take_text() || !take_text()) return false;
  }
  return true;
}

/// Whether a valid fragment stands anywhere in `bytes`; or one that begins a record.
bool holds_fragment(std::string_view bytes, bool that_begins = false) {
  for (; bytes.size() >= header_bytes; bytes.remove_prefix(1)) {
    const Fragment fragment(bytes);
    if ((fragment.begins_record() || !that_begins) && fragment.is_valid()) return true;
  }
  return false;
}

bool is_zero(std::string_view bytes) {
  return bytes.find_first_not_of('\0') == bytes.npos;
}

/// The bytes up to the zeros at their end.
std::string_view without_last_zeros(std::string_view bytes) {
  return bytes.substr(0, bytes.find_last_not_of('\0') + 1);
}

class LogReader {
 public:
  /// Whether its records are commits, which may have been written into zeros, or anything.
  LogReader(std::string_view log, bool of_commits)
      : log_(log), content_end_(without_last_zeros(log).size()), of_commits_(of_commits) {}

  LogFindings read() {
    while (read_block()) {
    }
    return findings_;
  }

 private:
  /// False: there is nothing more to find out.
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

  /// What stands here, up to the end of its block or of the file, is no valid fragment.
  bool not_valid(std::string_view rest, std::size_t left_of_block) {
    const Fragment fragment(rest);
    const bool is_possible = fragment.is_known_type() && header_bytes + fragment.size <= left_of_block;
    if (is_possible && !fragment.is_whole()) return torn(rest);
    if (of_commits_ && !(is_possible && is_whole_with_another_length(fragment)) &&
        lacks_sector(header_bytes + (is_possible ? fragment.size : commit_front_bytes))) {
      return torn_here();
    }
    if (!fragment.is_known_type()) return damaged("bytes that are no record");
    return damaged(is_possible ? "a record whose checksum does not fit" : "a record of an impossible length");
  }

  /// Whether a sector of what stands here, at least so many bytes, was not written, and it is the last record. (It
  /// begins with its checksum: zeros up to the end of a sector may be that, by a chance that is small twice over.)
  bool lacks_sector(std::size_t least_bytes) const {
    const auto tail = log_.substr(position_, std::max(content_end_ - position_, least_bytes));
    for (std::size_t begin = 0; begin < tail.size();) {
      const auto end = begin + sector_bytes - (position_ + begin) % sector_bytes;
      const auto sector = tail.substr(begin, end - begin);
      const auto least_zeros = begin == 0 ? 1 : many_zeros;
      if (sector.size() >= least_zeros && is_zero(sector)) return !holds_fragment(tail.substr(1), true);
      begin = end;
    }
    return false;
  }

  /// The log ends within the fragment that begins with `rest`.
  bool torn(std::string_view rest) {
    if (rest.size() >= header_bytes) {
      const Fragment fragment(rest);
      if (fragment.begins_record() == in_record_ || is_whole_with_another_length(fragment) ||
          (of_commits_ && fragment.begins_record() && !is_beginning_of_commit(fragment) &&
           !lacks_sector(header_bytes + fragment.size)) ||
          holds_fragment(rest.substr(1))) {
        return damaged("a damaged record");
      }
    }
    return torn_here();
  }

  bool is_expected(std::uint64_t commit) const {
    return findings_.empty() || commit == findings_.next_commit;
  }

  /// Whether this much of a fragment can be a beginning of the commit that is due, and no more than that.
  bool is_beginning_of_commit(const Fragment& fragment) const {
    const auto bytes = fragment.bytes;
    if (fragment.type == full && is_whole_batch(bytes)) return false;
    if (bytes.size() >= commit_front_bytes) return commit_number(bytes).has_value();
    const auto front = bytes.substr(std::min(bytes.size(), batch_header_bytes), commit_front().size());
    return commit_front().starts_with(front);
  }

  /// Of the commit whose bytes begin so, if it is the one that is due.
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
    record_front_ += fragment.bytes.substr(0, commit_front_bytes - record_front_.size());
    in_record_ = fragment.type == first || fragment.type == middle;
    return in_record_ || !of_commits_ || take_commit();
  }

  bool take_commit() {
    const auto commit = commit_number(record_front_);
    if (!commit) return damaged("a record that does not follow the one before it,");
    if (findings_.empty()) findings_.first_commit = *commit;
    findings_.next_commit = *commit + 1;
    return true;
  }

  const std::string_view log_;
  const std::size_t content_end_;  // behind it there are only zeros, if anything
  const bool of_commits_;
  LogFindings findings_;
  std::size_t position_ = 0;
  bool in_record_ = false;
  std::uint64_t record_begin_ = 0;
  std::string record_front_;  // its first bytes
};

LogFindings read_log(std::istream& log, bool of_commits) {
  std::ostringstream bytes;
  if (log.peek() != std::istream::traits_type::eof()) bytes << log.rdbuf();
  if (log.bad() || !bytes) {
    LogFindings unknown;
    unknown.unreadable = true;
    return unknown;
  }
  return LogReader(bytes.view(), of_commits).read();
}

}  // namespace

LogFindings read_manifest(std::istream& manifest) {
  return read_log(manifest, false);
}

LogFindings read_write_ahead_log(std::istream& log) {
  return read_log(log, true);
}

}  // namespace tracker::store
