// Resources that the machine may refuse at the start. The program must end with one line and exit 1, never by abort().

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <fstream>
#include <memory>
#include <string>
#include <vector>

#include "support/answer_checks.h"
#include "support/health.h"
#include "support/program.h"
#include "support/raw_client.h"
#include "support/request.h"
#include "support/temporary_directory.h"

namespace tracker::tests {
namespace {

class LimitsTest : public testing::Test {
 protected:
  std::string store() const { return (directory_.path() / "store").string(); }

  Arguments serve(const Arguments& more = {}) const {
    Arguments arguments{"serve",
                        "--store",
                        "rocksdb:" + store(),
                        "--envoy-addr",
                        "127.0.0.1:0",
                        "--health-addr",
                        "127.0.0.1:0",
                        "--counter-addr",
                        "127.0.0.1:0",
                        "--threads",
                        "2"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return arguments;
  }

  // Adds a limit of the shell's ulimit.
  Arguments limited(const std::string& ulimit) const {
    Arguments arguments{"-c", "ulimit " + ulimit + " && exec \"$0\" \"$@\"", tracker_binary()};
    for (const auto& argument : serve({"--cache-bytes", "16MiB"})) arguments.push_back(argument);
    return arguments;
  }

  TemporaryDirectory directory_;
};

// Either it serves, or its last line says why not.
void expect_serves_or_says_why_not(Program& program, const std::string& remedy) {
  bool serves = false;
  for (const Deadline deadline; !serves && program.running() && !deadline.passed();) {
    serves = !listening_doors(program.output()).empty();
  }
  if (serves) {
    program.send_signal(SIGKILL);
    return;
  }
  EXPECT_EQ(program.wait_exit(), 1);
  const std::string said = program.output();
  EXPECT_NE(said.find("tracker: "), std::string::npos) << said;
  EXPECT_NE(said.find(remedy), std::string::npos) << said;
  EXPECT_EQ(said.find("terminate called"), std::string::npos) << said;
}

TEST_F(LimitsTest, OnMemory) {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  GTEST_SKIP() << "sanitizers take all addresses";
#endif
  for (const int mebibytes : {90, 250, 450, 550}) {
    SCOPED_TRACE(mebibytes);
    Program program(limited("-v " + std::to_string(mebibytes * 1024)), {}, "/bin/sh");
    expect_serves_or_says_why_not(program, "; ");
  }
}

TEST_F(LimitsTest, OnOpenFiles) {
  for (const int files : {8, 16, 30, 60}) {
    SCOPED_TRACE(files);
    Program program(limited("-n " + std::to_string(files)), {}, "/bin/sh");
    EXPECT_EQ(program.wait_exit(), 1);
    EXPECT_NE(program.output().find("ulimit -n"), std::string::npos) << program.output();
  }
}

TEST_F(LimitsTest, ACacheThatTheMachineCannotHoldIsRefused) {
  const auto outcome = run_to_end(serve(), {{"TRACKER_CACHE_BYTES", "4000000GiB"}});
  EXPECT_EQ(outcome.exit_code, 1);
  EXPECT_NE(outcome.err.find("--cache-bytes"), std::string::npos) << outcome.err;
  EXPECT_FALSE(std::filesystem::exists(store()));
}

TEST_F(LimitsTest, WithoutRandomNumbersItDoesNotStart) {
  for (const int error : {ENOSYS, EPERM}) {
    Arguments arguments{std::to_string(SYS_getrandom), std::to_string(error), tracker_binary()};
    for (const auto& argument : serve()) arguments.push_back(argument);
    Program program(arguments, {}, WITHOUT_CALL);
    const auto exit_code = program.wait_exit();
    if (exit_code == 98) GTEST_SKIP() << "this machine has no seccomp: " << program.output();
    EXPECT_EQ(exit_code, 1);
    EXPECT_NE(program.standard_error().find("getrandom"), std::string::npos) << program.standard_error();
    EXPECT_EQ(std::ranges::count(program.standard_error(), '\n'), 1) << program.standard_error();
  }
}

TEST_F(LimitsTest, WithoutThreadsItDoesNotStart) {
  Arguments arguments{std::to_string(SYS_clone3), std::to_string(EAGAIN), tracker_binary()};
  for (const auto& argument : serve()) arguments.push_back(argument);
  Program program(arguments, {}, WITHOUT_CALL);
  const auto exit_code = program.wait_exit();
  if (exit_code == 98) GTEST_SKIP() << "this machine has no seccomp: " << program.output();
  EXPECT_EQ(exit_code, 1);
  EXPECT_NE(program.standard_error().find("ulimit -u"), std::string::npos) << program.standard_error();
}

TEST_F(LimitsTest, ACurrentDirectoryThatIsGoneIsSaid) {
  const std::string gone = (directory_.path() / "gone").string();
  Program program(
      {"-c", "mkdir \"$1\" && cd \"$1\" && rmdir \"$1\" && exec \"$0\" serve --envoy-addr 127.0.0.1:0",
       tracker_binary(), gone},
      {}, "/bin/sh");
  EXPECT_EQ(program.wait_exit(), 1);
  EXPECT_NE(program.standard_error().find("current directory"), std::string::npos)
      << program.standard_error();
  EXPECT_NE(program.standard_error().find("absolute path"), std::string::npos) << program.standard_error();
}

TEST_F(LimitsTest, APortInUseLeavesNoNewDirectoryBehind) {
  Program other(
      {"serve", "--store", "memory", "--envoy-addr", "127.0.0.1:0", "--health-addr", "127.0.0.1:0"});
  const std::string taken = other.wait_listening().at("envoy").to_string();
  for (const char* flag : {"--envoy-addr", "--health-addr", "--counter-addr"}) {
    Arguments arguments = serve();
    *(std::ranges::find(arguments, flag) + 1) = taken;
    const auto outcome = run_to_end(arguments);
    EXPECT_EQ(outcome.exit_code, 1);
    EXPECT_NE(outcome.err.find(std::string(flag) + ": cannot listen on " + taken), std::string::npos)
        << outcome.err;
    EXPECT_FALSE(std::filesystem::exists(store())) << flag;
  }
}

std::string core_limit(pid_t process) {
  std::ifstream limits("/proc/" + std::to_string(process) + "/limits");
  std::string line;
  while (std::getline(limits, line) && !line.starts_with("Max core file size")) {
  }
  return line;
}

// Returns the owner of /proc/PID/environ, which is root if the process may not be dumped.
uid_t owner(pid_t process) {
  struct stat status {};
  EXPECT_EQ(::stat(("/proc/" + std::to_string(process) + "/environ").c_str(), &status), 0);
  return status.st_uid;
}

TEST_F(LimitsTest, NoCoreAndNoTracingUnlessAskedFor) {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  GTEST_SKIP() << "not in these builds";
#endif
  const auto run = [&](const Arguments& more) {
    Arguments arguments{"-c", "ulimit -S -c \"$(ulimit -H -c)\"; exec \"$0\" \"$@\"", tracker_binary()};
    for (const auto& argument : serve(more)) arguments.push_back(argument);
    auto program = std::make_unique<Program>(arguments, Environment{}, "/bin/sh");
    program->wait_listening();
    return program;
  };
  {
    const auto program = run({});
    EXPECT_NE(core_limit(program->pid()).find(" 0 "), std::string::npos) << core_limit(program->pid());
    EXPECT_EQ(owner(program->pid()), 0U);
  }
  const auto program = run({"--core-dumps"});
  EXPECT_EQ(owner(program->pid()), ::getuid());
}

// So that an operator can tell a tracker without descriptors from one that hangs.
TEST_F(LimitsTest, ConnectionsThatCannotBeAcceptedAreToldOnceAndServedLater) {
  Program program(serve());
  const auto doors = program.wait_listening();
  rlimit before{};
  ASSERT_EQ(::prlimit(program.pid(), RLIMIT_NOFILE, nullptr, &before), 0);
  const rlimit none{3, before.rlim_max};
  ASSERT_EQ(::prlimit(program.pid(), RLIMIT_NOFILE, &none, nullptr), 0);
  std::vector<RawClient> clients;
  for (int i = 0; i < 3; ++i) clients.emplace_back(doors.at("envoy"));
  clients.emplace_back(doors.at("counter"));
  const std::vector<std::string> lines{
      " warning HTTP connections wait, since none can be accepted: Too many open",
      " warning connections to the counter's port wait, since none can be accepted"};
  for (const auto& line : lines) {
    for (const Deadline deadline; program.output().find(line) == std::string::npos;) {
      ASSERT_FALSE(deadline.passed()) << program.output();
    }
  }
  ASSERT_EQ(::prlimit(program.pid(), RLIMIT_NOFILE, &before, nullptr), 0);
  for (int i = 0; i < 3; ++i) {
    clients[static_cast<std::size_t>(i)].send(get_without_token("/auth"));
    EXPECT_TRUE(is_token(clients[static_cast<std::size_t>(i)].read_answer()));
  }
  const auto log = program.output();
  for (const auto& line : lines) EXPECT_EQ(log.find(line), log.rfind(line)) << log;
}

std::string reason_at(const std::string& health_address, const Arguments& more) {
  Arguments arguments{"serve",        "--store",     "redis",         "--redis-addr", "localhost:1",
                      "--envoy-addr", "127.0.0.1:0", "--health-addr", health_address};
  arguments.insert(arguments.end(), more.begin(), more.end());
  Program program(arguments);
  auto health = program.wait_listening().at("health");
  health.host = "127.0.0.1";
  return wait_readyz(health, 503);
}

TEST(HealthDetailsTest, OffLoopbackTheReasonNamesNoHost) {
  const std::string in_public = reason_at("0.0.0.0:0", {});
  EXPECT_NE(in_public.find("Redis"), std::string::npos) << in_public;
  EXPECT_EQ(in_public.find("localhost"), std::string::npos) << in_public;
  EXPECT_EQ(in_public.find("127.0.0.1"), std::string::npos) << in_public;
  EXPECT_NE(in_public.find("--health-details"), std::string::npos) << in_public;
  for (const std::string& detailed :
       {reason_at("0.0.0.0:0", {"--health-details"}), reason_at("127.0.0.1:0", {})}) {
    EXPECT_NE(detailed.find("localhost:1"), std::string::npos) << detailed;
  }
}

}  // namespace
}  // namespace tracker::tests
