#include "app/admin.h"

#include <boost/system/system_error.hpp>

#include "doors/admin_calls.h"
#include "runtime/log.h"

namespace tracker::app {

namespace {

using Answer = doors::AdminDoor::Answer;

/// `name` is what its caller calls the backup, and `make` makes it.
Answer back_up(const std::string& name, const std::function<std::string()>& make) {
  try {
    const auto summary = make();
    runtime::log_info("backup " + name + ": " + summary);
    return {true, summary};
  } catch (const std::exception& error) {
    runtime::log_warning("no backup " + name + ": " + error.what());
    throw;
  }
}

Answer back_up_at(const LiveBackup& backup, const std::string& path) {
  if (!path.starts_with('/')) return {false, "the body of the request is the absolute path of the backup"};
  return back_up(path, [&] { return backup.to_path(path); });
}

Answer back_up_into(const LiveBackup& backup, const std::string& name, const runtime::Descriptor& directory) {
  if (!directory.is_open()) return {false, "no directory came with the request"};
  return back_up(name, [&] { return backup.to_directory(directory, name); });
}

}  // namespace

std::unique_ptr<doors::AdminDoor> open_admin_door(const OpenStore& open_store) {
  if (!open_store.backup) return nullptr;
  const auto& backup = *open_store.backup;
  try {
    return std::make_unique<doors::AdminDoor>(
        backup.directory, std::vector<doors::AdminDoor::Call>{
                              {doors::backup_at, [&backup](const std::string& path,
                                                           const auto&) { return back_up_at(backup, path); }},
                              {doors::backup_into, [&backup](const std::string& name, const auto& directory) {
                                 return back_up_into(backup, name, directory);
                               }}});
  } catch (const boost::system::system_error& error) {
    // Not every file system has sockets; the counts are as safe without.
    runtime::log_warning("no admin.sock in " + backup.directory + ": " + error.code().message() +
                         "; tracker backup works only once this process has ended");
    return nullptr;
  }
}

std::function<void()> draining_last(doors::AdminDoor* door, std::function<void()> drained) {
  if (door == nullptr) return drained;
  return [door, drained = std::move(drained)] { door->drain(drained); };
}

}  // namespace tracker::app
