#include "cli/backup.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <boost/asio/io_context.hpp>
#include <boost/system/system_error.hpp>
#include <cstdio>
#include <filesystem>

#include "cli/admin_client.h"
#include "cli/refusal.h"
#include "doors/admin_calls.h"
#include "doors/admin_socket.h"
#include "settings/startup_error.h"
#include "store/store_error.h"

namespace tracker::cli {

using settings::SettingTable;
using settings::StartupError;

const char* const about_backup =
    "If a process serves the store, the command asks that process, by the socket admin.sock in the "
    "directory of the store. The process goes on counting. Otherwise the command reads the store itself. The "
    "backup holds everything that was answered before the command began. Every block of it is checked before "
    "the command says done. On the disk of the store, the backup shares files with the store and takes "
    "little room. Copy it to another disk by any means.\n\n"
    "  tracker backup /backups/monday                        of ./tracker-data\n"
    "  tracker backup /backups/monday --store rocksdb:/srv   of another one\n"
    "  tracker restore /backups/monday --store rocksdb:/new  and back again";

const char* const about_restore =
    "Checks the backup, copies it, and checks the copy. The directory becomes a store only when everything "
    "is there and on disk. After an interruption, restore again.\n\n"
    "  tracker restore /backups/monday                       to ./tracker-data\n"
    "  tracker restore /backups/monday --store rocksdb:/new  to another place\n"
    "  tracker serve --store rocksdb:/new                    and go on counting";

namespace {

namespace fs = std::filesystem;

std::string absolute(const std::string& path) {
  const auto normal = fs::absolute(path).lexically_normal();
  return (normal.has_filename() ? normal : normal.parent_path()).string();
}

runtime::Descriptor open_directory(const std::string& path, int more_flags = 0) {
  return runtime::Descriptor(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC | more_flags));
}

void say(const std::string& line) {
  std::printf("%s\n", line.c_str());
  std::fflush(stdout);
}

void add_settings(SettingTable& table, BackupSettings& settings, const std::string& argument,
                  const std::string& argument_help, const std::string& store_help) {
  table.add_argument(argument, settings.path, argument_help);
  settings.store.add_copies_setting(table, store_help);
}

/// The directory of a backup. This process makes it, and the process that serves the store fills it. It is removed at
/// the end unless keep() is called.
class BackupDirectory {
 public:
  explicit BackupDirectory(const std::string& path) : path_(path), directory_(make(path)) {}
  ~BackupDirectory() {
    std::error_code ignored;
    if (!is_kept_) fs::remove_all(path_, ignored);
  }
  BackupDirectory(const BackupDirectory&) = delete;
  BackupDirectory& operator=(const BackupDirectory&) = delete;

