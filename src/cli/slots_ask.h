#pragma once

#include <optional>
#include <string>
#include <vector>

#include "counter/counter_facts.h"
#include "counter/counter_list.h"
#include "domain/readiness.h"
#include "runtime/address.h"

namespace tracker::cli {

/// A counter or a balancer that is asked what it says of itself.
struct Asked {
  runtime::Address address;
  std::string name = {};         // in the list of counters; empty: the address
  std::string role = "counter";  // what the words about it call it
};

struct Answer {
  /// Whether it can count. The words begin with who it is, also those that say why it was not reached.
  domain::Readiness readiness;
  /// Nothing: it was not reached.
  std::optional<counter::CounterFacts> facts;
};

/// Asks all of them at once, by the stream that envoys use, each once. Returns their answers in the same order, when each
/// has answered or could not be reached, or after 5 s. Blocks.
std::vector<Answer> ask(const std::vector<Asked>& asked);

/// What the counters of a list answered, in words.
struct Settlement {
  std::string text;  // lines
  bool is_whole;     // every slot is settled, and each counter that owns some is ready
};

/// `answers` are those of the list's entries, in their order. Pure.
Settlement settlement(const counter::CounterList& list, const std::vector<Answer>& answers);

}  // namespace tracker::cli
