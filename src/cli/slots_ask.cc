#include "cli/slots_ask.h"

#include <algorithm>
#include <boost/asio/io_context.hpp>
#include <chrono>
#include <cstdio>
#include <memory>

#include "domain/slot.h"
#include "rpc/remote_counter.h"
#include "runtime/printable.h"

namespace tracker::cli {

using counter::CounterFacts;
using counter::CounterList;

namespace {

/// A step of connecting that hangs fails sooner, so that it is known which step it is.
constexpr auto patience = std::chrono::seconds(5);

/// One that is asked.
class Question {
 public:
  Question(boost::asio::io_context& loop, const Asked& asked)
      : counter_(
            loop,
            {.address = asked.address, .version = TRACKER_VERSION, .name = asked.name, .role = asked.role}),
        changes_(counter_.readiness().subscribe([this](const auto& /*readiness*/) { ++told_; })) {}

  /// The first words say that it has not been asked yet. What it says of itself comes before the next.
  bool is_answered() const noexcept { return told_ > 1; }

  Answer answer() const { return {counter_.readiness().value(), counter_.facts().value()}; }

 private:
  int told_ = 0;
  rpc::RemoteCounter counter_;
  const runtime::Subscription changes_;
};

std::string counted(std::size_t slots) {
  return std::to_string(slots) + (slots == 1 ? " slot" : " slots");
}

std::string version_of(const CounterList& list) {
  char text[64];
  std::snprintf(text, sizeof text, "version %llu, fingerprint %016llx",
                static_cast<unsigned long long>(list.version()),
                static_cast<unsigned long long>(list.table().fingerprint()));
  return text;
}

bool is_same_table(const CounterList& one, const CounterList& other) {
  return one.version() == other.version() && one.table().fingerprint() == other.table().fingerprint();
}

std::size_t share(const CounterList& list, const std::string& name) {
  const auto& names = list.table().names();
  const auto found = std::ranges::find(names, name);
  return found == names.end() ? 0 : list.table().shares()[static_cast<std::size_t>(found - names.begin())];
}

/// One that is one of several, by its own words.
std::vector<std::string> words_of(const CounterFacts& facts, const CounterList::Entry& entry,
                                  const CounterList& list) {
  std::vector<std::string> words;
  if (facts.name.empty()) return {"it is no counter; correct its address"};
  if (facts.name != entry.name)
    words.push_back("it is " + runtime::printable(facts.name) + " by its own --name; correct one of them");
  if (!facts.adopted) {
    words.emplace_back("it has not adopted a list yet");
    return words;
  }
  if (!is_same_table(*facts.adopted, list))
    words.push_back("it has another list: " + version_of(*facts.adopted));
  const auto own = share(*facts.adopted, facts.name);
  if (own == 0) {
    words.emplace_back("it leaves: it owns no slots");
  } else if (facts.settled) {
    words.push_back(std::to_string(*facts.settled) + " of its " + counted(own) + " are settled");
  } else {
    words.push_back("how many of its " + counted(own) +
                    " are settled is not known: its version does not say it");
  }
  if (facts.held.any())
    words.push_back("it holds tokens of " + counted(facts.held.count()) + " that are not its own");
  return words;
}

}  // namespace

std::vector<Answer> ask(const std::vector<Asked>& asked) {
  boost::asio::io_context loop(1);
  std::vector<std::unique_ptr<Question>> questions;
  for (const auto& one : asked) questions.push_back(std::make_unique<Question>(loop, one));
  const auto deadline = std::chrono::steady_clock::now() + patience;
  while (!std::ranges::all_of(questions, [](const auto& question) { return question->is_answered(); }) &&
         loop.run_one_until(deadline) > 0) {
  }
  std::vector<Answer> answers;
  for (const auto& question : questions) answers.push_back(question->answer());
  return answers;
}

Settlement settlement(const CounterList& list, const std::vector<Answer>& answers) {
  std::string text;
  std::size_t settled = 0;
  std::size_t whole = 0;  // counters that own every token
  bool are_ready = true;
  for (std::size_t i = 0; i < answers.size(); ++i) {
    const auto& entry = list.entries()[i];
    const auto& [readiness, facts] = answers[i];
    const auto address = to_string(entry.address);
    text +=
        readiness.is_ready()
            ? "counter " + (entry.name == address ? address : entry.name + " at " + address) + " is ready\n"
            : runtime::printable(readiness.why_not()) + '\n';
    are_ready = are_ready && (readiness.is_ready() || entry.leaving);
    if (!facts) continue;
    if (facts->owns_every_token) {
      ++whole;
      text += "  it owns every token: it is none of several\n";
      continue;
    }
    for (const auto& line : words_of(*facts, entry, list)) text += "  " + line + '\n';
    if (facts->name == entry.name && facts->adopted && is_same_table(*facts->adopted, list))
      settled += facts->settled.value_or(0);
  }
  if (whole == answers.size()) return {text + "\nevery counter owns every token\n", are_ready};
  text += "\n" + std::to_string(settled) + " of " + counted(domain::slots) + " are known to be settled\n";
  return {text, are_ready && settled == domain::slots};
}

}  // namespace tracker::cli
