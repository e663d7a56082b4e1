#include "counter/counter_facts.h"

namespace tracker::counter {

bool CounterFacts::operator==(const CounterFacts& other) const {
  const bool same_list = adopted == other.adopted || (adopted && other.adopted && *adopted == *other.adopted);
  return same_list && handed == other.handed && received == other.received &&
         owns_every_token == other.owns_every_token && store == other.store && name == other.name &&
         held == other.held && settled == other.settled && names == other.names &&
         empty_names == other.empty_names && bound == other.bound;
}

}  // namespace tracker::counter
