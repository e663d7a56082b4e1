#include "app/admin.h"

#include <gtest/gtest.h>

#include <chrono>
#include <future>
#include <optional>
#include <string>

#include "cli/admin_client.h"
#include "doors/admin_calls.h"
#include "support/temporary_directory.h"

namespace tracker::app {
namespace {

using namespace std::chrono_literals;
using Done = std::function<void(bool done, const std::string& words)>;

class AdminTest : public testing::Test {
 protected:
  std::string path() const { return directory_.path() / "socket"; }

  cli::AdminClient::Answer ask(const std::string& name) const {
    return cli::AdminClient::connect(doors::AdminSocket::at(path()))->ask(doors::slots_forget, name);
  }

  const OpenStore open_store_{};
  const tests::TemporaryDirectory directory_;
};

TEST_F(AdminTest, AStoreWithoutADirectoryHasADoorOnlyAtItsPath) {
  EXPECT_EQ(open_admin_door(open_store_), nullptr);
  EXPECT_NE(open_admin_door(open_store_, path()), nullptr);
}

TEST_F(AdminTest, ForgetsByTheService) {
  const auto door = open_admin_door(
      open_store_, path(),
      {.forget = [](const std::string& name, const Done& done) { done(name == "b", "it was " + name); }});
  const auto known = ask("b");
  EXPECT_TRUE(known.done);
  EXPECT_EQ(known.text, "it was b");
  const auto unknown = ask("c");
  EXPECT_FALSE(unknown.done);
  EXPECT_EQ(unknown.text, "it was c");
  EXPECT_FALSE(ask("").done);
}

// A call whose service does not answer ends with the door. Its answer may come later.
TEST_F(AdminTest, AServiceThatDoesNotAnswerDoesNotHoldUpTheEnd) {
  std::promise<Done> called;
  auto door =
      open_admin_door(open_store_, path(),
                      {.forget = [&](const std::string&, Done done) { called.set_value(std::move(done)); }});
  auto asked = std::async(std::launch::async, [&] { return ask("b"); });
  const auto done = called.get_future().get();
  std::promise<void> drained;
  const auto before = std::chrono::steady_clock::now();
  draining_last(door.get(), [&] { drained.set_value(); })();
  ASSERT_EQ(drained.get_future().wait_for(20s), std::future_status::ready);
  EXPECT_LT(std::chrono::steady_clock::now() - before, 5s);
  const auto answer = asked.get();
  EXPECT_FALSE(answer.done);
  EXPECT_EQ(answer.text, "this process ends; it is not known whether b is forgotten; try again later");
  door.reset();
  done(true, "too late");
}

}  // namespace
}  // namespace tracker::app
