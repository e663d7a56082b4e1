#include "store/rocksdb/write_ahead_log.h"

#include <algorithm>
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
constexpr std::size_t header_bytes = 7;
constexpr std::size_t batch_header_bytes = 12;
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

/// Whether a valid fragment stands anywhere in `bytes`.
bool holds_fragment(std::string_view bytes) {
  for (; bytes.size() >= header_bytes; bytes.remove_prefix(1)) {
    if (Fragment(bytes).is_valid()) return true;
  }
  return false;
}

class LogReader {
 public:
  /// Whether its records are commits, or anything.
  explicit LogReader(bool of_commits) : of_commits_(of_commits) {}

  /// The next block, or the last bytes. False: there is nothing more to find out.
  bool read(std::string_view block, bool is_last) {
    for (std::size_t at = 0; block_bytes - at >= header_bytes; at += fragment_bytes_) {
      position_ = block_begin_ + at;
      const auto rest = block.substr(at);
      if (rest.empty()) return end_of_file();
      if (rest.size() < header_bytes) return torn(rest);
      const Fragment fragment(rest);
      if (!fragment.is_known_type()) return damaged("bytes that are no record");
      if (header_bytes + fragment.size > block_bytes - at) return damaged("a record of an impossible length");
      if (!fragment.is_whole()) return torn(rest);
      if (!fragment.is_valid()) return damaged("a record whose checksum does not fit");
      if (!take(fragment)) return false;
      fragment_bytes_ = header_bytes + fragment.size;
      padding_begin_ = at + fragment_bytes_;
    }
    position_ = block_begin_ + padding_begin_;
    const auto padding = block.substr(std::min(padding_begin_, block.size()));
    if (padding.find_first_not_of('\0') != padding.npos) return damaged("bytes between records");
    block_begin_ += block_bytes;
    padding_begin_ = 0;
    return is_last ? end_of_file() : true;
  }

  LogFindings findings() const { return findings_; }

 private:
  bool damaged(const std::string& what) {
    findings_.damage = what + " at byte " + std::to_string(position_);
    return false;
  }

  bool end_of_file() {
    if (in_record_) findings_.torn_at = record_begin_;
    return false;
  }

  /// The file ends within the fragment that begins with `rest`.
  bool torn(std::string_view rest) {
    if (rest.size() >= header_bytes) {
      const Fragment fragment(rest);
      if (fragment.begins_record() == in_record_ || is_whole_with_another_length(fragment) ||
          (of_commits_ && fragment.begins_record() && !is_beginning_of_commit(fragment)) ||
          holds_fragment(rest.substr(1))) {
        return damaged("a damaged record");
      }
    }
    findings_.torn_at = in_record_ ? record_begin_ : position_;
    return false;
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

  const bool of_commits_;
  LogFindings findings_;
  std::uint64_t block_begin_ = 0;
  std::uint64_t position_ = 0;
  std::size_t fragment_bytes_ = 0;
  std::size_t padding_begin_ = 0;
  bool in_record_ = false;
  std::uint64_t record_begin_ = 0;
  std::string record_front_;  // its first bytes
};

LogFindings read_log(std::istream& log, bool of_commits) {
  LogReader reader(of_commits);
  std::string block(block_bytes, '\0');
  for (bool go_on = true; go_on;) {
    log.read(block.data(), static_cast<std::streamsize>(block.size()));
    const auto size = static_cast<std::size_t>(log.gcount());
    if (log.bad()) return {0, 0, std::nullopt, "bytes that cannot be read"};
    go_on = reader.read(std::string_view(block).substr(0, size), size < block_bytes);
  }
  return reader.findings();
}

}  // namespace

LogFindings read_manifest(std::istream& manifest) {
  return read_log(manifest, false);
}

LogFindings read_write_ahead_log(std::istream& log) {
  return read_log(log, true);
}

}  // namespace tracker::store
