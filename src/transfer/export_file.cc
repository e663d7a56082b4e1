#include "transfer/export_file.h"

#include <fcntl.h>
#include <openssl/evp.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <boost/json.hpp>
#include <cerrno>
#include <charconv>
#include <climits>
#include <ctime>
#include <memory>
#include <system_error>
#include <utility>

#include "domain/hex.h"
#include "store/store_error.h"

namespace tracker::transfer {

namespace json = boost::json;
using store::StoreError;

namespace {

constexpr std::string_view format = "tracker export 2";
/// Its tokens have no facts but the time of minting.
constexpr std::string_view first_format = "tracker export 1";
constexpr std::string_view receipt_format = "tracker receipt 1";
constexpr std::array<std::string_view, 3> kind_names{"held", "lost", "copy"};
/// Both begin at the same place and have the same length, so that one can be written over the other.
constexpr std::string_view valid_start = R"({"void":false,)";
constexpr std::string_view void_start = R"({"void":true ,)";
constexpr std::size_t page_bytes = std::size_t{64} << 10U;
constexpr std::size_t sync_bytes = std::size_t{1} << 20U;
constexpr std::size_t buffer_bytes = std::size_t{256} << 10U;
/// A longer line is no token that tracker has written.
constexpr std::size_t line_bytes_max = std::size_t{1} << 30U;

[[noreturn]] void refuse(const std::string& why) {
  throw StoreError("the file is damaged: " + why + "; export again");
}

std::string error_text(int error) {
  return std::generic_category().message(error);
}

class Sha256 {
 public:
  Sha256() {
    if (context_ == nullptr || EVP_DigestInit_ex(context_.get(), EVP_sha256(), nullptr) != 1)
      throw StoreError("SHA-256 is not available in the system's OpenSSL");
  }
  void add(std::string_view bytes) { EVP_DigestUpdate(context_.get(), bytes.data(), bytes.size()); }
  /// Of what was added so far.
  std::string hex() const {
    Sha256 whole;
    if (EVP_MD_CTX_copy_ex(whole.context_.get(), context_.get()) != 1) throw StoreError("SHA-256 fails");
    return whole.end();
  }

 private:
  std::string end() {
    std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
    unsigned size = 0;
    EVP_DigestFinal_ex(context_.get(), digest.data(), &size);
    std::string text;
    domain::append_hex(std::span(digest).first(size), text);
    return text;
  }

  std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> context_{EVP_MD_CTX_new(), EVP_MD_CTX_free};
};

std::string hex64(std::uint64_t number) {
  std::array<char, 17> text{};
  std::snprintf(text.data(), text.size(), "%016llx", static_cast<unsigned long long>(number));
  return text.data();
}

/// The form of a header. Its first field can be replaced in place.
std::string to_line(const ExportHeader& header) {
  json::object object;
  object["format"] = format;
  object["kind"] = kind_names.at(static_cast<std::size_t>(header.kind));
  object["export"] = to_hex(header.id);
  object["store"] = to_hex(header.store);
  if (!header.masters.empty()) object["masters"] = json::value_from(header.masters);
  object["slots"] = slots_text(header.slots);
  if (header.kind == ExportHeader::Kind::lost) {
    object["owner"] = header.owner;
    object["list_version"] = header.list_version;
    object["list_fingerprint"] = hex64(header.list_fingerprint);
  }
  object["time"] = header.time;
  return std::string(header.is_void ? void_start : valid_start) + json::serialize(object).substr(1);
}

std::string_view text_of(const json::object& object, std::string_view name) {
  return object.at(name).as_string();
}

template <typename Bytes>
Bytes bytes_of(const json::object& object, std::string_view name) {
  Bytes bytes{};
  if (!domain::parse_hex(text_of(object, name), bytes)) refuse(std::string(name) + " is no hex number");
  return bytes;
}

std::uint64_t number_of(const json::object& object, std::string_view name) {
  return json::value_to<std::uint64_t>(object.at(name));
}

/// Throws what Boost.JSON throws if something is missing.
ExportHeader header_of(const json::object& object) {
  if (text_of(object, "format") != format && text_of(object, "format") != first_format) {
    throw StoreError("the file is no export, or one of a newer version of tracker (it says " +
                     std::string(text_of(object, "format")) + ", and this program knows " +
                     std::string(format) + ")");
  }
  const auto kind = std::ranges::find(kind_names, text_of(object, "kind"));
  const auto slots = parse_slots(text_of(object, "slots"));
  if (kind == kind_names.end() || !slots) refuse("its header makes no sense");
  ExportHeader header{.kind = static_cast<ExportHeader::Kind>(kind - kind_names.begin()),
                      .id = bytes_of<store::ExportId>(object, "export"),
                      .store = bytes_of<store::StoreFacts::Id>(object, "store"),
                      .slots = *slots,
                      .time = std::string(text_of(object, "time")),
                      .is_void = object.at("void").as_bool()};
  if (const auto* masters = object.if_contains("masters"))
    header.masters = json::value_to<std::set<std::string>>(*masters);
  if (header.kind == ExportHeader::Kind::lost) {
    header.owner = text_of(object, "owner");
    header.list_version = number_of(object, "list_version");
    std::array<std::uint8_t, 8> fingerprint =
        bytes_of<std::array<std::uint8_t, 8>>(object, "list_fingerprint");
    for (const auto byte : fingerprint) header.list_fingerprint = header.list_fingerprint << 8U | byte;
  }
  return header;
}

void append_token(const store::StoredToken& token, std::string& out) {
  out += R"({"token":")";
  domain::append_hex(token.id.bytes, out);
  out += R"(","minted":)";
  out += std::to_string(token.record.minted_s);
  auto record = token.record;
  record.paths.reset();  // the counts tell
  if (const auto facts = domain::encode_facts(record); !facts.empty())
    out += R"(,"facts":)" + json::serialize(json::string_view(facts));
  out += R"(,"counts":{)";
  const char* separator = "";
  for (const auto& [path, count] : token.counts) {
    out += separator;
    out += json::serialize(json::string_view(path));
    out += ':';
    out += std::to_string(count);
    separator = ",";
  }
  out += "}}\n";
}

