#include "doors/admin_keys.h"

#include <openssl/crypto.h>
#include <openssl/sha.h>

#include <array>
#include <fstream>
#include <sstream>
#include <stdexcept>
#include <utility>

#include "domain/ascii.h"
#include "domain/hex.h"

namespace tracker::doors {

namespace {

using Digest = std::array<std::uint8_t, SHA256_DIGEST_LENGTH>;

std::string digest_of(std::string_view key) {
  Digest digest{};
  SHA256(reinterpret_cast<const unsigned char*>(key.data()), key.size(), digest.data());
  return {digest.begin(), digest.end()};
}

}  // namespace

AdminKeys::AdminKeys(std::string file) : file_(std::move(file)), keys_(read(file_)) {}

void AdminKeys::read_again() {
  auto keys = read(file_);
  const std::lock_guard lock(mutex_);
  keys_ = std::move(keys);
}

std::shared_ptr<const AdminKeys::Keys> AdminKeys::read(const std::string& file) {
  std::ifstream in(file);
  if (!in) throw std::runtime_error("the file cannot be read; name one that this user may read");
  auto keys = std::make_shared<Keys>();
  std::string line;
  for (int number = 1; std::getline(in, line); ++number) {
    std::istringstream words(line);
    std::string name;
    std::string role;
    std::string hex;
    std::string more;
    if (!(words >> name) || name.starts_with('#')) continue;
    Digest digest{};
    const bool is_key = words >> role >> hex && !(words >> more) && (role == "read" || role == "write") &&
                        domain::parse_hex(hex, digest);
    if (!is_key) {
      throw std::runtime_error("line " + std::to_string(number) +
                               " is no key; write a name, read or write, and the SHA-256 of the key, which "
                               "printf %s KEY | sha256sum prints");
    }
    keys->push_back({{name, role == "write"}, {digest.begin(), digest.end()}});
  }
  if (keys->empty()) throw std::runtime_error("it has no keys; add one, or leave out --admin-addr");
  return keys;
}

std::optional<AdminKeys::Holder> AdminKeys::find(std::string_view authorization) const {
  constexpr std::string_view scheme = "bearer ";
  if (authorization.size() <= scheme.size() ||
      !domain::equal_in_any_case(authorization.substr(0, scheme.size()), scheme))
    return std::nullopt;
  const auto digest = digest_of(authorization.substr(scheme.size()));
  std::shared_ptr<const Keys> keys;
  {
    const std::lock_guard lock(mutex_);
    keys = keys_;
  }
  const Key* found = nullptr;
  for (const auto& key : *keys) {
    if (CRYPTO_memcmp(key.digest.data(), digest.data(), digest.size()) == 0) found = &key;
  }
  return found == nullptr ? std::nullopt : std::optional(found->holder);
}

}  // namespace tracker::doors
