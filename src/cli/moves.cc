#include "cli/moves.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <boost/system/system_error.hpp>
#include <cerrno>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <functional>
#include <iterator>
#include <memory>
#include <system_error>
#include <utility>
#include <vector>

#include "cli/admin_client.h"
#include "cli/moved_file.h"
#include "cli/refusal.h"
#include "doors/admin_calls.h"
#include "doors/admin_socket.h"
#include "settings/startup_error.h"
#include "store/store_error.h"
#include "transfer/requests.h"

namespace tracker::cli {

using settings::SettingTable;
using settings::StartupError;

const char* const about_export =
    "Writes the tokens of a store and their counts into a file, for tracker import. A process that serves "
    "the store is asked, by the socket in the directory of the store or by --admin-socket, and goes on. A "
    "Redis is read directly.\n\n"
    "  tracker export ./all --hold                     refuse hits from now on, and write\n"
    "  tracker import ./all --store redis-cluster --redis-addr 10.0.0.1:6379\n"
    "  tracker export --drop ./all.receipt             free the room at the source\n\n"
    "With --hold, the source refuses the hits of these tokens (503) until the move has ended, even after a "
    "restart. So nothing is lost, and nothing is counted twice. To give the move up instead:\n\n"
    "  tracker export --unhold ./all --not-imported    make the file void, and go on counting\n\n"
    "Where a list of counters takes slots away from a counter, that refuses them already:\n\n"
    "  tracker export ./lost --slots lost --admin-socket /run/tracker/a.sock\n"
    "      one file for each new owner: ./lost.b, ./lost.c\n"
    "  tracker import ./lost.b --admin-socket /run/tracker/b.sock";

const char* const about_import =
    "Adds the tokens of a file that tracker export wrote to a store, with their counts. The file is checked "
    "as a whole before anything is written. The tokens count once all of them are there and on disk. If it "
    "is interrupted, run it again. Afterwards FILE.receipt says that everything has arrived, for tracker "
    "export --drop.\n\n"
    "  tracker import ./all --store rocksdb:/srv/new\n"
    "  tracker import ./all --store redis --redis-addr 10.0.0.1:6379\n"
    "  tracker import ./lost.b --admin-socket /run/tracker/b.sock     into a counter that runs\n"
    "  ssh old tracker export - --hold | tracker import - --receipt ./receipt";

namespace {

void say(const std::string& line) {
  std::fprintf(stderr, "%s\n", line.c_str());
}

void add_admin_socket(SettingTable& table, std::string& path) {
  add_admin_socket_setting(table, path, "The socket of the process that serves the store.",
                           "the one in the directory of the store, if a process serves it");
}

/// Where the tokens are: a process that serves the store, or the store itself.
class Place {
 public:
  /// `makes`: a store that is not there yet is made. Throws StartupError.
  Place(const app::StoreChoice& store, const std::string& admin_socket, bool makes)
      : name_(admin_socket.empty() ? "--store " + store.text() : admin_socket) {
    client_ = connect(store, admin_socket);
    if (!client_) contents_ = store.kind().open_contents(makes);
  }

  /// Has the process do it, or `alone` if there is none. Returns what came of it, in words.
  std::string run(const char* call, const std::string& body, int descriptor,
                  const std::function<std::string(const transfer::MovableStore&)>& alone) {
    if (client_) return ask(call, body, descriptor);
    try {
      auto& contents = *contents_;
      return alone({contents, record_of(contents.facts())});
    } catch (const store::StoreError& error) {
      refuse(name_ + ": " + error.what());
    }
  }

 private:
  static std::optional<AdminClient> connect(const app::StoreChoice& store, const std::string& admin_socket) {
    try {
      if (!admin_socket.empty()) {
        auto client = AdminClient::connect(doors::AdminSocket::at(admin_socket));
        if (!client) refuse(admin_socket + ": no process serves it; start it, or give its --store alone");
        return client;
      }
      const auto* copies = store.kind().copies();
      if (copies == nullptr) return std::nullopt;
      return AdminClient::connect(doors::AdminSocket::in(copies->directory()));
    } catch (const boost::system::system_error& error) {
      if (admin_socket.empty()) return std::nullopt;  // there is no such store; opening it says so
      refuse(admin_socket + ": " + error.code().message());
    }
  }

  std::string ask(const char* call, const std::string& body, int descriptor) {
    try {
      auto answer = client_->ask(call, body, descriptor);
      if (!answer.is_known)
        refuse(name_ +
               ": the process there is of an older version, or has no store; restart it as this version");
      if (!answer.done) refuse(name_ + ": " + answer.text);
      return std::move(answer.text);
    } catch (const boost::system::system_error& error) {
      refuse(name_ + ": the process went away (" + error.code().message() +
             "); do the same again when it runs");
    }
  }

