#ifndef TRACKER_TESTS_CRASHING_CHANGING_LIST_H_
#define TRACKER_TESTS_CRASHING_CHANGING_LIST_H_

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "crashing/key_space.h"
#include "support/endpoint.h"

namespace tracker::tests {

// The list of counters, in a file. It changes while programs read it: every list has a higher version than the one before.
// The last counter owns tokens by some lists, and leaves by the others. An address may be written in two ways.
class ChangingList {
 public:
  struct Counter {
    std::string name;
    Endpoint door;
  };

  // Writes the first list, by which the last counter leaves.
  ChangingList(std::filesystem::path file, std::vector<Counter> counters);

  const std::filesystem::path& file() const { return file_; }
  std::uint64_t version() const { return version_; }

  // Writes a list that is drawn. It may have the same counters as the one before.
  void change(Random& random);
  // Writes a list by which the last counter owns tokens if it leaves now, and leaves otherwise.
  void turn();

  // What the list is, for people.
  std::string to_string() const;

 private:
  void write();

  const std::filesystem::path file_;
  const std::vector<Counter> counters_;
  std::uint64_t version_ = 0;
  bool last_leaves_ = true;
  std::size_t by_name_ = 0;  // the counter whose address has a name instead of a number
};

}  // namespace tracker::tests

#endif  // TRACKER_TESTS_CRASHING_CHANGING_LIST_H_