store::StoredToken token_of(const json::object& object) {
  const auto* facts = object.if_contains("facts");
  const auto minted_s = number_of(object, "minted");
  if (minted_s > domain::TokenRecord::seconds_max) refuse("a time makes no sense");
  const auto record = domain::decode_facts(
      minted_s, facts == nullptr ? std::string_view() : std::string_view(facts->as_string()));
  if (!record) refuse("the facts of a token make no sense");
  store::StoredToken token{.id = {bytes_of<store::ExportId>(object, "token")}, .record = *record};
  for (const auto& [path, count] : object.at("counts").as_object()) {
    const auto number = json::value_to<std::int64_t>(count);
    if (path.empty() || number < 0) refuse("a count makes no sense");
    token.counts.push_back({std::string(path), number});
  }
  std::ranges::sort(token.counts, {}, &store::StoredCount::path);
  return token;
}

}  // namespace

std::string slots_text(const domain::SlotSet& slots) {
  std::string text;
  for (std::size_t slot = 0; slot < domain::slots; ++slot) {
    if (!slots[slot]) continue;
    const auto first = slot;
    while (slot + 1 < domain::slots && slots[slot + 1]) ++slot;
    text += (text.empty() ? "" : ",") + std::to_string(first);
    if (slot > first) text += "-" + std::to_string(slot);
  }
  return text;
}

std::optional<domain::SlotSet> parse_slots(std::string_view text) {
  domain::SlotSet slots;
  while (!text.empty()) {
    const auto part = text.substr(0, text.find(','));
    const auto dash = part.find('-');
    const auto first = domain::parse_slot(part.substr(0, dash));
    const auto last = dash == part.npos ? first : domain::parse_slot(part.substr(dash + 1));
    if (!first || !last || *last < *first) return std::nullopt;
    for (std::size_t slot = *first; slot <= *last; ++slot) slots.set(slot);
    text.remove_prefix(std::min(text.size(), part.size() + 1));
  }
  if (slots.none()) return std::nullopt;
  return slots;
}

std::string to_hex(const store::ExportId& id) {
  std::string text;
  domain::append_hex(id, text);
  return text;
}

// Writing.

class ExportWriter::Output {
 public:
  Output(int descriptor, std::chrono::milliseconds patience)
      : descriptor_(descriptor), patience_(patience), is_file_(is_regular(descriptor)) {}

