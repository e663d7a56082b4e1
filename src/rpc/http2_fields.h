#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "rpc/http2_frame.h"

struct nghttp2_hd_deflater;
struct nghttp2_hd_inflater;

namespace tracker::rpc {

using Http2Fields = std::vector<std::pair<std::string, std::string>>;

/// Packs and unpacks the field lists of one connection (HPACK, RFC 7541, by nghttp2): each must be sent, and every
/// one that comes must be unpacked, in order. Not synchronised.
class Http2FieldCoder {
 public:
  Http2FieldCoder();
  ~Http2FieldCoder();

  std::string pack(const Http2Fields& fields);

  /// Calls `tell` with each; `bytes_max` bounds them all. An error is one of the connection.
  Http2Error unpack(std::string_view block, std::size_t bytes_max,
                    const std::function<void(std::string_view name, std::string_view value)>& tell);

  /// The peer's table has room for so much.
  void set_table_bytes(std::uint32_t bytes);

 private:
  struct Free {
    void operator()(nghttp2_hd_deflater* deflater) const noexcept;
    void operator()(nghttp2_hd_inflater* inflater) const noexcept;
  };
  std::unique_ptr<nghttp2_hd_deflater, Free> deflater_;
  std::unique_ptr<nghttp2_hd_inflater, Free> inflater_;
};

}  // namespace tracker::rpc
