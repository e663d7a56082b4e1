#pragma once

#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace tracker::doors {

/// The keys with which an admin door over TCP may be used. They stand in a file, a key in each line: its name, `read` or
/// `write`, and the SHA-256 of the key in hex digits. Empty lines and those that begin with # are ignored. A name may have
/// several keys, so that one can take the place of another. Any thread.
class AdminKeys {
 public:
  /// Who presented a key.
  struct Holder {
    std::string name;
    bool may_write;
  };

  /// Reads the file. Throws std::runtime_error with a sentence that names the line and the remedy.
  explicit AdminKeys(std::string file);

  /// Reads the file anew. Throws as the constructor does; then the keys stay as they are.
  void read_again();

  /// `authorization` is the value of the field of the same name. Takes the same time for every key that is wrong. Nothing: it
  /// holds no key of the file after `Bearer`.
  std::optional<Holder> find(std::string_view authorization) const;

 private:
  struct Key {
    Holder holder;
    std::string digest;
  };
  using Keys = std::vector<Key>;
  static std::shared_ptr<const Keys> read(const std::string& file);

  const std::string file_;
  mutable std::mutex mutex_;
  std::shared_ptr<const Keys> keys_;  // mutex_
};

}  // namespace tracker::doors
