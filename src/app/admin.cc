#include "app/admin.h"

#include <sys/stat.h>

#include <algorithm>
#include <atomic>
#include <boost/system/system_error.hpp>
#include <chrono>
#include <condition_variable>
#include <future>
#include <mutex>
#include <optional>
#include <utility>

#include "app/moves_admin.h"
#include "app/port_settings.h"
#include "app/service.h"
#include "app/version.h"
#include "counter/lost_slots.h"
#include "counter/membership.h"
#include "domain/hex.h"
#include "doors/admin_calls.h"
#include "runtime/log.h"
#include "settings/shown_value.h"
#include "settings/startup_error.h"
#include "store/store_error.h"

namespace tracker::app {

using settings::StartupError;

std::function<domain::SlotSet()> own_slots(const OpenStore& open_store, counter::PartitionMember* member) {
  if (member == nullptr) {
    return [&facts = open_store.store->facts()] {
      const auto its = facts.value();
      return its && its->record.empty() ? domain::SlotSet{}.set() : domain::SlotSet{};
    };
  }
  return [member] {
    const auto record = member->record();
    return record ? record->settled : domain::SlotSet{};
  };
}

namespace {

using Answer = doors::AdminDoor::Answer;
using SystemClock = std::chrono::system_clock;

/// When the last backup was made, in the clock's own units; 0: none since the start.
using LastBackup = std::atomic<SystemClock::rep>;

/// `name` is what its caller calls the backup, and `make` makes it.
Answer back_up(const std::string& name, LastBackup& last, const std::function<std::string()>& make) {
  try {
    const auto summary = make();
    last = SystemClock::now().time_since_epoch().count();
    runtime::log_info("backup " + name + ": " + summary);
    return {true, summary};
  } catch (const std::exception& error) {
    runtime::log_warning("no backup " + name + ": " + error.what());
    throw;
  }
}

Answer back_up_at(const LiveBackup& backup, LastBackup& last, const std::string& path) {
  if (!path.starts_with('/')) return {false, "the body of the request is the absolute path of the backup"};
  return back_up(path, last, [&] { return backup.to_path(path); });
}

Answer back_up_into(const LiveBackup& backup, LastBackup& last, const std::string& name,
                    const runtime::Descriptor& directory) {
  if (!directory.is_open()) return {false, "no directory came with the request"};
  return back_up(name, last, [&] { return backup.to_directory(directory, name); });
}

/// One call of `forget` after the other, for a thread that may wait, until the door ends.
class Forgetting {
 public:
  explicit Forgetting(Forget forget) : forget_(std::move(forget)) {}

  Answer run(const std::string& name) {
    if (!forget_) {
      return {false,
              "this process has no --peers: it owns every token and knows no other counters; nothing was "
              "forgotten"};
    }
    if (name.empty()) return {false, "the body of the request is the name of the counter to forget"};
    const auto answer = std::make_shared<std::optional<Answer>>();  // it may come when nobody waits any more
    forget_(name, [state = state_, answer](bool done, const std::string& words) {
      const std::lock_guard lock(state->mutex);
      *answer = Answer{done, words};
      state->changed.notify_all();
    });
    std::unique_lock lock(state_->mutex);
    state_->changed.wait_for(lock, patience, [&] { return *answer || state_->has_ended; });
    if (*answer) return **answer;
    return {false, (state_->has_ended ? "this process ends" : "the store has not been written in time") +
                       std::string("; it is not known whether ") + name + " is forgotten; try again later"};
  }

  void end() {
    const std::lock_guard lock(state_->mutex);
    state_->has_ended = true;
    state_->changed.notify_all();
  }

 private:
  static constexpr auto patience = std::chrono::seconds(8);
  struct State {
    std::mutex mutex;
    std::condition_variable changed;
    bool has_ended = false;
  };

