#include "domain/ip_address.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/un.h>

#include <cstring>
#include <string>
#include <utility>
#include <vector>

namespace tracker::domain {
namespace {

IpAddress address(const char* text) {
  const auto parsed = parse_ip_address(text);
  EXPECT_TRUE(parsed) << text;
  return parsed.value_or(IpAddress{});
}

TEST(IpAddress, AnIpv4AddressIsTheSameInsideAnIpv6One) {
  EXPECT_EQ(address("192.0.2.1"), address("::ffff:192.0.2.1"));
  EXPECT_EQ(address("192.0.2.1"), address("::FFFF:c000:201"));
  EXPECT_NE(address("192.0.2.1"), address("::192.0.2.1"));
  EXPECT_TRUE(address("::ffff:192.0.2.1").is_v4());
  EXPECT_FALSE(address("2001:db8::1").is_v4());
}

TEST(IpAddress, IsWrittenAsItIsRead) {
  for (const char* text : {"192.0.2.1", "2001:db8::1", "::1", "::"})
    EXPECT_EQ(to_string(address(text)), text);
  EXPECT_EQ(to_string(address("::ffff:192.0.2.1")), "192.0.2.1");
}

TEST(IpAddress, NothingElseIsRead) {
  using std::string_literals::operator""s;
  for (const auto& text :
       {""s, " 192.0.2.1"s, "192.0.2.1 "s, "192.0.2"s, "192.0.2.256"s, "192.0.2.01"s, "0xC0.0.2.1"s,
        "3221225985"s, "192.0.2.1:80"s, "[2001:db8::1]"s, "fe80::1%eth0"s, "2001:db8::1::"s, "1:2:3:4:5:6:7"s,
        "a.example"s, "unknown"s, "192.0.2.1\0"s, "192.0.2.1/32"s, std::string(1000, '1')}) {
    EXPECT_FALSE(parse_ip_address(text)) << text;
  }
}

TEST(IpAddress, LoopbackIsThisMachine) {
  for (const char* text : {"127.0.0.1", "127.255.0.9", "::1", "::ffff:127.0.0.1"})
    EXPECT_TRUE(address(text).is_loopback()) << text;
  for (const char* text : {"128.0.0.1", "0.0.0.0", "10.0.0.1", "::", "::2", "::127.0.0.1", "2001:db8::1"})
    EXPECT_FALSE(address(text).is_loopback()) << text;
}

TEST(IpAddress, OfASocketIsTheSame) {
  sockaddr_storage storage{};
  EXPECT_EQ(ip_address_of(storage), IpAddress{});
  storage.ss_family = AF_UNIX;
  EXPECT_EQ(ip_address_of(storage), IpAddress{});
  sockaddr_in v4{};
  v4.sin_family = AF_INET;
  ::inet_pton(AF_INET, "192.0.2.1", &v4.sin_addr);
  std::memcpy(&storage, &v4, sizeof v4);
  EXPECT_EQ(ip_address_of(storage), address("192.0.2.1"));
  for (const char* text : {"2001:db8::1", "::ffff:192.0.2.1"}) {
    sockaddr_in6 v6{};
    v6.sin6_family = AF_INET6;
    ::inet_pton(AF_INET6, text, &v6.sin6_addr);
    std::memcpy(&storage, &v6, sizeof v6);
    EXPECT_EQ(ip_address_of(storage), address(text));
  }
}

TEST(IpNetwork, HoldsTheAddressesThatBeginWithItsBits) {
  struct Row {
    const char* network;
    std::vector<const char*> inside;
    std::vector<const char*> outside;
  };
  for (const Row& row : std::vector<Row>{
           {"192.0.2.1", {"192.0.2.1", "::ffff:192.0.2.1"}, {"192.0.2.2", "192.0.2.0", "::192.0.2.1"}},
           {"192.0.2.0/24", {"192.0.2.0", "192.0.2.255", "::ffff:192.0.2.9"}, {"192.0.3.0", "192.0.1.255"}},
           {"192.0.2.128/25", {"192.0.2.128", "192.0.2.255"}, {"192.0.2.127"}},
           {"10.0.0.0/9", {"10.127.255.255"}, {"10.128.0.0", "11.0.0.0"}},
           {"0.0.0.0/0", {"0.0.0.0", "255.255.255.255"}, {"::", "2001:db8::1"}},
           {"::ffff:192.0.2.0/120", {"192.0.2.7"}, {"192.0.3.7"}},
           {"2001:db8::/32", {"2001:db8::", "2001:db8:ffff::1"}, {"2001:db9::", "192.0.2.1"}},
           {"2001:db8::/33", {"2001:db8:7fff::"}, {"2001:db8:8000::"}},
           {"::1/128", {"::1"}, {"::2", "::"}},
           {"::/0", {"::", "2001:db8::1", "ffff::"}, {"192.0.2.1"}}}) {
    const auto network = parse_ip_network(row.network);
    ASSERT_TRUE(network) << row.network;
    for (const char* inside : row.inside)
      EXPECT_TRUE(network->holds(address(inside))) << row.network << inside;
    for (const char* outside : row.outside)
      EXPECT_FALSE(network->holds(address(outside))) << row.network << outside;
  }
}

TEST(IpNetwork, NothingElseIsRead) {
  for (const char* text :
       {"", "/", "/8", "10.0.0.0/", "10.0.0.0/33", "10.0.0.0/-1", "10.0.0.0/+8", "10.0.0.0/8 ",
        "10.0.0.0/0008", "10.0.0.0/8/8", "10.0.0.1/8", "10.0.0.0/255.0.0.0", "10/8", "2001:db8::/129",
        "2001:db8::1/64", "::ffff:10.0.0.0/8", "a.example", "a.example/8"}) {
    EXPECT_FALSE(parse_ip_network(text)) << text;
  }
}

TEST(IpAddress, AClientIsAnIpv4AddressOrTheFirst64BitsOfAnIpv6One) {
  EXPECT_EQ(client_part(address("192.0.2.1")), address("192.0.2.1"));
  EXPECT_EQ(client_part(address("2001:db8:0:1::1")), client_part(address("2001:db8:0:1:ffff::")));
  EXPECT_NE(client_part(address("2001:db8:0:1::1")), client_part(address("2001:db8:0:2::1")));
}

}  // namespace
}  // namespace tracker::domain