  /// Makes the user of the process at the other end of the socket its owner, since that process writes there.
  void give_to_peer_of(AdminClient& client) const {
    ucred peer{};
    socklen_t size = sizeof peer;
    if (::getsockopt(client.native_handle(), SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0) return;
    if (peer.uid == ::geteuid() || ::fchown(directory_.number(), peer.uid, peer.gid) == 0) return;
    refuse(path_ + ": no backup: cannot give the directory to user " + std::to_string(peer.uid) + ": " +
           error_text(errno));
  }

  int descriptor() const noexcept { return directory_.number(); }
  void keep() noexcept { is_kept_ = true; }

 private:
  static runtime::Descriptor make(const std::string& path) {
    if (::mkdir(path.c_str(), S_IRWXU) != 0) {
      refuse(path + ": no backup: " +
             (errno == EEXIST ? "the directory exists; name one that does not"
                              : "cannot make the directory: " + error_text(errno)));
    }
    auto directory = open_directory(path, O_NOFOLLOW);
    if (!directory.is_open()) refuse(path + ": no backup: cannot open it: " + error_text(errno));
    return directory;
  }

  const std::string path_;
  const runtime::Descriptor directory_;
  bool is_kept_ = false;
};

using Answer = AdminClient::Answer;

Answer ask(AdminClient& client, const std::string& call, const std::string& to, int descriptor = -1) {
  try {
    return client.ask(call, to, descriptor);
  } catch (const boost::system::system_error& error) {
    refuse(to + ": no backup: the process that serves the store went away (" + error.code().message() + ")");
  }
}

std::string text_of(const Answer& answer, const std::string& to) {
  if (!answer.done) refuse(to + ": no backup: " + answer.text);
  return answer.text;
}

/// Checks that the backup is there. The other process may see another directory under this name.
void require_backup(const app::StoreCopies& copies, const std::string& to) {
  try {
    copies.check(to);
  } catch (const store::StoreError& error) {
    refuse(
        to + ": no backup: the process that serves the store says that it made one, but here is none (" +
        error.what() +
        "): it sees another directory under this name; restart it as this version of tracker, or end it, and "
        "back up again");
  }
}

/// A process of an older version makes the directory itself, under that name as it sees it, and does not check the
/// backup.
std::string backup_by_older(AdminClient& client, const app::StoreCopies& copies, const std::string& to) {
  auto summary = text_of(ask(client, doors::backup_at, to), to);
  require_backup(copies, to);
  try {
    copies.look_through(to);
  } catch (const store::DamageError& error) {
    std::error_code ignored;
    fs::remove_all(to, ignored);
    refuse(to + ": no backup: the copy is damaged, and so may be the store: " + error.found() +
           "; keep your older backups");
  }
  return summary;
}

/// A name that was made in it is on disk after this.
void sync_directory(const std::string& path) {
  const auto directory = open_directory(path);
  if (directory.is_open() && ::fsync(directory.number()) == 0) return;
  refuse("cannot sync the directory " + path + ": " + error_text(errno));
}

std::string backup_by(AdminClient& client, const app::StoreCopies& copies, const std::string& to) {
  {
    BackupDirectory directory(to);
    directory.give_to_peer_of(client);
    const auto answer = ask(client, doors::backup_into, to, directory.descriptor());
    if (answer.is_known) {
      auto summary = text_of(answer, to);
      require_backup(copies, to);
      directory.keep();
      sync_directory(fs::path(to).parent_path());
      return summary;
    }
  }
  return backup_by_older(client, copies, to);
}

std::string backup_alone(const app::StoreKind& kind, const std::string& to) {
  boost::asio::io_context unused;
  const auto open_store = kind.open(unused, {.purpose = app::StoreKind::Purpose::copying});
  try {
    return open_store.backup->to_path(to);
  } catch (const store::StoreError& error) {
    refuse(to + ": no backup: " + error.what());
  }
}

}  // namespace

void add_backup_settings(SettingTable& table, BackupSettings& settings) {
  add_settings(table, settings, "TO",
               "The directory to make. It must not exist, and not be inside the store.",
               "The store to copy.");
}

void add_restore_settings(SettingTable& table, BackupSettings& settings) {
  add_settings(table, settings, "FROM", "A directory that tracker backup made.",
               "The store to make. Its directory must be absent or empty.");
}

void backup(const BackupSettings& settings) {
  const auto& kind = settings.store.kind();
  const auto& copies = *kind.copies();
  const auto directory = absolute(copies.directory());
  const auto to = absolute(settings.path);
  if (!fs::is_directory(directory)) {
    refuse("--store " + settings.store.text() + ": no directory; name one that holds a store");
  }
  if (copies.holds(to)) {
    refuse(to + ": no backup: it would be inside the store " + directory + "; choose a place outside");
  }
  const auto admin = doors::AdminSocket::in(directory);
  auto client = AdminClient::connect(admin);
  say("backing up " + directory + (client ? ", which a process serves" : ", which no process serves") +
      ", to " + to);
  const auto summary = client ? backup_by(*client, copies, to) : backup_alone(kind, to);
  say("done: " + to + ": " + summary);
}

void restore(const BackupSettings& settings) {
  const auto& copies = *settings.store.kind().copies();
  const auto from = absolute(settings.path);
  const auto directory = absolute(copies.directory());
  say("restoring " + from + " to " + directory);
  try {
    const auto summary = copies.restore(from);
    say("done: " + directory + ": " + summary + "; start it by: tracker serve --store " +
        settings.store.text());
  } catch (const store::StoreError& error) {
    refuse(error.what());
  }
}

}  // namespace tracker::cli
