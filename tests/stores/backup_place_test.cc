// tracker backup when the caller and the process that serves the store see different directories, or are of different
// versions. Also tests what is refused because of its place.

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <functional>
#include <map>
#include <string>
#include <thread>
#include <vector>

#include "support/caller.h"
#include "support/fleet.h"
#include "support/health.h"
#include "support/temporary_directory.h"

namespace tracker::tests {
namespace {

namespace fs = std::filesystem;
using testing::AllOf;
using testing::HasSubstr;
using testing::StartsWith;

bool may_mount() {
  return std::system("unshare --mount true 2>/dev/null") == 0;
}

std::string contents(const fs::path& file) {
  std::ifstream stream(file, std::ios::binary);
  return {std::istreambuf_iterator<char>(stream), {}};
}

class BackupPlaceTest : public testing::Test {
 protected:
  std::string path(const std::string& name) const { return directory_.path() / name; }
  std::string store(const std::string& name) const { return "rocksdb:" + path(name); }

  Arguments serving(const std::string& name) const {
    return {"serve",         "--store",     store(name),     "--envoy-addr", "127.0.0.1:0",
            "--health-addr", "127.0.0.1:0", "--cache-bytes", "1MiB"};
  }
  Service serve(const std::string& name) const { return Service::start(serving(name), "envoy"); }
  Outcome backup(const std::string& of, const std::string& to) const {
    return run_to_end({"backup", path(to), "--store", store(of)});
  }
  Outcome restore(const std::string& from, const std::string& to) const {
    return run_to_end({"restore", path(from), "--store", store(to)});
  }
  static void end(Service& service) {
    service.program->send_signal(SIGTERM);
    EXPECT_EQ(service.program->wait_exit(), 0) << service.program->output();
  }

  // Makes a store that nobody serves, and its token, which was counted once at each of `paths` paths. Everything is in
  // tables.
  std::string make_store(const std::string& name, int paths = 1) const {
    std::string token;
    for (int start = 0; start < 2; ++start) {
      Service service = serve(name);
      Caller caller(service.door);
      if (start == 0) {
        token = caller.mint();
        for (int i = 0; i < paths; ++i) EXPECT_EQ(caller.count("/" + std::to_string(i), token), 1);
      }
      end(service);
    }
    return token;
  }

  // Damages the middle of the largest table.
  fs::path damage_a_table(const std::string& name) const {
    fs::path largest;
    for (const auto& entry : fs::directory_iterator(path(name) + "/db")) {
      if (entry.path().extension() != ".sst") continue;
      if (largest.empty() || entry.file_size() > fs::file_size(largest)) largest = entry.path();
    }
    std::fstream table(largest, std::ios::binary | std::ios::in | std::ios::out);
    table.seekp(static_cast<std::streamoff>(fs::file_size(largest) / 2));
    table << "damage";
    return largest;
  }

