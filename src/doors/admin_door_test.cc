#include "doors/admin_door.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#include <boost/asio/write.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/beast/http/string_body.hpp>
#include <boost/beast/http/write.hpp>
#include <filesystem>
#include <fstream>
#include <future>
#include <optional>

#include "doors/passed_descriptor.h"
#include "support/temporary_directory.h"

namespace tracker::doors {
namespace {

namespace asio = boost::asio;
namespace fs = std::filesystem;
namespace http = boost::beast::http;
using namespace std::chrono_literals;
using Answer = AdminDoor::Answer;
using Protocol = asio::local::stream_protocol;

struct Answered {
  unsigned status = 0;
  std::string text;
  bool operator==(const Answered&) const = default;
};
std::ostream& operator<<(std::ostream& out, const Answered& answered) {
  return out << answered.status << ' ' << answered.text;
}

class AdminDoorTest : public testing::Test {
 protected:
  std::string socket() const { return directory() + "/admin.sock"; }
  std::string directory() const { return directory_.path(); }

  mode_t mode() const {
    struct stat status {};
    EXPECT_EQ(::stat(socket().c_str(), &status), 0);
    EXPECT_TRUE(S_ISSOCK(status.st_mode));
    return status.st_mode & 0777U;
  }

  tests::TemporaryDirectory directory_;
};

std::vector<AdminListener> in_own(const std::string& directory) {
  std::vector<AdminListener> listeners;
  listeners.push_back(AdminListener::in_own(directory));
  return listeners;
}

Answered ask_at(const AdminSocket& socket, http::verb method, const std::string& target,
                const std::string& body = "") {
  asio::io_context context(1);
  Protocol::socket connection(context);
  connection.connect(socket.address());
  http::request<http::string_body> request(method, target, 11);
  request.body() = body;
  request.prepare_payload();
  boost::system::error_code ignored;  // it may answer before it has read all
  http::write(connection, request, ignored);
  boost::beast::flat_buffer buffer;
  http::response<http::string_body> response;
  http::read(connection, buffer, response);
  return {response.result_int(), response.body()};
}

Answered ask(const std::string& directory, http::verb method, const std::string& target,
             const std::string& body = "") {
  return ask_at(AdminSocket::in(directory), method, target, body);
}

Answer echo(const std::string& body, const runtime::Descriptor& /*passed*/) {
  return {true, "it says " + body};
}

TEST_F(AdminDoorTest, AnswersItsCalls) {
  const AdminDoor door(in_own(directory()),
                       {{"/echo", echo},
                        {"/fail",
                         [](const std::string&, const runtime::Descriptor&) {
                           return Answer{false, "it failed"};
                         }},
                        {"/throw", [](const std::string&, const runtime::Descriptor&) -> Answer {
                           throw std::runtime_error("it threw");
                         }}});
  EXPECT_EQ(ask(directory(), http::verb::post, "/echo", "hello"), (Answered{200, "it says hello\n"}));
  EXPECT_EQ(ask(directory(), http::verb::post, "/echo"), (Answered{200, "it says \n"}));
  EXPECT_EQ(ask(directory(), http::verb::post, "/fail"), (Answered{500, "it failed\n"}));
  EXPECT_EQ(ask(directory(), http::verb::post, "/throw"), (Answered{500, "it threw\n"}));
  EXPECT_EQ(ask(directory(), http::verb::get, "/echo"), (Answered{405, "use POST\n"}));
  EXPECT_EQ(ask(directory(), http::verb::post, "/other"),
            (Answered{404, "there is POST /echo POST /fail POST /throw\n"}));
  EXPECT_EQ(ask(directory(), http::verb::post, "/echo", std::string(70'000, 'x')).status, 400U);
}

// With each request its own, and none with the next on the same connection.
TEST_F(AdminDoorTest, ADescriptorComesWithItsRequest) {
  const AdminDoor door(
      in_own(directory()),
      {{"/name", [](const std::string& body, const runtime::Descriptor& passed) {
          if (!passed.is_open()) return Answer{false, "none"};
          return Answer{true,
                        body + fs::read_symlink("/proc/self/fd/" + std::to_string(passed.number())).string()};
        }}});
  const auto admin = AdminSocket::in(directory());
  asio::io_context context(1);
  Protocol::socket connection(context);
  connection.connect(admin.address());
  boost::beast::flat_buffer buffer;
  for (const auto& [body, with_descriptor] :
       {std::pair("it is ", true), std::pair("", false), std::pair("again ", true)}) {
    const std::string request =
        "POST /name HTTP/1.1\r\nContent-Length: " + std::to_string(std::string(body).size()) + "\r\n\r\n" +
        body;
    if (with_descriptor) {
      const runtime::Descriptor passed(::open(directory().c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
      ASSERT_TRUE(send_with_descriptor(connection.native_handle(), request, passed.number()));
    } else {
      asio::write(connection, asio::buffer(request));
    }
    http::response<http::string_body> response;
    http::read(connection, buffer, response);
    EXPECT_EQ(response.body(), with_descriptor ? body + directory() + "\n" : "none\n");
  }
}

// The directory that was opened is another one by now.
TEST_F(AdminDoorTest, ASocketThatTookItsPlaceIsNotRemoved) {
  const std::string store = directory() + "/store";
  fs::create_directory(store);
  {
    const AdminDoor door(in_own(store), {{"/echo", echo}});
    fs::rename(store, directory() + "/moved");
    fs::create_directory(store);
    std::ofstream(store + "/admin.sock") << "of another process";
  }
  EXPECT_TRUE(fs::exists(store + "/admin.sock"));
  EXPECT_FALSE(fs::exists(directory() + "/moved/admin.sock"));
}

// Whatever the umask, and at no moment wider: a mode that were set after bind() would be a change of attributes.
TEST_F(AdminDoorTest, NobodyElseMayEverOpenTheSocket) {
  const int events = ::inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
  ASSERT_GE(events, 0);
  ASSERT_GE(::inotify_add_watch(events, directory().c_str(), IN_CREATE | IN_ATTRIB), 0);
  for (const mode_t mask : {0U, 022U, 077U}) {
    const mode_t before = ::umask(mask);
    {
      const AdminDoor door(in_own(directory()), {{"/echo", echo}});
      EXPECT_EQ(mode(), 0600U);
    }
    ::umask(before);
    alignas(inotify_event) char buffer[4096];
    const auto size = ::read(events, buffer, sizeof buffer);
    ASSERT_GT(size, 0);
    std::size_t created = 0;
    for (ssize_t at = 0; at < size;) {
      const auto* event = reinterpret_cast<const inotify_event*>(buffer + at);
      EXPECT_EQ(event->mask & IN_ATTRIB, 0U) << event->name;
      if ((event->mask & IN_CREATE) != 0) ++created;
      at += static_cast<ssize_t>(sizeof(inotify_event) + event->len);
    }
    EXPECT_EQ(created, 1U);
  }
  ::close(events);
}

// As SIGKILL leaves it.
TEST_F(AdminDoorTest, AStaleSocketIsReplaced) {
  {
    asio::io_context context(1);
    Protocol::acceptor killed(context, Protocol::endpoint(socket()));
  }
  ASSERT_TRUE(fs::exists(socket()));
  const AdminDoor door(in_own(directory()), {{"/echo", echo}});
  EXPECT_EQ(mode(), 0600U);
  EXPECT_EQ(ask(directory(), http::verb::post, "/echo", "x").status, 200U);
}

TEST_F(AdminDoorTest, TheSocketIsRemovedAtTheEnd) {
  { const AdminDoor door(in_own(directory()), {{"/echo", echo}}); }
  EXPECT_TRUE(fs::is_empty(directory()));
}

TEST_F(AdminDoorTest, APathThatIsTooLongForAnAddressWorksAllTheSame) {
  for (const std::size_t length : {85U, 95U, 96U, 97U, 98U, 200U}) {
    const std::string deep = directory() + "/" + std::string(length - directory().size() % length, 'd');
    fs::create_directory(deep);
    const AdminDoor door(in_own(deep), {{"/echo", echo}});
    EXPECT_EQ(ask(deep, http::verb::post, "/echo", "x"), (Answered{200, "it says x\n"})) << deep.size();
    EXPECT_TRUE(fs::exists(deep + "/admin.sock"));
  }
}

// The error of listening at this path; 0: it listens.
int error_at(const std::string& path) {
  try {
    AdminListener::at(path);
    return 0;
  } catch (const boost::system::system_error& error) {
    return error.code().value();
  }
}

TEST_F(AdminDoorTest, ServesAtSeveralPaths) {
  const auto path = directory() + "/other.socket";
  {
    auto listeners = in_own(directory());
    listeners.push_back(AdminListener::at(path));
    const AdminDoor door(std::move(listeners), {{"/echo", echo}});
    EXPECT_EQ(fs::status(path).permissions(), fs::perms::owner_read | fs::perms::owner_write);
    EXPECT_EQ(ask(directory(), http::verb::post, "/echo", "x"), (Answered{200, "it says x\n"}));
    EXPECT_EQ(ask_at(AdminSocket::at(path), http::verb::post, "/echo", "y"), (Answered{200, "it says y\n"}));
  }
  EXPECT_TRUE(fs::is_empty(directory()));
}

TEST_F(AdminDoorTest, AtAPathOnlyASocketThatNobodyServesIsReplaced) {
  {
    const auto other = AdminListener::at(socket());
    EXPECT_EQ(error_at(socket()), EADDRINUSE);
    EXPECT_TRUE(fs::exists(socket()));
  }
  EXPECT_FALSE(fs::exists(socket()));
  {
    asio::io_context context(1);
    Protocol::acceptor killed(context, Protocol::endpoint(socket()));
  }
  ASSERT_TRUE(fs::exists(socket()));
  EXPECT_EQ(error_at(socket()), 0);

  std::ofstream(socket()) << "a file";
  EXPECT_EQ(error_at(socket()), ENOTSOCK);
  EXPECT_TRUE(fs::exists(socket()));
  const auto link = directory() + "/link";
  fs::create_symlink(socket(), link);
  EXPECT_EQ(error_at(link), ENOTSOCK);
  EXPECT_TRUE(fs::is_symlink(link));
  EXPECT_EQ(error_at(directory() + "/none/x"), ENOENT);
  EXPECT_EQ(error_at(socket() + "/x"), ENOTDIR);
  EXPECT_EQ(error_at(directory() + "/" + std::string(150, 'x')), ENAMETOOLONG);
}

TEST_F(AdminDoorTest, AnotherSocketThatTookItsPlaceIsNotRemoved) {
  std::optional<AdminListener> listener(AdminListener::at(socket()));
  fs::rename(socket(), directory() + "/aside");  // so that its number is not given to the next file
  const auto other = AdminListener::at(socket());
  listener.reset();
  EXPECT_TRUE(fs::exists(socket()));
}

TEST_F(AdminDoorTest, ACallThatWaitsIsToldOfTheEnd) {
  for (const bool by_drain : {false, true}) {
    std::promise<void> called;
    std::promise<void> ended;
    auto end = ended.get_future();
    std::optional<AdminDoor> door;
    door.emplace(in_own(directory()),
                 std::vector<AdminDoor::Call>{{"/wait",
                                               [&](const std::string&, const runtime::Descriptor&) {
                                                 called.set_value();
                                                 end.get();
                                                 return Answer{false, "it ends"};
                                               },
                                               [&, told = false]() mutable {
                                                 if (!std::exchange(told, true)) ended.set_value();
                                               }}});
    auto asked = std::async(std::launch::async, [&] {
      try {
        return ask(directory(), http::verb::post, "/wait");
      } catch (const boost::system::system_error&) {
        return Answered{};  // the door is gone already
      }
    });
    called.get_future().get();
    if (by_drain) {
      std::promise<void> drained;
      door->drain([&] { drained.set_value(); });
      EXPECT_EQ(drained.get_future().wait_for(20s), std::future_status::ready);
      EXPECT_EQ(asked.get(), (Answered{500, "it ends\n"}));
    }
    door.reset();
  }
}

TEST_F(AdminDoorTest, WithoutADirectoryItSaysSo) {
  EXPECT_THROW(AdminListener::in_own(directory() + "/none"), boost::system::system_error);
  EXPECT_THROW(AdminSocket::in(directory() + "/none"), boost::system::system_error);
}

// The process goes on while a call runs, and drains only after it; the caller gets its answer.
TEST_F(AdminDoorTest, DrainsAfterTheCallThatRuns) {
  std::promise<void> called;
  std::promise<void> go_on;
  std::promise<void> drained;
  AdminDoor door(in_own(directory()), {{"/wait", [&](const std::string&, const runtime::Descriptor&) {
                                          called.set_value();
                                          go_on.get_future().get();
                                          return Answer{true, "at last"};
                                        }}});
  auto asked = std::async(std::launch::async, [&] { return ask(directory(), http::verb::post, "/wait"); });
  called.get_future().get();
  door.drain([&] { drained.set_value(); });
  auto is_drained = drained.get_future();
  EXPECT_EQ(is_drained.wait_for(50ms), std::future_status::timeout) << "while a call runs";
  go_on.set_value();
  EXPECT_EQ(is_drained.wait_for(20s), std::future_status::ready);
  EXPECT_FALSE(fs::exists(socket()));
  EXPECT_EQ(asked.get(), (Answered{200, "at last\n"}));
}

}  // namespace
}  // namespace tracker::doors
