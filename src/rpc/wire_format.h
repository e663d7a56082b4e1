#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

/// The part of protobuf's wire format (protobuf.dev, "Encoding") that batches need. Pure.
namespace tracker::rpc::wire {

enum class Type : std::uint8_t { varint = 0, fixed_64 = 1, bytes = 2, fixed_32 = 5 };

constexpr std::size_t varint_bytes(std::uint64_t value) noexcept {
  std::size_t bytes = 1;
  for (; value >= 0x80; value >>= 7U) ++bytes;
  return bytes;
}

/// Writes at `at`, where there must be room, and returns the end. So do the functions below.
inline char* write_varint(std::uint64_t value, char* at) noexcept {
  for (; value >= 0x80; value >>= 7U) *at++ = static_cast<char>(value | 0x80U);
  *at++ = static_cast<char>(value);
  return at;
}

inline char* write_bytes(std::string_view bytes, char* at) noexcept {
  return std::copy(bytes.begin(), bytes.end(), at);
}

/// Takes a number off the front. Returns false if there is none.
inline bool take_varint(std::string_view& bytes, std::uint64_t& value) noexcept {
  value = 0;
  for (std::size_t i = 0; i < bytes.size() && i < 10; ++i) {
    const auto byte = static_cast<std::uint8_t>(bytes[i]);
    value |= std::uint64_t{byte & 0x7FU} << 7 * i;
    if (byte < 0x80) {
      bytes.remove_prefix(i + 1);
      return true;
    }
  }
  return false;
}

constexpr std::uint64_t tag(std::uint32_t field, Type type) noexcept {
  return std::uint64_t{field} << 3U | static_cast<std::uint64_t>(type);
}

/// Writes a number field. 0 is the default and is left out (proto3).
inline char* write_number(std::uint32_t field, std::uint64_t value, char* at) noexcept {
  return value == 0 ? at : write_varint(value, write_varint(tag(field, Type::varint), at));
}
constexpr std::size_t number_bytes(std::uint32_t field, std::uint64_t value) noexcept {
  return value == 0 ? 0 : varint_bytes(tag(field, Type::varint)) + varint_bytes(value);
}

/// Writes the tag and length in front of `size` bytes. Writes nothing if there are none.
inline char* write_head(std::uint32_t field, std::size_t size, char* at) noexcept {
  return size == 0 ? at : write_varint(size, write_varint(tag(field, Type::bytes), at));
}
constexpr std::size_t field_bytes(std::uint32_t field, std::size_t size) noexcept {
  return size == 0 ? 0 : varint_bytes(tag(field, Type::bytes)) + varint_bytes(size) + size;
}

/// Appends a field of bytes even if it is empty, because a message within a message may be empty.
void append_bytes(std::uint32_t field, std::string_view bytes, std::string& out);

/// Iterates over the fields of a message.
class Fields {
 public:
  explicit Fields(std::string_view message) : rest_(message) {}

  /// Goes to the next field. Returns false if there is none, or if it cannot be read.
  bool next();
  bool broken() const noexcept { return broken_; }

  std::uint32_t number() const noexcept { return number_; }
  Type type() const noexcept { return type_; }
  std::uint64_t value() const noexcept { return value_; }     // if it is a varint
  std::string_view bytes() const noexcept { return bytes_; }  // if it is bytes
  std::string_view rest() const noexcept { return rest_; }

 private:
  bool take_value();

  std::string_view rest_;
  std::uint32_t number_ = 0;
  Type type_ = Type::varint;
  std::uint64_t value_ = 0;
  std::string_view bytes_;
  bool broken_ = false;
};

}  // namespace tracker::rpc::wire