  TemporaryDirectory directory_;
};

void expect_success(const Outcome& outcome, const std::string& part) {
  EXPECT_EQ(outcome.exit_code, 0) << outcome.out << outcome.err;
  EXPECT_EQ(outcome.err, "");
  EXPECT_THAT(outcome.out, HasSubstr(part));
}

void expect_refusal(const Outcome& outcome, const std::vector<std::string>& parts) {
  EXPECT_EQ(outcome.exit_code, 1) << outcome.out << outcome.err;
  EXPECT_EQ(std::count(outcome.err.begin(), outcome.err.end(), '\n'), 1) << outcome.err;
  for (const std::string& part : parts) EXPECT_THAT(outcome.err, HasSubstr(part));
}

// The situation of systemd's PrivateTmp=yes, or of another container.
TEST_F(BackupPlaceTest, ABackupIsMadeWhereItsCallerSeesIt) {
  if (!may_mount()) GTEST_SKIP() << "only root may mount";
  fs::create_directory(path("tmp"));
  Arguments arguments{
      "--mount",       "sh", "-c", "mount -t tmpfs tmpfs \"$1\" && shift && exec \"$@\"", "sh", path("tmp"),
      tracker_binary()};
  for (const auto& argument : serving("data")) arguments.push_back(argument);
  Program program(arguments, {}, "/usr/bin/unshare");
  Caller caller(program.wait_listening().at("envoy"));
  const std::string token = caller.mint();
  EXPECT_EQ(caller.count("/", token), 1);
  expect_success(backup("data", "tmp/monday"), "which a process serves");
  expect_success(restore("tmp/monday", "restored"), "tokens=1 ");
  Service restored = serve("restored");
  EXPECT_EQ(Caller(restored.door).count("/", token), 2);
}

TEST_F(BackupPlaceTest, ABackupOnAnotherFileSystemIsCopied) {
  const fs::path shared = "/dev/shm";
  struct stat here {};
  struct stat there {};
  if (::access(shared.c_str(), W_OK) != 0 || ::stat(shared.c_str(), &there) != 0 ||
      ::stat(directory_.path().c_str(), &here) != 0 || here.st_dev == there.st_dev) {
    GTEST_SKIP() << "no /dev/shm, or it is where the store is";
  }
  make_store("data", 100);
  const Service service = serve("data");
  const std::string to = shared / ("tracker-backup-" + std::to_string(::getpid()));
  expect_success(run_to_end({"backup", to, "--store", store("data")}), "tokens=1 ");
  for (const auto& entry : fs::recursive_directory_iterator(to)) {
    if (entry.is_directory()) continue;
    EXPECT_EQ(fs::hard_link_count(entry.path()), 1U) << entry.path();
  }
  expect_success(run_to_end({"restore", to, "--store", store("restored")}), "tokens=1 ");
  fs::remove_all(to);
}

// Root backs up a store that another user serves. The backup belongs to that user.
TEST_F(BackupPlaceTest, RootBacksUpTheStoreOfAnotherUser) {
  if (::geteuid() != 0 || std::system("command -v setpriv >/dev/null") != 0) GTEST_SKIP() << "only root can";
  constexpr uid_t nobody = 65534;
  fs::create_directory(path("home"));
  ASSERT_EQ(::chown(path("home").c_str(), nobody, nobody), 0);
  ::chmod(directory_.path().c_str(), 0755);
  fs::copy_file(tracker_binary(), path("tracker"));
  Arguments arguments{"--reuid=65534", "--regid=65534", "--clear-groups", path("tracker")};
  for (const auto& argument : serving("home/data")) arguments.push_back(argument);
  Program program(arguments, {}, "/usr/bin/setpriv");
  program.wait_listening();
  fs::create_directory(path("of-root"));
  ::chmod(path("of-root").c_str(), 0700);
  expect_success(backup("home/data", "of-root/backup"), "tokens=0 ");
  struct stat status {};
  ASSERT_EQ(::stat(path("of-root/backup/FORMAT").c_str(), &status), 0);
  EXPECT_EQ(status.st_uid, nobody);
  expect_success(restore("of-root/backup", "restored"), "tokens=0 ");
}

TEST_F(BackupPlaceTest, ABackupInsideTheStoreIsRefused) {
  make_store("data");
  fs::create_directory_symlink(path("data/db"), path("link"));
  for (const bool is_served : {false, true}) {
    SCOPED_TRACE(is_served);
    Service service;
    if (is_served) service = serve("data");
    for (const auto* to : {"data", "data/backup", "data/db/backup", "link/backup"}) {
      expect_refusal(backup("data", to), {path(to), "inside the store"});
    }
    EXPECT_FALSE(fs::exists(path("data/backup")));
    EXPECT_FALSE(fs::exists(path("data/db/backup")));
  }
}

TEST_F(BackupPlaceTest, ARestoreInsideItsBackupIsRefusedAndTheOtherWayRound) {
  make_store("data");
  expect_success(backup("data", "backup"), "tokens=1 ");
  fs::create_directory_symlink(path("backup"), path("link"));
  const auto files = [&] { return std::distance(fs::recursive_directory_iterator(path("backup")), {}); };
  const auto before = files();
  for (const auto* to : {"backup/new", "backup/db/new/deep", "link/new", "link/db/new"}) {
    expect_refusal(restore("backup", to), {path(to), "inside the backup"});
  }
  EXPECT_EQ(files(), before);
  // Looks like an interrupted restore. The next one would start by removing it, with the backup in it.
  fs::create_directories(path("unfinished/db"));
  std::ofstream(path("unfinished/RESTORING")) << "";
  fs::rename(path("backup"), path("unfinished/db/backup"));
  expect_refusal(restore("unfinished/db/backup", "unfinished"), {path("unfinished"), "is inside it"});
  EXPECT_TRUE(fs::exists(path("unfinished/db/backup/FORMAT")));
}

// Makes one call of an admin door over a new connection, like curl.
std::string call(const std::string& socket, const std::string& target, const std::string& body) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  socket.copy(address.sun_path, sizeof address.sun_path - 1);
  const int connection = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  EXPECT_EQ(::connect(connection, reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
  const std::string request = "POST " + target +
                              " HTTP/1.1\r\nHost: admin\r\nConnection: close\r\n"
                              "Content-Type: application/x-www-form-urlencoded\r\nContent-Length: " +
                              std::to_string(body.size()) + "\r\n\r\n" + body;
  EXPECT_EQ(::send(connection, request.data(), request.size(), MSG_NOSIGNAL),
            static_cast<ssize_t>(request.size()));
  std::string answer;
  char buffer[4096];
  for (ssize_t bytes = 0; (bytes = ::recv(connection, buffer, sizeof buffer, 0)) > 0;) {
    answer.append(buffer, static_cast<std::size_t>(bytes));
  }
  ::close(connection);
  return answer;
}

// The docs show this with curl, and tracker backup of an older version sends it.
TEST_F(BackupPlaceTest, ThePathInTheBodyOfTheCallIsEnough) {
  make_store("data");
  const Service service = serve("data");
  const std::string socket = path("data/admin.sock");
  EXPECT_THAT(call(socket, "/backup", path("backup")),
              AllOf(StartsWith("HTTP/1.1 200"), HasSubstr("tokens=1 ")));
  expect_success(restore("backup", "restored"), "tokens=1 ");
  EXPECT_THAT(call(socket, "/backup", path("backup")),
              AllOf(StartsWith("HTTP/1.1 500"), HasSubstr("exists")));
  EXPECT_THAT(call(socket, "/backup", "backup"),
              AllOf(StartsWith("HTTP/1.1 500"), HasSubstr("absolute path")));
  EXPECT_THAT(call(socket, "/backup", path("data/db/backup")),
              AllOf(StartsWith("HTTP/1.1 500"), HasSubstr("inside the store")));
  EXPECT_THAT(call(socket, "/backup-into", path("other")),
              AllOf(StartsWith("HTTP/1.1 500"), HasSubstr("no directory came with the request")));
}

// A process of version 0.1.0 from before it took descriptors: it knows only POST /backup with a path. Its answers are
// recorded here.
class OlderProcess {
 public:
  OlderProcess(const std::string& directory, std::function<void(const std::string& to)> back_up)
      : listener_(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)), back_up_(std::move(back_up)) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    (directory + "/admin.sock").copy(address.sun_path, sizeof address.sun_path - 1);
    EXPECT_EQ(::bind(listener_, reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
    EXPECT_EQ(::listen(listener_, 8), 0);
    thread_ = std::thread([this] { serve(); });
  }
  ~OlderProcess() {
    ::shutdown(listener_, SHUT_RDWR);
    thread_.join();
    ::close(listener_);
  }

 private:
  void serve() {
    for (int connection = 0; (connection = ::accept(listener_, nullptr, nullptr)) >= 0;) {
      std::string received;
      char buffer[4096];
      for (ssize_t bytes = 0; (bytes = ::recv(connection, buffer, sizeof buffer, 0)) > 0;) {
        received.append(buffer, static_cast<std::size_t>(bytes));
        const auto head_end = received.find("\r\n\r\n");
        const auto length = received.find("Content-Length: ");
        if (head_end == std::string::npos || length == std::string::npos) continue;
        const auto body_bytes = std::stoul(received.substr(length + 16));
        if (received.size() < head_end + 4 + body_bytes) continue;
        answer(connection, received.substr(0, received.find(" HTTP")), received.substr(head_end + 4));
        received.clear();
      }
      ::close(connection);
    }
  }
  void answer(int connection, const std::string& call, const std::string& body) const {
    std::string status = "404 Not Found";
    std::string text = "there is POST /backup\n";
    if (call == "POST /backup") {
      back_up_(body);
      status = "200 OK";
      text = "tokens=1 bytes=15285\n";
    }
    const std::string bytes = "HTTP/1.1 " + status +
                              "\r\nContent-Type: text/plain\r\nCache-Control: no-store\r\nContent-Length: " +
                              std::to_string(text.size()) + "\r\n\r\n" + text;
    ::send(connection, bytes.data(), bytes.size(), MSG_NOSIGNAL);
  }

  const int listener_;
  const std::function<void(const std::string&)> back_up_;
  std::thread thread_;
};

TEST_F(BackupPlaceTest, AnOlderProcessIsAskedByPathAndJudgedByWhatIsThere) {
  make_store("data", 500);
  expect_success(backup("data", "made-before"), "tokens=1 ");
  {
    const OlderProcess older(path("data"), [&](const std::string& to) {
      EXPECT_FALSE(fs::exists(to)) << "an older one makes it itself";
      fs::copy(path("made-before"), to, fs::copy_options::recursive);
    });
    expect_success(backup("data", "backup"), "done: " + path("backup") + ": tokens=1 bytes=15285");
    expect_success(restore("backup", "restored"), "tokens=1 ");
    fs::remove(path("data/admin.sock"));
  }
  {
    const OlderProcess elsewhere(path("data"), [](const std::string&) {});
    expect_refusal(backup("data", "nowhere"), {path("nowhere"), "here is none", "sees another directory"});
    fs::remove(path("data/admin.sock"));
  }
  damage_a_table("made-before");
  const OlderProcess unaware(path("data"), [&](const std::string& to) {
    fs::copy(path("made-before"), to, fs::copy_options::recursive);
  });
  expect_refusal(backup("data", "damaged"), {path("damaged"), "damaged"});
  EXPECT_FALSE(fs::exists(path("damaged")));
}

// The backup would share the damaged table, and be refused when it is needed.
TEST_F(BackupPlaceTest, ABackupOfADamagedStoreIsNotMade) {
  make_store("data", 500);
  const auto table = damage_a_table("data");
  for (const bool is_served : {false, true}) {
    SCOPED_TRACE(is_served);
    Service service;
    if (is_served) service = serve("data");
    expect_refusal(backup("data", "backup"), {path("backup"), "the store itself is damaged", table.string()});
    EXPECT_FALSE(fs::exists(path("backup")));
    if (is_served) {
      EXPECT_THAT(ask_health(service.health, "/readyz").body,
                  AllOf(StartsWith("ready\n"), HasSubstr(table.string())));
    }
  }
}

TEST_F(BackupPlaceTest, ADamagedBackupIsSaidToBeTheOne) {
  make_store("data", 500);
  expect_success(backup("data", "backup"), "tokens=1 ");
  damage_a_table("backup");
  expect_refusal(restore("backup", "restored"),
                 {path("backup") + ": the backup is damaged", "restore another one"});
  EXPECT_FALSE(fs::exists(path("restored")));
}

TEST_F(BackupPlaceTest, ADamagedTableRefusesItsOwnHitsAndIsNamedByReadiness) {
  const std::string name = "two\nlines";
  const std::string token = make_store(name, 500);
  Service service = serve(name);
  EXPECT_EQ(ask_health(service.health, "/readyz").body, "ready\n");
  end(service);
  const std::string table = path("two\\x0alines/db/") + damage_a_table(name).filename().string();
  service = serve(name);
  Caller caller(service.door);
  int refused = 0;
  for (int i = 0; i < 500; ++i) {
    const auto answer = caller.ask(get("/" + std::to_string(i), token));
    if (answer.status == 503) ++refused;
    EXPECT_TRUE(answer.status == 503 || is_count(answer, 2)) << answer.status;
  }
  EXPECT_GT(refused, 0);
  EXPECT_LT(refused, 500);
  const auto ready = ask_health(service.health, "/readyz");
  EXPECT_EQ(ready.status, 200);
  EXPECT_THAT(ready.body,
              AllOf(StartsWith("ready\ndamaged: "), HasSubstr(table), HasSubstr("restore a backup")));
  EXPECT_EQ(std::count(ready.body.begin(), ready.body.end(), '\n'), 2) << ready.body;
  const auto log = service.program->standard_error();
  const auto line = log.find("warning damaged: " + table);
  ASSERT_NE(line, log.npos) << log;
  EXPECT_EQ(log.find(table, log.find('\n', line)), log.npos) << "once: " << log;
  EXPECT_EQ(caller.count("/new", caller.mint()), 1);
}

TEST_F(BackupPlaceTest, NoRoomForARestoreIsSaidWithWhatItTakes) {
  make_store("data", 500);
  expect_success(backup("data", "backup"), "tokens=1 ");
  const Outcome limited = [&] {
    Program program({"-c", "ulimit -f 8; exec \"$@\"", "sh", tracker_binary(), "restore", path("backup"),
                     "--store", store("restored")},
                    {}, "/bin/bash");
    const auto exit_code = program.wait_exit();
    return Outcome{exit_code, program.standard_output(), program.standard_error()};
  }();
  expect_refusal(limited,
                 {path("restored"), "a file is as large as it may be", "ulimit -f", "it takes", "bytes"});
  EXPECT_FALSE(fs::exists(path("restored")));
}

TEST_F(BackupPlaceTest, AFullDiskIsNamedByBackupAndRestore) {
  if (!may_mount()) GTEST_SKIP() << "only root may mount";
  make_store("data", 500);
  expect_success(backup("data", "backup"), "tokens=1 ");
  fs::create_directory(path("small"));
  for (const auto* size : {"size=16k", "nr_inodes=4"}) {
    SCOPED_TRACE(size);
    for (const auto& arguments : {Arguments{"backup", path("small/new"), "--store", store("data")},
                                  Arguments{"restore", path("backup"), "--store", store("small/new")}}) {
      SCOPED_TRACE(arguments.front());
      Arguments all{"--mount", "sh", "-c",
                    // NOLINTNEXTLINE(bugprone-suspicious-missing-comma)
                    "mount -t tmpfs -o \"$1\" tmpfs \"$2\" && shift 2 && \"$@\"; r=$?; "
                    "test -z \"$(ls \"$0\")\" || echo left >&2; exit $r",
                    path("small"), size, path("small"), tracker_binary()};
      for (const auto& argument : arguments) all.push_back(argument);
      Program program(all, {}, "/usr/bin/unshare");
      const auto exit_code = program.wait_exit();
      expect_refusal({exit_code, program.standard_output(), program.standard_error()},
                     {path("small/new"), "the disk is full", "it takes", "bytes"});
    }
  }
}

// Everything that a service and the commands make, under the widest umask.
TEST_F(BackupPlaceTest, WhatIsMadeIsForItsOwnerAlone) {
  const mode_t before = ::umask(0);
  {
    Service service = serve("data");
    Caller caller(service.door);
    const std::string token = caller.mint();
    for (int i = 0; i < 3000; ++i) caller.count("/" + std::to_string(i) + std::string(300, 'x'), token);
    expect_success(backup("data", "backup"), "tokens=1 ");
    expect_success(restore("backup", "new/restored"), "tokens=1 ");
    EXPECT_THAT(call(path("data/admin.sock"), "/backup", path("by-call")), StartsWith("HTTP/1.1 200"));
    service.program->send_signal(SIGKILL);
    service.program->wait_exit();
  }
  expect_success(backup("data", "backup-alone"), "tokens=1 ");
  ::umask(before);
  std::size_t files = 0;
  for (const auto& entry : fs::recursive_directory_iterator(directory_.path())) {
    const auto wanted =
        entry.is_directory() ? fs::perms::owner_all : fs::perms::owner_read | fs::perms::owner_write;
    EXPECT_EQ(entry.symlink_status().permissions(), wanted) << entry.path();
    ++files;
  }
  EXPECT_GT(files, 30U);
}

TEST_F(BackupPlaceTest, AStoreOfAnOlderVersionIsTightenedWithItsBackups) {
  const std::string token = make_store("data");
  expect_success(backup("data", "backup"), "tokens=1 ");
  for (const auto& entry : fs::recursive_directory_iterator(path("data"))) {
    ::chmod(entry.path().c_str(), entry.is_directory() ? 0755 : 0644);
  }
  ::chmod(path("data").c_str(), 0777);
  fs::create_directory_symlink(path("data"), path("link"));
  Service service = serve("link");
  EXPECT_EQ(Caller(service.door).count("/0", token), 2);
  EXPECT_EQ(fs::status(path("data")).permissions(), fs::perms::owner_all);
  for (const auto& entry : fs::recursive_directory_iterator(path("data"))) {
    const auto wanted =
        entry.is_directory() ? fs::perms::owner_all : fs::perms::owner_read | fs::perms::owner_write;
    EXPECT_EQ(entry.status().permissions(), wanted) << entry.path();
  }
}

// Files planted in a directory that others could write to before it was tracker's.
TEST_F(BackupPlaceTest, ALinkInTheDirectoryIsNotFollowed) {
  std::ofstream(path("victim")) << "precious";
  for (const auto* name : {"FORMAT.new", "db.new"}) {
    SCOPED_TRACE(name);
    const std::string data = std::string("data-") + name;
    fs::create_directory(path(data));
    fs::create_symlink(path("victim"), path(data + "/" + name));
    Service service = serve(data);
    end(service);
    EXPECT_EQ(contents(path("victim")), "precious");
  }
}

TEST_F(BackupPlaceTest, ALinkInTheDatabaseIsNotFollowed) {
  Service service = serve("data");
  std::ofstream(path("victim")) << "precious";
  // The names that RocksDB will give its next files.
  for (int number = 1; number < 100; ++number) {
    const std::string digits = std::to_string(number);
    const std::string name = path("data/db/") + std::string(6 - digits.size(), '0') + digits;
    for (const auto* extension : {".log", ".sst", ".dbtmp"}) {
      if (!fs::exists(name + extension)) fs::create_symlink(path("victim"), name + extension);
    }
  }
  Caller caller(service.door);
  const std::string token = caller.mint();
  for (int i = 0; i < 600; ++i)
    EXPECT_EQ(caller.count("/" + std::to_string(i) + std::string(600, 'x'), token), 1);
  end(service);
  EXPECT_EQ(contents(path("victim")), "precious");
}

class StorePlaceTest : public BackupPlaceTest {};

TEST_F(StorePlaceTest, AStoreThatWasMovedAwayIsNotReadyAndRefusesUntilItIsBack) {
  const std::string token = make_store("data");
  const Service service = serve("data");
  Caller caller(service.door);
  std::int64_t count = 1;
  const std::vector<std::pair<std::string, bool>> moves{{"data", false}, {"data", true}, {"data/db", false}};
  for (const auto& [what, is_replaced] : moves) {
    SCOPED_TRACE(what + (is_replaced ? " replaced" : ""));
    EXPECT_EQ(caller.count("/0", token), ++count);
    fs::rename(path(what), path("moved"));
    if (is_replaced) fs::copy(path("moved/db"), path(what), fs::copy_options::recursive);
    EXPECT_THAT(wait_readyz(service.health, 503),
                AllOf(HasSubstr(path(what)), HasSubstr("put back what was there")));
    EXPECT_TRUE(is_refusal(caller.ask(get("/0", token)), 503));
    EXPECT_TRUE(is_refusal(caller.ask(get_without_token("/auth")), 503));
    if (is_replaced) fs::remove_all(path(what));
    fs::rename(path("moved"), path(what));
    EXPECT_EQ(wait_readyz(service.health, 200), "ready\n");
  }
  EXPECT_EQ(caller.count("/0", token), ++count);
  EXPECT_THAT(service.program->standard_error(),
              AllOf(HasSubstr("warning not ready: " + path("data") + " was removed or replaced"),
                    HasSubstr("ready: " + path("data") + " is in its place again")));
}

TEST_F(StorePlaceTest, AStoreThatTookItsPlaceIsLeftAloneAtTheEnd) {
  make_store("other");
  const std::string token = make_store("data");
  Service service = serve("data");
  EXPECT_EQ(Caller(service.door).count("/0", token), 2);
  fs::rename(path("data"), path("moved"));
  fs::rename(path("other"), path("data"));
  const auto all = [&] {
    std::map<std::string, std::string> files;
    for (const auto& entry : fs::recursive_directory_iterator(path("data"))) {
      files[entry.path()] = entry.is_regular_file() ? contents(entry.path()) : "";
    }
    return files;
  };
  const auto before = all();
  wait_readyz(service.health, 503, "was removed or replaced");
  end(service);
  EXPECT_EQ(all(), before);
  Service moved = serve("moved");
  EXPECT_EQ(Caller(moved.door).count("/0", token), 3);
}

TEST_F(StorePlaceTest, AStoreThatWasRemovedIsNotReady) {
  Service service = serve("data");
  fs::remove_all(path("data"));
  wait_readyz(service.health, 503, "was removed or replaced");
  EXPECT_EQ(Caller(service.door).ask(get_without_token("/auth")).status, 503);
  end(service);
  EXPECT_FALSE(fs::exists(path("data"))) << "nothing is made anew";
}

}  // namespace
}  // namespace tracker::tests