  void add(std::string_view bytes) {
    buffer_ += bytes;
    if (buffer_.size() >= buffer_bytes) flush();
  }
  std::string& buffer() { return buffer_; }
  void flush() {
    sha256_.add(buffer_);
    for (std::string_view rest = buffer_; !rest.empty();) {
      const auto written = ::write(descriptor_, rest.data(), is_file_ ? rest.size() : taken_at_once(rest));
      if (written < 0 && errno == EINTR) continue;
      if (written < 0) throw StoreError("cannot write the file: " + error_text(errno));
      rest.remove_prefix(static_cast<std::size_t>(written));
    }
    unsynced_ += buffer_.size();
    buffer_.clear();
    // The fsync of a store on the same disk would wait for all that is unsynced.
    if (unsynced_ >= sync_bytes) sync();
  }
  /// Of everything before.
  std::string checksum() {
    flush();
    return sha256_.hex();
  }
  void sync() {
    if (is_file_ && ::fdatasync(descriptor_) != 0)
      throw StoreError("cannot sync the file: " + error_text(errno));
    unsynced_ = 0;
  }

 private:
  static bool is_regular(int descriptor) {
    struct stat status {};
    return ::fstat(descriptor, &status) == 0 && S_ISREG(status.st_mode);
  }

  /// Waits until the reader of a pipe has made room. Returns how many bytes can then be written without waiting.
  std::size_t taken_at_once(std::string_view bytes) const {
    pollfd pipe{descriptor_, POLLOUT, 0};
    int ready = -1;
    do {
      ready = ::poll(&pipe, 1, static_cast<int>(patience_.count()));
    } while (ready < 0 && errno == EINTR);
    if (ready == 0) {
      throw StoreError("whoever reads the export has taken nothing for " +
                       std::to_string(std::chrono::ceil<std::chrono::seconds>(patience_).count()) +
                       " s, so it is given up; export again");
    }
    return std::min<std::size_t>(bytes.size(), PIPE_BUF);
  }

  const int descriptor_;
  const std::chrono::milliseconds patience_;
  const bool is_file_;
  std::string buffer_;
  std::size_t unsynced_ = 0;
  Sha256 sha256_;
};

ExportWriter::ExportWriter(int descriptor, const ExportHeader& header, std::chrono::milliseconds patience)
    : output_(std::make_unique<Output>(descriptor, patience)) {
  output_->add(to_line(header) + "\n");
}

ExportWriter::~ExportWriter() = default;

void ExportWriter::add(std::span<const store::StoredToken> tokens) {
  for (const auto& token : tokens) {
    const auto before = output_->buffer().size();
    append_token(token, output_->buffer());
    if (output_->buffer().size() - before > line_bytes_max)
      throw StoreError("token " + to_string(token.id) + " has more paths than a line of the file can hold");
    ++totals_.tokens;
    totals_.counters += token.counts.size();
    output_->add("");
  }
}

std::string ExportWriter::finish() {
  auto checksum = output_->checksum();
  output_->add(json::serialize(json::object{
                   {"tokens", totals_.tokens}, {"counters", totals_.counters}, {"sha256", checksum}}) +
               "\n");
  output_->flush();
  output_->sync();
  return checksum;
}

// Reading.

class ExportReader::Input {
 public:
  explicit Input(int descriptor) : descriptor_(descriptor) {
    if (::lseek(descriptor, 0, SEEK_SET) != 0) throw StoreError("cannot read the file: " + error_text(errno));
  }

  /// Returns the next line with its end. Valid until the next call. Empty: there is none.
  std::string_view line() {
    begin_ = end_;
    for (std::size_t looked_at = begin_;;) {
      if (const auto end = buffer_.find('\n', looked_at); end != buffer_.npos) {
        end_ = end + 1;
        return std::string_view(buffer_).substr(begin_, end_ - begin_);
      }
      buffer_.erase(0, begin_);
      begin_ = 0;
      looked_at = buffer_.size();
      if (buffer_.size() > line_bytes_max) refuse("a line is longer than any token");
      if (!fill()) break;
    }
    if (!buffer_.empty()) refuse("it ends in the middle of a line");
    return {};
  }

  json::object parse(std::string_view line) {
    try {
      // Paths are bytes, as clients sent them.
      json::parse_options options;
      options.allow_invalid_utf8 = true;
      return json::parse(json::string_view(line.data(), line.size()), {}, options).as_object();
    } catch (const std::exception& error) {
      refuse(std::string("a line is no JSON (") + error.what() + ")");
    }
  }
  Sha256& sha256() { return sha256_; }

 private:
  bool fill() {
    const auto size = buffer_.size();
    buffer_.resize(size + buffer_bytes);
    ssize_t bytes = -1;
    do {
      bytes = ::read(descriptor_, buffer_.data() + size, buffer_bytes);
    } while (bytes < 0 && errno == EINTR);
    if (bytes < 0) throw StoreError("cannot read the file: " + error_text(errno));
    buffer_.resize(size + static_cast<std::size_t>(bytes));
    return bytes > 0;
  }

