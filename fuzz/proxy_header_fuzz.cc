// Fuzzes the header of the PROXY protocol, which comes before everything else.
#include "envoy/proxy_header.h"

#include <cstdint>
#include <string_view>

#include "require.h"

using tracker::envoy::parse_proxy_header;
using Kind = tracker::envoy::ProxyHeader::Kind;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  constexpr std::size_t bytes_max = 256;
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  const auto header = parse_proxy_header(input, bytes_max);
  if (header.kind == Kind::incomplete) {
    require(size < bytes_max, "an incomplete header is within the limit");
  } else if (header.kind != Kind::malformed) {
    require(header.size >= 16 && header.size <= size && header.size <= bytes_max,
            "a header ends within the input");
    require(parse_proxy_header(input.substr(0, header.size), bytes_max).kind == header.kind,
            "what follows does not matter");
    for (std::size_t prefix = 0; prefix < header.size; ++prefix) {
      require(parse_proxy_header(input.substr(0, prefix), bytes_max).kind == Kind::incomplete,
              "no part of a good header is refused or taken for the whole");
    }
  }
  if (size == 0) return 0;
  const auto before = parse_proxy_header(input.substr(0, size - 1), bytes_max);
  require(before.kind != Kind::malformed || header.kind == Kind::malformed,
          "nothing mends a malformed header");
  return 0;
}
