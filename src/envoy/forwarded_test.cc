#include "envoy/forwarded.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace tracker::envoy {
namespace {

using domain::IpAddress;
using domain::IpNetwork;

IpAddress ip(const char* text) {
  return domain::parse_ip_address(text).value();
}

const std::vector<IpNetwork> trusted_networks{*domain::parse_ip_network("10.0.0.0/8"),
                                              *domain::parse_ip_network("2001:db8:ffff::/48")};
constexpr const char* last_proxy = "10.0.0.1";

std::optional<IpAddress> client_by(const std::string& fields, const char* peer = last_proxy) {
  return forwarded_client(ip(peer), "GET /auth HTTP/1.1\r\nHost: a\r\n" + fields + "\r\n", trusted_networks);
}

struct ForwardedRow {
  std::string fields;
  const char* client;
};

TEST(Forwarded, ClientIsTheLastOneWhoIsNoTrustedProxy) {
  for (const ForwardedRow& row : std::vector<ForwardedRow>{
           {"X-Forwarded-For: 192.0.2.1\r\n", "192.0.2.1"},
           {"x-forwarded-FOR:\t192.0.2.1 \r\n", "192.0.2.1"},
           {"X-Forwarded-For: 198.51.100.9, 192.0.2.1\r\n", "192.0.2.1"},
           {"X-Forwarded-For: 198.51.100.9,192.0.2.1,10.9.9.9 , 10.1.1.1\r\n", "192.0.2.1"},
           {"X-Forwarded-For: 198.51.100.9\r\nX: y\r\nX-Forwarded-For: 192.0.2.1\r\n", "192.0.2.1"},
           {"X-Forwarded-For: 192.0.2.1\r\nX-Forwarded-For: 10.1.1.1\r\n", "192.0.2.1"},
           {"X-Forwarded-For: 192.0.2.1:4711\r\n", "192.0.2.1"},
           {"X-Forwarded-For: 2001:db8::1\r\n", "2001:db8::1"},
           {"X-Forwarded-For: [2001:db8::1]\r\n", "2001:db8::1"},
           {"X-Forwarded-For: [2001:db8::1]:4711\r\n", "2001:db8::1"},
           {"X-Forwarded-For: ::ffff:192.0.2.1\r\n", "192.0.2.1"},
           {"X-Forwarded-For: 192.0.2.1, 2001:db8:ffff::7\r\n", "192.0.2.1"},
           {"X-Forwarded-For: 10.3.3.3, 10.2.2.2\r\n", "10.3.3.3"},
           {"X-Forwarded-For: 127.0.0.1\r\n", "127.0.0.1"},
           {"Forwarded: for=192.0.2.1\r\n", "192.0.2.1"},
           {"forwarded: FOR=192.0.2.1;proto=http;by=203.0.113.43\r\n", "192.0.2.1"},
           {"Forwarded: proto=http ; For=\"192.0.2.1:4711\"; by=_x\r\n", "192.0.2.1"},
           {"Forwarded: for=192.0.2.1:4711\r\n", "192.0.2.1"},
           {"Forwarded: for=\"[2001:db8::1]:4711\"\r\n", "2001:db8::1"},
           {"Forwarded: for=\"[2001:db8::1]:_port\"\r\n", "2001:db8::1"},
           {"Forwarded: for=198.51.100.9, for=192.0.2.1;ext=\"a,b;for=1.1.1.1\\\"\", for=10.1.1.1\r\n",
            "192.0.2.1"},
           {"Forwarded: for=198.51.100.9\r\nForwarded: for=192.0.2.1\r\n", "192.0.2.1"},
           {"Forwarded: for=192.0.2.1\r\nForwarded: for=10.1.1.1\r\n", "192.0.2.1"},
           {"X-Forwarded-For: 192.0.2.1\r\nForwarded: for=192.0.2.1\r\n", "192.0.2.1"},
       }) {
    EXPECT_EQ(client_by(row.fields), ip(row.client)) << row.fields;
  }
}

// What is not known is held against the proxy that does not tell it, and not against whom its left neighbour names.
TEST(Forwarded, AnEntryThatIsNoAddressStandsForTheProxyThatWroteIt) {
  for (const ForwardedRow& row : std::vector<ForwardedRow>{
           {"X-Forwarded-For: unknown\r\n", last_proxy},
           {"X-Forwarded-For: \r\n", last_proxy},
           {"X-Forwarded-For: 192.0.2.1,\r\n", last_proxy},
           {"X-Forwarded-For: 192.0.2.1, a.example\r\n", last_proxy},
           {"X-Forwarded-For: 192.0.2.1, 192.0.2.256\r\n", last_proxy},
           {"X-Forwarded-For: 192.0.2.1, 192.0.2.1:port\r\n", last_proxy},
           {"X-Forwarded-For: 192.0.2.1, 192.0.2.1:123456\r\n", last_proxy},
           {"X-Forwarded-For: 192.0.2.1, [192.0.2.1]\r\n", last_proxy},
           {"X-Forwarded-For: 192.0.2.1, [2001:db8::1\r\n", last_proxy},
           {"X-Forwarded-For: 192.0.2.1, [2001:db8::1]x\r\n", last_proxy},
           {"X-Forwarded-For: 192.0.2.1, []\r\n", last_proxy},
           {"X-Forwarded-For: 192.0.2.1, [\r\n", last_proxy},
           {"X-Forwarded-For: 192.0.2.1, :\r\n", last_proxy},
           {"X-Forwarded-For: 192.0.2.1, \"192.0.2.2\"\r\n", last_proxy},
           {"X-Forwarded-For: 192.0.2.1, unknown, 10.2.2.2\r\n", "10.2.2.2"},
           {"X-Forwarded-For: 192.0.2.1, unknown, 10.2.2.2, 10.3.3.3\r\n", "10.2.2.2"},
           {"Forwarded: for=_hidden\r\n", last_proxy},
           {"Forwarded: for=unknown, for=10.2.2.2\r\n", "10.2.2.2"},
           {"Forwarded: for=192.0.2.1, proto=http\r\n", last_proxy},
           {"Forwarded: \r\n", last_proxy},
           {"Forwarded: 192.0.2.1\r\n", last_proxy},
           {"Forwarded: for\r\n", last_proxy},
           {"Forwarded: for=\r\n", last_proxy},
           {"Forwarded: =192.0.2.1\r\n", last_proxy},
           {"Forwarded: for= 192.0.2.1\r\n", last_proxy},
           {"Forwarded: for=192.0.2.1,\r\n", last_proxy},
           {"Forwarded: for=192.0.2.1;\r\n", last_proxy},
           {"Forwarded: for=192.0.2.1;for=192.0.2.2\r\n", last_proxy},
           {"Forwarded: for=192.0.2.1 for=192.0.2.2\r\n", last_proxy},
           {"Forwarded: for=\"192.0.2.1\r\n", last_proxy},
           {"Forwarded: for=\"192.0.2.1\\\"\r\n", last_proxy},
           {"Forwarded: for=\"192.0.2.1\\\r\n", last_proxy},
           {"Forwarded: for=\"192.0.2.\\1\"\r\n", last_proxy},
           {"Forwarded: for=192.0.2.1\"\"\r\n", last_proxy},
           {"Forwarded: for=[2001:db8::1\r\n", last_proxy},
           // A client leaves a quote open, so that what its proxy adds would be in it.
           {"Forwarded: for=198.51.100.9;x=\", for=192.0.2.1\r\n", last_proxy},
           {"Forwarded: for=198.51.100.9;x=\", for=\"[2001:db8::1]\"\r\n", last_proxy},
           {"Forwarded: for=198.51.100.9;x=\"\r\nForwarded: for=192.0.2.1\r\n", "192.0.2.1"},
           {"Forwarded: for=198.51.100.9;x=\"\r\nForwarded: for=10.2.2.2\r\n", "10.2.2.2"},
       }) {
    EXPECT_EQ(client_by(row.fields), ip(row.client)) << row.fields;
  }
}

// Most proxies write one of the two, and pass the other one on as the client sent it.
TEST(Forwarded, WhereTheFieldsDoNotAgreeItIsTheProxy) {
  for (const char* fields : {"X-Forwarded-For: 192.0.2.1\r\nForwarded: for=198.51.100.9\r\n",
                             "X-Forwarded-For: 192.0.2.1\r\nForwarded: for=127.0.0.1\r\n",
                             "Forwarded: for=192.0.2.1\r\nX-Forwarded-For: 198.51.100.9\r\n",
                             "Forwarded: for=192.0.2.1\r\nX-Forwarded-For: \r\n"}) {
    EXPECT_EQ(client_by(fields), ip(last_proxy)) << fields;
  }
  EXPECT_EQ(client_by("X-Forwarded-For: 2001:db8::1\r\nForwarded: for=\"[2001:db8::2]\"\r\n"),
            ip("2001:db8::"))
      << "they are one client, of whose addresses nobody knows which it is";
}

TEST(Forwarded, WithoutAFieldNothingIsSaid) {
  EXPECT_EQ(client_by(""), std::nullopt);
  EXPECT_EQ(client_by("X-Real-IP: 192.0.2.1\r\nVia: 1.1 a\r\nX-Forwarded-Host: 192.0.2.1\r\n"), std::nullopt);
}

TEST(Forwarded, WhatAnybodyElseSaysIsIgnored) {
  for (const char* peer : {"192.0.2.77", "127.0.0.1", "11.0.0.1", "2001:db8::77", "::"}) {
    EXPECT_EQ(client_by("X-Forwarded-For: 192.0.2.1\r\n", peer), std::nullopt) << peer;
    EXPECT_EQ(client_by("Forwarded: for=192.0.2.1\r\n", peer), std::nullopt) << peer;
  }
}

TEST(Forwarded, TheFieldsOfALargeHeadAreReadInOneGo) {
  const std::string commas(1'000'000, ',');
  EXPECT_EQ(client_by("X-Forwarded-For: " + commas + "192.0.2.1\r\n"), ip("192.0.2.1"));
  std::string elements;
  for (int i = 0; i < 100'000; ++i) elements += "for=_x,";
  EXPECT_EQ(client_by("Forwarded: " + elements + "for=192.0.2.1\r\n"), ip("192.0.2.1"));
}

}  // namespace
}  // namespace tracker::envoy
