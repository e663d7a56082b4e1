#include "app/backup.h"

#include <boost/asio/io_context.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/beast/http/string_body.hpp>
#include <boost/beast/http/write.hpp>
#include <cstdio>
#include <filesystem>

#include "app/startup_error.h"
#include "app/store_choice.h"
#include "doors/admin_socket.h"

namespace tracker::app {

const char* const about_backup =
    "Asks the process that serves the store, by the socket admin.sock in its directory, and need not stop "
    "it; if none does, it reads the store itself. Everything that was answered before is in the backup. On "
    "the disk of the store it shares files with it, and so is quick and takes little room; copy it elsewhere "
    "by any means.\n\n"
    "  tracker backup /backups/monday                        of ./tracker-data\n"
    "  tracker backup /backups/monday --store rocksdb:/srv   of another one\n"
    "  tracker restore /backups/monday --store rocksdb:/new  and back again";

const char* const about_restore =
    "Looks through the backup, copies it, and looks through the copy. The directory becomes a store only "
    "when everything is there and on disk: after an interruption, restore again.\n\n"
    "  tracker restore /backups/monday                       to ./tracker-data\n"
    "  tracker restore /backups/monday --store rocksdb:/new  to another place\n"
    "  tracker serve --store rocksdb:/new                    and go on counting";

namespace {

namespace asio = boost::asio;
namespace fs = std::filesystem;
namespace http = boost::beast::http;

constexpr std::size_t own_cache_bytes = std::size_t{16} << 20U;

std::string absolute(const std::string& path) {
  const auto normal = fs::absolute(path).lexically_normal();
  return (normal.has_filename() ? normal : normal.parent_path()).string();
}

[[noreturn]] void refuse(const std::string& line) {
  throw StartupError(StartupError::refused_by_the_machine, line);
}

void say(const std::string& line) {
  std::printf("%s\n", line.c_str());
  std::fflush(stdout);
}

void add_settings(SettingTable& table, BackupSettings& settings, const std::string& argument,
                  const std::string& argument_help, const std::string& store_help) {
  table.add_argument(argument, settings.path, argument_help);
  add_store_directory_setting(table, settings.directory, store_help);
}

/// Nothing: nobody listens there.
std::optional<asio::local::stream_protocol::socket> connect(asio::io_context& context,
                                                            const doors::AdminSocket& admin) {
  asio::local::stream_protocol::socket socket(context);
  boost::system::error_code error;
  socket.connect(admin.address(), error);
  if (!error) return socket;
  if (error == boost::system::errc::no_such_file_or_directory || error == asio::error::connection_refused) {
    return std::nullopt;
  }
  refuse(admin.path() + ": " + error.message() + "; run this as the user that serves the store");
}

std::string backup_by(asio::local::stream_protocol::socket& socket, const std::string& to) {
  http::request<http::string_body> request(http::verb::post, "/backup", 11);
  request.set(http::field::host, "admin");
  request.body() = to;
  request.prepare_payload();
  boost::beast::flat_buffer buffer;
  http::response<http::string_body> response;
  boost::system::error_code error;
  http::write(socket, request, error);
  if (!error) http::read(socket, buffer, response, error);
  if (error)
    refuse(to + ": no backup: the process that serves the store went away (" + error.message() + ")");
  auto text = response.body();
  while (text.ends_with('\n')) text.pop_back();
  if (response.result() != http::status::ok) refuse(to + ": no backup: " + text);
  return text;
}

std::string backup_alone(const std::string& directory, const std::string& to) {
  try {
    store::RocksDbStore::check(directory);
    store::RocksDbSettings settings;
    settings.directory = directory;
    settings.cache_bytes = own_cache_bytes;
    settings.on_fatal = end_process;
    store::RocksDbStore store(settings);
    try {
      return to_string(store.backup(to));
    } catch (const store::StoreError& error) {
      refuse(to + ": no backup: " + error.what());
    }
  } catch (const store::StoreError& error) {
    refuse("--store rocksdb:" + directory + ": " + error.what());
  }
}

}  // namespace

void add_backup_settings(SettingTable& table, BackupSettings& settings) {
  add_settings(table, settings, "TO", "The directory that it makes; it must not exist.", "Which store.");
}

void add_restore_settings(SettingTable& table, BackupSettings& settings) {
  add_settings(table, settings, "FROM", "A directory that tracker backup made.",
               "The store that it makes; the directory must be absent or empty.");
}

void backup(const BackupSettings& settings) {
  const auto directory = absolute(settings.directory);
  const auto to = absolute(settings.path);
  if (!fs::is_directory(directory))
    refuse("--store rocksdb:" + directory + ": no directory; name one that holds a store");
  const doors::AdminSocket admin(directory);
  asio::io_context context(1);
  auto socket = connect(context, admin);
  say("backing up " + directory + (socket ? ", which a process serves" : ", which no process serves") +
      ", to " + to);
  const auto summary = socket ? backup_by(*socket, to) : backup_alone(directory, to);
  say("done: " + to + ": " + summary);
}

void restore(const BackupSettings& settings) {
  const auto from = absolute(settings.path);
  const auto directory = absolute(settings.directory);
  say("restoring " + from + " to " + directory);
  try {
    const auto summary = store::restore_store(from, directory);
    say("done: " + directory + ": " + to_string(summary) +
        "; start it by: tracker serve --store rocksdb:" + directory);
  } catch (const store::StoreError& error) {
    refuse(error.what());
  }
}

}  // namespace tracker::app
