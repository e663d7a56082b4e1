#include "store/rocksdb/stored_values.h"

namespace tracker::store::rocksdb {

namespace {
constexpr std::size_t piece_bytes = 255;
constexpr char piece_end = '\xFF';
}  // namespace

std::string encode_record(std::string_view record) {
  std::string bytes;
  for (; record.size() >= piece_bytes; record.remove_prefix(piece_bytes)) {
    bytes.append(record.substr(0, piece_bytes)) += piece_end;
  }
  return bytes.append(record);
}

std::optional<std::string> decode_record(std::string_view bytes) {
  std::string record;
  for (; bytes.size() > piece_bytes; bytes.remove_prefix(piece_bytes + 1)) {
    if (bytes[piece_bytes] != piece_end) return std::nullopt;
    record.append(bytes.substr(0, piece_bytes));
  }
  if (bytes.size() == piece_bytes) return std::nullopt;  // its end is missing
  return record.append(bytes);
}

}  // namespace tracker::store::rocksdb
