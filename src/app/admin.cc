#include "app/admin.h"

#include <sys/stat.h>

#include <boost/system/system_error.hpp>
#include <chrono>
#include <condition_variable>
#include <mutex>
#include <optional>
#include <utility>

#include "app/moves_admin.h"
#include "doors/admin_calls.h"
#include "runtime/log.h"
#include "settings/shown_value.h"
#include "settings/startup_error.h"

namespace tracker::app {

using settings::StartupError;

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

}  // namespace

void add_admin_socket_setting(settings::SettingTable& table, std::string& path) {
  table.begin_group(settings::SettingTable::Group::process);
  table.add(
      {"--admin-socket", "",
       "Where to listen for tracker export, import and slots forget: a Unix socket that only this user may "
       "open. A store on disk has one in its directory, too.",
       "none", "the path of a socket",
       [&path](std::string_view text) {
         path = text;
         return !text.empty() && !text.ends_with('/') && text.find("://") == text.npos;
       },
       "PATH"});
}

std::unique_ptr<doors::AdminDoor> open_admin_door(const OpenStore& open_store, const std::string& path,
                                                  const AdminParts& parts) {
  std::vector<doors::AdminListener> listeners;
  std::vector<doors::AdminDoor::Call> calls;
  if (open_store.backup) {
    const auto& backup = *open_store.backup;
    listen_in_store(backup.directory, listeners);
    calls.push_back(
        {doors::backup_at, [&backup](const std::string& to, const auto&) { return back_up_at(backup, to); }});
    calls.push_back({doors::backup_into, [&backup](const std::string& name, const auto& directory) {
                       return back_up_into(backup, name, directory);
                     }});
  }
  if (!path.empty()) listen_at(path, listeners);
  if (listeners.empty()) return nullptr;
  add_move_calls(open_store, parts, calls);
  calls.push_back(forget_call(parts.forget));
  return std::make_unique<doors::AdminDoor>(std::move(listeners), std::move(calls));
}

std::function<void()> draining_last(doors::AdminDoor* door, std::function<void()> drained) {
  if (door == nullptr) return drained;
  return [door, drained = std::move(drained)] { door->drain(drained); };
}

}  // namespace tracker::app
