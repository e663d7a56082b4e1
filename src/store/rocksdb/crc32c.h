#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>

namespace tracker::store::rocksdb {

/// The checksum in RocksDB's files: CRC-32C (RFC 3720, appendix B.4), eight bytes at a time.
class Crc32c {
 public:
  void add(unsigned char byte) noexcept { state_ = tables[0][(state_ ^ byte) & 0xFFU] ^ state_ >> 8U; }

  void add(std::string_view bytes) noexcept {
    static_assert(std::endian::native == std::endian::little);
    for (; bytes.size() >= 8; bytes.remove_prefix(8)) {
      std::uint64_t eight = 0;
      std::memcpy(&eight, bytes.data(), sizeof eight);
      eight ^= state_;
      state_ = 0;
      for (std::size_t i = 0; i < 8; ++i) state_ ^= tables[7 - i][eight >> (8 * i) & 0xFFU];
    }
    for (const char byte : bytes) add(static_cast<unsigned char>(byte));
  }

  std::uint32_t value() const noexcept { return ~state_; }

 private:
  using Tables = std::array<std::array<std::uint32_t, 256>, 8>;

  static consteval Tables make_tables() {
    constexpr std::uint32_t polynomial = 0x82F63B78U;
    Tables result{};
    for (std::uint32_t byte = 0; byte < 256; ++byte) {
      std::uint32_t crc = byte;
      for (int bit = 0; bit < 8; ++bit) crc = crc >> 1U ^ ((crc & 1U) != 0 ? polynomial : 0);
      result[0][byte] = crc;
    }
    for (std::size_t table = 1; table < 8; ++table) {
      for (std::size_t byte = 0; byte < 256; ++byte) {
        const auto crc = result[table - 1][byte];
        result[table][byte] = result[0][crc & 0xFFU] ^ crc >> 8U;
      }
    }
    return result;
  }

  static const Tables tables;

  std::uint32_t state_ = 0xFFFFFFFFU;
};

inline constexpr Crc32c::Tables Crc32c::tables = Crc32c::make_tables();

}  // namespace tracker::store::rocksdb