  const Forget forget_;
  const std::shared_ptr<State> state_ = std::make_shared<State>();
};

doors::AdminDoor::Call forget_call(Forget forget) {
  const auto forgetting = std::make_shared<Forgetting>(std::move(forget));
  return {doors::slots_forget,
          [forgetting](const std::string& name, const auto&) { return forgetting->run(name); },
          [forgetting] { forgetting->end(); }};
}

void listen_in_store(const std::string& directory, std::vector<doors::AdminListener>& listeners) {
  try {
    listeners.push_back(doors::AdminListener::in_own(directory));
  } catch (const boost::system::system_error& error) {
    // Not every file system has sockets; the counts are as safe without.
    runtime::log_warning("no admin.sock in " + directory + ": " + error.code().message() +
                         "; tracker backup works only once this process has ended");
  }
}

/// For sockets, which std::filesystem::equivalent() does not compare.
bool is_same_file(const std::string& one, const std::string& other) {
  struct stat of_one {};
  struct stat of_other {};
  return ::lstat(one.c_str(), &of_one) == 0 && ::lstat(other.c_str(), &of_other) == 0 &&
         of_one.st_dev == of_other.st_dev && of_one.st_ino == of_other.st_ino;
}

std::string remedy_of(const boost::system::error_code& error) {
  namespace errc = boost::system::errc;
  if (error == errc::address_in_use)
    return "another process serves this socket; end that process, or name another path";
  if (error == errc::not_a_socket)
    return "what is there is no socket, and is not removed; move it away, or name another path";
  if (error == errc::no_such_file_or_directory || error == errc::not_a_directory)
    return "there is no such directory; make it, or name another path";
  return "cannot listen: " + error.message() + "; name a path in a directory in which this user may write";
}

void listen_at(const std::string& path, std::vector<doors::AdminListener>& listeners) {
  for (const auto& listener : listeners) {
    if (is_same_file(listener.socket().path(), path)) return;  // the one in the directory of the store
  }
  try {
    listeners.push_back(doors::AdminListener::at(path));
  } catch (const boost::system::system_error& error) {
    throw StartupError(StartupError::refused_by_the_machine,
                       "--admin-socket: " + settings::shown(path) + ": " + remedy_of(error.code()));
  }
}

void fill_in_partition(const counter::PartitionMember& member, doors::AdminStatus& status) {
  status.own_slots = 0;
  status.settled_slots = 0;
  const auto record = member.record();
  if (!record) return;
  status.list_version = record->list->version();
  status.own_slots = counter::Membership::own(*record->list, record->name).count();
  status.settled_slots = record->settled.count();
  for (const auto& [owner, slots] : counter::lost_slots(*record)) status.lost_slots += slots.count();
  const auto& table = record->list->table();
  const auto shares = table.shares();
  for (const auto& entry : record->list->entries()) {
    const auto owner = std::ranges::find(table.names(), entry.name) - table.names().begin();
    status.counters.push_back({.name = entry.name,
                               .address = to_string(entry.address),
                               .slots = entry.leaving ? 0 : shares[static_cast<std::size_t>(owner)],
                               .is_leaving = entry.leaving,
                               .is_this = entry.name == record->name});
  }
}

/// Hits come by HTTP or by gRPC, each by one of them. The verdicts of gRPC have the names of the reasons of HTTP.
void fill_in_hits(const metrics::Page& page, doors::AdminStatus& status) {
  status.refusals = page.counters_by("tracker_http_refusals_total", "reason");
  status.hits = page.counters_by("tracker_http_answers_total", "code")["200"] -
                page.counters_by("tracker_tokens_minted_total", "door")["http"];
  for (const auto& [verdict, hits] : page.counters_by("tracker_grpc_hits_total", "verdict"))
    (verdict == "counted" ? status.hits : status.refusals[verdict]) += hits;
}

std::string what_can_be_lost(const OpenStore& open_store) {
  if (!open_store.contents) return "it cannot be known";
  try {
    return open_store.contents()->what_can_be_lost();
  } catch (const store::StoreError& error) {
    return std::string("it cannot be known now: ") + error.what();
  }
}

/// The tokens that may be changed.
doors::OwnTokens own_tokens(const OpenStore& open_store, counter::PartitionMember* member) {
  doors::OwnTokens own{.own_slots = own_slots(open_store, member)};
  if (member != nullptr)
    own.owner_elsewhere = [member](const auto& id) { return member->owner_elsewhere(id); };
  return own;
}

/// Mints a token, for a thread that may wait.
std::optional<domain::Token> mint_now(counter::Counter& minter, const domain::TokenRecord& record) {
  struct Reply final : counter::MintReply {
    void on_minted(domain::Result<domain::Token> outcome) override {
      const auto stays = std::move(self);
      minted.set_value(outcome);
    }
    std::promise<domain::Result<domain::Token>> minted;
    std::shared_ptr<Reply> self;  // until it is called
  };
  const auto reply = std::make_shared<Reply>();
  reply->self = reply;
  auto minted = reply->minted.get_future();
  constexpr auto patience = std::chrono::seconds(5);
  minter.mint(record, std::chrono::steady_clock::now() + patience, *reply);
  if (minted.wait_for(patience + std::chrono::seconds(1)) != std::future_status::ready) return std::nullopt;
  const auto outcome = minted.get();
  return outcome ? std::optional(*outcome) : std::nullopt;
}

std::unique_ptr<doors::TokenChanges> changes(const OpenStore& open_store, const AdminParts& parts) {
  if (parts.minter == nullptr) return nullptr;
  return std::make_unique<doors::TokenChanges>(doors::TokenChanges::Parts{
      .make_keeper = open_store.keeper,
      .mint = [&minter = *parts.minter](const auto& record) { return mint_now(minter, record); },
      .new_record = [terms = parts.terms] { return terms.for_operator(); },
      .now_s = parts.terms.now_s,
      .own = own_tokens(open_store, parts.member)});
}

std::unique_ptr<doors::AdminApi> readings(const OpenStore& open_store, const AdminParts& parts,
                                          std::shared_ptr<const LastBackup> last_backup) {
  doors::AdminApi::Parts api{
      .make_reader = open_store.reader,
      .own = parts.member == nullptr ? doors::OwnTokens{} : own_tokens(open_store, parts.member),
      .now_s = parts.terms.now_s};
  if (parts.busiest != nullptr) {
    api.busiest = [&busiest = *parts.busiest](auto by) {
      return busiest.read(by, counter::Busiest::Clock::now());
    };
  }
  api.status = [&open_store, parts, last_backup = std::move(last_backup), started = SystemClock::now()] {
    doors::AdminStatus status{.service = parts.service,
                              .version = version_text(),
                              .started = started,
                              .readiness = parts.readiness->value(),
                              .store = parts.store,
                              .can_lose = what_can_be_lost(open_store)};
    if (const auto facts = open_store.store->facts().value(); facts && facts->masters.empty())
      domain::append_hex(facts->id, status.store_id);
    if (const auto last = last_backup->load(); last != 0)
      status.last_backup = SystemClock::time_point(SystemClock::duration(last));
    metrics::Page page;
    parts.report(page);
    fill_in_hits(page, status);
    if (parts.member != nullptr) fill_in_partition(*parts.member, status);
    return status;
  };
  return std::make_unique<doors::AdminApi>(std::move(api));
}

/// Null: the door does not listen over TCP. Throws StartupError.
std::shared_ptr<doors::AdminKeys> read_keys(const AdminSettings& settings) {
  if (!settings.address) return nullptr;
  if (settings.keys_file.empty()) {
    throw StartupError(StartupError::bad_setting,
                       "--admin-addr: whoever can connect could change everything; give --admin-keys, too");
  }
  if (!settings.insecure && is_off_loopback(*settings.address)) {
    throw StartupError(StartupError::bad_setting,
                       "--admin-addr: " + to_string(*settings.address) +
                           " is not a loopback address, and keys would travel without TLS; put a proxy "
                           "with TLS before it, or say by --admin-insecure that the network is trusted");
  }
  try {
    return std::make_shared<doors::AdminKeys>(settings.keys_file);
  } catch (const std::runtime_error& error) {
    throw StartupError(StartupError::bad_setting,
                       "--admin-keys: " + settings::shown(settings.keys_file) + ": " + error.what());
  }
}

std::function<void()> keys_reread(std::shared_ptr<doors::AdminKeys> keys, const std::string& file) {
  if (!keys) return nullptr;
  return [keys = std::move(keys), file] {
    try {
      keys->read_again();
      runtime::log_info("--admin-keys: " + file + " was read again");
    } catch (const std::runtime_error& error) {
      runtime::log_warning("--admin-keys: " + file + ": " + error.what() + "; the keys so far stay");
    }
  };
}

}  // namespace

void add_admin_settings(settings::SettingTable& table, AdminSettings& settings) {
  using settings::SettingTable;
  table.begin_group(SettingTable::Group::process);
  table.add(
      {"--admin-socket", "",
       "Where to listen for tracker export, import, tokens, counts, top, status and slots forget: a Unix "
       "socket that only this user may open. A store on disk has one in its directory, too.",
       "none", "the path of a socket",
       [&path = settings.socket](std::string_view text) {
         path = text;
         return !text.empty() && !text.ends_with('/') && text.find("://") == text.npos;
       },
       "PATH"});
  table.add_address("--admin-addr", "", settings.address,
                    "Where to listen for the same over TCP, from who has a key.", "none: it does not");
  const SettingTable::Condition with_address{"--admin-addr",
                                             [&settings] { return settings.address.has_value(); }};
  table.add_file(
      "--admin-keys", settings.keys_file,
      "The keys for it: a name, read or write, and the SHA-256 of a key in each line. Read again on "
      "SIGHUP.",
      with_address);
  table.add_switch("--admin-insecure", settings.insecure,
                   "Allows --admin-addr off loopback, although keys and counts travel without TLS.",
                   with_address);
}

OpenAdminDoor open_admin_door(const OpenStore& open_store, const AdminSettings& settings,
                              const AdminParts& parts) {
  const auto keys = read_keys(settings);
  const auto last_backup = std::make_shared<LastBackup>(0);
  std::vector<doors::AdminListener> listeners;
  std::vector<doors::AdminDoor::Call> calls;
  if (open_store.backup) {
    const auto& backup = *open_store.backup;
    listen_in_store(backup.directory, listeners);
    calls.push_back({doors::backup_at, [&backup, last_backup](const std::string& to, const auto&) {
                       return back_up_at(backup, *last_backup, to);
                     }});
    calls.push_back(
        {doors::backup_into, [&backup, last_backup](const std::string& name, const auto& directory) {
           return back_up_into(backup, *last_backup, name, directory);
         }});
  }
  if (!settings.socket.empty()) listen_at(settings.socket, listeners);
  if (listeners.empty() && !keys) return {};
  add_move_calls(open_store, parts, calls);
  calls.push_back(forget_call(parts.forget));
  std::unique_ptr<doors::AdminApi> api;
  if (parts.readiness != nullptr) api = readings(open_store, parts, last_backup);
  if (!keys)
    return {std::make_unique<doors::AdminDoor>(std::move(listeners), std::move(calls), std::move(api),
                                               changes(open_store, parts))};
  auto door = listening("--admin-addr", *settings.address, [&] {
    return std::make_unique<doors::AdminDoor>(std::move(listeners), std::move(calls), std::move(api),
                                              changes(open_store, parts),
                                              doors::AdminDoor::Tcp{*settings.address, keys});
  });
  runtime::log_info("admin door at " + listening_text("address", door->endpoints()) + ", with the keys in " +
                    settings.keys_file);
  return {std::move(door), keys_reread(keys, settings.keys_file)};
}

std::function<void()> draining_last(doors::AdminDoor* door, std::function<void()> drained) {
  if (door == nullptr) return drained;
  return [door, drained = std::move(drained)] { door->drain(drained); };
}

}  // namespace tracker::app
