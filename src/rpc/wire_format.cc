#include "rpc/wire_format.h"

namespace tracker::rpc::wire {

void append_bytes(std::uint32_t field, std::string_view bytes, std::string& out) {
  const std::uint64_t its_tag = tag(field, Type::bytes);
  const std::size_t begin = out.size();
  out.resize(begin + varint_bytes(its_tag) + varint_bytes(bytes.size()) + bytes.size());
  write_bytes(bytes, write_varint(bytes.size(), write_varint(its_tag, out.data() + begin)));
}

bool Fields::next() {
  if (rest_.empty() || broken_) return false;
  std::uint64_t its_tag = 0;
  broken_ = !take_varint(rest_, its_tag) || its_tag > 0xFFFF'FFFF || its_tag >> 3U == 0;
  number_ = static_cast<std::uint32_t>(its_tag >> 3U);
  type_ = Type{static_cast<std::uint8_t>(its_tag & 7U)};
  broken_ = broken_ || !take_value();
  return !broken_;
}

bool Fields::take_value() {
  switch (type_) {
    case Type::varint:
      return take_varint(rest_, value_);
    case Type::bytes:
      if (!take_varint(rest_, value_) || value_ > rest_.size()) return false;
      break;
    case Type::fixed_64:
    case Type::fixed_32:
      value_ = type_ == Type::fixed_64 ? 8 : 4;
      if (value_ > rest_.size()) return false;
      break;
    default:  // groups, which proto3 does not have
      return false;
  }
  bytes_ = rest_.substr(0, value_);
  rest_.remove_prefix(value_);
  return true;
}

}  // namespace tracker::rpc::wire
