#pragma once

#include <stdexcept>
#include <string>

namespace tracker::store {

/// A reason not to open, copy or make a store: one sentence that says what is wrong and what to do.
class StoreError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

/// The data on disk is damaged. found() says what is wrong, for a sentence that names another remedy.
class DamageError : public StoreError {
 public:
  explicit DamageError(const std::string& found)
      : StoreError("damaged: " + found + "; restore a backup, or choose another directory"), found_(found) {}

  const std::string& found() const noexcept { return found_; }

 private:
  std::string found_;
};

}  // namespace tracker::store
