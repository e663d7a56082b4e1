#include <fcntl.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <csignal>
#include <iostream>
#include <string>

#include "app/serve.h"
#include "app/setting_table.h"
#include "app/startup_error.h"
#include "runtime/log.h"

namespace {

using tracker::app::StartupError;

constexpr const char* about =
    "tracker hands out tokens and answers, for every HTTP request that carries one, how many times that "
    "token has "
    "asked for that path.\n\n"
    "  tracker serve                                        start it\n"
    "  curl localhost:6380/auth                             get a token\n"
    "  curl -H 'Authorization: TOKEN' localhost:6380/any    be counted";

constexpr const char* about_settings =
    "Each setting can also be given by the environment variable named in brackets; the flag beats it.\n"
    "Durations are written like 300ms, 2s or 5m, sizes like 8KiB, addresses like 127.0.0.1:80, [::1]:80 or "
    ":80.";

/// One line, whatever a library or a value has to say.
std::string one_line(std::string text) {
  std::replace_if(
      text.begin(), text.end(), [](unsigned char c) { return c < ' ' || c == 0x7F; }, ' ');
  return text;
}

/// A closed standard descriptor would be taken by the first socket, and the log would be written into that.
void open_standard_descriptors() {
  for (int descriptor = 0; descriptor <= 2; ++descriptor) {
    if (fcntl(descriptor, F_GETFD) == -1) static_cast<void>(open("/dev/null", O_RDWR));
  }
}

/// What the command line parser would say less clearly.
void check_command(const std::string& name) {
  if (name.starts_with('-') || name == "serve") return;
  for (const auto* to_come : {"envoy", "counter", "balancer", "check"}) {
    if (name != to_come) continue;
    throw StartupError(StartupError::bad_setting,
                       name + ": this command is not built yet; there is: tracker serve");
  }
  throw StartupError(StartupError::bad_setting, "\"" + name + "\" is no command; there is: tracker serve");
}

int run(int argc, char** argv) {
  if (argc > 1) check_command(argv[1]);

  CLI::App program(about, "tracker");
  program.set_version_flag("--version", "tracker " TRACKER_VERSION, "Print the version and end.");
  program.set_help_flag("--help,-h", "Print this help and end.");
  program.require_subcommand(0, 1);
  program.get_formatter()->column_width(28);

  auto& serve =
      *program.add_subcommand("serve", "Envoy and counter in one process: nothing else to install or start.");
  serve.footer(about_settings);
  tracker::app::SettingTable serve_table(serve);
  tracker::app::ServeSettings serve_settings;
  add_serve_settings(serve_table, serve_settings);

  try {
    program.parse(argc, argv);
  } catch (const CLI::Success& help_or_version) {
    return program.exit(help_or_version);
  } catch (const CLI::ParseError& error) {
    throw StartupError(StartupError::bad_setting,
                       std::string(error.what()) + "; see tracker --help and tracker serve --help");
  }
  if (!serve.parsed()) {
    throw StartupError(StartupError::bad_setting,
                       "a command is missing; there is: tracker serve. See tracker --help");
  }
  serve_table.read();

  std::signal(SIGPIPE, SIG_IGN);
  tracker::runtime::open_log();
  tracker::app::serve(serve_settings);
  return EXIT_SUCCESS;
}

}  // namespace

int main(int argc, char** argv) {
  try {
    open_standard_descriptors();
    return run(argc, argv);
  } catch (const StartupError& error) {
    std::cerr << "tracker: " << one_line(error.what()) << '\n';
    return error.exit_code();
  } catch (const std::exception& error) {
    std::cerr << "tracker: " << one_line(error.what()) << '\n';
    return StartupError::refused_by_the_machine;
  }
}
