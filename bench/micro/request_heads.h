#pragma once

#include <string_view>

namespace tracker::bench {

// Request heads as clients send them, all with the same target and token.

/// The form in which wrk sends it.
inline constexpr std::string_view small_head =
    "GET /api/v1/items/000042 HTTP/1.1\r\n"
    "Host: 127.0.0.1:6380\r\n"
    "Authorization: c6f6fd4b-b347-4aa1-b22d-c2a786eb82fd\r\n"
    "\r\n";

inline constexpr std::string_view curl_head =
    "GET /api/v1/items/000042 HTTP/1.1\r\n"
    "Host: tracker.example.com\r\n"
    "User-Agent: curl/7.88.1\r\n"
    "Accept: */*\r\n"
    "Authorization: Bearer c6f6fd4b-b347-4aa1-b22d-c2a786eb82fd\r\n"
    "\r\n";

inline constexpr std::string_view browser_head =
    "GET /api/v1/items/000042 HTTP/1.1\r\n"
    "Host: tracker.example.com\r\n"
    "Connection: keep-alive\r\n"
    "Cache-Control: max-age=0\r\n"
    "sec-ch-ua: \"Chromium\";v=\"118\", \"Google Chrome\";v=\"118\", \"Not=A?Brand\";v=\"99\"\r\n"
    "sec-ch-ua-mobile: ?0\r\n"
    "sec-ch-ua-platform: \"Linux\"\r\n"
    "Authorization: Bearer c6f6fd4b-b347-4aa1-b22d-c2a786eb82fd\r\n"
    "User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/118.0.0.0 "
    "Safari/537.36\r\n"
    "Accept: application/json, text/plain, */*\r\n"
    "Sec-Fetch-Site: same-origin\r\n"
    "Sec-Fetch-Mode: cors\r\n"
    "Sec-Fetch-Dest: empty\r\n"
    "Referer: https://tracker.example.com/dashboard\r\n"
    "Accept-Encoding: gzip, deflate, br\r\n"
    "Accept-Language: en-US,en;q=0.9,de;q=0.8\r\n"
    "\r\n";

inline constexpr std::string_view target_of_heads = "/api/v1/items/000042";

}  // namespace tracker::bench
