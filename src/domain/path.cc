#include "domain/path.h"

#include <array>
#include <cassert>
#include <cstdint>

#include "domain/hex.h"
#include "domain/percent_encoding.h"

namespace tracker::domain {

namespace {

enum class Byte : std::uint8_t {
  plain,    // stands for itself
  encoded,  // must be percent-encoded
  percent,  // begins a percent-encoding
  slash,    // ends a segment
};

consteval std::array<Byte, 256> make_classes() {
  std::array<Byte, 256> classes{};
  for (char c : std::string_view("\"<>\\^`{|}")) classes[static_cast<std::uint8_t>(c)] = Byte::encoded;
  classes['%'] = Byte::percent;
  classes['/'] = Byte::slash;
  return classes;
}
constexpr auto classes = make_classes();

Byte byte_class(char c) {
  return classes[static_cast<std::uint8_t>(c)];
}

/// Returns true if `path` is in normal form: nothing to encode or decode, no empty segment, and no segment that begins
/// with a dot. (Some paths with such segments are in normal form too. They take the slow way.)
bool is_plainly_normal(std::string_view path) {
  bool after_slash = false;
  for (char c : path) {
    const Byte byte = byte_class(c);
    if (byte == Byte::encoded || byte == Byte::percent) return false;
    if (after_slash && (c == '/' || c == '.')) return false;
    after_slash = byte == Byte::slash;
  }
  return true;
}

/// Ends the segment that begins at `segment` in `out`. Removes it if it is `.`, and with it the segment before if it is
/// `..`. Everything up to and including `root` stays.
void resolve_segment(std::size_t root, std::size_t segment, std::string& out) {
  const std::string_view last = std::string_view(out).substr(segment);
  if (last == ".") {
    out.resize(segment);
  } else if (last == "..") {
    out.resize(segment - 1);
    if (out.size() > root) out.resize(out.rfind('/'));
    out += '/';
  }
}

}  // namespace

void append_normal_path(std::string_view raw, std::string& out) {
  assert(!raw.empty() && raw.front() == '/');
  raw = raw.substr(0, raw.find('?'));
  if (is_plainly_normal(raw)) {
    out += raw;
    return;
  }

  const std::size_t root = out.size();
  out += '/';
  std::size_t segment = out.size();
  for (std::size_t i = 1; i < raw.size(); ++i) {
    const auto c = static_cast<unsigned char>(raw[i]);
    switch (byte_class(raw[i])) {
      case Byte::plain:
        out += raw[i];
        break;
      case Byte::encoded:
        append_percent_encoded(c, out);
        break;
      case Byte::percent: {
        assert(i + 2 < raw.size());
        const auto value = static_cast<unsigned char>(hex_value(raw[i + 1]) << 4U | hex_value(raw[i + 2]));
        i += 2;
        if (is_unreserved(value)) {
          out += static_cast<char>(value);
        } else {
          append_percent_encoded(value, out);
        }
        break;
      }
      case Byte::slash:
        resolve_segment(root, segment, out);
        if (out.back() != '/') out += '/';
        segment = out.size();
        break;
    }
  }
  resolve_segment(root, segment, out);
}

}  // namespace tracker::domain
