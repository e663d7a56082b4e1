#include "rpc/http2_fields.h"

#include <nghttp2/nghttp2.h>

#include <new>

namespace tracker::rpc {

namespace {

constexpr std::size_t table_bytes = 4096;  // RFC 9113, section 6.5.2: unless the peer says something else
constexpr std::size_t bytes_beside_field = 32;  // RFC 7541, section 4.1

std::uint8_t* bytes_of(std::string_view text) {
  return reinterpret_cast<std::uint8_t*>(const_cast<char*>(text.data()));  // nghttp2 only reads it
}

std::string_view text_of(const std::uint8_t* bytes, std::size_t size) {
  return {reinterpret_cast<const char*>(bytes), size};
}

}  // namespace

void Http2FieldCoder::Free::operator()(nghttp2_hd_deflater* deflater) const noexcept {
  ::nghttp2_hd_deflate_del(deflater);
}

void Http2FieldCoder::Free::operator()(nghttp2_hd_inflater* inflater) const noexcept {
  ::nghttp2_hd_inflate_del(inflater);
}

Http2FieldCoder::Http2FieldCoder() {
  nghttp2_hd_deflater* deflater = nullptr;
  if (::nghttp2_hd_deflate_new(&deflater, table_bytes) != 0) throw std::bad_alloc();
  deflater_.reset(deflater);
  nghttp2_hd_inflater* inflater = nullptr;
  if (::nghttp2_hd_inflate_new(&inflater) != 0) throw std::bad_alloc();
  inflater_.reset(inflater);
}

Http2FieldCoder::~Http2FieldCoder() = default;

std::string Http2FieldCoder::pack(const Http2Fields& fields) {
  std::vector<nghttp2_nv> pairs;
  for (const auto& [name, value] : fields) {
    pairs.push_back({bytes_of(name), bytes_of(value), name.size(), value.size(), NGHTTP2_NV_FLAG_NONE});
  }
  std::string block(::nghttp2_hd_deflate_bound(deflater_.get(), pairs.data(), pairs.size()), '\0');
  const auto size =
      ::nghttp2_hd_deflate_hd(deflater_.get(), bytes_of(block), block.size(), pairs.data(), pairs.size());
  if (size < 0) throw std::bad_alloc();
  block.resize(static_cast<std::size_t>(size));
  return block;
}

Http2Error Http2FieldCoder::unpack(
    std::string_view block, std::size_t bytes_max,
    const std::function<void(std::string_view name, std::string_view value)>& tell) {
  std::size_t bytes = 0;
  for (;;) {
    nghttp2_nv field{};
    int flags = 0;
    const auto taken =
        ::nghttp2_hd_inflate_hd2(inflater_.get(), &field, &flags, bytes_of(block), block.size(), 1);
    if (taken < 0) return Http2Error::compression_error;
    block.remove_prefix(static_cast<std::size_t>(taken));
    if ((flags & NGHTTP2_HD_INFLATE_EMIT) != 0) {
      bytes += field.namelen + field.valuelen + bytes_beside_field;
      if (bytes > bytes_max) return Http2Error::enhance_your_calm;
      tell(text_of(field.name, field.namelen), text_of(field.value, field.valuelen));
    }
    if ((flags & NGHTTP2_HD_INFLATE_FINAL) != 0) break;
    if ((flags & NGHTTP2_HD_INFLATE_EMIT) == 0 && block.empty()) return Http2Error::compression_error;
  }
  ::nghttp2_hd_inflate_end_headers(inflater_.get());
  return Http2Error::none;
}

void Http2FieldCoder::set_table_bytes(std::uint32_t bytes) {
  if (::nghttp2_hd_deflate_change_table_size(deflater_.get(), bytes) != 0) throw std::bad_alloc();
}

}  // namespace tracker::rpc