  static std::optional<counter::PartitionRecord> record_of(const store::StoreFacts& facts) {
    if (facts.record.empty()) return std::nullopt;
    auto record = counter::PartitionRecord::parse(facts.record);
    if (!record) refuse("the store's record is of a later version of tracker; use that version");
    return record;
  }

  const std::string name_;
  std::optional<AdminClient> client_;
  std::shared_ptr<store::StoreContents> contents_;
};

void no_progress(const transfer::ExportTotals& /*totals*/) {}

void export_into(Place& place, const transfer::ExportRequest& request, const std::string& path) {
  NewFile file(path);
  std::string summary;
  {
    const FileProgress progress(file.descriptor(), 0);
    summary = place.run(doors::export_tokens, to_string(request), file.descriptor(), [&](const auto& store) {
      return to_string(transfer::export_tokens(store, request, file.descriptor(), no_progress));
    });
  }
  file.finish();
  say("done: " + path + ": " + summary);
}

std::vector<std::string> lost_owners(Place& place) {
  const auto lines = place.run(doors::lost_owners, "", -1, transfer::lost_owners);
  std::vector<std::string> owners;
  for (std::size_t at = 0; at < lines.size();) {
    const auto end = std::min(lines.find('\n', at), lines.size());
    if (end > at) owners.push_back(lines.substr(at, end - at));
    at = end + 1;
  }
  return owners;
}

void export_lost(Place& place, const std::string& path) {
  if (path == "-")
    refuse("--slots lost: there is a file for each new owner; name one, or give --slots lost:OWNER");
  const auto owners = lost_owners(place);
  if (owners.empty()) refuse("--slots lost: no tokens here are another counter's by the list");
  for (const auto& owner : owners) export_into(place, {.lost_to = owner}, path + "." + owner);
}

/// The file says that it must not be imported before anything counts again.
void unhold(const ExportSettings& settings) {
  if (!settings.not_imported) {
    throw StartupError(
        StartupError::bad_setting,
        "--unhold: give --not-imported, your word that the file was imported nowhere and never "
        "will be: otherwise both stores would count the same tokens");
  }
  const runtime::Descriptor file(::open(settings.file.c_str(), O_RDWR | O_CLOEXEC));
  if (!file.is_open()) refuse(settings.file + ": cannot open it: " + error_text(errno));
  const auto in_file = [&](const auto& call) {
    try {
      return call();
    } catch (const store::StoreError& error) {
      refuse(settings.file + ": " + error.what());
    }
  };
  const auto id = in_file([&] { return transfer::ExportReader(file.number()).header().id; });
  const auto text = transfer::to_hex(id);
  Place place(settings.store, settings.admin_socket, false);
  place.run(doors::is_held, text, -1, [&](const auto& store) { return transfer::require_held(store, id); });
  in_file([&] { transfer::make_void(file.number()); });
  say(place.run(doors::end_hold, text, -1,
                [&](const auto& store) { return transfer::end_hold_in_words(store, id); }));
}

std::string text_in(const std::string& path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), {}};
}

void drop(const ExportSettings& settings) {
  auto receipt = transfer::Receipt::parse(text_in(settings.file));
  if (!receipt) refuse(settings.file + ": it is no receipt of tracker import");
  const transfer::DropRequest request{std::move(*receipt), settings.accept_loss};
  Place place(settings.store, settings.admin_socket, false);
  say(place.run(doors::drop_tokens, to_string(request), -1,
                [&](const auto& store) { return transfer::drop_in_words(store, request); }));
}

/// A receipt of an import that was made before may be replaced, and nothing else.
void require_place_for_receipt(const std::string& path) {
  std::error_code ignored;
  if (!std::filesystem::exists(path, ignored) || transfer::Receipt::parse(text_in(path))) return;
  refuse(path + ": the file exists, and is no receipt; give another --receipt");
}

void write_receipt(const std::string& path, const std::string& receipt) {
  std::error_code ignored;
  std::filesystem::remove(path, ignored);
  NewFile file(path);
  const auto line = receipt + "\n";
  if (::write(file.descriptor(), line.data(), line.size()) != static_cast<ssize_t>(line.size()))
    refuse(path + ": cannot write it: " + error_text(errno));
  file.finish();
}

}  // namespace

