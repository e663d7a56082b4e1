#include "crashing/changing_list.h"

#include <fstream>
#include <utility>

namespace tracker::tests {

ChangingList::ChangingList(std::filesystem::path file, std::vector<Counter> counters)
    : file_(std::move(file)), counters_(std::move(counters)) {
  write();
}

void ChangingList::change(Random& random) {
  last_leaves_ = one_in(random, 2);
  by_name_ = any_of(random, 0, counters_.size() - 1);
  write();
}

void ChangingList::turn() {
  last_leaves_ = !last_leaves_;
  write();
}

std::string ChangingList::to_string() const {
  return "version " + std::to_string(version_) + ", where " + counters_.back().name +
         (last_leaves_ ? " leaves" : " owns tokens");
}

// Nobody reads half a list.
void ChangingList::write() {
  const auto whole = file_.string() + ".new";
  {
    std::ofstream text(whole);
    text << "version " << ++version_ << '\n';
    for (std::size_t i = 0; i < counters_.size(); ++i) {
      const auto& [name, door] = counters_[i];
      const Endpoint written{i == by_name_ ? "localhost" : door.host, door.port};
      const bool leaves = last_leaves_ && i + 1 == counters_.size();
      text << name << '=' << written.to_string() << (leaves ? ",leaving\n" : "\n");
    }
  }
  std::filesystem::rename(whole, file_);
}

}  // namespace tracker::tests
