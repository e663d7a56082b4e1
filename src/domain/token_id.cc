#include "domain/token_id.h"

#include <openssl/evp.h>

#include <algorithm>
#include <cstdlib>
#include <memory>

#include "domain/hex.h"

namespace tracker::domain {

namespace {
/// One hashing context for each thread: to look SHA-256 up and to allocate a context costs more than the hash.
class Sha256 {
 public:
  Sha256()
      : algorithm_(EVP_MD_fetch(nullptr, "SHA256", nullptr), EVP_MD_free),
        context_(EVP_MD_CTX_new(), EVP_MD_CTX_free) {
    if (algorithm_ == nullptr || context_ == nullptr) std::abort();
  }

  std::array<std::uint8_t, 32> operator()(const std::array<std::uint8_t, 16>& bytes) noexcept {
    std::array<std::uint8_t, 32> digest{};
    const bool done = EVP_DigestInit_ex2(context_.get(), algorithm_.get(), nullptr) == 1 &&
                      EVP_DigestUpdate(context_.get(), bytes.data(), bytes.size()) == 1 &&
                      EVP_DigestFinal_ex(context_.get(), digest.data(), nullptr) == 1;
    if (!done) std::abort();  // SHA-256 of 16 bytes in memory cannot fail; a wrong id must not be used
    return digest;
  }

 private:
  std::unique_ptr<EVP_MD, decltype(&EVP_MD_free)> algorithm_;
  std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> context_;
};
}  // namespace

TokenId token_id(const Token& token) noexcept {
  thread_local Sha256 sha256;
  const auto digest = sha256(token.bytes);
  TokenId id{};
  std::copy_n(digest.begin(), id.bytes.size(), id.bytes.begin());
  return id;
}

std::optional<TokenId> next_id(TokenId id) noexcept {
  for (auto byte = id.bytes.rbegin(); byte != id.bytes.rend(); ++byte) {
    if (++*byte != 0) return id;
  }
  return std::nullopt;
}

std::string to_string(const TokenId& id) {
  std::string text;
  append_hex(id.bytes, text);
  return text;
}

}  // namespace tracker::domain
