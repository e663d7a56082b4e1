#include "store/rocksdb/run_mark.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <sstream>
#include <string_view>

#include "store/rocksdb/crc32c.h"
#include "store/rocksdb/descriptor.h"
#include "store/rocksdb/no_room.h"

namespace tracker::store::rocksdb {

namespace {

constexpr std::string_view words = "tracker mark 1";
constexpr std::size_t mark_bytes = 512;  // one sector: a disk writes it whole or not at all
constexpr std::size_t manifest_bytes_max = 4096;

std::uint32_t checksum_of(std::string_view bytes) {
  Crc32c crc;
  crc.add(bytes);
  return crc.value();
}

[[noreturn]] void throw_failed(const std::string& what, int error) {
  const auto about = what + ": " + error_text(error);
  if (const auto lacking = shortage(error)) throw NoRoom(*lacking, about);
  throw StoreError(about + "; check its permissions and its disk");
}

/// The first bytes of a file, at most `bytes_max`. Returns nothing if the file does not exist.
std::optional<std::string> first_bytes(const std::string& path, std::size_t bytes_max) {
  const auto file = open_file(path, O_RDONLY);
  if (!file.is_open() && errno == ENOENT) return std::nullopt;
  if (!file.is_open()) throw_failed("cannot read " + path, errno);
  std::string bytes(bytes_max, '\0');
  const auto size = ::pread(file.number(), bytes.data(), bytes.size(), 0);
  if (size < 0) throw_failed("cannot read " + path, errno);
  bytes.resize(static_cast<std::size_t>(size));
  return bytes;
}

std::string name_of_manifest(const std::string& directory) {
  const auto name = first_bytes(directory + "/CURRENT", 256).value_or("");
  return name.substr(0, name.find('\n'));
}

bool is_now(const RunMark::Run& run, const std::string& directory) {
  if (name_of_manifest(directory) != run.manifest) return false;
  const auto bytes = first_bytes(directory + "/" + run.manifest, run.bytes);
  return bytes && bytes->size() == run.bytes && checksum_of(*bytes) == run.checksum;
}

std::string text_of(const RunMark& mark) {
  std::ostringstream text;
  text << words << ' ' << mark.run.manifest << ' ' << mark.run.bytes << ' ' << mark.run.checksum << ' '
       << mark.first_log << ' ' << mark.last_log << ' ' << mark.laid_out << ' ' << mark.ended_with.has_value()
       << ' ' << mark.ended_with.value_or(0) << ' ';
  text << checksum_of(text.view()) << '\n';
  return text.str();
}

std::optional<RunMark> parse_mark(const std::string& text) {
  if (!text.starts_with(words)) return std::nullopt;
  std::istringstream fields(text.substr(words.size()));
  RunMark mark;
  bool ended = false;
  std::uint64_t commit = 0;
  fields >> mark.run.manifest >> mark.run.bytes >> mark.run.checksum >> mark.first_log >> mark.last_log >>
      mark.laid_out >> ended >> commit;
  if (ended) mark.ended_with = commit;
  if (!fields || mark.run.bytes > manifest_bytes_max || !text.starts_with(text_of(mark))) return std::nullopt;
  return mark;
}

}  // namespace

RunMark::Run run_of(const std::string& directory) {
  RunMark::Run run;
  run.manifest = name_of_manifest(directory);
  const auto bytes = first_bytes(directory + "/" + run.manifest, manifest_bytes_max);
  if (!bytes) throw StoreError("the file that " + directory + "/CURRENT names is missing");
  run.bytes = bytes->size();
  run.checksum = checksum_of(*bytes);
  return run;
}

void write_mark(const std::string& directory, const RunMark& mark) {
  const auto path = directory + "/MARK";
  auto text = text_of(mark);
  text.resize(mark_bytes, '\n');
  sync_directory(directory);  // the names of the logs must be on disk before the mark that needs them
  const bool is_new = ::access(path.c_str(), F_OK) != 0;
  const auto file = open_file(path, O_WRONLY | O_CREAT | O_NOFOLLOW, 0600);
  if (!file.is_open()) throw_failed("cannot write " + path, errno);
  const auto written = ::pwrite(file.number(), text.data(), text.size(), 0);
  if (written < 0) throw_failed("cannot write " + path, errno);
  if (static_cast<std::size_t>(written) < text.size()) throw_failed("cannot write " + path, ENOSPC);
  if (::fdatasync(file.number()) != 0) throw_failed("cannot sync " + path, errno);
  if (is_new) sync_directory(directory);
}

FoundMark find_mark(const std::string& directory) {
  const auto path = directory + "/MARK";
  const auto text = first_bytes(path, mark_bytes);
  if (!text) return {};
  auto mark = parse_mark(*text);
  if (!mark) return {std::nullopt, path + " is ignored: it is not a complete mark"};
  if (!is_now(mark->run, directory)) {
    return {std::nullopt,
            path +
                " is ignored: it belongs to another run; an older copy of the store was put back, a "
                "start was interrupted, or another version of tracker ran"};
  }
  return {std::move(mark), std::nullopt};
}

}  // namespace tracker::store::rocksdb