void add_export_settings(SettingTable& table, ExportSettings& settings) {
  table.add_argument(
      "FILE", settings.file,
      "The file to make; - writes to the standard output. With --unhold, the export; with --drop, "
      "the receipt.");
  add_admin_socket(table, settings.admin_socket);
  settings.store.add_moving_settings(
      table, "The store to export.",
      SettingTable::Condition{"no --admin-socket", [&settings] { return settings.admin_socket.empty(); }});
  table.begin_group(SettingTable::Group::process);
  table.add_switch("--unhold", settings.unholds, "Gives a move up: its slots count again.");
  const SettingTable::Condition with_unhold{"--unhold", [&settings] { return settings.unholds; }};
  table.add_switch("--not-imported", settings.not_imported,
                   "Your word that the file was imported nowhere, and never will be.", with_unhold);
  table.add_switch("--drop", settings.drops,
                   "Removes what has arrived at its target. Its slots are refused from then on.",
                   SettingTable::Condition{"no --unhold", [&settings] { return !settings.unholds; }});
  table.add_switch("--accept-loss", settings.accept_loss, "Also if the target can lose what it was given.",
                   SettingTable::Condition{"--drop", [&settings] { return settings.drops; }});
  const SettingTable::Condition exports{"an export alone",
                                        [&settings] { return !settings.unholds && !settings.drops; }};
  table.add({"--slots", "",
             "Which tokens: all, those of some slots, or those that a list gave to other counters.", "all",
             "slots such as 0-5460,8192, or lost, or lost:OWNER",
             [&settings](std::string_view text) {
               constexpr std::string_view lost = "lost";
               if (text.starts_with(lost) && (text.size() == lost.size() || text[lost.size()] == ':')) {
                 settings.lost_to = text.substr(std::min(text.size(), lost.size() + 1));
                 return text.size() != lost.size() + 1;
               }
               settings.slots = transfer::parse_slots(text);
               return settings.slots.has_value();
             },
             "SLOTS", exports, std::vector<std::string>{"lost", "lost:OWNER"}});
  table.add_switch(
      "--hold", settings.hold,
      "Refuses hits and mints in these slots until the move has ended. Slots that a list gave to others are "
      "refused already.",
      SettingTable::Condition{"an export of slots that are not lost", [&settings] {
                                return !settings.unholds && !settings.drops && !settings.lost_to;
                              }});
}

void add_import_settings(SettingTable& table, ImportSettings& settings) {
  table.add_argument("FILE", settings.file, "A file that tracker export made; - reads the standard input.");
  add_admin_socket(table, settings.admin_socket);
  settings.store.add_moving_settings(
      table, "The store to add to. One that is not there yet is made.",
      SettingTable::Condition{"no --admin-socket", [&settings] { return settings.admin_socket.empty(); }});
  table.begin_group(SettingTable::Group::process);
  table.add_switch(
      "--copy", settings.request.copy,
      "Takes also a file whose source goes on counting. What it counted since is not in the file.");
  table.add_switch(
      "--discard-unfinished", settings.request.discard_unfinished,
      "Removes what an interrupted import of another file has left in the slots of this one. Give it only if "
      "that import does not run any more.");
  table.add({"--receipt", "", "Where to write the receipt.", "FILE.receipt", "the path of a file",
             [&settings](std::string_view text) {
               settings.receipt = text;
               return !text.empty();
             },
             "PATH"});
}

void export_tokens(const ExportSettings& settings) {
  if (settings.unholds) return unhold(settings);
  if (settings.drops) return drop(settings);
  Place place(settings.store, settings.admin_socket, false);
  if (settings.lost_to && settings.lost_to->empty()) return export_lost(place, settings.file);
  export_into(place, {settings.slots, settings.lost_to, settings.hold}, settings.file);
}

void import_tokens(const ImportSettings& settings) {
  if (settings.file == "-" && settings.receipt.empty()) {
    throw StartupError(StartupError::bad_setting,
                       "--receipt: give it, since the standard input has no name to put the receipt beside");
  }
  const auto path = settings.receipt.empty() ? settings.file + ".receipt" : settings.receipt;
  require_place_for_receipt(path);
  const auto file = open_to_import(settings.file);
  struct stat status {};
  ::fstat(file.number(), &status);
  Place place(settings.store, settings.admin_socket, true);
  std::string receipt;
  {
    const FileProgress progress(file.number(), status.st_size);
    receipt =
        place.run(doors::import_tokens, to_string(settings.request), file.number(), [&](const auto& store) {
          if (store.record) {
            throw store::StoreError("the store is that of counter " + store.record->name +
                                    ", one of several; start it, and give its --admin-socket");
          }
          return transfer::import_tokens(store.contents, settings.request, file.number(), nullptr,
                                         no_progress)
              .to_string();
        });
  }
  write_receipt(path, receipt);
  say("done: " + receipt);
}

}  // namespace tracker::cli
