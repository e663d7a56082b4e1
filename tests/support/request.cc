#include "support/request.h"

#include <algorithm>
#include <cctype>

namespace tracker::tests {
namespace {

void replace_all(std::string& text, std::string_view from, std::string_view to) {
  for (auto at = text.find(from); at != std::string::npos; at = text.find(from, at + to.size())) {
    text.replace(at, from.size(), to);
  }
}

}  // namespace

std::string get(std::string_view target, std::string_view token, std::string_view more) {
  return get_without_token(target, "Authorization: " + std::string(token) + "\r\n" + std::string(more));
}

std::string get_without_token(std::string_view target, std::string_view more) {
  std::string head = "GET ";
  return head.append(target).append(" HTTP/1.1\r\nHost: tracker\r\n").append(more).append("\r\n");
}

std::string proxy_header(std::string_view client) {
  std::string header("\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0C", 16);
  return header.append(client).append("\x0A\0\0\x01\x12\x34\0\x50", 8);
}

std::string with_token(std::string_view bytes, std::string_view token) {
  std::string text(bytes);
  std::string upper(token);
  std::transform(upper.begin(), upper.end(), upper.begin(),
                 [](unsigned char c) { return static_cast<char>(std::toupper(c)); });
  replace_all(text, "$TOKEN", token);
  replace_all(text, "$UPPER_TOKEN", upper);
  return text;
}

std::string repeated(std::string_view text, std::size_t times) {
  std::string result;
  for (std::size_t i = 0; i < times; ++i) result.append(text);
  return result;
}

}  // namespace tracker::tests