  const int descriptor_;
  std::string buffer_;
  std::size_t begin_ = 0;  // of the line
  std::size_t end_ = 0;
  Sha256 sha256_;
};

ExportReader::ExportReader(int descriptor) : input_(std::make_unique<Input>(descriptor)) {
  const auto line = input_->line();
  if (line.empty()) refuse("it is empty");
  try {
    header_ = header_of(input_->parse(line));
  } catch (const StoreError&) {
    throw;
  } catch (const std::exception&) {
    throw StoreError("the file is no export: its first line is not a header");
  }
  input_->sha256().add(line);
}

ExportReader::~ExportReader() = default;

std::vector<store::StoredToken> ExportReader::next() {
  std::vector<store::StoredToken> page;
  if (!checksum_.empty()) return page;
  for (std::size_t bytes = 0; bytes < page_bytes;) {
    const auto line = input_->line();
    if (line.empty()) refuse("its last line is missing");
    const auto object = input_->parse(line);
    try {
      if (object.contains("token")) {
        page.push_back(token_of(object));
        if (!header_.slots[domain::slot_of(page.back().id)]) refuse("a token is not of its slots");
        if (last_ && page.back().id <= *last_) refuse("its tokens are not in order");
        last_ = page.back().id;
        ++totals_.tokens;
        totals_.counters += page.back().counts.size();
        input_->sha256().add(line);
        bytes += line.size();
        continue;
      }
      checksum_ = input_->sha256().hex();
      if (text_of(object, "sha256") != checksum_) refuse("its checksum is wrong");
      if (totals_ != ExportTotals{number_of(object, "tokens"), number_of(object, "counters")})
        refuse("its totals are wrong");
    } catch (const StoreError&) {
      throw;
    } catch (const std::exception& error) {
      refuse(std::string("a line makes no sense (") + error.what() + ")");
    }
    if (!input_->line().empty()) refuse("something follows its last line");
    break;
  }
  return page;
}

std::string ExportReader::checksum_so_far() const {
  return input_->sha256().hex();
}

void make_void(int descriptor) {
  std::array<char, void_start.size()> start{};
  const auto bytes = ::pread(descriptor, start.data(), start.size(), 0);
  const std::string_view found(start.data(), bytes < 0 ? 0 : static_cast<std::size_t>(bytes));
  if (found == void_start) return;
  if (found != valid_start) throw StoreError("the file is no export");
  if (::pwrite(descriptor, void_start.data(), void_start.size(), 0) !=
          static_cast<ssize_t>(void_start.size()) ||
      ::fsync(descriptor) != 0) {
    throw StoreError("cannot write the file: " + error_text(errno));
  }
}

// Receipts.

std::string Receipt::to_string() const {
  return json::serialize(json::object{{"format", receipt_format},
                                      {"export", to_hex(id)},
                                      {"source", to_hex(source)},
                                      {"slots", slots_text(slots)},
                                      {"sha256", checksum},
                                      {"target", target},
                                      {"tokens", totals.tokens},
                                      {"counters", totals.counters},
                                      {"can_lose", loss},
                                      {"time", time}});
}

std::optional<Receipt> Receipt::parse(std::string_view text) {
  try {
    const auto object = json::parse(json::string_view(text.data(), text.size())).as_object();
    if (text_of(object, "format") != receipt_format) return std::nullopt;
    return Receipt{.id = bytes_of<store::ExportId>(object, "export"),
                   .source = bytes_of<store::StoreFacts::Id>(object, "source"),
                   .slots = parse_slots(text_of(object, "slots")).value(),
                   .checksum = std::string(text_of(object, "sha256")),
                   .target = std::string(text_of(object, "target")),
                   .totals = {number_of(object, "tokens"), number_of(object, "counters")},
                   .loss = std::string(text_of(object, "can_lose")),
                   .time = std::string(text_of(object, "time"))};
  } catch (const std::exception&) {
    return std::nullopt;
  }
}

std::string now_text() {
  const auto now = std::time(nullptr);
  std::tm utc{};
  ::gmtime_r(&now, &utc);
  std::array<char, 32> text{};
  std::strftime(text.data(), text.size(), "%Y-%m-%dT%H:%M:%SZ", &utc);
  return text.data();
}

std::string name_of(const store::StoreFacts::Id& id, const std::set<std::string>& masters) {
  if (masters.empty()) return "the store " + to_hex(id);
  std::string words = "the Redis Cluster of";
  for (const auto& master : masters) words += " " + master;
  return words;
}

}  // namespace tracker::transfer
