#include "app/admin.h"

#include <boost/system/system_error.hpp>

#include "runtime/log.h"

namespace tracker::app {

namespace {

using Answer = doors::AdminDoor::Answer;

Answer back_up(store::RocksDbStore& store, const std::string& to) {
  if (!to.starts_with('/')) return {false, "the body of the request is the absolute path of the backup"};
  try {
    const auto summary = to_string(store.backup(to));
    runtime::log_info("backup " + to + ": " + summary);
    return {true, summary};
  } catch (const std::exception& error) {
    runtime::log_warning("no backup " + to + ": " + error.what());
    throw;
  }
}

}  // namespace

std::unique_ptr<doors::AdminDoor> open_admin_door(const OpenStore& open_store) {
  if (open_store.rocksdb == nullptr) return nullptr;
  auto& store = *open_store.rocksdb;
  try {
    return std::make_unique<doors::AdminDoor>(
        store.directory(), std::vector<doors::AdminDoor::Call>{
                               {"/backup", [&store](const std::string& to) { return back_up(store, to); }}});
  } catch (const boost::system::system_error& error) {
    // Not every file system has sockets; the counts are as safe without.
    runtime::log_warning("no admin.sock in " + store.directory() + ": " + error.code().message() +
                         "; tracker backup works only once this process has ended");
    return nullptr;
  }
}

std::function<void()> draining_last(doors::AdminDoor* door, std::function<void()> drained) {
  if (door == nullptr) return drained;
  return [door, drained = std::move(drained)] { door->drain(drained); };
}

}  // namespace tracker::app
