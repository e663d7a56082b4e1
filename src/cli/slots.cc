#include "cli/slots.h"

#include <array>
#include <boost/system/system_error.hpp>
#include <cstdio>
#include <map>
#include <stdexcept>
#include <utility>

#include "cli/admin_client.h"
#include "cli/slots_ask.h"
#include "counter/counter_list.h"
#include "domain/hex.h"
#include "domain/token.h"
#include "domain/token_id.h"
#include "doors/admin_calls.h"
#include "doors/admin_socket.h"
#include "runtime/printable.h"
#include "settings/shown_value.h"
#include "settings/startup_error.h"

namespace tracker::cli {

using counter::CounterList;
using settings::SettingTable;
using settings::StartupError;

const char* const about_slots =
    "Who owns which token follows from the names of the counters alone, unless a balancer follows a Redis "
    "Cluster. So this asks no service, unless the list is a balancer's, or --ask is given.\n\n"
    "  tracker slots --counters a=10.0.0.1:6381,b=10.0.0.2:6381\n"
    "  tracker slots --counters-file ./counters --slot 42\n"
    "  tracker slots --counters-file ./counters --changed-to a=10.0.0.1:6381\n"
    "  tracker slots --counters lookup://10.0.0.9:6385 --ask\n\n"
    "With --ask it exits with 1 unless every slot is settled and its owner is ready.\n\n"
    "tracker slots forget NAME asks a counter that runs, by its admin socket, and says what is lost. Do it "
    "at each counter "
    "of the list, and only when NAME will never come back with its counts.\n\n"
    "  tracker slots forget b --admin-socket /run/tracker/a.sock\n"
    "  tracker slots forget b --store rocksdb:/srv/a   its directory has the socket";

namespace {

/// Of a token, or of its id.
std::optional<domain::Slot> slot_of_token(std::string_view text) {
  if (const auto token = domain::parse_token(text)) return domain::slot_of(domain::token_id(*token));
  domain::TokenId id{};
  if (!domain::parse_hex(text, id.bytes)) return std::nullopt;
  return domain::slot_of(id);
}

double percent(std::size_t slots) {
  return 100.0 * static_cast<double>(slots) / static_cast<double>(domain::slots);
}

std::string described(const CounterList& list, const std::string& name) {
  const auto address = to_string(list.find(name)->address);
  return name == address ? name : name + " at " + address;
}

void print_shares(const CounterList& list) {
  std::printf("version %llu, fingerprint %016llx\n\n", static_cast<unsigned long long>(list.version()),
              static_cast<unsigned long long>(list.table().fingerprint()));
  std::printf("%7s  %7s  %s\n", "slots", "share", "counter");
  const auto shares = list.table().shares();
  const auto& names = list.table().names();
  for (std::size_t i = 0; i < names.size(); ++i)
    std::printf("%7zu  %6.2f%%  %s\n", shares[i], percent(shares[i]), described(list, names[i]).c_str());
  for (const auto& entry : list.entries()) {
    if (entry.leaving)
      std::printf("%7d  %6.2f%%  %s, leaving\n", 0, 0.0, described(list, entry.name).c_str());
  }
}

void print_moves(const CounterList& from, const CounterList& to) {
  std::map<std::pair<std::string, std::string>, std::size_t> moves;
  std::size_t moved = 0;
  for (std::size_t i = 0; i < domain::slots; ++i) {
    const auto slot = static_cast<domain::Slot>(i);
    const auto& before = from.table().owner_name(slot);
    const auto& after = to.table().owner_name(slot);
    if (before == after) continue;
    ++moves[{before, after}];
    ++moved;
  }
  std::printf("\n%zu of %zu slots (%.2f%%) would move\n", moved, domain::slots, percent(moved));
  for (const auto& [way, its] : moves)
    std::printf("%7zu  %6.2f%%  from %s to %s\n", its, percent(its), way.first.c_str(), way.second.c_str());
}

/// Of several balancers, the list with the highest version counts.
counter::CounterListPtr list_of_balancers(const app::ListSettings& settings) {
  std::vector<Asked> balancers;
  for (const auto& address : settings.balancers)
    balancers.push_back({.address = address, .role = "balancer"});
  counter::CounterListPtr list;
  std::string troubles;
  const auto note = [&troubles](const std::string& words) {
    troubles += (troubles.empty() ? "" : "; ") + runtime::printable(words);
  };
  const auto answers = ask(balancers);
  for (std::size_t i = 0; i < answers.size(); ++i) {
    const auto who = "balancer " + to_string(balancers[i].address);
    const auto& [readiness, facts] = answers[i];
    if (!readiness.is_ready()) note(readiness.why_not());
    if (!facts) continue;
    if (!facts->adopted) {
      note(who + " gives no list of counters");
    } else if (const auto refusal = list ? list->refusal_of(*facts->adopted) : std::nullopt) {
      note(who + ": " + *refusal);
    } else {
      list = facts->adopted;
    }
  }
  if (!list) {
    throw StartupError(StartupError::refused_by_the_machine,
                       settings.flag + ": " + troubles +
                           "; start a balancer there, correct the address, or give the list itself");
  }
  if (!troubles.empty()) std::printf("%s\n\n", troubles.c_str());
  return list;
}

bool print_settlement(const CounterList& list) {
  std::vector<Asked> counters;
  for (const auto& entry : list.entries()) counters.push_back({.address = entry.address, .name = entry.name});
  const auto found = settlement(list, ask(counters));
  std::printf("\n%s", found.text.c_str());
  return found.is_whole;
}

void add_forget_settings(SettingTable& table, SlotsSettings& settings) {
  table.add_action(
      "forget", "NAME", settings.forgotten,
      "Has a counter forget the counter NAME: that it may hold tokens, and which store is its own.");
  add_admin_socket_setting(
      table, settings.admin_socket, "The socket of the counter that is to forget.", "the one of --store",
      SettingTable::Condition{"forget NAME", [&settings] { return !settings.forgotten.empty(); }});
  settings.store.add_copies_setting(
      table, "The store of that counter, whose directory has a socket.",
      "the counter of another store needs an --admin-socket",
      SettingTable::Condition{"forget NAME, and no --admin-socket", [&settings] {
                                return !settings.forgotten.empty() && settings.admin_socket.empty();
                              }});
}

doors::AdminSocket admin_socket(const SlotsSettings& settings) {
  const auto& path = settings.admin_socket;
  try {
    return path.empty() ? doors::AdminSocket::in(settings.store.kind().copies()->directory())
                        : doors::AdminSocket::at(path);
  } catch (const boost::system::system_error& error) {
    const auto what = path.empty() ? "--store: " + settings::shown(settings.store.text())
                                   : "--admin-socket: " + settings::shown(path);
    throw StartupError(StartupError::refused_by_the_machine,
                       what + ": there is no such directory (" + error.code().message() +
                           "); name the --admin-socket of a counter that runs, or its --store");
  }
}

void forget(const SlotsSettings& settings) {
  const auto socket = admin_socket(settings);
  const auto refuse = [&](const std::string& why) {
    throw StartupError(StartupError::refused_by_the_machine, socket.path() + ": " + why);
  };
  auto client = AdminClient::connect(socket);
  if (!client) refuse("no process serves it; name the --admin-socket of a counter that runs, or its --store");
  try {
    const auto answer = client->ask(doors::slots_forget, settings.forgotten);
    if (!answer.is_known) refuse("the process there is of an older version; restart it as this version");
    if (!answer.done) refuse(answer.text);
    std::printf("%s\n", answer.text.c_str());
  } catch (const boost::system::system_error& error) {
    refuse("the process went away (" + error.code().message() + "); it is not known whether " +
           settings.forgotten + " is forgotten");
  }
}

}  // namespace

void add_slots_settings(SettingTable& table, SlotsSettings& settings) {
  add_forget_settings(table, settings);
  const SettingTable::Condition shows{"tracker slots alone",
                                      [&settings] { return settings.forgotten.empty(); }};
  table.begin_group(SettingTable::Group::addresses);
  app::add_counters_setting(table, settings.counters, true, shows);
  table.add({"--slot", "", "Also says who owns this slot.", "none", "a whole number from 0 to 16383",
             [&settings](std::string_view text) {
               settings.slot = domain::parse_slot(text);
               return settings.slot.has_value();
             },
             "COUNT", shows});
  table.add({"--token", "", "Also says who owns this token, or the token with this id.", "none",
             "a token, or a token id of 32 hex digits",
             [&settings](std::string_view text) {
               settings.slot = slot_of_token(text);
               return settings.slot.has_value();
             },
             "TOKEN", shows});
  table.add({"--changed-to", "", "Also says what would move if the list became this one.", "none",
             "a list of name=host:port",
             [&settings](std::string_view text) {
               static_cast<void>(CounterList::parse(text));
               settings.changed_to = text;
               return true;
             },
             "ADDRESSES", shows});
  table.add_switch("--ask", settings.asks,
                   "Also asks each counter whether it is ready, and how many of its slots are settled.",
                   shows);
}

bool slots(const SlotsSettings& settings) {
  if (!settings.forgotten.empty()) {
    forget(settings);
    return true;
  }
  auto list = app::read_list(settings.counters);
  if (!list) list = list_of_balancers(settings.counters);
  print_shares(*list);
  if (settings.slot) {
    const auto& owner = list->table().owner_name(*settings.slot);
    std::printf("\nslot %d is owned by %s\n", static_cast<int>(*settings.slot),
                described(*list, owner).c_str());
  }
  if (!settings.changed_to.empty()) print_moves(*list, CounterList::parse(settings.changed_to));
  const bool is_settled = !settings.asks || print_settlement(*list);
  std::fflush(stdout);
  return is_settled;
}

}  // namespace tracker::cli
