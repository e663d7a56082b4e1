#include "envoy/proxy_header.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace tracker::envoy {
namespace {

using HeaderKind = ProxyHeader::Kind;

const std::string proxy_signature("\r\n\r\n\0\r\nQUIT\n", 12);
constexpr std::size_t header_bytes_max = 300;

/// A header with these bytes behind its length.
std::string proxy_header_of(int version_and_command, int family_and_transport, const std::string& rest) {
  std::string bytes = proxy_signature;
  bytes += static_cast<char>(version_and_command);
  bytes += static_cast<char>(family_and_transport);
  bytes += static_cast<char>(rest.size() >> 8);
  bytes += static_cast<char>(rest.size());
  return bytes + rest;
}

const std::string v4_ends("\xC0\x00\x02\x01\x0A\x00\x00\x01\x12\x34\x00\x50", 12);
const std::string v6_ends = std::string("\x20\x01\x0D\xB8", 4) + std::string(11, '\0') + '\x01' +
                            std::string(16, '\xFF') + std::string(4, '\x01');

struct HeaderRow {
  std::string bytes;
  HeaderKind kind;
  const char* client = "::";
};

const std::vector<HeaderRow>& header_rows() {
  static const std::vector<HeaderRow> rows{
      {proxy_header_of(0x21, 0x11, v4_ends), HeaderKind::client, "192.0.2.1"},
      {proxy_header_of(0x21, 0x11, v4_ends + std::string("\x04\x00\x03pad", 6)), HeaderKind::client,
       "192.0.2.1"},
      {proxy_header_of(0x21, 0x21, v6_ends), HeaderKind::client, "2001:db8::1"},
      {proxy_header_of(0x21, 0x21, v6_ends + std::string(200, '\xFF')), HeaderKind::client, "2001:db8::1"},
      {proxy_header_of(0x21, 0x12, v4_ends), HeaderKind::no_client},
      {proxy_header_of(0x21, 0x22, v6_ends), HeaderKind::no_client},
      {proxy_header_of(0x21, 0x31, std::string(216, 'x')), HeaderKind::no_client},
      {proxy_header_of(0x21, 0x00, ""), HeaderKind::no_client},
      {proxy_header_of(0x21, 0x01, "anything"), HeaderKind::no_client},
      {proxy_header_of(0x21, 0x10, v4_ends), HeaderKind::no_client},
      {proxy_header_of(0x20, 0x00, ""), HeaderKind::own},
      {proxy_header_of(0x20, 0x11, v4_ends), HeaderKind::own},
      {proxy_header_of(0x20, 0xFF, "its family is ignored"), HeaderKind::own},
      {proxy_header_of(0x21, 0x11, v4_ends + std::string(header_bytes_max - 28, 'x')), HeaderKind::client,
       "192.0.2.1"},
      {proxy_header_of(0x21, 0x11, v4_ends + std::string(header_bytes_max - 27, 'x')), HeaderKind::malformed},
      {proxy_header_of(0x20, 0x00, std::string(65'535, 'x')), HeaderKind::malformed},
      {proxy_header_of(0x21, 0x11, v4_ends.substr(1)), HeaderKind::malformed},
      {proxy_header_of(0x21, 0x21, v4_ends), HeaderKind::malformed},
      {proxy_header_of(0x21, 0x31, std::string(215, 'x')), HeaderKind::malformed},
      {proxy_header_of(0x21, 0x41, v6_ends), HeaderKind::malformed},
      {proxy_header_of(0x21, 0x13, v4_ends), HeaderKind::malformed},
      {proxy_header_of(0x22, 0x11, v4_ends), HeaderKind::malformed},
      {proxy_header_of(0x11, 0x11, v4_ends), HeaderKind::malformed},
      {proxy_header_of(0x31, 0x11, v4_ends), HeaderKind::malformed},
      {"GET / HTTP/1.1\r\nHost: a\r\n\r\n", HeaderKind::malformed},
      {"PROXY TCP4 192.0.2.1 10.0.0.1 4660 80\r\n", HeaderKind::malformed},
      {"\r\nGET / HTTP/1.1\r\n", HeaderKind::malformed},
      {std::string("\r\n\r\n\0\r\nQUIT\r", 12), HeaderKind::malformed},
  };
  return rows;
}

TEST(ProxyHeader, SaysWhoseConnectionItIs) {
  for (const auto& [bytes, kind, client] : header_rows()) {
    const auto parsed = parse_proxy_header(bytes + "GET / HTTP/1.1\r\n", header_bytes_max);
    EXPECT_EQ(parsed.kind, kind) << testing::PrintToString(bytes);
    EXPECT_EQ(parsed.client, domain::parse_ip_address(client)) << testing::PrintToString(bytes);
    EXPECT_EQ(parsed.size, kind == HeaderKind::malformed ? 0 : bytes.size());
  }
}

TEST(ProxyHeader, APartOfAGoodOneIsIncomplete) {
  for (const auto& row : header_rows()) {
    if (row.kind == HeaderKind::malformed) continue;
    for (std::size_t size = 0; size < row.bytes.size(); ++size) {
      EXPECT_EQ(parse_proxy_header(row.bytes.substr(0, size), header_bytes_max).kind, HeaderKind::incomplete)
          << size;
    }
  }
}

// So that nothing is kept for a sender that will be refused, and it learns so at once.
TEST(ProxyHeader, IsRefusedAtTheByteThatIsWrong) {
  EXPECT_EQ(parse_proxy_header("G", header_bytes_max).kind, HeaderKind::malformed);
  EXPECT_EQ(parse_proxy_header(proxy_signature + "\x11", header_bytes_max).kind, HeaderKind::malformed);
  EXPECT_EQ(parse_proxy_header(proxy_signature + "\x21\x41", header_bytes_max).kind, HeaderKind::malformed);
  EXPECT_EQ(parse_proxy_header(proxy_signature + "\x21\x11\xFF", header_bytes_max).kind,
            HeaderKind::incomplete);
  EXPECT_EQ(parse_proxy_header(proxy_signature + "\x21\x11\xFF\xFF", header_bytes_max).kind,
            HeaderKind::malformed);
}

}  // namespace
}  // namespace tracker::envoy
